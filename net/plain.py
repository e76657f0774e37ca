"""Values that JSON gives back as they were: what a client may spawn with."""

import msgspec

from placet.persistence.errors import ValueNotEncodable
from placet.persistence.type_name import qualified_name


def check_plain(value: object) -> None:
    """Raise `ValueNotEncodable` unless JSON gives `value` back: numbers, text, None, lists, dicts by text."""
    try:
        is_same = msgspec.json.decode(msgspec.json.encode(value)) == value
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueNotEncodable(qualified_name(type(value)), f"JSON does not hold it: {error}") from error
    if not is_same:
        raise ValueNotEncodable(qualified_name(type(value)), "JSON would give it back as something else")


def plain(value: object) -> object:
    """Return a value that JSON gives back as it was. Raises `ValueNotEncodable` as `check_plain` does."""
    check_plain(value)
    return value
