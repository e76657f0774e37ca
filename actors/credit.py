"""Credit: how many messages may wait for a shard of another engine, and who waits until there is room for more.

Counted is all that a shard has not acknowledged, whichever shard of this engine it comes from: an engine that is away
fills the windows of its own shards, and holds up nobody else. A full one holds back only what begins something new:
calls, and what handlers spawn and tell. Returns, cancellations, news and acknowledgements always go.
"""

from collections.abc import Set
from typing import Final

NONE_FULL: Final[frozenset[int]] = frozenset()
MOST_WAITING: Final = 1_024  # messages to one shard that nobody has acknowledged


class Credit:
    """The windows of all shards, and who waits for which."""

    __slots__ = ("_full", "_shards", "_waiting", "limit", "roomy", "spent")

    def __init__(self, shards: Set[int] | None) -> None:
        """`shards` are those of this engine, as they come and go; None: all there are."""
        self._shards = shards
        self.limit = MOST_WAITING
        self.spent: dict[int, int] = {}  # messages that nobody has acknowledged, by the shard they are for
        self._full: frozenset[int] | None = frozenset()  # None: it has changed
        self._waiting: dict[int, dict[bytes, None]] = {}  # roots by shard, the next one first
        self.roomy: dict[int, None] = {}  # shards that somebody waits for, and that may have room now

    # -- windows -------------------------------------------------------------------------------------------

    @property
    def is_unlimited(self) -> bool:
        """True in an engine alone, from which nothing goes to others."""
        return self._shards is None

    @property
    def full(self) -> frozenset[int]:
        """The shards that take no more."""
        if self._full is None:
            self._full = frozenset(shard for shard, count in self.spent.items() if count >= self.limit)
        return self._full

    def spend(self, shard: int) -> None:
        """One message more waits for a shard."""
        self.spent[shard] = self.spent.get(shard, 0) + 1
        self._full = None

    def give_back(self, shard: int, count: int) -> None:
        """So many messages for a shard have arrived, or are another engine's to send."""
        left = self.spent[shard] - count
        if left:
            self.spent[shard] = left
        else:
            del self.spent[shard]
        self._full = None
        if shard in self._waiting:
            self.roomy[shard] = None

    def has_room(self, shard: int, promised: int = 0) -> bool:
        """Return whether a shard takes one message beside those `promised` to it, which are not sent yet."""
        spent = self.spent.get(shard, 0)
        if not spent and (self._shards is None or shard in self._shards):
            return True  # nothing waits for what is here
        return spent + promised < self.limit

    # -- who waits -----------------------------------------------------------------------------------------

    def wait(self, shard: int, root: bytes) -> None:
        """Let an instance have its turn once a shard takes more, after those that wait for that already."""
        self._waiting.setdefault(shard, {}).setdefault(root)
        if self.has_room(shard):
            self.roomy[shard] = None

    def next_waiting(self) -> bytes | None:
        """Return the root whose turn it is, for a shard that has room, and let it wait for nothing; None: nobody's."""
        while self.roomy:
            shard = next(iter(self.roomy))
            waiting = self._waiting.get(shard)
            if waiting and self.has_room(shard):
                root = next(iter(waiting))
                self._forget(root)
                return root
            del self.roomy[shard]
        return None

    def leave(self, prefix: bytes) -> list[bytes]:
        """Let no instance whose root begins so wait any longer, and return those that did."""
        found = {root: None for waiting in self._waiting.values() for root in waiting if root.startswith(prefix)}
        for root in found:
            self._forget(root)
        return list(found)

    def _forget(self, root: bytes) -> None:
        for shard, waiting in list(self._waiting.items()):
            waiting.pop(root, None)
            if not waiting:
                del self._waiting[shard]
