"""Which tokens of a join belong together: an index by join key, kept up to date token by token.

A transition whose inputs have keys is enabled where some key has enough tokens on every keyed input. The
oldest such token decides which key comes first. Adding, removing and finding the best key cost O(log n) in
the number of complete keys, whatever the number of tokens.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from itertools import count, islice
from typing import TypeAlias, cast

JoinKey: TypeAlias = Hashable  # text, a number, bytes, None or a tuple of such: see `checked_key`
_SIMPLE = (str, int, float, bytes, bool, type(None))


def checked_key(value: object) -> JoinKey:
    """Return a join key as it is. Raises `TypeError` for one whose equality is up to user code."""
    if type(value) in _SIMPLE:
        return value
    if type(value) is tuple:
        return tuple(checked_key(part) for part in cast("tuple[object, ...]", value))
    raise TypeError(f"a join key is text, a number, bytes, None or a tuple of such, not {type(value).__name__}")


class Matches:
    """The candidates of one transition, by join key and keyed input."""

    __slots__ = ("_complete", "_heap", "_numbers", "_queues", "_weights")

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)  # of the keyed inputs, in written order
        self._queues: dict[JoinKey, list[OrderedDict[int, None]]] = {}  # tokens, oldest first, an input each
        self._complete: dict[JoinKey, int] = {}  # -> its oldest token, as the heap has it
        self._heap: list[tuple[int, int, JoinKey]] = []  # may hold outdated entries
        self._numbers = count()  # keys of different types cannot be compared

    def add(self, position: int, key: JoinKey, token: int) -> None:
        """Consider a token of the keyed input at `position`."""
        queues = self._queues.get(key)
        if queues is None:
            queues = self._queues[key] = [OrderedDict() for _ in self._weights]
        queue = queues[position]
        youngest = next(reversed(queue), token)
        queue[token] = None
        for younger in sorted(other for other in queue if other > token) if token < youngest else ():
            queue.move_to_end(younger)
        self._judge(key, queues)

    def remove(self, position: int, key: JoinKey, token: int) -> None:
        """Forget a token, if it is there."""
        queues = self._queues.get(key)
        if queues is None:
            return
        queues[position].pop(token, None)
        if not any(queues):
            del self._queues[key]
        self._judge(key, queues)

    def best(self) -> tuple[int, list[list[int]]] | None:
        """Return (oldest token, tokens by keyed input) of the match that comes first, or None."""
        while self._heap:
            oldest, _, key = self._heap[0]
            if self._complete.get(key) == oldest:
                queues = self._queues[key]
                pairs = zip(queues, self._weights, strict=True)
                return oldest, [list(islice(queue, weight)) for queue, weight in pairs]
            heappop(self._heap)
        return None

    def _judge(self, key: JoinKey, queues: list[OrderedDict[int, None]]) -> None:
        if any(len(queue) < weight for queue, weight in zip(queues, self._weights, strict=True)):
            self._complete.pop(key, None)
            return
        oldest = min(next(iter(queue)) for queue in queues)
        if self._complete.get(key) != oldest:
            self._complete[key] = oldest
            heappush(self._heap, (oldest, next(self._numbers), key))
