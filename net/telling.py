"""Interventions as requests: what `tell` is given, in the form in which it crosses to an engine."""

import secrets
from typing import assert_never

from placet.actors.control.request import (
    CancelRequest,
    FailRequest,
    PauseRequest,
    PersonalRequests,
    ResumeRequest,
    RetryRequest,
    SkipRequest,
)
from placet.actors.control.tasks import (
    AboutTasks,
    ApproveRequest,
    ClaimRequest,
    CompleteRequest,
    RejectRequest,
    UnclaimRequest,
)
from placet.actors.control.tokens import (
    AboutTokens,
    DropTokenRequest,
    EditTokenRequest,
    FreezeTokenRequest,
    InjectRequest,
    MoveTokenRequest,
    PutRequest,
    ThawTokenRequest,
)
from placet.actors.errors import BadRequest
from placet.actors.messages import (
    Cancel,
    DropToken,
    EditToken,
    FailIncident,
    FreezeToken,
    Inject,
    MoveToken,
    Pause,
    PlainMessage,
    Put,
    Resume,
    RetryIncident,
    SkipIncident,
    ThawToken,
)
from placet.actors.outputs import Outputs
from placet.actors.task_request import (
    Approve,
    Claim,
    Complete,
    Intervention,
    Reject,
    TaskRequest,
    TaskRequests,
    Unclaim,
)
from placet.actors.verbs import Giving
from placet.persistence.values import decode
from placet.petri.expression import place_name


def known(request_id: str) -> str:
    """Return the id of a request, a new one where it has none: sent again, the request has its effect once."""
    return request_id or secrets.token_hex(8)


def to_request(instance: str, message: Intervention | Giving) -> PersonalRequests:
    """Return the request for an intervention, with a `request_id` of its own where it has none."""
    if isinstance(message, TaskRequest):
        return _about_task(instance, message)
    if isinstance(message, Giving):
        return _giving(instance, message)
    if not isinstance(message, PlainMessage):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller without types
        raise BadRequest(f"a {type(message).__name__} is nothing to tell", "use a message such as `Pause`, or a method")
    by, why, request_id = message.by, message.why, known(message.request_id)
    match message:
        case Pause():
            return PauseRequest(instance=instance, target=message.target, by=by, why=why, request_id=request_id)
        case Resume():
            return ResumeRequest(instance=instance, target=message.target, by=by, why=why, request_id=request_id)
        case Cancel():
            return CancelRequest(instance=instance, by=by, why=why, request_id=request_id)
        case RetryIncident(incident=number):
            return RetryRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number)
        case FailIncident(incident=number):
            return FailRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number)
        case SkipIncident(incident=number):
            output = _output(message)
            return SkipRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number, output=output)
        case MoveToken(token=token, place=place):
            return MoveTokenRequest(instance=instance, token=token, place=place, by=by, why=why, request_id=request_id)
        case DropToken(token=token):
            return DropTokenRequest(instance=instance, token=token, by=by, why=why, request_id=request_id)
        case FreezeToken(token=token):
            return FreezeTokenRequest(instance=instance, token=token, by=by, why=why, request_id=request_id)
        case ThawToken(token=token):
            return ThawTokenRequest(instance=instance, token=token, by=by, why=why, request_id=request_id)
        case _:
            assert_never(message)


def _giving(instance: str, message: Giving) -> AboutTokens:
    by, why, request_id = message.by, message.why, known(message.request_id)
    value = decode(message.value)
    match message:
        case Put(place=place):
            return PutRequest(instance=instance, place=place, value=value, by=by, why=why, request_id=request_id)
        case Inject(place=place):
            return InjectRequest(instance=instance, place=place, value=value, by=by, why=why, request_id=request_id)
        case EditToken(token=token):
            return EditTokenRequest(instance=instance, token=token, value=value, by=by, why=why, request_id=request_id)
        case _:
            assert_never(message)


def _about_task(instance: str, said: TaskRequests) -> AboutTasks:
    by, why, request_id = said.by, said.why, known(said.request_id)
    task, roles = said.task, (said.roles,) if isinstance(said.roles, str) else tuple(said.roles)
    match said:
        case Approve(value=value):
            given = value
            return ApproveRequest(
                instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id, value=given
            )
        case Reject(value=value):
            given = value
            return RejectRequest(
                instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id, value=given
            )
        case Complete(outputs=outputs):
            given = outputs.by_place if isinstance(outputs, Outputs) else outputs
            return CompleteRequest(
                instance=instance,
                task=task,
                roles=roles,
                by=by,
                why=why,
                request_id=request_id,
                outputs=given,
                output=place_name(said.output),
            )
        case Claim():
            return ClaimRequest(instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id)
        case Unclaim():
            return UnclaimRequest(instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id)
        case _:
            assert_never(said)


def _output(message: SkipIncident) -> object:
    """Return the outputs as people write them: one value, or `{place: [values]}`."""
    if len(message.outputs) == 1 and not message.outputs[0][0]:
        return decode(message.outputs[0][1])
    by_place: dict[str, list[object]] = {}
    for place, value in message.outputs:
        by_place.setdefault(place, []).append(decode(value))
    return by_place
