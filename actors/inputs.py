"""Whether two spawns mean the same: a fingerprint of input values that is equal for equal values.

Pickled bytes will not do: sets have no order, and the same strings pickle differently when they are one object.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from operator import itemgetter
from types import FunctionType
from typing import cast

from placet.persistence.type_name import qualified_name
from placet.persistence.values import CLOUDPICKLE, encode


def fingerprint(tokens: Iterable[tuple[str, object]]) -> bytes:
    """Return 16 bytes for (place path, value) pairs: equal for equal plain values, whatever process made them.

    Plain are numbers, text, bytes, None, lists, tuples, dicts, sets, dataclasses, and objects of classes defined in
    `__main__`, enums included, of these; other values count as equal when their encoded bytes are. The order of
    values in one place counts, that of places does not.
    """
    digest = hashlib.blake2b(digest_size=16)
    for place, value in sorted(tokens, key=itemgetter(0)):
        digest.update(_Reader().canonical(place))
        digest.update(_readable(value))
    return digest.digest()


def _readable(value: object) -> bytes:
    try:
        return _Reader().canonical(value)
    except RecursionError:  # too deep, or it holds itself: only equal bytes count as equal
        return b"o" + encode(value)


class _Reader:
    """Turns one value into bytes that are equal for equal values; a part that stands in it twice is read once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, bytes]] = {}  # by identity; the object is kept, so that it has its own

    def canonical(self, value: object) -> bytes:
        """Return bytes that are equal for equal values, with their length before them."""
        body = self._body(value)
        return len(body).to_bytes(8, "big") + body

    def _body(self, value: object) -> bytes:
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
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = value, hashlib.blake2b(self._compound(value), digest_size=32).digest()
        return known[1]

    def _compound(self, value: object) -> bytes:
        canonical = self.canonical
        match value:
            case Mapping():
                pairs = cast("Mapping[object, object]", value).items()
                return b"d" + b"".join(sorted(canonical(key) + canonical(held) for key, held in pairs))
            case Set():
                return b"e" + b"".join(sorted(map(canonical, cast("Set[object]", value))))
            case list() | tuple():
                kind = b"t" if isinstance(value, tuple) else b"l"
                return kind + b"".join(map(canonical, cast("list[object] | tuple[object, ...]", value)))
            case _ if is_dataclass(value) and not isinstance(value, type):
                parts = [field.name.encode() + canonical(getattr(value, field.name)) for field in fields(value)]
                return b"c" + type(value).__qualname__.encode() + b"".join(parts)
            case _:
                return self._object(value)

    def _object(self, value: object) -> bytes:
        if isinstance(value, type):
            return b"k" + qualified_name(value).encode()
        data = encode(value)
        if data[:1] != CLOUDPICKLE or isinstance(value, FunctionType):
            return b"o" + data
        # Some class of `__main__` is in it, whose bytes differ from process to process: by its parts, as in a pickle.
        try:
            reduced = value.__reduce_ex__(5)
            return b"o" + data if isinstance(reduced, str) else b"p" + self._parts(reduced)
        except RecursionError:
            raise
        except Exception:  # only cloudpickle knows how to take it apart, or a user's type raises what it likes
            return b"o" + data

    def _parts(self, reduced: tuple[object, ...]) -> bytes:
        """Read what makes an object again: a function, its arguments, the state, and what it holds."""
        parts = [list(cast("Iterator[object]", part)) if isinstance(part, Iterator) else part for part in reduced]
        return getattr(parts[0], "__qualname__", "").encode() + b"".join(map(self.canonical, parts[1:]))
