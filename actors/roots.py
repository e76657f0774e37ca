"""Giving out roots: one counter a shard, set aside in blocks so that it is seldom written; never reused."""

from collections.abc import Callable

from placet.persistence.keys import SHARD, root_prefix, shard_of

RESERVED = 1_024  # roots a shard sets aside at a time; what a crash leaves unused stays unused


class Roots:
    """The counters of the shards this engine has given out roots of."""

    def __init__(self) -> None:
        self._shards: dict[int, tuple[int, int]] = {}  # shard -> (next root, first not set aside)

    def leave(self, shard: int) -> None:
        """Forget the counter of a shard: another engine has it now."""
        self._shards.pop(shard, None)

    def new(self, instance: str, get: Callable[[bytes], bytes | None], writes: dict[bytes, bytes | None]) -> bytes:
        """Return the key prefix of a new instance; what must be stored goes to `writes`."""
        shard = shard_of(instance)
        following, limit = self._shards.get(shard, (0, 0))
        if following == limit:
            key = SHARD + bytes((shard,))
            stored = get(key)
            following = int.from_bytes(stored, "big") if stored else 1
            limit = following + RESERVED
            writes[key] = limit.to_bytes(8, "big")
        self._shards[shard] = (following + 1, limit)
        return root_prefix(shard, following)
