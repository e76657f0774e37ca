"""An actor's durable entries: what stands in the store under an instance, as msgspec values.

These entries are the actors' snapshots: `HEADER`, `GUARD_INCIDENT` and `PARKED` of the workflow actor, `FIRING` of
composites, `TOKEN` of places (raw value bytes), `DELAY`, `TASK`, `STATE`, `SCHEDULED` and `WATCHER` of the workflow
actor. Times are in engine seconds.
"""

from enum import IntEnum
from typing import Final

import msgspec

from placet.actors.lifecycle import InstanceState, Intent


class Phase(IntEnum):
    """Where a firing stands."""

    READY = 0  # chosen, and waits for a free slot of its executor to be started (again)
    RUNNING = 1  # started, or about to be: its attempt is counted
    BACKOFF = 2  # failed, and will be tried again when due
    INCIDENT = 3  # failed for good: waits for a person
    SUSPECT = 4  # lost with its engine too often: waits to be run alone
    CALLED = 5  # a child instance works on it


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One failed attempt."""

    type: str  # qualified class name of the exception, or one of the types below, of `calls.py` and of executors
    message: str
    traceback: str = ""
    attempt: int = 0
    at: float = 0.0
    types: tuple[str, ...] = ()  # qualified names of the exception's classes, most special first
    shard: int = -1  # the one that took no more of what the handler sent, where that is why


class LastBeat(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The last sign of life a firing's handlers have given."""

    at: float
    attempt: int  # which gave it
    progress: bytes | None = None  # the encoded value given last, by this attempt or one before


class Caller(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The firing that called an instance, and waits for what it returns."""

    instance: str
    transition: int
    number: int
    attempt: int


class Condition(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a child has told its caller of itself last."""

    order: int  # rises with each that is told: one that comes late, out of the hands of a person, is known by it
    state: InstanceState | None  # `INCIDENT` or `STUCK`; None: it needs nobody any more


class Header(msgspec.Struct, array_like=True, gc=False):
    """An instance: the entry of its workflow actor."""

    instance: str
    workflow: str
    version: str
    net: bytes  # digest under which the net is stored
    incarnation: int  # random at spawn: part of every firing id
    inputs: bytes  # digest of the input tokens
    state: InstanceState
    spawned_at: float
    intent: Intent = Intent.RUN
    awake: bool = True  # something can move without a timer or a person: recovery wakes it
    changed_at: float = 0.0  # when `state` last changed
    serial: int = 0  # last token id or firing number given out; firing records may hold a later one
    link: int = 0  # last history record; firing records may hold a later one
    fired: int = 0  # results counted; firing records may hold a later one
    held: tuple[str, ...] = ()  # paths and tags of what is paused in it
    caller: Caller | None = None  # the firing of another instance that it is a child of
    told: Condition | None = None  # what its caller was told of it
    cause: Failure | None = None  # of what a person gave up on: why it is to end as `failed`


class Firing(msgspec.Struct, array_like=True, gc=False):
    """One firing and the tokens it took."""

    number: int
    transition: int
    tokens: tuple[tuple[int, int, bytes], ...]  # (place, token id, value), in the order of the input arcs
    phase: Phase
    attempt: int = 1  # starts so far, this one included
    due: float = 0.0  # RUNNING: when the attempt is over, or silent for too long, BACKOFF: next attempt; 0.0 is none
    serial: int = 0
    link: int = 0
    fired: int = 0
    failures: tuple[Failure, ...] = ()  # failed attempts, the last `KEPT_FAILURES` of them
    failed: int = 0  # failed attempts since the start or the last intervention: what `Retry` counts
    losses: int = 0  # attempts lost with an engine: counted apart
    since: float = 0.0  # when the phase began
    slot: int = 0  # last part of the record's key: a firing chosen as another ends takes over its record
    seen: tuple[tuple[int, int, bytes], ...] = ()  # copies of what read arcs showed it, as in `tokens`
    chosen: float = 0.0  # when it was chosen, where there is a deadline
    heard: Condition | None = None  # CALLED: what its child has told of itself; None: nothing yet
    beat: LastBeat | None = None  # of any of its attempts
    held_up: int = -1  # READY: the shard that took no more of what its handler sent


class Delay(msgspec.Struct, array_like=True, gc=False):
    """A token in a place out of which some transition has a delay."""

    place: int
    arrived: float
    due: float = 0.0  # when the next gate lets it in; 0.0: none waits for it


class Task(msgspec.Struct, array_like=True, gc=False):
    """A token offered to people by a manual transition; once decided it stays, to answer who comes late."""

    number: int
    transition: int
    place: int
    token: int
    offered_at: float
    claimed_by: str = ""
    ended: str = ""  # "decided", or "withdrawn" when the token went another way
    by: str = ""  # who decided
    output: str = ""  # for which output; "" is all of them
    at: float = 0.0  # when it ended


class Scheduled(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A token that is to come into a place."""

    number: int
    timer: str  # its name
    place: int
    due: float
    value: bytes
    by: str


class Watcher(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An instance that is to be told of the end of this one, and the place it wants that in."""

    instance: str
    place: str


class GuardIncident(msgspec.Struct, array_like=True):
    """A guard that raised on one token: the token stays in its place, and the transition leaves it alone."""

    number: int
    transition: int
    place: int
    token: int
    failure: Failure


class Parked(msgspec.Struct, array_like=True):
    """A message parked because handling it failed every time."""

    number: int
    kind: str  # type of the message
    message: bytes
    failure: Failure
    firing: int = 0  # number of the firing whose result it is; 0 is none
    actor: str = ""  # path of the actor that raised


KEPT_FAILURES = 10

# A plain index into what is counted by phase: an enum costs a look-up each time.
RUNNING: Final = int(Phase.RUNNING)

# Types of failures that are no exceptions of handlers.
TIMED_OUT: Final = "TimedOut"
HEARTBEAT_LOST: Final = "HeartbeatLost"  # it gave no sign of life for its `heartbeat_s`
DEADLINE_PASSED: Final = "DeadlinePassed"
LOST: Final = "Lost"  # its engine ended
STATE_CONFLICT: Final = "StateConflict"  # the instance's state was not what the handler expected
CRASH_SUSPECT: Final = "CrashSuspect"  # its process ended, several times, while it ran

encode = msgspec.msgpack.Encoder().encode
decode_header = msgspec.msgpack.Decoder(Header).decode
decode_firing = msgspec.msgpack.Decoder(Firing).decode
decode_state = msgspec.msgpack.Decoder(tuple[str, bytes]).decode
decode_task = msgspec.msgpack.Decoder(Task).decode
decode_scheduled = msgspec.msgpack.Decoder(Scheduled).decode
decode_watcher = msgspec.msgpack.Decoder(Watcher).decode
decode_delay = msgspec.msgpack.Decoder(Delay).decode
decode_guard_incident = msgspec.msgpack.Decoder(GuardIncident).decode
decode_parked = msgspec.msgpack.Decoder(Parked).decode
