"""What people say to tasks, each named by its public id: `Approve`, `Reject`, `Complete`, `Claim`, `Unclaim`."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias, TypeVar, assert_never

import msgspec

from placet.actors import messages
from placet.actors.addressee import Addressee
from placet.actors.answers import RefusalCode
from placet.actors.errors import BadRequest, RequestRefused
from placet.actors.messages import Decide, PlainMessage, TaskMessage
from placet.actors.outputs import Outputs
from placet.actors.reader import StateReader
from placet.actors.task_id import TaskId
from placet.petri.expression import PlaceRef, place_name
from placet.petri.plan import TransitionPlan

APPROVED, REJECTED = 0, 1  # positions among the outputs of an approval


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """Base of what a person says to a task; `roles` are those of the person, the same `request_id` counts once."""

    task: str  # public id, such as `order-17/manager.41`
    _: KW_ONLY
    by: str
    why: str = ""
    roles: Sequence[str] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Approve(TaskRequest):
    """Say yes: the token goes to the first output of an approval; `value` takes the place of its own."""

    _: KW_ONLY
    value: object = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Reject(TaskRequest):
    """Say no: the token goes to the second output of an approval; `value` takes the place of its own."""

    _: KW_ONLY
    value: object = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Complete(TaskRequest):
    """Finish a task: `outputs` is one value for every output, or `Outputs({place: [value]})`; without, the token's own.

    `output` names the place, where the task is a choice.
    """

    _: KW_ONLY
    outputs: object = msgspec.UNSET
    output: PlaceRef | str = ""


@dataclass(frozen=True, slots=True)
class Claim(TaskRequest):
    """Keep a task for oneself: nobody else may decide it."""


@dataclass(frozen=True, slots=True)
class Unclaim(TaskRequest):
    """Give a claimed task back to everybody; anyone may do so."""


TaskRequests: TypeAlias = Approve | Reject | Complete | Claim | Unclaim
# What a person tells an instance. Where a value belongs to it (`put`, `inject`, `edit_token`) a method encodes it.
Intervention: TypeAlias = TaskRequests | PlainMessage
M = TypeVar("M", messages.Claim, messages.Unclaim)


def to_task_message(request: TaskRequests, instance: str, addressee: Addressee, reader: StateReader) -> TaskMessage:
    """Return what the kernel is told.

    Raises `BadRequest` for what names no task of `instance`, `RequestRefused` for a task there never was and for a yes
    or no to one that is no approval, `WrongType` and `ValueNotEncodable`.
    """
    task = TaskId.parse(request.task)
    if task.instance != instance:
        raise BadRequest(f"{request.task} is no task of {instance}", f"send it to {task.instance}")
    transition = _transition(task, addressee, reader)
    match request:
        case Approve():
            return _chosen(request, task, addressee, transition, APPROVED)
        case Reject():
            return _chosen(request, task, addressee, transition, REJECTED)
        case Complete():
            return _completed(request, task, addressee, transition)
        case Claim():
            return _claimed(messages.Claim, request, task)
        case Unclaim():
            return _claimed(messages.Unclaim, request, task)
        case _:
            assert_never(request)


def _transition(task: TaskId, addressee: Addressee, reader: StateReader) -> TransitionPlan:
    index = addressee.plan.transition_index.get(task.transition)
    known = reader.task(task.instance, task.number)
    if index is None or known is None or known.transition != index:
        raise RequestRefused(
            task.instance, f"there is no task {task}; placet tasks lists those that wait", RefusalCode.NO_TASK
        )
    return addressee.plan.transitions[index]


def is_approval(transition: TransitionPlan) -> bool:
    """Return whether a manual transition was declared as an approval: it asks for yes or no."""
    return transition.manual is not None and transition.manual.approval


def _chosen(
    request: Approve | Reject, task: TaskId, addressee: Addressee, transition: TransitionPlan, position: int
) -> Decide:
    names = transition.output_names
    if not is_approval(transition):
        reason = f"{transition.path} is no approval: it is completed, not approved or rejected"
        if transition.choice:
            reason += f"; its output is one of {', '.join(names)}"
        raise RequestRefused(task.instance, reason, RefusalCode.NO_APPROVAL)
    values = () if request.value is msgspec.UNSET else ((names[position], request.value),)
    return _decided(request, task, names[position], addressee.outputs(transition, values))


def _completed(request: Complete, task: TaskId, addressee: Addressee, transition: TransitionPlan) -> Decide:
    output, given, names = place_name(request.output), request.outputs, transition.output_names
    if isinstance(given, Outputs):
        values = tuple((place, value) for place, several in given.by_place.items() for value in several)
        if transition.choice and not output and len(given.by_place) == 1:
            (output,) = given.by_place
    elif given is msgspec.UNSET:
        values = ()
    else:
        values = tuple((name, given) for name in ((output,) if output else names))
    if transition.choice and not output:
        which = "say which, with `output=` in Python and `--to` on the command line"
        reason = f"{transition.path} gives to one of {', '.join(names)}; {which}"
        raise RequestRefused(task.instance, reason, RefusalCode.WRONG_OUTPUT)
    return _decided(request, task, output, addressee.outputs(transition, values))


def _decided(request: TaskRequest, task: TaskId, output: str, outputs: tuple[tuple[str, bytes], ...]) -> Decide:
    return Decide(
        task=task.number,
        output=output,
        outputs=outputs,
        by=request.by,
        why=request.why,
        roles=_roles(request),
        request_id=request.request_id,
    )


def _claimed(kind: type[M], request: TaskRequest, task: TaskId) -> M:
    return kind(task=task.number, by=request.by, why=request.why, roles=_roles(request), request_id=request.request_id)


def _roles(request: TaskRequest) -> tuple[str, ...]:
    return (request.roles,) if isinstance(request.roles, str) else tuple(request.roles)
