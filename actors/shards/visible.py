"""What readers may see of a store: nothing of shards that are on their way here, or have left."""

from collections.abc import Iterator

from placet.actors.shards.records import Owned, Restored, read_owner
from placet.persistence.keys import ADDRESS, LIVE, TASKS
from placet.persistence.store import View

_SHARD_FIRST = (LIVE[0], TASKS[0])  # prefixes that are followed by the shard


class Visible:
    """A view without the instances of shards that are not the engine's own, or not yet; each read asks anew."""

    __slots__ = ("_view",)

    def __init__(self, view: View) -> None:
        self._view = view

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        if key[0] in _SHARD_FIRST and self._hides(key[1]):
            return None
        value = self._view.get(key)
        return None if value is not None and key[:1] == ADDRESS and self._hides(value[1]) else value

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order; see `View.scan`."""
        if prefix[0] in _SHARD_FIRST:
            return self._by_shard(prefix, start)
        if prefix[:1] == ADDRESS:
            return ((key, root) for key, root in self._view.scan(prefix, start) if not self._hides(root[1]))
        return self._view.scan(prefix, start)

    def _by_shard(self, prefix: bytes, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Leap over hidden shards: they may be large."""
        seen, leaps = -1, True
        while leaps:
            leaps = False
            for key, value in self._view.scan(prefix, start):
                if key[1] != seen and self._hides(key[1]):
                    leaps = key[1] < 255
                    start = prefix[:1] + bytes((key[1] + 1,)) if leaps else None
                    break
                seen = key[1]
                yield key, value

    def _hides(self, shard: int) -> bool:
        owner = read_owner(self._view, shard)
        return owner is not None and not isinstance(owner, Owned | Restored)
