"""Requests about tasks from other processes, and what they become: values come as JSON."""

from typing import TypeAlias, assert_never, cast

import msgspec

from placet.actors.addressee import Addressee
from placet.actors.control.base import PersonalRequest
from placet.actors.given import by_place
from placet.actors.outputs import Outputs
from placet.actors.task_id import TaskId
from placet.actors.task_request import Approve, Claim, Complete, Reject, TaskRequests, Unclaim

Given: TypeAlias = object | msgspec.UnsetType


class AboutTask(PersonalRequest, frozen=True, kw_only=True):
    """Base of what is said to a task; `roles` are those of the person."""

    task: str
    roles: tuple[str, ...] = ()


class ApproveRequest(AboutTask, frozen=True, kw_only=True, tag="approve"):
    """Say yes; `value` takes the place of the token's own."""

    value: Given = msgspec.UNSET


class RejectRequest(AboutTask, frozen=True, kw_only=True, tag="reject"):
    """Say no; `value` takes the place of the token's own."""

    value: Given = msgspec.UNSET


class CompleteRequest(AboutTask, frozen=True, kw_only=True, tag="complete"):
    """Finish a task: `outputs` is one value or `{place: [value]}`, `output` the place a choice gives to."""

    outputs: Given = msgspec.UNSET
    output: str = ""


class ClaimRequest(AboutTask, frozen=True, kw_only=True, tag="claim"):
    """Keep a task for oneself."""


class UnclaimRequest(AboutTask, frozen=True, kw_only=True, tag="unclaim"):
    """Give a claimed task back."""


AboutTasks: TypeAlias = ApproveRequest | RejectRequest | CompleteRequest | ClaimRequest | UnclaimRequest


def to_task_request(request: AboutTasks, addressee: Addressee) -> TaskRequests:
    """Return what a person says to a task. Raises `WrongTokens` and `BadRequest`."""
    task, by, why, roles, request_id = request.task, request.by, request.why, request.roles, request.request_id
    match request:
        case ApproveRequest(value=value):
            return Approve(task, by=by, why=why, roles=roles, request_id=request_id, value=value)
        case RejectRequest(value=value):
            return Reject(task, by=by, why=why, roles=roles, request_id=request_id, value=value)
        case CompleteRequest(output=output):
            outputs = _outputs(request, addressee)
            return Complete(task, by=by, why=why, roles=roles, request_id=request_id, outputs=outputs, output=output)
        case ClaimRequest():
            return Claim(task, by=by, why=why, roles=roles, request_id=request_id)
        case UnclaimRequest():
            return Unclaim(task, by=by, why=why, roles=roles, request_id=request_id)
        case _:
            assert_never(request)


def _outputs(request: CompleteRequest, addressee: Addressee) -> object:
    """Return the outputs as Python gives them; an object in JSON may name places, or be the value of the only one."""
    outputs: object = request.outputs
    index = addressee.plan.transition_index.get(TaskId.parse(request.task).transition)
    if request.output or index is None or not isinstance(outputs, dict):
        return request.outputs
    given = cast("dict[str, object]", outputs)  # JSON has no other keys
    return Outputs(by_place(given, addressee.plan.transitions[index].output_names))
