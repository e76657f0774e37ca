"""Interventions as requests: what `tell` is given, in the form in which it crosses to an engine."""

import secrets
from typing import assert_never

from msgspec import UNSET

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
from placet.actors.errors import BadRequest
from placet.actors.messages import (
    Cancel,
    FailIncident,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
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
from placet.net.plain import check_plain
from placet.persistence.values import decode
from placet.petri.expression import place_name


def to_request(instance: str, message: Intervention) -> PersonalRequests:
    """Return the request for an intervention, with a `request_id` of its own where it has none.

    Raises `ValueNotEncodable` for values that are not plain.
    """
    if isinstance(message, TaskRequest):
        return _about_task(instance, message)
    by, why, request_id = message.by, message.why, message.request_id or secrets.token_hex(8)
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
            check_plain(output)
            return SkipRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number, output=output)
        case _:
            raise BadRequest(f"a {type(message).__name__} cannot be sent to a node yet", "use the commands on its host")


def _about_task(instance: str, said: TaskRequests) -> AboutTasks:
    by, why, request_id = said.by, said.why, said.request_id or secrets.token_hex(8)
    task, roles = said.task, (said.roles,) if isinstance(said.roles, str) else tuple(said.roles)
    match said:
        case Approve(value=value):
            given = _plain(value)
            return ApproveRequest(
                instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id, value=given
            )
        case Reject(value=value):
            given = _plain(value)
            return RejectRequest(
                instance=instance, task=task, roles=roles, by=by, why=why, request_id=request_id, value=given
            )
        case Complete(outputs=outputs):
            given = _plain(outputs.by_place if isinstance(outputs, Outputs) else outputs)
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


def _plain(value: object) -> object:
    if value is not UNSET:
        check_plain(value)
    return value


def _output(message: SkipIncident) -> object:
    """Return the outputs as people write them: one value, or `{place: [values]}`."""
    if len(message.outputs) == 1 and not message.outputs[0][0]:
        return decode(message.outputs[0][1])
    by_place: dict[str, list[object]] = {}
    for place, value in message.outputs:
        by_place.setdefault(place, []).append(decode(value))
    return by_place
