"""What a client's request is answered with, after commit."""

from enum import StrEnum
from typing import TypeAlias

import msgspec


class Spawned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The instance exists."""

    instance: str
    root: bytes
    already: bool = False  # it did before


class Receipt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The intervention is recorded and has taken effect."""

    instance: str
    at: float  # engine seconds
    already: bool = False  # it had no effect: it was already so, or this request was answered before


class RefusalCode(StrEnum):
    """Why a request had no effect, for programs. A member's value is what clients get: it stays as it is."""

    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    FAULT = "fault"  # an actor raised
    MOVED = "moved"  # the instance lives in another engine, or its own is not sure yet: ask again, there
    ENDED = "ended"
    ENDING = "ending"
    PAUSED = "paused"
    FULL = "full"
    NO_ACTOR = "no_actor"
    NO_PLACE = "no_place"
    NO_TARGET = "no_target"
    NO_TASK = "no_task"
    NO_INCIDENT = "no_incident"
    NO_APPROVAL = "no_approval"
    NOT_A_FIRING = "not_a_firing"
    NOT_FREE = "not_free"
    NOT_EXTERNAL = "not_external"
    NOT_ASSIGNED = "not_assigned"
    NOT_IN_ROLE = "not_in_role"
    CLAIMED = "claimed"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"
    WRONG_TYPE = "wrong_type"
    WRONG_OUTPUT = "wrong_output"


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The request had no effect. `code` is for programs, `reason` for people."""

    instance: str
    code: RefusalCode
    reason: str
    by: str = ""  # who was quicker: decided, or claimed, the task
    at: float = 0.0  # when, in engine seconds; 0.0 where that does not matter


class Entries(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The durable entries of one actor: (kind, id, bytes), in key order."""

    instance: str
    path: str
    entries: tuple[tuple[int, int, bytes], ...]


Answer: TypeAlias = Spawned | Receipt | Refused | Entries

encode_answer = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
