"""Whether two spawns mean the same: a fingerprint of input values that is equal for equal values.

Pickled bytes will not do: sets have no order, and the same strings pickle differently when they are one object.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass

from placet.persistence.values import encode


def fingerprint(tokens: Iterable[tuple[int, object]]) -> bytes:
    """Return 16 bytes for (place, value) pairs: equal for equal plain values, whatever process made them.

    Plain are numbers, text, bytes, None, lists, tuples, dicts, sets and dataclasses of these; other values
    count as equal when their encoded bytes are.
    """
    digest = hashlib.blake2b(digest_size=16)
    for place, value in tokens:
        digest.update(place.to_bytes(4, "big"))
        digest.update(_canonical(value))
    return digest.digest()


def _canonical(value: object) -> bytes:
    match value:
        case None | bool() | int():
            body = b"n" + repr(int(value) if value is not None else None).encode()
        case float():
            body = b"n" + repr(int(value) if value.is_integer() else value).encode()
        case str():
            body = b"s" + value.encode(errors="surrogatepass")
        case bytes() | bytearray():
            body = b"b" + bytes(value)
        case Mapping():
            body = b"d" + b"".join(sorted(_canonical(key) + _canonical(value[key]) for key in value))
        case Set():
            body = b"e" + b"".join(sorted(_canonical(element) for element in value))
        case Sequence():
            body = (b"t" if isinstance(value, tuple) else b"l") + b"".join(_canonical(element) for element in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = [(field.name, getattr(value, field.name)) for field in fields(value)]
            body = b"c" + type(value).__qualname__.encode() + b"".join(n.encode() + _canonical(v) for n, v in parts)
        case _:
            body = b"o" + encode(value)
    return len(body).to_bytes(8, "big") + body
