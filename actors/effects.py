"""What a batch does to the world once it is on disk, and never before."""

from dataclasses import dataclass, field
from enum import Enum

import msgspec

from placet.actors.answers import Answer
from placet.actors.credit import NONE_FULL
from placet.actors.messages import Acknowledged, ChannelKey, Parcel
from placet.actors.shards.messages import BetweenEngines, Confirm, Forward, MoveEnded
from placet.persistence.history import RecordKind
from placet.petri.plan import TransitionPlan


class Start(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Run a transition's handler: everything an executor needs to know."""

    root: bytes
    instance: str
    incarnation: int
    transition: TransitionPlan
    number: int
    attempt: int
    tokens: tuple[tuple[int, int, bytes], ...]  # (place, token id, value), in the order of the input arcs
    state: tuple[tuple[str, bytes], ...] = ()  # the instance's, where the handler takes a context
    progress: bytes | None = None  # what an attempt before has told of itself, likewise
    full: frozenset[int] = NONE_FULL  # shards that take no more of what handlers send


class ExpireReason(Enum):
    """Why an attempt is to end."""

    TIME = "it has had its time"
    SILENCE = "it has given no sign of life for its heartbeat_s"
    CANCELLED = "its instance is being cancelled"
    PAUSED = "its instance, or a part of it, is paused"


UNFORCED = frozenset({ExpireReason.CANCELLED, ExpireReason.PAUSED})  # a handler that runs may go on


class Expire(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A started firing is past its deadline: answer `Failed`, or `Withdrawn` if its handler has not begun.

    For `SILENCE` only if it has begun and no sign of life is on its way. For `CANCELLED` and `PAUSED` only
    `Withdrawn`, if it has not begun: a handler that runs goes on, and is told of the first when it gives its next one.
    """

    executor: str
    root: bytes
    number: int
    attempt: int
    reason: ExpireReason = ExpireReason.TIME


class Reply(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Answer a client."""

    reply: int
    answer: Answer


class StateChanged(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An instance is in another state than before."""

    instance: str
    root: bytes
    state: str
    at: float


class Progress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A firing of an observed instance moved on: `kind` is as in history, or `started`."""

    instance: str
    kind: RecordKind
    transition: str
    number: int
    attempt: int


@dataclass(slots=True)
class Batch:
    """The turns one commit makes durable: what to write, then what to do."""

    writes: list[tuple[bytes, bytes | None]] = field(
        default_factory=list[tuple[bytes, bytes | None]]
    )  # each key once, in no particular order
    starts: dict[str, list[Start]] = field(default_factory=dict[str, list[Start]])  # by executor
    expires: list[Expire] = field(default_factory=list[Expire])
    replies: list[Reply] = field(default_factory=list[Reply])
    changes: list[StateChanged] = field(default_factory=list[StateChanged])
    progress: list[Progress] = field(default_factory=list[Progress])
    parcels: list[Parcel] = field(default_factory=list[Parcel])  # to other engines, in order
    acknowledgements: dict[ChannelKey, Acknowledged] = field(default_factory=dict[ChannelKey, Acknowledged])
    between: list[tuple[str, BetweenEngines]] = field(
        default_factory=list[tuple[str, BetweenEngines]]
    )  # to other engines, by name: about shards that move
    forwards: list[Forward] = field(default_factory=list[Forward])  # to whoever owns the shard of the root by now
    confirms: list[Confirm] = field(default_factory=list[Confirm])  # to the coordinator
    moves: list[MoveEnded] = field(default_factory=list[MoveEnded])  # for whoever asked for them
    fired: int = 0  # results counted in this batch
    turns: int = 0

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to commit and nothing to release."""
        if self.writes or self.starts or self.expires or self.replies or self.changes or self.progress:
            return False
        if self.between or self.forwards or self.confirms or self.moves:
            return False
        return not (self.parcels or self.acknowledgements)
