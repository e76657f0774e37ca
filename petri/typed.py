"""Whether a value is of the type that a place was declared with."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

UNIONS = (Union, types.UnionType)


def accepts(declared: object, value: object) -> bool:
    """Return whether `value` is of a declared type: a class, a union of such, or a generic, by its origin alone.

    An int passes for a float and both for a complex, as type checkers have it. None as a type is any, and so is
    whatever cannot be asked, such as a text or a type variable: what is not known refuses nothing.
    """
    if declared is None or declared is Any:  # `Any` as a user may declare it
        return True
    origin = get_origin(declared)
    if origin in UNIONS:
        return any(value is None if part is type(None) else accepts(part, value) for part in get_args(declared))
    if origin is Annotated:
        return accepts(get_args(declared)[0], value)
    return _is_instance(origin or declared, value)


def _is_instance(kind: object, value: object) -> bool:
    if not isinstance(kind, type):
        return True
    if kind in (float, complex) and isinstance(value, int | float):
        return True
    if hasattr(kind, "__total__"):  # a typed dict: a plain dict at run time
        return isinstance(value, dict)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that cannot be asked
        return True


def name_of(declared: object) -> str:
    """Return how people write a declared type."""
    return declared.__name__ if type(declared) is type else str(declared)
