"""Values that JSON gives back as they were: all that a client with no more than a client key may send."""

from typing import cast

import msgspec

from placet.persistence.errors import ValueNotEncodable
from placet.persistence.type_name import qualified_name

_LEAST, _MOST = -(1 << 63), (1 << 64) - 1  # of whole numbers: others would come back as floats
_SINGLE = frozenset({type(None), bool, int, float, str})


def is_plain(value: object) -> bool:
    """Return whether JSON gives `value` back: numbers, text, None, lists, dicts by text, and no types made of these."""
    return _has_plain_types(value) and _problem(value) == ""


def check_plain(value: object) -> None:
    """Raise `ValueNotEncodable` unless JSON gives `value` back: numbers, text, None, lists, dicts by text."""
    problem = _problem(value)
    if problem or not _has_plain_types(value):
        raise ValueNotEncodable(qualified_name(type(value)), problem or "JSON would give it back as something else")


def _problem(value: object) -> str:
    try:
        is_same = msgspec.json.decode(msgspec.json.encode(value)) == value
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"JSON does not hold it: {error}"
    return "" if is_same else "JSON would give it back as something else"


def _has_plain_types(value: object) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is list:
            waiting += cast("list[object]", one)
        elif type(one) is dict:
            waiting += [*cast("dict[object, object]", one).keys(), *cast("dict[object, object]", one).values()]
        elif type(one) not in _SINGLE or (type(one) is int and not _LEAST <= one <= _MOST):
            return False
    return True
