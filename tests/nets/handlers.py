"""What the nets of these tests name by import path."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from placet import Context, Workflow


class Unlucky(Exception):
    pass


@dataclass
class Order:
    number: int


def step(value: object) -> object:
    return value


async def wait(value: object) -> object:
    return value


def watched(value: object, context: Context) -> object:
    context.heartbeat()
    return value


def join(first: object, second: object) -> object:
    return (first, second)


def times(value: int, factor: int) -> int:
    return value * factor


doubled = partial(times, factor=2)
passes: Callable[[int], bool] = lambda value: value > 0  # noqa: E731  a lambda with a name in a module can be found
orders_by_id = dict[str, Order]
inner = Workflow("inner")
inner_start, inner_end = inner.places("start end")
inner.transition(inner_start >> inner_end, "through")
not_callable: Any = 3


class Holder:
    @staticmethod
    def inside(value: object) -> object:
        return value
