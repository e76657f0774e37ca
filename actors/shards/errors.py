"""What can go wrong with the shards of an engine."""

from placet.persistence.errors import StoreError
from placet.petri.errors import PlacetError


class WrongEpoch(PlacetError):
    """A shard was to be opened, or moved, with an epoch that is not the one its record here has; nothing was done."""

    code = "wrong_epoch"

    def __init__(self, shard: int, epoch: int, found: str) -> None:
        super().__init__(shard, epoch, found)
        self.shard = shard
        self.epoch = epoch
        self.found = found

    def __str__(self) -> str:
        problem = f"shard {self.shard} cannot be used with epoch {self.epoch}: here it is {self.found}"
        return f"{problem}; look who owns it now"


class ForeignShard(StoreError):
    """A batch was made for a shard that is not this engine's any more; nothing of it was written.

    The engine ends, as after an I/O error: a fresh one recovers the shards that are its own.
    """

    code = "foreign_shard"

    def __init__(self, shard: int, epoch: int) -> None:
        super().__init__(shard, epoch)
        self.shard = shard
        self.epoch = epoch

    def __str__(self) -> str:
        return (
            f"shard {self.shard} is no longer this engine's with epoch {self.epoch}, so nothing may be written for it; "
            "start the engine again to go on with the shards it has"
        )
