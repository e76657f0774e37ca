"""A greenhouse waters its beds: the same program embedded, and on a node that has never seen this file.

    python examples/greenhouse.py state                                # in this process, over the directory `state`
    placet node --state there --key-file node.key                      # or, in another terminal, a node …
    python examples/greenhouse.py 127.0.0.1:1900 node.deploy.key       # … to which this program brings its workflow

Either way it says the same. Run it again, and it finds what it began before.
"""

import sys
from dataclasses import dataclass

from placet import Retry, Runtime, Workflow, connect


@dataclass(frozen=True)
class Bed:
    """What grows where, and how dry it is."""

    plant: str
    dryness: int  # per cent


@dataclass(frozen=True)
class Watering:
    """How much a bed was given."""

    bed: Bed
    litres: float


watering = Workflow("watering", version="1")
dry = watering.place("dry", type=Bed)
watered, logged = watering.places("watered logged")


@watering.transition(dry >> watered, retry=Retry(attempts=3))
def water(bed: Bed) -> Watering:
    """Open the valve; on a node this runs there."""
    return Watering(bed, litres=bed.dryness / 10)


@watering.transition(watered >> logged, run="inline")
def log(done: Watering) -> Watering:
    """Keep what was done."""
    return done


def main(where: str, key_file: str = "") -> None:
    """Water three beds, here or on the node at `where`."""
    beds = [Bed("tomatoes", 60), Bed("basil", 35), Bed("cacti", 5)]
    with connect(where, key_file=key_file) if key_file else Runtime(where, [watering]) as system:
        instance = system.spawn(watering, {dry: beds}, id="monday")
        done = [one for one in instance.result(timeout_s=30)["logged"] if isinstance(one, Watering)]
        for one in sorted(done, key=lambda one: one.bed.plant):  # objects of this program, wherever they were made
            print(f"{one.bed.plant}: {one.litres} l")


if __name__ == "__main__":
    main(*sys.argv[1:3])
