"""Workflows for tests of shards that move."""

from placet.petri.workflow import Workflow

orders = Workflow("orders")
received, priced, shipped = orders.places("received priced shipped")


@orders.transition(received >> priced)
def price(order: int) -> int:
    return order + 1


@orders.transition(priced >> shipped, run="inline")
def ship(order: int) -> int:
    return order * 2


waiting = Workflow("waiting")
inbox, outbox = waiting.place("inbox", external=True), waiting.place("outbox")


@waiting.transition(inbox >> outbox, run="inline", delay_s=100.0)
def pass_on(value: int) -> int:
    return value
