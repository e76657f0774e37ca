"""Showing stored values as JSON without running anything of theirs.

Plain data is decoded by an unpickler that refuses every global name, so no class is imported, no function called.
What JSON cannot hold becomes `{"$type": "module.Class", "bytes": size}`, for the value as a whole.
"""

import io
import math
import pickle
from typing import Never, cast

import msgspec

from placet.persistence.type_name import UNKNOWN, type_name
from placet.persistence.values import CLOUD_HEADER, CLOUDPICKLE, JSON, MSGPACK, PICKLE

DEEPEST = 100  # levels of lists and objects; deeper ones are shown by type
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1  # integers that JSON readers commonly hold


class _NotPlain(Exception):
    """A value that JSON cannot hold; `type_name` is of the part that it cannot."""

    def __init__(self, type_name: str) -> None:
        super().__init__(type_name)
        self.type_name = type_name


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Never:
        """Load no class at all: what is shown is plain."""
        raise _NotPlain(f"{module_name}.{global_name}")


def to_json(data: bytes) -> object:
    """Return what `json.dumps` can print of a stored value; never raises for odd data, never executes any.

    Plain data comes as it is, a tuple as a list. As `{"$type", "bytes"}` come: objects, bytes, sets, complex,
    NaN and infinities, integers beyond 64 bits, objects with keys that are no text, text with lone surrogates,
    nesting deeper than `DEEPEST`, and data that is damaged.
    """
    try:
        return _plain(_load(data), 0, [len(data)])
    except _NotPlain as reason:
        return {"$type": reason.type_name, "bytes": len(data)}


def _load(data: bytes) -> object:
    tag = data[:1]
    try:
        if tag == PICKLE:
            return _PlainUnpickler(io.BytesIO(data)).load()
        if tag == JSON:
            return msgspec.json.decode(data[1:])
        if tag == MSGPACK:
            return msgspec.msgpack.decode(data[1:])
    except _NotPlain:
        raise _NotPlain(type_name(data)) from None
    except Exception:  # the C unpickler raises nearly anything on damaged data
        raise _NotPlain(UNKNOWN) from None
    raise _NotPlain(type_name(data[CLOUD_HEADER:]) if tag == CLOUDPICKLE else UNKNOWN)


def _plain(value: object, depth: int, nodes_left: list[int]) -> object:
    # Every node takes a byte of the data at least, unless parts refer to each other: then a few bytes could
    # stand for more than any memory holds.
    nodes_left[0] -= 1
    if depth > DEEPEST or nodes_left[0] < 0:
        raise _NotPlain(type(value).__name__)
    match value:
        case None | bool():
            return value
        case str() if _is_printable(value):
            return value
        case int() if _LOWEST <= value <= _HIGHEST:
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_plain(part, depth + 1, nodes_left) for part in cast("list[object]", value)]
        case dict():
            entries = cast("dict[object, object]", value)
            return {_key(key): _plain(part, depth + 1, nodes_left) for key, part in entries.items()}
        case _:
            raise _NotPlain(type(value).__name__)


def _key(key: object) -> str:
    if isinstance(key, str) and _is_printable(key):
        return key
    raise _NotPlain("dict")


def _is_printable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
