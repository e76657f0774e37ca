"""A store that fails on purpose, at the commit it is told to fail at."""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from placet.persistence.errors import StoreFailed, StoreFull
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import Write


class Crashed(BaseException):
    """The engine's process ended here: not an error, so that nothing on the way catches it."""


class CommitFault(Enum):
    """What goes wrong with a commit."""

    FULL = "full"  # nothing written; works again when tried again
    FAILED = "failed"  # an I/O error, and nothing was written
    FAILED_LATE = "failed late"  # an I/O error, though everything was written
    CRASH_UNWRITTEN = "crash, not written"  # the process ended in the commit; unsynced bytes are dropped
    CRASH_WRITTEN = "crash, written"  # the process ended in the commit; all of it reached the disk


class FaultyStore:
    """A `MemoryStore` whose next commit can be made to fail.

    `fault` is used up by one commit. `committed` is called with the writes of every commit that reached the
    disk, also where the caller never heard of it. What it holds outlives any number of simulated crashes.
    """

    def __init__(self, inner: MemoryStore | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.fault: CommitFault | None = None
        self.committed: Callable[[list[Write]], None] | None = None
        self.commits = 0

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        return self.inner.get(key)

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order; see `View.scan`."""
        return self.inner.scan(prefix, start)

    def commit(self, writes: Iterable[Write]) -> None:
        """Commit, or fail as told. Raises `StoreFull`, `StoreFailed` or `Crashed`."""
        batch = list(writes)
        fault, self.fault = self.fault, None
        if fault is CommitFault.FULL:
            raise StoreFull(self.used_bytes(), self.used_bytes())
        if fault in (None, CommitFault.FAILED_LATE, CommitFault.CRASH_WRITTEN):
            self._apply(batch)
        if fault in (CommitFault.FAILED, CommitFault.FAILED_LATE):
            raise StoreFailed("simulated I/O error")
        if fault is not None:
            raise Crashed(fault.value)

    def _apply(self, batch: list[Write]) -> None:
        self.inner.commit(batch)
        self.commits += 1
        if self.committed is not None:
            self.committed(batch)

    def used_bytes(self) -> int:
        """Return the bytes of all keys and values."""
        return self.inner.used_bytes()

    def close(self) -> None:
        """Refuse all further use."""
        self.inner.close()
