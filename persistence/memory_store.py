"""The store in memory: the twin of the one on disk, for simulations and tests."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from placet.persistence.errors import StoreFailed, StoreFull, ValueTooLarge
from placet.persistence.store import MAX_KEY_BYTES, MAX_VALUE_BYTES, Write

_FEW = 64  # new keys of one commit up to which inserting each is cheaper than sorting all


class MemoryStore:
    """Holds a state in memory, with the contract of the store on disk; it survives nothing but `snapshot`.

    Units:  `limit_bytes` bounds the bytes of keys and values.
    Errors: `StoreFull`, `ValueTooLarge`; `StoreFailed` once closed. Nothing was written in all three cases.
    """

    def __init__(self, *, limit_bytes: int = 1 << 40) -> None:
        self.limit_bytes = limit_bytes
        self._entries: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._used_bytes = 0
        self._is_closed = False

    def snapshot(self) -> "MemoryStore":
        """Return an independent, open store with the state committed now: what a crash would leave behind."""
        twin = MemoryStore(limit_bytes=self.limit_bytes)
        twin._entries = self._entries.copy()
        twin._keys = self._keys.copy()
        twin._used_bytes = self._used_bytes
        return twin

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        self._refuse_closed()
        return self._entries.get(key)

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order for keys that begin with `prefix`, from `start` on if given."""
        self._refuse_closed()
        keys = self._keys
        low = bisect_left(keys, prefix if start is None or start < prefix else start)
        end = _after(prefix)
        found = keys[low:] if end is None else keys[low : bisect_left(keys, end, low)]
        return zip(found, [self._entries[key] for key in found], strict=True)

    def commit(self, writes: Iterable[Write]) -> None:
        """Apply all writes at once; see `Store.commit`."""
        self._refuse_closed()
        batch = writes if isinstance(writes, list) else list(writes)
        used_bytes = self._used_bytes + self._growth(batch)
        if used_bytes > self.limit_bytes and used_bytes > self._used_bytes:
            raise StoreFull(self._used_bytes, self.limit_bytes)
        entries = self._entries
        new: list[bytes] = []
        for key, value in batch:
            if value is None:
                self._delete(key)
            else:
                if key not in entries:
                    new.append(key)
                entries[key] = value
        self._insert(new)
        self._used_bytes = used_bytes

    def used_bytes(self) -> int:
        """Return the bytes of all keys and values."""
        return self._used_bytes

    def close(self) -> None:
        """Refuse all further use; closing twice is harmless."""
        self._is_closed = True

    def _growth(self, batch: list[Write]) -> int:
        growth = 0
        entries = self._entries
        for key, value in batch:
            old = entries.get(key)
            if old is not None:
                growth -= len(key) + len(old)
            if value is not None:
                if len(value) > MAX_VALUE_BYTES:
                    raise ValueTooLarge(len(value), MAX_VALUE_BYTES)
                growth += len(key) + len(value)
            if not 0 < len(key) <= MAX_KEY_BYTES:
                raise ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {len(key)}; nothing was written")
        return growth

    def _delete(self, key: bytes) -> None:
        if self._entries.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def _insert(self, new: list[bytes]) -> None:
        if len(new) > _FEW:
            self._keys.extend(new)
            self._keys.sort()  # merges two sorted runs in one pass
        else:
            for key in new:
                insort(self._keys, key)

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise StoreFailed("the store is closed", "open it again")


def _after(prefix: bytes) -> bytes | None:
    """Return the lowest key above all keys with this prefix, or None if there is no such key."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
