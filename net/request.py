"""What a client asks of a node, besides what the control socket of an engine takes: one protocol, in JSON.

Values to spawn with come as JSON. A client chooses the id of an instance before it asks, and interventions carry a
`request_id`, so that any request may be sent again.
"""

from typing import TypeAlias

import msgspec

from placet.actors.control.base import ControlRequest
from placet.actors.control.request import AnyRequest
from placet.actors.control.tokens import ImportPlaceRequest
from placet.actors.errors import BadRequest
from placet.actors.lifecycle import InstanceState


class SpawnRequest(ControlRequest, frozen=True, kw_only=True, tag="spawn"):
    """Start an instance of a registered workflow."""

    instance: str
    workflow: str
    tokens: dict[str, list[object]] = {}
    bundle: str = ""  # digest of the definition that is meant; "": whatever has that name


class ListRequest(ControlRequest, frozen=True, kw_only=True, tag="list"):
    """Ask for a summary of every instance, of those in one state, or of those that one has called."""

    state: InstanceState | None = None
    caller: str = ""
    shards: list[int] | None = None  # those whose instances are asked for; None: all there are


class FindRequest(ControlRequest, frozen=True, kw_only=True, tag="find"):
    """Ask whether there is an instance, or a place or composite of it."""

    instance: str
    address: str  # of it, or in it


class ShowRequest(ControlRequest, frozen=True, kw_only=True, tag="show"):
    """Ask for everything about an instance; its values come as they are stored."""

    instance: str


class HistoryRequest(ControlRequest, frozen=True, kw_only=True, tag="history"):
    """Ask for everything that happened to an instance."""

    instance: str


class WaitRequest(ControlRequest, frozen=True, kw_only=True, tag="wait"):
    """Ask for the first of `states` an instance is in; answered with no state when that takes too long."""

    instance: str
    states: list[InstanceState]
    patience_s: float


class TasksRequest(ControlRequest, frozen=True, kw_only=True, tag="tasks"):
    """Ask for what is offered to people: all, or what such a person may decide, or one instance's."""

    role: str | None = None
    assignee: str | None = None
    transition: str | None = None
    instance: str | None = None
    shards: list[int] | None = None  # those whose tasks are asked for; None: all there are


class OfferRequest(ControlRequest, frozen=True, kw_only=True, tag="offer"):
    """Ask for the next task of a manual transition; answered with none when that takes too long."""

    instance: str
    transition: str
    patience_s: float


class ExplainRequest(ControlRequest, frozen=True, kw_only=True, tag="explain"):
    """Ask in a few words why an instance has not completed."""

    instance: str


class ProgressRequest(ControlRequest, frozen=True, kw_only=True, tag="progress"):
    """Ask how far an instance is, and what runs of it now."""

    instance: str


class StructureRequest(ControlRequest, frozen=True, kw_only=True, tag="structure"):
    """Ask for the net an instance runs on."""

    instance: str


class TrimRequest(ControlRequest, frozen=True, kw_only=True, tag="trim"):
    """Delete all but the newest records of an instance's history."""

    instance: str
    keep: int


class FollowRequest(ControlRequest, frozen=True, kw_only=True, tag="follow"):
    """Ask for what an instance does after step `after` of a trail; answered at once where that trail is not known."""

    instance: str
    trail: str = ""
    after: int = 0
    patience_s: float


class ReplyRequest(ControlRequest, frozen=True, kw_only=True, tag="reply"):
    """Ask for what an actor of users' own has answered to a request; with none when that takes too long."""

    instance: str
    request: str
    patience_s: float


class AskRequest(ControlRequest, frozen=True, kw_only=True, tag="ask"):
    """Put a message into the inbox of an actor of users' own, whose answer is wanted; see `ReplyRequest`."""

    instance: str
    message: object
    request: str


class GivenRequest(ControlRequest, frozen=True, kw_only=True, tag="given"):
    """A request about an instance, with values beside it that JSON cannot hold; needs a key that may send code."""

    instance: str
    request: msgspec.Raw
    value: bytes  # pickled


class OfferBundleRequest(ControlRequest, frozen=True, kw_only=True, tag="offer_bundle"):
    """Ask an engine whether it runs a definition already."""

    workflow: str
    version: str
    digest: str


class DeployRequest(ControlRequest, frozen=True, kw_only=True, tag="deploy"):
    """Have an engine run a workflow from now on; needs a key that may send code."""

    bundle: bytes  # as `bundle.py` has it


LookRequest: TypeAlias = (
    ListRequest
    | FindRequest
    | ShowRequest
    | HistoryRequest
    | TasksRequest
    | ExplainRequest
    | ProgressRequest
    | StructureRequest
)
PatientRequest: TypeAlias = WaitRequest | OfferRequest | FollowRequest | ReplyRequest


class ExportCopyRequest(ControlRequest, frozen=True, kw_only=True, tag="export_copy"):
    """Ask for an instance, or one place or composite of it, as a file."""

    instance: str
    path: str = ""
    history: bool = True


class ImportCopyRequest(ControlRequest, frozen=True, kw_only=True, tag="import_copy"):
    """Make a paused instance out of an exported one; its values are pickles, so it needs a key that may send code."""

    instance: str
    data: bytes
    by: str
    why: str = ""


# What runs what is in it, now or later.
CodeRequest: TypeAlias = GivenRequest | DeployRequest | ImportCopyRequest | ImportPlaceRequest
NetRequest: TypeAlias = (
    AnyRequest
    | SpawnRequest
    | AskRequest
    | TrimRequest
    | PatientRequest
    | LookRequest
    | OfferBundleRequest
    | ExportCopyRequest
    | CodeRequest
)

_decoder: "msgspec.json.Decoder[NetRequest]" = msgspec.json.Decoder(NetRequest)
_encode = msgspec.json.Encoder().encode


def encode_net_request(request: NetRequest) -> bytes:
    """Return a request as JSON. Raises `BadRequest` for what JSON cannot hold."""
    try:
        return _encode(request)
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadRequest(f"it cannot be written as JSON ({error})") from error


def decode_net_request(line: bytes) -> NetRequest:
    """Return the request in JSON. Raises `BadRequest`."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadRequest(str(error)) from error
