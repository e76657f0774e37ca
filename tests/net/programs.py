"""Programs that bring their workflows along: run as scripts, so that all of theirs is in `__main__`."""

SCRIPT = '''
"""Spawns a workflow of its own, here or on a node, and says what came of it."""
import enum
import json
import sys
from dataclasses import dataclass, field

from placet import Retry, Runtime, Workflow, connect

FACTOR = {factor}


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclass(frozen=True)
class Item:
    name: str
    size: Size


@dataclass(frozen=True)
class Order:
    items: tuple[Item, ...]
    note: set[str] = field(default_factory=set)


def price_of(item):
    return item.size.value * FACTOR


orders = Workflow("orders", "{version}")
placed = orders.place("placed", type=Order, entry=True)
priced, sent = orders.places("priced sent")


@orders.transition(placed >> priced, retry=Retry(attempts=2))
def price(order):
    assert isinstance(order, Order), type(order)
    return sum(price_of(item) for item in order.items), order


@orders.transition(priced >> sent, guard=lambda pair: pair[0] > 0)
def send(pair):
    total, order = pair
    assert isinstance(order, Order), type(order)
    return {{"total": total, "order": order, "first": order.items[0].size}}


def main():
    where, *more = sys.argv[1:]
    opened = connect(where, key_file=more[0], timeout_s=30) if more else Runtime(where, [orders])
    order = Order((Item("book", Size.SMALL), Item("bike", Size.LARGE)), {{"gift"}})
    with opened as system:
        spawned = system.spawn(orders, {{placed: [order]}}, id="{id}")
        (found,) = spawned.result(timeout_s=60)["sent"]
    assert found["order"] == order, found
    assert type(found["order"]) is Order
    assert found["first"] is Size.SMALL
    print(json.dumps(found["total"]))


if __name__ == "__main__":
    main()
'''


def script(*, factor: int = 10, version: str = "1", id: str = "o-1") -> str:
    """Return the text of a script whose workflow multiplies by `factor`."""
    return SCRIPT.format(factor=factor, version=version, id=id)
