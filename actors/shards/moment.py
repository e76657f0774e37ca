"""The batch that is being made, as those see it who open and move shards."""

from placet.actors.effects import Batch
from placet.actors.shards.messages import BetweenEngines
from placet.actors.shards.records import OwnerRecord, encode_owner, read_owners
from placet.persistence.keys import owner_key
from placet.persistence.store import View


class Moment:
    """The time, and where writes and messages of a batch go; and whose each shard is, as this batch leaves it."""

    def __init__(self, view: View, engine: str) -> None:
        self.view = view  # committed state
        self.engine = engine  # the name of this one
        self.now = 0.0  # engine time
        self.wall = 0.0
        self.writes: dict[bytes, bytes | None] = {}
        self.batch = Batch()
        self.owners: dict[int, OwnerRecord] = dict(read_owners(view))

    def begin(self, now: float, wall: float, writes: dict[bytes, bytes | None], batch: Batch) -> None:
        """Go on with the next batch."""
        self.now, self.wall, self.writes, self.batch = now, wall, writes, batch

    def note(self, shard: int, record: OwnerRecord | None) -> None:
        """Write whose a shard is; None: nothing is known of it any more."""
        if record is None:
            self.owners.pop(shard, None)
        else:
            self.owners[shard] = record
        self.writes[owner_key(shard)] = None if record is None else encode_owner(record)

    def say(self, engine: str, message: BetweenEngines) -> None:
        """Tell another engine something, once the batch is on disk."""
        self.batch.between.append((engine, message))
