"""The store: an ordered map of bytes with atomic, durable batches. One contract, several stores.

Promise: when `commit` returns, the whole batch survives a power cut; when it raises, nothing of it was
written. One writer process; readers in other processes never block it and see committed batches only.
Units: every size is in bytes. Keys are 1 to 511 bytes; a value may have up to `MAX_VALUE_BYTES`.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

MAX_KEY_BYTES = 511
MAX_VALUE_BYTES = 1 << 30

Write: TypeAlias = tuple[bytes, bytes | None]  # (key, value); None deletes the key if it is there


class View(Protocol):
    """Reading committed state, synchronously."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order for keys that begin with `prefix`, from `start` on if given.

        The iterator sees one committed state. Use it up or close it soon: it holds that state in place.
        """
        ...


class Store(View, Protocol):
    """A `View` that can be written, by one process at a time."""

    def commit(self, writes: Iterable[Write]) -> None:
        """Apply all writes in one durable transaction, in the order given; a key may occur once.

        Raises `StoreFull` (disk or own limit; nothing written, retry later), `StoreFailed` (an I/O error:
        the process must stop and recover) and `ValueTooLarge`.
        """
        ...

    def used_bytes(self) -> int:
        """Return the bytes in use on disk, for status lines."""
        ...

    def close(self) -> None:
        """Release the store; closing twice is harmless."""
        ...
