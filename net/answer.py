"""What a node answers, in JSON; an error becomes the same exception again on the client's side."""

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from placet.actors.answers import Entries
from placet.actors.catalog import StoredNet
from placet.actors.control.answer import checked, error_face
from placet.actors.effects import Progress
from placet.actors.errors import (
    BadRequest,
    BundleUnusable,
    Busy,
    EngineStopped,
    InvalidId,
    NotFound,
    SpawnConflict,
    UnknownWorkflow,
    WorkflowTaken,
)
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import InstanceView
from placet.actors.task_view import TaskView
from placet.net.errors import BundleMissing, NotAllowed, NotPossible, NotYet, TooLarge
from placet.net.seal import MOST_BYTES
from placet.persistence.errors import StoreDamaged, ValueNotEncodable, ValueNotLoadable, ValueTooLarge
from placet.persistence.history import Record
from placet.petri.errors import PlacetError

MOST_ANSWER_BYTES = MOST_BYTES - (1 << 20)  # what is around it in a frame is small

T = TypeVar("T")
Known: TypeAlias = type[PlacetError]

_ERRORS: Mapping[str, Known] = {
    error.code: error
    for error in (
        BadRequest,
        BundleMissing,
        BundleUnusable,
        Busy,
        EngineStopped,
        InvalidId,
        NotAllowed,
        NotFound,
        NotPossible,
        NotYet,
        SpawnConflict,
        StoreDamaged,
        TooLarge,
        UnknownWorkflow,
        ValueNotEncodable,
        ValueNotLoadable,
        ValueTooLarge,
        WorkflowTaken,
    )
}
"""Errors that cross as what they are, by their code: their `args` are their fields, and plain."""


class InstanceFound(msgspec.Struct, frozen=True, kw_only=True):
    """There is an instance, and it has the actor asked for."""

    instance: str
    path: str = ""  # of the actor in it; "": the instance itself was asked for


class StateSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The state an instance is in; None: none of those that were waited for, so far."""

    state: InstanceState | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One instance as of one moment, and why it has not completed."""

    view: InstanceView
    reason: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Summaries of instances: of some shards, all there are."""

    instances: list[InstanceSummary]
    shards: list[int] = []


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The history of an instance: (sequence, record), oldest first."""

    records: list[tuple[int, Record]]


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that wait for people, of one instance or of some shards; their values come as they are stored."""

    tasks: list[TaskView]
    shards: list[int] = []


class NextOffer(msgspec.Struct, frozen=True, kw_only=True):
    """The number of a task that is open, or was just now; 0: none will come; None: none so far."""

    number: int | None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Why an instance has not completed."""

    reason: str


class Progressed(msgspec.Struct, frozen=True, kw_only=True):
    """How far an instance is."""

    state: InstanceState
    fired: int  # results counted
    running: list[tuple[str, float]]  # (transition, seconds) of each handler that runs, longest first
    is_held_up: bool  # nothing of it, or below it, moves by itself
    needs_people: bool  # and without a person who settles something, nothing will


class Structure(msgspec.Struct, frozen=True, kw_only=True):
    """The net of an instance, as it is stored."""

    net: StoredNet


class Trimmed(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were deleted."""

    count: int


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance has done, up to step `after` of a trail; a trail that is another has begun anew."""

    trail: str
    after: int
    steps: list[Progress]


class Replied(msgspec.Struct, frozen=True, kw_only=True):
    """An actor's answer, as it is stored; None: none so far, or none will come."""

    value: bytes | None
    is_hopeless: bool = False  # it has ended, or has an open incident


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine stands to a definition."""

    is_known: bool
    was_sent: bool = False  # by a client, and was not in a file of the node


class ExportedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """An instance, or a part of it, as a file."""

    data: bytes
    entries: int
    records: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt of an intervention."""

    id: str
    at: float  # engine seconds
    already: bool
    state: str


Looked: TypeAlias = InstanceFound | Shown | Listed | Told | Offers | Explained | Progressed | Structure
NetAnswer: TypeAlias = Looked | StateSeen | NextOffer | Trimmed | Followed | Replied | Entries | Deployed | ExportedCopy


def encode_net_answer(answer: NetAnswer) -> bytes:
    """Return an answer as JSON, or the error that it is too large."""
    line = msgspec.json.encode(answer)
    return line if len(line) <= MOST_ANSWER_BYTES else encode_error(TooLarge(len(line), MOST_ANSWER_BYTES))


def encode_error(error: PlacetError) -> bytes:
    """Return an error as JSON: code, message, and its fields where it can be built from them again."""
    face = error_face(error)
    said = face["error"]
    if type(error) is _ERRORS.get(error.code) and isinstance(said, dict):
        said["args"] = list(error.args)
    return msgspec.json.encode(face)


def decode_net_answer(kind: type[T], instance: str, line: bytes) -> T:
    """Return the answer. Raises the error in it, as the engine did."""
    if "error" in msgspec.json.decode(line, type=dict[str, msgspec.Raw]):
        raise _error(instance, msgspec.json.decode(line))
    return msgspec.json.decode(line, type=kind)


def _error(instance: str, face: dict[str, Any]) -> PlacetError:  # `Any`: JSON of an error, looked into here alone
    error = face["error"]
    known = _ERRORS.get(error.get("code"))
    if known is not None and "args" in error:
        return known(*error["args"])
    try:
        checked(instance, face)
    except PlacetError as raised:
        return raised
    raise AssertionError(face)
