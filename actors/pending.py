"""The writes of the batch being made: committed state overlaid by them is what actors read."""

from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

from placet.actors.turn import Turn
from placet.persistence.keys import LIVE
from placet.persistence.store import View, Write

ROOT_BYTES = 10
_LIVE = LIVE[0]


class Pending:
    """Writes gathered from turns, kept per instance, so that waking one looks at its own only.

    A key that is *born* in the batch was not in the store before: deleted again, it leaves no trace. Any
    other delete must reach the store.
    """

    __slots__ = ("_born", "_changed", "engine", "log")

    def __init__(self) -> None:
        self._born: dict[bytes, dict[bytes, bytes]] = {}
        self._changed: dict[bytes, dict[bytes, bytes | None]] = {}
        self.engine: dict[bytes, bytes | None] = {}  # outside of instances
        self.log: list[tuple[bytes, bytes]] = []  # history records: nobody reads them before they are committed

    def merge(self, turn: Turn) -> None:
        """Add what a turn wrote."""
        self.log += turn.log
        root = turn.root
        born = self._born.get(root)
        changed = self._changed.get(root)
        if born is None or changed is None:
            self._born[root] = turn.born
            self._changed[root] = turn.changed
            return
        for key, value in turn.changed.items():
            if key not in born:
                changed[key] = value
            elif value is None:
                del born[key]
            else:
                born[key] = value
        for key, fresh in turn.born.items():
            if key in changed:  # deleted earlier in this batch: it is in the store
                changed[key] = fresh
            else:
                born[key] = fresh

    def drop(self, key: bytes) -> None:
        """Remove an entry outside of instances that is written once; one of this batch leaves no trace."""
        if self.engine.pop(key, None) is None:
            self.engine[key] = None

    def get(self, view: View, key: bytes) -> bytes | None:
        """Return the value of `key` as it will be after this batch."""
        if key[0] != _LIVE:
            return self.engine[key] if key in self.engine else view.get(key)
        root = key[:ROOT_BYTES]
        born = self._born.get(root)
        if born is not None:
            if key in born:
                return born[key]
            changed = self._changed[root]
            if key in changed:
                return changed[key]
        return view.get(key)

    def scan(self, view: View, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is below `prefix`, within one instance, from `start` on, as it will be after this batch."""
        root = prefix[:ROOT_BYTES]
        born = self._born.get(root)
        if born is None:
            yield from view.scan(prefix, start)
            return
        ours = [(key, value) for key, value in self._changed[root].items() if key.startswith(prefix)]
        ours += [(key, value) for key, value in born.items() if key.startswith(prefix)]
        if start is not None:
            ours = [entry for entry in ours if entry[0] >= start]
        yield from _overlaid(view.scan(prefix, start), sorted(ours))

    def roots(self) -> Iterator[bytes]:
        """Yield the roots of the instances that had a turn."""
        return iter(self._born)

    @property
    def is_empty(self) -> bool:
        """True when nothing is to be written."""
        if self.engine or self.log:
            return False
        return not any(self._born.values()) and not any(self._changed.values())

    def writes(self) -> list[Write]:
        """Return all writes, each key once, in no particular order."""
        writes: list[Write] = [*self.engine.items(), *self.log]
        for born in self._born.values():
            writes += born.items()
        for changed in self._changed.values():
            writes += changed.items()
        return writes


def _overlaid(stored: Iterator[tuple[bytes, bytes]], ours: list[Write]) -> Iterator[tuple[bytes, bytes]]:
    """Yield what is in the store, with our writes in its place, in key order: it may be more than fits in memory."""
    latest = merge(ours, stored, key=itemgetter(0))  # of two with one key, ours comes first
    for _, same in groupby(latest, itemgetter(0)):
        key, value = next(same)
        if value is not None:
            yield key, value
