"""History: one append log for all instances, each record linking to the one before it of its own instance.

Appending keeps writes at the end of the tree; keyed by instance, every record would touch a page of its own. The
sequence of an instance's newest record stands in its header.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

import msgspec

from placet.persistence.errors import StoreDamaged
from placet.persistence.keys import history_key
from placet.persistence.store import View

Detail: TypeAlias = dict[str, str | int | float | bool]


class RecordKind(StrEnum):
    """What can happen to an instance. A member's value is what is stored: it stays as it is."""

    SPAWNED = "spawned"
    IMPORTED = "imported"  # made from an export, whose records precede it
    STARTED = "started"  # told to who follows an instance, and not recorded
    ANSWERED = "answered"  # likewise: its answer is kept in the state
    FIRED = "fired"  # a result, or a person's decision, was counted
    CALLED = "called"  # a transition called a child instance
    TROUBLE = "trouble"  # a called child needs a person, or no longer
    ATTEMPT_FAILED = "attempt_failed"
    LOST = "lost"  # the engine ended while an attempt ran
    PUT_BACK = "put_back"  # a choice was undone, its tokens returned
    STALE = "stale"  # an answer nobody asks for any more, dropped
    ERROR = "error"  # failed for good, and took the error arc
    INCIDENT = "incident"  # a firing or a token waits for people
    RETRIED = "retried"  # of an incident, as the next two are
    SKIPPED = "skipped"
    FAIL_REQUESTED = "fail_requested"
    CANCEL_REQUESTED = "cancel_requested"
    PAUSED = "paused"
    RESUMED = "resumed"
    OFFERED = "offered"  # a task waits for people from now on
    CLAIMED = "claimed"
    UNCLAIMED = "unclaimed"
    WITHDRAWN = "withdrawn"  # of a task: nobody is to decide it now
    PUT = "put"  # a token from outside, or at its time
    SCHEDULED = "scheduled"  # a token is to come at a time
    UNSCHEDULED = "unscheduled"  # a token that was to come will not
    IMPORTED_TOKENS = "imported_tokens"  # those of a place, out of a file
    INJECTED = "injected"  # a token that a person made
    EDITED = "edited"  # of a token's value, by a person
    MOVED = "moved"  # of a token, by a person
    DROPPED_TOKEN = "dropped_token"
    FROZEN = "frozen"  # of a token, which nothing takes until thawed
    THAWED = "thawed"
    RESTARTED = "restarted"  # of one actor, by a person
    PARKED = "parked"  # an incident: a message could not be handled
    DROPPED = "dropped"  # the same, of an instance that has ended
    UNDELIVERED = "undelivered"  # a message to another that had no effect
    WAITING = "waiting"  # for a handler that this process lacks
    STUCK = "stuck"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One thing that happened to one instance."""

    root: bytes  # prefix of the instance, as `keys.root_prefix` makes it
    link: int  # sequence of the instance's record before this one; 0: there is none
    at: float  # engine time, seconds
    kind: str  # a `RecordKind`; one that is not known, of a later Placet, can still be read past
    transition: str = ""  # path, where a transition is concerned
    firing: int = 0
    attempt: int = 0
    consumed: tuple[int, ...] = ()  # ids of tokens
    produced: tuple[int, ...] = ()  # ids of tokens
    detail: Detail | bytes | None = None  # what is rarely needed


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)

encode_record = _encoder.encode
"""Return the bytes a record is stored as."""


def decode_record(data: bytes) -> Record:
    """Return the record stored as `data`. Raises `StoreDamaged`."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise StoreDamaged(f"a history record cannot be read ({error})") from error


def walk(view: View, last: int) -> Iterator[tuple[int, Record]]:
    """Yield (sequence, record) of one instance, newest first, from `last` back to the first or to a trimmed one.

    Raises `StoreDamaged` if a link leads forward or to another instance.
    """
    root, sequence = None, last
    while sequence and (data := view.get(history_key(sequence))) is not None:
        record = decode_record(data)
        if record.link >= sequence or root not in (None, record.root):
            raise StoreDamaged(f"history record {sequence} is linked wrongly")
        yield sequence, record
        root, sequence = record.root, record.link


def trim(view: View, last: int, keep: int) -> list[bytes]:
    """Return the keys to delete so that the newest `keep` records of an instance remain.

    Reads the kept records and the trimmed ones, nothing older: what was trimmed before ends the walk.
    """
    return [history_key(sequence) for sequence, _ in islice(walk(view, last), keep, None)]
