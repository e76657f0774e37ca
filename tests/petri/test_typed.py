"""Which values a declared type takes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Optional, Protocol, TypedDict, TypeVar, Union

import pytest

from placet.petri.typed import accepts, name_of


class Order:
    """A value's class."""


class Large(Order):
    """A class below it."""


class Silent(Protocol):
    """A protocol that cannot be asked."""

    total: int


class Row(TypedDict):
    """A plain dict at run time."""

    total: int


T = TypeVar("T")


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (None, "any"),
        (Any, 1),
        (object, 1),
        (Order, Order()),
        (Order, Large()),
        (float, 1),
        (complex, 1.5),
        (int | None, None),
        (Optional[int], 3),  # noqa: UP045 - as older code writes it
        (Union[int, str], "a"),  # noqa: UP007 - likewise
        (dict[str, int], {"a": "not asked"}),
        (Mapping[str, int], {}),
        (Sequence[int] | None, (1,)),
        (Annotated[int, "pieces"], 1),
        (Row, {"total": "not asked"}),
        (Silent, 1),
        (Literal["a"], "not known"),
        (T, 1),
        ("Order", 1),
    ],
)
def test_a_value_of_the_type_or_of_one_that_cannot_be_asked_is_taken(declared: object, value: object) -> None:
    assert accepts(declared, value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (int, "1"),
        (int, 1.0),
        (Large, Order()),
        (int | None, "a"),
        (Union[int, str], None),  # noqa: UP007 - as older code writes it
        (dict[str, int], [1]),
        (list[int] | None, (1,)),
        (Annotated[int, "pieces"], "a"),
        (Row, [1]),
        (float, "1.0"),
    ],
)
def test_a_value_of_another_type_is_not(declared: object, value: object) -> None:
    assert not accepts(declared, value)


def test_types_are_named_as_people_write_them() -> None:
    assert (name_of(int), name_of(dict[str, int]), name_of(int | None)) == ("int", "dict[str, int]", "int | None")
