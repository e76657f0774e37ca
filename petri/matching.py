"""Which tokens of a join belong together: an index by join key, kept up to date token by token.

A transition whose inputs have keys is enabled where some key has enough tokens on every keyed input. The
oldest such token decides which key comes first. Adding, removing and finding the best key cost O(log n) in
the number of complete keys, whatever the number of tokens. Of an input of weight `MANY` as many tokens are enough
as the last part of the key says.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from itertools import count, islice
from typing import Final, TypeAlias, cast

from placet.petri.net import MANY, MOST_TOKENS

JoinKey: TypeAlias = Hashable  # text, a number, bytes, None or a tuple of such: see `checked_key`
_Queue: TypeAlias = int | OrderedDict[int, None]  # tokens of one key, oldest first; or a lone one
_EMPTY: OrderedDict[int, None] = OrderedDict()
_NO_TOKEN: Final = 1 << 64  # no token is as young
MOST_NESTED: Final = 100  # tuples within tuples of a join key: what compares them nests as deep
_SIMPLE = (str, int, float, bytes, bool, type(None))


def checked_key(value: object, depth: int = MOST_NESTED) -> JoinKey:
    """Return a join key as it is. Raises `TypeError` for one whose equality is up to user code, or too deep."""
    if type(value) in _SIMPLE:
        return value
    if type(value) is tuple:
        if not depth:
            raise TypeError(f"a join key is a tuple of tuples at most {MOST_NESTED} deep")
        return tuple([checked_key(part, depth - 1) for part in cast("tuple[object, ...]", value)])
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
    """The candidates of one transition, by join key and keyed input.

    There may be a million keys with one token each: a lone token stands for itself, without a queue around it, and no
    key has an object of its own.
    """

    __slots__ = ("_complete", "_counted", "_heap", "_numbers", "_queues", "_weights")

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)  # of the keyed inputs, in written order
        self._counted = MANY in self._weights
        self._queues: tuple[dict[JoinKey, _Queue], ...] = tuple({} for _ in weights)  # an input each
        self._complete: dict[JoinKey, int] = {}  # -> its oldest token, as the heap has it
        self._heap: list[tuple[int, int, JoinKey]] = []  # may hold outdated entries
        self._numbers = count()  # keys of different types cannot be compared

    def add(self, position: int, key: JoinKey, token: int) -> None:
        """Consider a token of the keyed input at `position`."""
        queues = self._queues[position]
        queue = queues.get(key)
        queues[key] = token if queue is None else _with(queue, token)
        if not self._counted:
            for others in self._queues:
                if key not in others:
                    return  # it has no partner yet, as most have that are read back with a large place
        self._judge(key)

    def remove(self, position: int, key: JoinKey, token: int) -> None:
        """Forget a token, if it is there."""
        queues = self._queues[position]
        queue = queues.get(key)
        if isinstance(queue, OrderedDict):
            queue.pop(token, None)
        if queue in (token, _EMPTY):
            del queues[key]
        self._judge(key)

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
        pairs = zip(self._queues, self._needed(key), strict=True)
        return [_first(queues.get(key), weight) for queues, weight in pairs]

    def _needed(self, key: JoinKey) -> Sequence[int]:
        return [weight or count_of(key) for weight in self._weights] if self._counted else self._weights

    def _judge(self, key: JoinKey) -> None:
        oldest = _NO_TOKEN
        for queues, weight in zip(self._queues, self._needed(key), strict=True):
            queue = queues.get(key)
            if queue is None:
                held, first = 0, _NO_TOKEN
            elif isinstance(queue, int):
                held, first = 1, queue
            else:
                held, first = len(queue), next(iter(queue))
            if held < weight:
                self._complete.pop(key, None)
                return
            oldest = min(oldest, first)
        if oldest != _NO_TOKEN and self._complete.get(key) != oldest:
            self._complete[key] = oldest
            heappush(self._heap, (oldest, next(self._numbers), key))


def _with(queue: int | OrderedDict[int, None], token: int) -> OrderedDict[int, None]:
    """Return a queue with one token more, where its age belongs."""
    if isinstance(queue, int):
        queue = OrderedDict.fromkeys((queue,))
    youngest = next(reversed(queue), token)
    queue[token] = None
    for younger in sorted(other for other in queue if other > token) if token < youngest else ():
        queue.move_to_end(younger)
    return queue


def _first(queue: _Queue | None, count: int) -> list[int]:
    """Return the `count` oldest tokens of a queue."""
    if isinstance(queue, int):
        return [queue][:count]
    return [] if queue is None else list(islice(queue, count))
