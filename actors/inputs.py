"""Whether two spawns mean the same: a fingerprint of input values that is equal for equal values.

Pickled bytes will not do: sets have no order, and the same strings pickle differently when they are one object.
"""

import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from operator import itemgetter
from typing import cast

from placet.persistence.values import encode


def fingerprint(tokens: Iterable[tuple[str, object]]) -> bytes:
    """Return 16 bytes for (place path, value) pairs: equal for equal plain values, whatever process made them.

    Plain are numbers, text, bytes, None, lists, tuples, dicts, sets and dataclasses of these; other values
    count as equal when their encoded bytes are. The order of values in one place counts, that of places does not.
    """
    digest = hashlib.blake2b(digest_size=16)
    for place, value in sorted(tokens, key=itemgetter(0)):
        digest.update(_canonical(place))
        digest.update(_readable(value))
    return digest.digest()


def _readable(value: object) -> bytes:
    try:
        return _canonical(value)
    except RecursionError:  # too deep, or it holds itself: only equal bytes count as equal
        return b"o" + encode(value)


def _canonical(value: object) -> bytes:
    body = _body(value)
    return len(body).to_bytes(8, "big") + body


def _body(value: object) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"n%x" % int(value)
    if isinstance(value, float):  # 1, 1.0 and True are equal
        return b"n%x" % int(value) if value.is_integer() else b"f" + float(value).hex().encode()
    if isinstance(value, str):
        return b"s" + value.encode(errors="surrogatepass")
    if isinstance(value, bytes | bytearray):
        return b"b" + bytes(value)
    return _compound(value)


def _compound(value: object) -> bytes:
    match value:
        case Mapping():
            pairs = cast("Mapping[object, object]", value).items()
            return b"d" + b"".join(sorted(_canonical(key) + _canonical(held) for key, held in pairs))
        case Set():
            return b"e" + b"".join(sorted(map(_canonical, cast("Set[object]", value))))
        case list() | tuple():
            kind = b"t" if isinstance(value, tuple) else b"l"
            return kind + b"".join(map(_canonical, cast("list[object] | tuple[object, ...]", value)))
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = [field.name.encode() + _canonical(getattr(value, field.name)) for field in fields(value)]
            return b"c" + type(value).__qualname__.encode() + b"".join(parts)
        case _:
            return b"o" + encode(value)
