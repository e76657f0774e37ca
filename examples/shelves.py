"""A map: a list of shelves becomes a firing a shelf, and one list of what was counted, in the same order.

Run `python examples/shelves.py [STATE_DIR]`. One shelf is not counted at the first attempt: the others are not
counted again.
"""

import sys
from typing import TypedDict

from placet import Context, Retry, Runtime, Workflow


class Count(TypedDict):
    """What was found on one shelf."""

    shelf: str
    boxes: int
    attempt: int


inventory = Workflow("inventory")
planned, counted, reported = inventory.places("planned counted reported")


def count(shelf: str, context: Context) -> Count:
    if shelf == "B1" and context.attempt == 1:
        raise TimeoutError("somebody stands in front of it")
    return Count(shelf=shelf, boxes=sum(map(ord, shelf)), attempt=context.attempt)


inventory.map("count", planned >> counted, count, retry=Retry(attempts=5, first_s=0.05))


@inventory.transition(counted >> reported)
def report(counts: list[Count]) -> str:
    lines = [f"{one['shelf']}: {one['boxes']} boxes, counted at attempt {one['attempt']}" for one in counts]
    return "\n".join([*lines, f"{sum(one['boxes'] for one in counts)} boxes on {len(counts)} shelves"])


if __name__ == "__main__":
    state = sys.argv[1] if len(sys.argv) > 1 else "shelves"
    shelves = ["A1", "A2", "B1", "B2"]
    with Runtime(state, workflows=[inventory]) as runtime:
        instance = runtime.spawn(inventory, {planned: [shelves]}, id="spring")
        for text in instance.result(timeout_s=30)["reported"]:
            print(text)
