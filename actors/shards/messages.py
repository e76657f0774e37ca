"""What engines say to each other while a shard moves, and what an engine and the coordinator's table say.

All of it may be lost, doubled, late or out of order. A move has an id that no other has.
"""

from typing import TypeAlias

import msgspec

from placet.actors.messages import Beat, Done, Failed, Withdrawn


class ShardMessage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what the two engines of a move say to each other."""

    shard: int
    move: str
    sender: str  # the engine that says it


# -- parts of a shard's content -----------------------------------------------------------------------------


class Entries(msgspec.Struct, frozen=True, tag=True):
    """Entries under their keys, which stay what they are; None: one that is gone again."""

    entries: tuple[tuple[bytes, bytes | None], ...]


class Records(msgspec.Struct, frozen=True, tag=True):
    """History of an instance whose header has come: what follows on the records before, oldest first."""

    root: bytes
    records: tuple[bytes, ...]


class Posts(msgspec.Struct, frozen=True, tag=True):
    """What stands in the outbox for instances of the shard, in order: each a `Sent`."""

    posts: tuple[bytes, ...]


Part: TypeAlias = Entries | Records | Posts


# -- from the owner to the engine that is to be -------------------------------------------------------------


class Offer(ShardMessage, frozen=True, kw_only=True):
    """Here is a shard: do you take it? Answered by `Taken` with number 0, or `Declined`."""

    epoch: int  # that it will be owned with
    engine_s: float  # engine time of the owner, and the wall clock then
    wall_s: float


class Chunk(ShardMessage, frozen=True, kw_only=True):
    """Some of the shard's content. Answered by `Taken`, the last one by `Ready`, and by `Declined`."""

    number: int  # from 1, without gaps
    parts: tuple[Part, ...]
    is_last: bool


class MovedAway(ShardMessage, frozen=True, kw_only=True):
    """The shard is mine no longer, for good: make it yours in the table. Answered by `Opened`."""

    epoch: int


class CalledOff(ShardMessage, frozen=True, kw_only=True):
    """The move will not be: throw away what you have of it."""


# -- from the engine that is to be, to the owner -------------------------------------------------------------


class Taken(ShardMessage, frozen=True, kw_only=True):
    """What came with this number is on disk."""

    number: int


class Declined(ShardMessage, frozen=True, kw_only=True):
    """I do not take part in this move, or not any more."""

    reason: str


class Ready(ShardMessage, frozen=True, kw_only=True):
    """All of it is on disk. Said again and again until `MovedAway` or `CalledOff` comes."""

    epoch: int


class Opened(ShardMessage, frozen=True, kw_only=True):
    """The shard is mine, and goes on."""

    epoch: int


class StillRunning(ShardMessage, frozen=True, kw_only=True):
    """From the engine a shard was moved from: handlers that run there still, as (root, firing, attempt)."""

    firings: tuple[tuple[bytes, int, int], ...]


BetweenEngines: TypeAlias = Offer | Chunk | MovedAway | CalledOff | Taken | Declined | Ready | Opened | StillRunning


# -- the coordinator's table ---------------------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the table says of one shard."""

    shard: int
    epoch: int
    engine: str
    era: int = 0  # the epoch that began with the last restore from a backup; 0: there was none
    restore: str = ""  # where its owner was restored in this epoch: by which restore


class Assigned(msgspec.Struct, frozen=True, tag=True):
    """What the coordinator's table says of some shards, as of some moment."""

    rows: tuple[Row, ...]
    is_new: bool = False  # nobody has had these shards before: what is not here is empty, and no disk was lost


class Confirm(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a row to become this one, if its epoch is the one before. Answered by `Assigned`, whatever came of it.

    `move` names the move by which the shard came, or, for a row with that era, the restore.
    """

    row: Row
    move: str


class MoveEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A move is over, as its source sees it: the shard is gone for good, or stays."""

    shard: int
    move: str
    done: bool
    reason: str = ""  # why it was called off


Forward: TypeAlias = Done | Failed | Withdrawn | Beat  # for the engine that owns the shard of its root now
