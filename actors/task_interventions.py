"""What people do with tasks: decide, claim, give back. A decision takes the token and fires, in one turn."""

from collections.abc import Callable, Mapping
from typing import Any

from placet.actors.answers import Answer, Receipt, RefusalCode, Refused
from placet.actors.lifecycle import ENDING, Intent
from placet.actors.messages import Claim, Decide, Intervention, TaskIntervention, Unclaim
from placet.actors.records import Task, decode_task
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.blobs import is_ref
from placet.persistence.history import RecordKind
from placet.persistence.keys import TASK, entry_key
from placet.petri.outputs import positions
from placet.petri.plan import TransitionPlan


def _decide(workflow: WorkflowActor, turn: Turn, message: Decide) -> Answer:
    task = workflow.tasks.open.get(message.task)
    if task is None:
        return _too_late(workflow, message)
    transition = workflow.plan.transitions[task.transition]
    if refused := _is_paused(workflow, transition, message) or _may_not(workflow, task, transition, message):
        return refused
    output = _output(transition, message)
    outputs = positions(transition, _outputs(workflow, task, transition, message))
    if not isinstance(outputs, str) and message.output and any(name != output for name, _ in message.outputs):
        outputs = f"{transition.path} is decided for {output}, and values are given for another place; name one"
    if isinstance(outputs, str):
        return Refused(instance=message.instance, code=RefusalCode.WRONG_OUTPUT, reason=outputs)
    if refused := _no_room(workflow, transition, message, {transition.outputs[position][0] for position, _ in outputs}):
        return refused
    before = len(workflow.tasks.open)
    task.by, task.output = message.by, output
    workflow.tasks.end(workflow, turn, task, "decided")
    workflow.tasks.note(workflow, turn, before)
    value = workflow.remove(turn, task.place, task.token)
    if is_ref(value):
        workflow.discard(turn, value)
    produced = [workflow.deposit(turn, transition.outputs[position][0], given) for position, given in outputs]
    workflow.fired += 1
    turn.fired += 1
    told = {"by": message.by, "why": message.why, "output": output}
    workflow.record(turn, RecordKind.FIRED, transition.path, task.number, 1, (task.token,), produced, told)
    return Receipt(instance=message.instance, at=turn.now)


def _output(transition: TransitionPlan, message: Decide) -> str:
    """Return which output of a choice a person decides for; "" where there is no choice."""
    if transition.choice and not message.output and message.outputs:
        return message.outputs[0][0]
    return message.output


def _no_room(workflow: WorkflowActor, transition: TransitionPlan, message: Decide, places: set[int]) -> Refused | None:
    for bound in transition.bounds:
        held = workflow.place(bound.place).count + workflow.reserved.get(bound.place, 0)
        if bound.place in places and held + bound.net > bound.capacity:
            path = workflow.plan.places[bound.place].path
            reason = f"{path} holds {bound.capacity} tokens at most; decide when there is room again"
            return Refused(instance=message.instance, code=RefusalCode.FULL, reason=reason)
    return None


def _outputs(
    workflow: WorkflowActor, task: Task, transition: TransitionPlan, message: Decide
) -> tuple[tuple[str, bytes], ...]:
    """Return (place, value) for each token to be given; without values of the person's own, the token's goes on."""
    if message.outputs:
        return message.outputs
    value = workflow.value(workflow.place(task.place).value(workflow.turn, task.token))
    names = (message.output,) if message.output or transition.choice else transition.output_names
    return tuple((name, value) for name in names)


def _claim(workflow: WorkflowActor, turn: Turn, message: Claim) -> Answer:
    task = workflow.tasks.open.get(message.task)
    if task is None:
        return _too_late(workflow, message)
    if refused := _may_not(workflow, task, workflow.plan.transitions[task.transition], message):
        return refused
    if task.claimed_by == message.by:
        return Receipt(instance=message.instance, at=turn.now, already=True)
    return _set_claim(workflow, turn, task, message, RecordKind.CLAIMED, message.by)


