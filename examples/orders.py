"""An order on its way: priced while its stock is reserved, insured if it is large, shipped with retries.

Run `python examples/orders.py [STATE_DIR]`; run it again, and the same order answers at once.
"""

import sys
from typing import TypedDict

from placet import Context, Retry, Runtime, Workflow


class Order(TypedDict):
    """What a customer wants."""

    quantity: int
    unit_price: int


class Consignment(TypedDict):
    """An order that can go."""

    total: int
    shelf: str
    insured: bool


orders = Workflow("orders")
received, unpriced, unreserved, priced, reserved = orders.places("received unpriced unreserved priced reserved")
ready, shippable, shipped = orders.places("ready shippable shipped")

orders.transition(received >> (unpriced & unreserved), name="begin")  # no handler: both get the order as it is


@orders.transition(unpriced >> priced, run="inline")
def price(order: Order) -> int:
    return order["quantity"] * order["unit_price"]


@orders.transition(unreserved >> reserved)
def reserve(order: Order) -> str:
    return f"shelf B{order['quantity']}"


@orders.transition((priced & reserved) >> ready, run="inline")  # a join: waits for both
def assemble(total: int, shelf: str) -> Consignment:
    return {"total": total, "shelf": shelf, "insured": False}


def large(goods: Consignment) -> bool:
    return goods["total"] >= 1000


def small(goods: Consignment) -> bool:
    return not large(goods)


@orders.transition(ready >> shippable, guard=large)
def insure(goods: Consignment) -> Consignment:
    return {**goods, "insured": True}


orders.transition(ready >> shippable, name="wave_through", guard=small)


@orders.transition(shippable >> shipped, retry=Retry(attempts=5, first_s=0.2))
def ship(goods: Consignment, context: Context) -> str:
    if context.attempt == 1:
        raise ConnectionError("the carrier does not answer")  # so that the retry can be seen
    how = "insured" if goods["insured"] else "not insured"
    parcel = context.firing_id  # the same in every attempt: a key against shipping twice
    return f"worth {goods['total']}, from {goods['shelf']}, {how}, at attempt {context.attempt}, parcel {parcel}"


def main(state: str) -> None:
    with Runtime(state, workflows=[orders]) as runtime:
        for name, quantity in (("order-17", 2), ("order-18", 1)):
            instance = runtime.spawn(orders, {received: [{"quantity": quantity, "unit_price": 900}]}, id=name)
            for note in instance.result(timeout_s=30)["shipped"]:
                print(f"{name} shipped: {note}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "state")
