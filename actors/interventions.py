"""What people can do to a running instance: one function an intervention, in one table.

Each is recorded in the history with who and why, and answered once it is on disk. One that no longer applies is
refused with the reason; one that changes nothing succeeds and says so. A request id that was seen before
gets the recorded answer.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from placet.actors.answers import Answer, Receipt, RefusalCode, Refused, decode_answer, encode_answer
from placet.actors.calls import answered, cancel_child, cause_of
from placet.actors.effects import ExpireReason
from placet.actors.holds import held_transitions, is_target
from placet.actors.lifecycle import ENDING, TERMINAL, Intent
from placet.actors.messages import (
    Cancel,
    FailIncident,
    ImportTokens,
    Inject,
    Intervention,
    Pause,
    Put,
    Resume,
    RetryIncident,
    SkipIncident,
    TaskIntervention,
    TokenIntervention,
)
from placet.actors.records import Firing, GuardIncident, Parked, Phase
from placet.actors.task_interventions import TASK_INTERVENTIONS
from placet.actors.token_interventions import TOKEN_INTERVENTIONS, put
from placet.actors.troubles import forget_trouble
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.history import RecordKind
from placet.persistence.keys import GUARD_INCIDENT, PARKED, REQUEST, entry_key
from placet.petri.outputs import positions


def intervene(workflow: WorkflowActor, turn: Turn, message: Intervention) -> None:
    """Carry out an intervention and answer it."""
    key = _request_key(workflow, message.request_id) if message.request_id else None
    known = workflow.services.get(key) if key else None
    if known is not None:
        turn.rare().answer = _as_before(decode_answer(known))
        return
    if workflow.header.state in TERMINAL and not isinstance(message, TaskIntervention):
        turn.rare().answer = Refused(
            instance=message.instance,
            code=RefusalCode.ENDED,
            reason=f"{message.instance} is {workflow.header.state.value}",
        )
        return
    if isinstance(message, Put | TokenIntervention | Inject | ImportTokens) and (refused := _ending(workflow, message)):
        turn.rare().answer = refused
        return
    answer = turn.rare().answer = INTERVENTIONS[type(message)](workflow, turn, message)
    if key and isinstance(answer, Receipt):
        turn.born[key] = encode_answer(answer)


def _request_key(workflow: WorkflowActor, request_id: str) -> bytes:
    number = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest(), "big")
    return entry_key(workflow.root, 0, REQUEST, number)


def _as_before(answer: Answer) -> Answer:
    if isinstance(answer, Receipt):
        return Receipt(instance=answer.instance, at=answer.at, already=True)
    return answer


def _accept(
    workflow: WorkflowActor, turn: Turn, message: Intervention, kind: RecordKind, **detail: str | int
) -> Receipt:
    workflow.note(turn, kind, by=message.by, why=message.why, **detail)
    return Receipt(instance=message.instance, at=turn.now)


def _already(turn: Turn, message: Intervention) -> Receipt:
    return Receipt(instance=message.instance, at=turn.now, already=True)


def _refuse(message: Intervention, code: RefusalCode, reason: str) -> Refused:
    return Refused(instance=message.instance, code=code, reason=reason)


def _ending(workflow: WorkflowActor, message: Intervention) -> Refused | None:
    if workflow.header.intent in ENDING:
        return _refuse(message, RefusalCode.ENDING, f"{message.instance} is {workflow.header.state.value}")
    return None


def _pause(workflow: WorkflowActor, turn: Turn, message: Pause) -> Answer:
    if refused := _ending(workflow, message):
        return refused
    if message.target:
        return _hold(workflow, turn, message)
    if workflow.header.intent is Intent.PAUSE:
        return _already(turn, message)
    workflow.header.intent = Intent.PAUSE
    for composite in workflow.composites:
        turn.rare().acquitted += [one.number for one in composite.firings.values() if one.phase is Phase.SUSPECT]
        composite.call_off(turn, ExpireReason.PAUSED)
    return _accept(workflow, turn, message, RecordKind.PAUSED)


def _hold(workflow: WorkflowActor, turn: Turn, message: Pause) -> Answer:
    header = workflow.header
    if not is_target(workflow.plan, message.target):
        return _refuse(
            message, RefusalCode.NO_TARGET, f"{message.instance} has nothing called {message.target!r} to pause"
        )
    if message.target in header.held:
        return _already(turn, message)
    header.held = (*header.held, message.target)
    _change_holds(workflow, turn)
    return _accept(workflow, turn, message, RecordKind.PAUSED, target=message.target)


def _release(workflow: WorkflowActor, turn: Turn, message: Resume) -> Answer:
    header = workflow.header
    if message.target not in header.held:
        return _already(turn, message)
    header.held = tuple(target for target in header.held if target != message.target)
    _change_holds(workflow, turn)
    return _accept(workflow, turn, message, RecordKind.RESUMED, target=message.target)


def _change_holds(workflow: WorkflowActor, turn: Turn) -> None:
    before = workflow.held
    workflow.held = held_transitions(workflow.plan, workflow.header.held)
    workflow.dirty += sorted(before - workflow.held)
    for composite in workflow.composites:
        composite.call_off(turn, ExpireReason.PAUSED, workflow.held - before)
        for firing in composite.firings.values():
            if firing.phase is Phase.SUSPECT and firing.transition in workflow.held:
                turn.rare().acquitted.append(firing.number)
            elif firing.phase is Phase.SUSPECT and firing.transition in before:
                turn.rare().suspects.append(firing)


def _resume(workflow: WorkflowActor, turn: Turn, message: Resume) -> Answer:
    if refused := _ending(workflow, message):
        return refused
    if message.target:
        return _release(workflow, turn, message)
    if workflow.header.intent is Intent.RUN:
        return _already(turn, message)
    workflow.header.intent = Intent.RUN
    for composite in workflow.composites:
        turn.rare().suspects += [one for one in composite.firings.values() if one.phase is Phase.SUSPECT]
    return _accept(workflow, turn, message, RecordKind.RESUMED)


def _cancel(workflow: WorkflowActor, turn: Turn, message: Cancel) -> Answer:
    if workflow.header.intent is Intent.CANCEL:
        return _already(turn, message)
    if refused := _ending(workflow, message):
        return refused
    receipt = _accept(workflow, turn, message, RecordKind.CANCEL_REQUESTED)
    end(workflow, turn, Intent.CANCEL)
    return receipt


def end(workflow: WorkflowActor, turn: Turn, intent: Intent) -> None:
    """Choose nothing more, cancel the children, and put back the tokens of every firing that does not run.

    What waits in executors is asked back.
    """
    workflow.header.intent = intent
    why = "its caller is cancelled" if intent is Intent.CANCEL else "its caller has failed"
    put_back_idle(workflow, turn)
    for composite in workflow.composites:
        composite.call_off(turn, ExpireReason.CANCELLED)
        for firing in composite.firings.values():
            if firing.phase is Phase.CALLED:
                cancel_child(workflow, turn, firing, why)


def put_back_idle(workflow: WorkflowActor, turn: Turn) -> None:
    """Put back the tokens of every firing that neither runs nor waits for a child.

    A child whose `Return` was parked is not waited for: what it returned is with the incident, as the result of a
    handler is that was parked.
    """
    done = answered(workflow) if workflow.parked else {}
    for firing in done.values():
        forget_trouble(workflow, firing)
    for composite in workflow.composites:
        busy = (Phase.RUNNING, Phase.CALLED)
        idle = [one for one in composite.firings.values() if one.phase not in busy or one.number in done]
        composite.put_back(turn, idle)


Incident = Firing | GuardIncident | Parked


def find_incident(workflow: WorkflowActor, number: int) -> Incident | None:
    """Return the open incident of that number."""
    found = workflow.find_firing(number)
    if found is not None and found[1].phase is Phase.INCIDENT:
        return found[1]
    for incident in workflow.guard_incidents.values():
        if incident.number == number:
            return incident
    return workflow.parked.get(number)


def _no_incident(workflow: WorkflowActor, message: RetryIncident | SkipIncident | FailIncident) -> Refused:
    reason = f"{message.instance} has no open incident {message.incident}; it may have been settled"
    found = workflow.find_firing(message.incident)
    if found is not None and found[1].phase is Phase.CALLED:
        reason = f"{message.instance} has no open incident {message.incident}, a call; settle that of its child"
    return _refuse(message, RefusalCode.NO_INCIDENT, reason)


def _retry(workflow: WorkflowActor, turn: Turn, message: RetryIncident) -> Answer:
    incident = find_incident(workflow, message.incident)
    refused = _ending(workflow, message)
    if refused and not isinstance(incident, Parked):  # a parked message may be what the end waits for
        return refused
    if incident is None:
        return _no_incident(workflow, message)
    receipt = _accept(workflow, turn, message, RecordKind.RETRIED, incident=message.incident)
    match incident:
        case Firing():
            incident.failed = incident.losses = 0
            incident.chosen = 0.0  # its deadline begins anew
            composite, _ = workflow.firing(incident.transition, incident.number)
            composite.set_phase(turn, incident, Phase.READY)
            _forget_suspicion(workflow, incident.transition)
            _drop_parked_result(workflow, turn, incident.number)
        case GuardIncident():
            _ask_guard_again(workflow, turn, incident)
        case Parked():
            del workflow.parked[incident.number]
            turn.delete(entry_key(workflow.root, 0, PARKED, incident.number))
            turn.rare().replays.append(incident.message)
    return receipt


def _ask_guard_again(workflow: WorkflowActor, turn: Turn, incident: GuardIncident) -> None:
    del workflow.guard_incidents[incident.transition, incident.token]
    turn.delete(entry_key(workflow.root, 0, GUARD_INCIDENT, incident.number))
    _forget_suspicion(workflow, incident.transition)
    transition = workflow.plan.transitions[incident.transition]
    for arc in transition.arguments:
        if arc.place == incident.place and arc.queue >= 0:
            workflow.place(arc.place).rejudge(arc.queue, incident.token)
    workflow.dirty.append(transition.index)


def _forget_suspicion(workflow: WorkflowActor, transition: int) -> None:
    # At once, and not with the turn: this very turn tries it again. Were the turn dropped, it would be tried again too.
    workflow.services.suspects.clear(workflow.header.instance, workflow.plan.transitions[transition].path)


def _drop_parked_result(workflow: WorkflowActor, turn: Turn, firing: int) -> None:
    for number in [number for number, parked in workflow.parked.items() if parked.firing == firing]:
        del workflow.parked[number]
        turn.delete(entry_key(workflow.root, 0, PARKED, number))


def _skip(workflow: WorkflowActor, turn: Turn, message: SkipIncident) -> Answer:
    if refused := _ending(workflow, message):
        return refused
    incident = find_incident(workflow, message.incident)
    if incident is None:
        return _no_incident(workflow, message)
    if not isinstance(incident, Firing):
        return _refuse(
            message, RefusalCode.NOT_A_FIRING, "only a failed firing can be skipped; retry or fail this incident"
        )
    transition = workflow.plan.transitions[incident.transition]
    outputs = positions(transition, message.outputs)
    if isinstance(outputs, str):
        return _refuse(message, RefusalCode.WRONG_OUTPUT, outputs)
    receipt = _accept(workflow, turn, message, RecordKind.SKIPPED, incident=message.incident)
    composite, _ = workflow.firing(incident.transition, incident.number)
    _drop_parked_result(workflow, turn, incident.number)
    composite.finish(turn, incident, transition, outputs)
    return receipt


def _fail(workflow: WorkflowActor, turn: Turn, message: FailIncident) -> Answer:
    if refused := _ending(workflow, message):
        return refused
    incident = find_incident(workflow, message.incident)
    if incident is None:
        return _no_incident(workflow, message)
    receipt = _accept(workflow, turn, message, RecordKind.FAIL_REQUESTED, incident=message.incident)
    workflow.header.cause = cause_of(incident.failures[-1] if isinstance(incident, Firing) else incident.failure)
    end(workflow, turn, Intent.FAIL)
    return receipt


# `Any`: each function takes the very message it stands beside, a relation the type system cannot say.
INTERVENTIONS: Mapping[type[Intervention], Callable[[WorkflowActor, Turn, Any], Answer]] = {
    Put: put,
    Pause: _pause,
    Resume: _resume,
    Cancel: _cancel,
    RetryIncident: _retry,
    SkipIncident: _skip,
    FailIncident: _fail,
    **TOKEN_INTERVENTIONS,
    **TASK_INTERVENTIONS,
}