def _unclaim(workflow: WorkflowActor, turn: Turn, message: Unclaim) -> Answer:
    task = workflow.tasks.open.get(message.task)
    if task is None:
        return _too_late(workflow, message)
    if not task.claimed_by:
        return Receipt(instance=message.instance, at=turn.now, already=True)
    return _set_claim(workflow, turn, task, message, RecordKind.UNCLAIMED, "")


def _set_claim(
    workflow: WorkflowActor, turn: Turn, task: Task, message: TaskIntervention, kind: RecordKind, by: str
) -> Receipt:
    task.claimed_by = by
    workflow.tasks.write(workflow, turn, task)
    path = workflow.plan.transitions[task.transition].path
    workflow.record(turn, kind, path, task.number, detail={"by": message.by, "why": message.why})
    return Receipt(instance=message.instance, at=turn.now)


def _too_late(workflow: WorkflowActor, message: TaskIntervention) -> Answer:
    """Answer who comes after the end of a task: the same decision of the same person has succeeded."""
    data = workflow.services.get(entry_key(workflow.root, 0, TASK, message.task))
    if data is None:
        reason = f"{message.instance} has no task {message.task}"
        return Refused(instance=message.instance, code=RefusalCode.NO_TASK, reason=reason)
    task = decode_task(data)
    if task.ended != "decided":
        reason = f"task {message.task} is no longer offered: its token went another way"
        return Refused(instance=message.instance, code=RefusalCode.WITHDRAWN, reason=reason, at=task.at)
    transition = workflow.plan.transitions[task.transition]
    if isinstance(message, Decide) and (task.by, task.output) == (message.by, _output(transition, message)):
        return Receipt(instance=message.instance, at=task.at, already=True)
    reason = f"task {message.task} was decided by {task.by}" + (f": {task.output}" if task.output else "")
    return Refused(instance=message.instance, code=RefusalCode.DECIDED, reason=reason, by=task.by, at=task.at)


def _is_paused(workflow: WorkflowActor, transition: TransitionPlan, message: Decide) -> Refused | None:
    """Refuse a decision where nothing may fire; claims change no marking, and go on."""
    paused = "" if transition.index not in workflow.held else transition.path
    if workflow.header.intent is Intent.PAUSE:
        paused = message.instance
    if not paused:
        return None
    return Refused(instance=message.instance, code=RefusalCode.PAUSED, reason=f"{paused} is paused; resume it first")


def _may_not(
    workflow: WorkflowActor, task: Task, transition: TransitionPlan, message: TaskIntervention
) -> Refused | None:
    manual = transition.manual
    if workflow.header.intent in ENDING:
        reason = f"{message.instance} is {workflow.header.state.value}"
        return Refused(instance=message.instance, code=RefusalCode.ENDING, reason=reason)
    if task.claimed_by and task.claimed_by != message.by:
        reason = f"task {task.number} is claimed by {task.claimed_by}"
        return Refused(instance=message.instance, code=RefusalCode.CLAIMED, reason=reason, by=task.claimed_by)
    if manual is not None and manual.assignees and message.by not in manual.assignees:
        reason = f"task {task.number} is for {', '.join(manual.assignees)}"
        return Refused(instance=message.instance, code=RefusalCode.NOT_ASSIGNED, reason=reason)
    if manual is not None and manual.roles and not set(manual.roles) & set(message.roles):
        reason = f"task {task.number} is for people with the role {' or '.join(manual.roles)}"
        return Refused(instance=message.instance, code=RefusalCode.NOT_IN_ROLE, reason=reason)
    return None


# `Any`: each function takes the very message it stands beside, a relation the type system cannot say.
TASK_INTERVENTIONS: Mapping[type[Intervention], Callable[[WorkflowActor, Turn, Any], Answer]] = {
    Decide: _decide,
    Claim: _claim,
    Unclaim: _unclaim,
}
