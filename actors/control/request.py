"""What can be asked of an engine from another process: one JSON object a request, `do` tells which.

Nothing in them is unpickled: values come as JSON and are encoded here.
"""

import json
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from placet.actors.addressee import Addressee
from placet.actors.control.base import ControlRequest, PersonalRequest
from placet.actors.control.tasks import AboutTask, AboutTasks, to_task_request
from placet.actors.control.tokens import AboutTokens, PutRequest, to_token_message
from placet.actors.errors import BadRequest
from placet.actors.given import by_place
from placet.actors.messages import (
    Cancel,
    FailIncident,
    InterventionMessage,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
)
from placet.actors.reader import IncidentKind, StateReader
from placet.actors.task_request import to_task_message
from placet.persistence.values import encode


class StatusRequest(ControlRequest, frozen=True, kw_only=True, tag="status"):
    """Ask how the engine is, and what runs now."""


class ImportRequest(ControlRequest, frozen=True, kw_only=True, tag="import"):
    """Create an instance out of an export; the engine reads the file."""

    file: str  # absolute
    instance: str = ""  # its id; "" is the one it had
    by: str
    why: str = ""


class ActorRequest(ControlRequest, frozen=True, kw_only=True):
    """Base of what is asked of one actor; `path` is "" for the workflow actor itself."""

    instance: str
    path: str = ""


class InspectRequest(ActorRequest, frozen=True, kw_only=True, tag="inspect"):
    """Ask for the durable entries of the actor."""


class SleepRequest(ActorRequest, frozen=True, kw_only=True, tag="sleep"):
    """Put the actor to sleep."""


class RestartRequest(ActorRequest, frozen=True, kw_only=True, tag="restart"):
    """Bring the actor back from its durable entries."""


class PauseRequest(PersonalRequest, frozen=True, kw_only=True, tag="pause"):
    """Choose nothing new in the instance, or in the part of it that `target` names."""

    target: str = ""


class ResumeRequest(PersonalRequest, frozen=True, kw_only=True, tag="resume"):
    """Undo a pause of the same target."""

    target: str = ""


class CancelRequest(PersonalRequest, frozen=True, kw_only=True, tag="cancel"):
    """End the instance."""


class IncidentRequest(PersonalRequest, frozen=True, kw_only=True):
    """Base of what is decided about an incident."""

    incident: int


class RetryRequest(IncidentRequest, frozen=True, kw_only=True, tag="retry"):
    """Try the failed firing again."""


class SkipRequest(IncidentRequest, frozen=True, kw_only=True, tag="skip"):
    """Count the failed firing as done with `output`: one value, or `{place: [values]}`."""

    output: object


class FailRequest(IncidentRequest, frozen=True, kw_only=True, tag="fail"):
    """End the instance as failed."""


ActorRequests: TypeAlias = InspectRequest | SleepRequest | RestartRequest
IncidentRequests: TypeAlias = RetryRequest | SkipRequest | FailRequest
InstanceRequests: TypeAlias = PauseRequest | ResumeRequest | CancelRequest | IncidentRequests
PersonalRequests: TypeAlias = InstanceRequests | AboutTasks | AboutTokens
EffectiveRequests: TypeAlias = PersonalRequests | ImportRequest  # carried out without an engine too
AnyRequest: TypeAlias = StatusRequest | ActorRequests | EffectiveRequests

_decoder: "msgspec.json.Decoder[AnyRequest]" = msgspec.json.Decoder(AnyRequest)
encode_request = msgspec.json.Encoder().encode


def decode_request(line: bytes) -> AnyRequest:
    """Return the request in one line. Raises `BadRequest`."""
    try:
        # msgspec takes the last of two equal keys, and says nothing
        json.loads(line, object_pairs_hook=_unique, parse_int=str, parse_float=str)
        return _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadRequest(f"it is not JSON ({error})") from error


def _unique(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequest(f"an object has the key {twice!r} twice", "keep one of the two")


def to_message(
    request: PersonalRequests, reader: StateReader, address: Callable[[str], Addressee]
) -> InterventionMessage:
    """Return what the kernel is told; `address` finds an instance and the types its places are known to have.

    Raises `WrongTokens`, `BadRequest`, and what `to_task_message` and `to_token_message` raise.
    """
    if not request.by and not isinstance(request, PutRequest):
        raise BadRequest("it does not say by whom it is")
    if isinstance(request, InstanceRequests):
        return _to_instance_message(request, reader)
    addressee = address(request.instance)
    message: InterventionMessage
    if isinstance(request, AboutTask):
        message = to_task_message(to_task_request(request, addressee), request.instance, addressee, reader)
    else:
        message = to_token_message(request, addressee, reader)
    return msgspec.structs.replace(message, instance=request.instance)


def _to_instance_message(request: InstanceRequests, reader: StateReader) -> InterventionMessage:
    instance, by, why, request_id = request.instance, request.by, request.why, request.request_id
    match request:
        case PauseRequest():
            return Pause(instance=instance, target=request.target, by=by, why=why, request_id=request_id)
        case ResumeRequest():
            return Resume(instance=instance, target=request.target, by=by, why=why, request_id=request_id)
        case CancelRequest():
            return Cancel(instance=instance, by=by, why=why, request_id=request_id)
        case RetryRequest(incident=incident):
            return RetryIncident(instance=instance, incident=incident, by=by, why=why, request_id=request_id)
        case FailRequest(incident=incident):
            return FailIncident(instance=instance, incident=incident, by=by, why=why, request_id=request_id)
        case SkipRequest(incident=incident):
            outputs = _outputs(request, reader)
            return SkipIncident(
                instance=instance, incident=incident, outputs=outputs, by=by, why=why, request_id=request_id
            )


def _outputs(request: SkipRequest, reader: StateReader) -> tuple[tuple[str, bytes], ...]:
    """Return the outputs a person gives, one a token; none where the kernel will refuse the request anyway."""
    view = reader.instance(request.instance)
    found = [incident for incident in view.incidents if incident.number == request.incident] if view else []
    if view is None or not found or found[0].kind is not IncidentKind.FIRING:
        return ()
    plan = reader.plan(view.header)
    names = plan.transitions[plan.transition_index[found[0].transition]].output_names
    if not names:
        return ()
    values = by_place(request.output, names)
    return tuple((place, encode(value)) for place, several in values.items() for value in several)
