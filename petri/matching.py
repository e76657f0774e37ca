"""Which tokens of a join belong together: an index by join key, kept up to date token by token.

A transition whose inputs have keys is enabled where some key has enough tokens on every keyed input. The
oldest such token decides which key comes first. Adding, removing and finding the best key cost O(log n) in
the number of complete keys, whatever the number of tokens. Of an input of weight `MANY` as many tokens are enough
as the last part of the key says.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count, islice
from typing import TypeAlias, cast

from placet.petri.net import MANY, MOST_TOKENS

JoinKey: TypeAlias = Hashable  # text, a number, bytes, None or a tuple of such: see `checked_key`
_SIMPLE = (str, int, float, bytes, bool, type(None))


def checked_key(value: object) -> JoinKey:
    """Return a join key as it is. Raises `TypeError` for one whose equality is up to user code."""
    if type(value) in _SIMPLE:
        return value
    if type(value) is tuple:
        return tuple(checked_key(part) for part in cast("tuple[object, ...]", value))
    raise TypeError(f"a join key is text, a number, bytes, None or a tuple of such, not {type(value).__name__}")


def counted_key(value: object) -> JoinKey:
    """Return a join key that says how many tokens belong together. Raises `TypeError` for one that does not."""
    key = checked_key(value)
    count = count_of(key)
    if not 0 <= count <= MOST_TOKENS:
        raise TypeError(f"the key must be a tuple that ends with how many there are, not {value!r:.80}")
    return key


def count_of(key: JoinKey) -> int:
    """Return how many tokens belong together, as their key says; -1 where it says nothing."""
    last = cast("tuple[object, ...]", key)[-1] if isinstance(key, tuple) and key else None
    return last if type(last) is int else -1


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

    def oldest(self) -> int | None:
        """Return the oldest token of the match that comes first, or None without one."""
        while self._heap:
            oldest, _, key = self._heap[0]
            if self._complete.get(key) == oldest:
                return oldest
            heappop(self._heap)
        return None

    def best(self) -> list[list[int]] | None:
        """Return the tokens, by keyed input, of the match that comes first, or None without one."""
        if self.oldest() is None:
            return None
        key = self._heap[0][2]
        pairs = zip(self._queues[key], self._needed(key), strict=True)
        return [list(islice(queue, weight)) for queue, weight in pairs]

    def _needed(self, key: JoinKey) -> Iterable[int]:
        return [weight or count_of(key) for weight in self._weights] if MANY in self._weights else self._weights

    def _judge(self, key: JoinKey, queues: list[OrderedDict[int, None]]) -> None:
        if any(len(queue) < weight for queue, weight in zip(queues, self._needed(key), strict=True)):
            self._complete.pop(key, None)
            return
        oldest = min(next(iter(queue)) for queue in queues if queue)
        if self._complete.get(key) != oldest:
            self._complete[key] = oldest
            heappush(self._heap, (oldest, next(self._numbers), key))
