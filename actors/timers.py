"""The timers of an engine: a map from firing to due time that finds what is due without keeping dead entries.

Nearly every deadline is cancelled long before it is due, so a heap would fill with corpses. Times are put
into buckets of an eighth of a second instead (a hashed wheel as in Varghese and Lauck, SOSP 1987, kept as
a dict and a heap of bucket numbers): setting and clearing are O(1).
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final, TypeAlias

OF_A_TOKEN: Final = -1  # stands for the transition in a timer that is a token's, which waits for a delay
OF_A_SCHEDULE: Final = -2  # likewise, of a token that is to come
BUCKETS_A_SECOND = 8
FAR = 1e12  # engine seconds, some 30,000 years: whatever is due later, or never, shares a bucket
TimerKey: TypeAlias = tuple[bytes, int]  # (root, firing number)


class Timers:
    """Due times by firing, in memory; their durable form is the firing's own record."""

    __slots__ = ("_buckets", "_order")

    def __init__(self) -> None:
        self._buckets: dict[int, dict[TimerKey, tuple[float, int]]] = {}  # (due, transition) by firing
        self._order: list[int] = []

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def set(self, key: TimerKey, due: float, transition: int) -> None:
        """Set the timer of `key`; an earlier one in another bucket must be cleared first."""
        number = _bucket(due)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = {}
            heappush(self._order, number)
        bucket[key] = (due, transition)

    def clear(self, key: TimerKey, due: float) -> None:
        """Forget the timer of `key` that was set for `due`, if it is still there."""
        bucket = self._buckets.get(_bucket(due))
        if bucket is not None:
            bucket.pop(key, None)

    def drop(self, prefix: bytes) -> None:
        """Forget the timers of all instances whose root begins so."""
        for bucket in self._buckets.values():
            for key in [key for key in bucket if key[0].startswith(prefix)]:
                del bucket[key]

    def change(self, root: bytes, changes: Iterable[tuple[int, float, float, int]]) -> None:
        """Clear and set timers of an instance, each (number, due before or 0.0, due now or 0.0, transition)."""
        for number, before, due, transition in changes:
            if before:
                self.clear((root, number), before)
            if due:
                self.set((root, number), due, transition)

    def pop_due(self, now: float) -> list[tuple[TimerKey, int]]:
        """Remove and return (key, transition) of every timer that is due at `now`, earliest first."""
        ripe: list[tuple[float, TimerKey, int]] = []
        while self._order and self._order[0] <= now * BUCKETS_A_SECOND:
            bucket = self._buckets[self._order[0]]
            here = [(due, key, transition) for key, (due, transition) in bucket.items() if due <= now]
            for _, key, _ in here:
                del bucket[key]
            ripe += here
            if bucket:
                break  # the bucket of `now`: the rest of it comes later
            del self._buckets[heappop(self._order)]
        ripe.sort()
        return [(key, transition) for _, key, transition in ripe]

    def next_due(self, now: float) -> float | None:
        """Return a time until which nothing is due, or None if there is no timer; at most a bucket too early."""
        while self._order and not self._buckets[self._order[0]]:
            del self._buckets[heappop(self._order)]
        if not self._order:
            return None
        begin = self._order[0] / BUCKETS_A_SECOND
        return begin if begin > now else min(due for due, _ in self._buckets[self._order[0]].values())


def _bucket(due: float) -> int:
    return int((due if due < FAR else FAR) * BUCKETS_A_SECOND)  # "not a number" is not below `FAR` either
