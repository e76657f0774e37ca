"""What an instance does with each message: one function a type, in one table."""

from collections.abc import Callable, Mapping
from typing import Any

from placet.actors.answers import Entries, Receipt, RefusalCode, Refused
from placet.actors.calling_again import call_again, called_again
from placet.actors.calls import returned
from placet.actors.composite import CompositeActor, note_failure
from placet.actors.congestion import hold_up
from placet.actors.interventions import INTERVENTIONS, intervene, put_back_idle
from placet.actors.lifecycle import ENDING, TERMINAL, Intent
from placet.actors.messages import (
    MOST_TRIMMED,
    ActorRequest,
    Beat,
    CallAgain,
    CalledAgain,
    Done,
    Due,
    Failed,
    Grant,
    Inspect,
    Intervention,
    Lost,
    Message,
    Park,
    Recover,
    Restart,
    Return,
    RunAlone,
    Schedule,
    Sleep,
    Trim,
    Trouble,
    Undelivered,
    Unschedule,
    Watch,
    Withdrawn,
    decode_delivery,
)
from placet.actors.records import RUNNING, STATE_CONFLICT, Failure, Firing, Parked, Phase, encode
from placet.actors.schedule import mature, schedule, unschedule
from placet.actors.slots import SLICE_S
from placet.actors.state import ANSWER
from placet.actors.timers import OF_A_SCHEDULE, OF_A_TOKEN
from placet.actors.troubles import troubled
from placet.actors.turn import Turn
from placet.actors.watching import watch
from placet.actors.workflow import WorkflowActor
from placet.persistence.history import RecordKind, decode_record
from placet.persistence.keys import FIRST_PLACE, PARKED, entry_key, history_key, split_entry
from placet.petri.behaviour import INLINE

MOST_READ_AT_ONCE = 10_000  # tokens of a place


def _running(
    workflow: WorkflowActor, turn: Turn, message: Done | Failed | Withdrawn | Lost
) -> tuple[CompositeActor, Firing] | None:
    """Return the firing an answer is for; one that is no longer asked for is recorded and dropped."""
    composite, firing = workflow.firing(message.transition, message.number)
    if firing is not None and firing.attempt == message.attempt and firing.phase is Phase.RUNNING:
        return composite, firing
    path = workflow.plan.transitions[message.transition].path
    workflow.record(turn, RecordKind.STALE, path, message.number, message.attempt)
    return None


def _done(workflow: WorkflowActor, turn: Turn, message: Done) -> None:
    transition = workflow.plan.transitions[message.transition]
    composite = workflow.composites[transition.composite]
    firing = composite.firings.get(message.number)
    if firing is None or firing.attempt != message.attempt or firing.phase != RUNNING:
        _running(workflow, turn, message)
    elif message.puts and (name := workflow.state.conflict(message.puts)):
        reason = f"the state {name!r} of the instance was not as expected when the result came"
        composite.fail(turn, firing, Failure(type=STATE_CONFLICT, message=reason, types=(STATE_CONFLICT,)))
        composite.end_idle(turn, firing)
    else:
        composite.finish(turn, firing, transition, message.outputs)
        if message.puts:
            workflow.state.change(turn, message.puts)
            if any(put.name.startswith(ANSWER) for put in message.puts):
                workflow.progress(turn, RecordKind.ANSWERED, transition.path, message.number, message.attempt)
        for data in message.sent:
            _send(workflow, turn, data)


def _send(workflow: WorkflowActor, turn: Turn, data: bytes) -> None:
    """Send what a handler has sent with its result. To its own instance it goes at once: that may be about to end."""
    message = decode_delivery(data)
    if message.instance != workflow.header.instance or not isinstance(message, Intervention):
        turn.rare().sent.append(data)
        return
    intervene(workflow, turn, message)
    answer, turn.rare().answer = turn.rare().answer, None
    if isinstance(answer, Refused):
        kind = type(message).__name__
        workflow.note(turn, RecordKind.UNDELIVERED, target=message.instance, message=kind, reason=answer.reason)


def _failed(workflow: WorkflowActor, turn: Turn, message: Failed) -> None:
    found = _running(workflow, turn, message)
    if found is None:
        return
    composite, firing = found
    if message.failure.shard >= 0:
        hold_up(composite, turn, firing, message.failure.shard)
    else:
        composite.fail(turn, firing, message.failure, message.retry_after_s)
    composite.end_idle(turn, firing)


def _withdrawn(workflow: WorkflowActor, turn: Turn, message: Withdrawn) -> None:
    found = _running(workflow, turn, message)
    if found is None:
        return
    composite, firing = found
    composite.make_ready(turn, firing)
    if workflow.header.intent in ENDING:
        composite.put_back(turn, [firing])


def _lost(workflow: WorkflowActor, turn: Turn, message: Lost) -> None:
    found = _running(workflow, turn, message)
    if found is None:
        return
    composite, firing = found
    composite.lost(turn, firing, clean=message.clean, reason=message.reason)
    composite.end_idle(turn, firing)


def _beat(workflow: WorkflowActor, turn: Turn, message: Beat) -> None:
    """Note a sign of life. One of an attempt that is over is not worth a record: nothing depends on it."""
    composite, firing = workflow.firing(message.transition, message.number)
    if firing is not None and firing.attempt == message.attempt and firing.phase is Phase.RUNNING:
        composite.beat(turn, firing, message.progress)


def _due(workflow: WorkflowActor, turn: Turn, message: Due) -> None:
    if message.transition == OF_A_TOKEN:
        workflow.mature(turn, message.number)
        return
    if message.transition == OF_A_SCHEDULE:
        mature(workflow, turn, message.number)
        return
    composite, firing = workflow.firing(message.transition, message.number)
    if firing is not None:
        composite.due(turn, firing)


def _undelivered(workflow: WorkflowActor, turn: Turn, message: Undelivered) -> None:
    workflow.note(turn, RecordKind.UNDELIVERED, target=message.target, message=message.kind, reason=message.reason)


def _grant(workflow: WorkflowActor, turn: Turn, _message: Grant) -> None:
    workflow.slice_end = turn.now + SLICE_S


def _recover(workflow: WorkflowActor, turn: Turn, message: Recover) -> None:
    ending = workflow.header.intent in ENDING
    for composite in workflow.composites:
        for firing in list(composite.firings.values()):
            if firing.phase is Phase.RUNNING and not workflow.services.slots.is_out(workflow.root, firing.number):
                composite.lost(turn, firing, clean=firing.since <= message.stopped_s)
            elif firing.phase is Phase.SUSPECT:
                turn.rare().suspects.append(firing)
    if ending:
        put_back_idle(workflow, turn)


def _run_alone(workflow: WorkflowActor, turn: Turn, message: RunAlone) -> None:
    composite, firing = workflow.firing(message.transition, message.number)
    if firing is None or firing.phase is not Phase.SUSPECT or workflow.header.intent is not Intent.RUN:
        return
    transition = workflow.plan.transitions[message.transition]
    if transition.behaviour is None:
        return
    slots = workflow.services.slots
    has_room = transition.executor == INLINE or slots.pool(transition.executor).free > 0
    if slots.alone and not slots.in_flight() and has_room:
        composite.start_again(turn, firing)
    else:  # the message comes late, after a fault: things are no longer as they were
        turn.rare().suspects.append(firing)


def _park(workflow: WorkflowActor, turn: Turn, message: Park) -> None:
    if workflow.header.state in TERMINAL:  # nobody could settle it there, and no token waits for it
        reason = message.failure.message
        workflow.note(turn, RecordKind.DROPPED, message=message.kind, actor=message.actor, reason=reason)
        return
    parked = Parked(
        number=workflow.next_serial(),
        kind=message.kind,
        message=message.message,
        failure=message.failure,
        actor=message.actor,
    )
    if message.number:
        composite, firing = workflow.firing(message.transition, message.number)
        if firing is not None and firing.phase is Phase.RUNNING and firing.attempt == message.attempt:
            parked.firing = firing.number
            note_failure(firing, message.failure)
            composite.raise_incident(turn, firing)
            if workflow.header.intent in ENDING:
                composite.put_back(turn, [firing])
    workflow.parked[parked.number] = parked
    turn.born[entry_key(workflow.root, 0, PARKED, parked.number)] = encode(parked)
    detail = {"message": message.kind, "actor": message.actor, "type": message.failure.type}
    workflow.note(turn, RecordKind.PARKED, **detail, reason=message.failure.message)
    if message.kind == Return.__name__ and workflow.header.intent in ENDING:
        put_back_idle(workflow, turn)


# -- one actor of an instance --------------------------------------------------------------------------------


def _actor_index(workflow: WorkflowActor, path: str) -> int | None:
    place = workflow.plan.place_index.get(path)
    if place is not None:
        return FIRST_PLACE + place
    return workflow.plan.composite_index.get(path)


def _no_actor(message: ActorRequest) -> Refused:
    return Refused(
        instance=message.instance, code=RefusalCode.NO_ACTOR, reason=f"{message.instance} has no actor {message.path!r}"
    )


def _inspect(workflow: WorkflowActor, turn: Turn, message: Inspect) -> None:
    index = _actor_index(workflow, message.path)
    if index is None:
        turn.rare().answer = _no_actor(message)
        return
    entries = tuple(
        (kind, number, value)
        for key, value in workflow.services.scan(workflow.root + index.to_bytes(2, "big"))
        for _, kind, number in (split_entry(key),)
    )
    turn.rare().answer = Entries(instance=message.instance, path=message.path, entries=entries)


def _sleeps_alone(workflow: WorkflowActor, index: int) -> bool:
    """Return whether one actor can be read back within a turn: the workflow actor and its composites go together,
    and a place with very many tokens is read with its instance, over several batches.
    """
    place = workflow.places[index - FIRST_PLACE] if index >= FIRST_PLACE else None
    return index >= FIRST_PLACE and (place is None or place.count <= MOST_READ_AT_ONCE)


def _sleep(workflow: WorkflowActor, turn: Turn, message: Sleep) -> None:
    index = _actor_index(workflow, message.path)
    if index is None:
        turn.rare().answer = _no_actor(message)
        return
    if _sleeps_alone(workflow, index):
        workflow.sleep_place(index - FIRST_PLACE)
    else:
        turn.rare().forget = True
    turn.rare().answer = Receipt(instance=message.instance, at=turn.now)


def _restart(workflow: WorkflowActor, turn: Turn, message: Restart) -> None:
    index = _actor_index(workflow, message.path)
    if index is None:
        turn.rare().answer = _no_actor(message)
        return
    if _sleeps_alone(workflow, index):
        workflow.sleep_place(index - FIRST_PLACE)
        workflow.place(index - FIRST_PLACE)
    else:
        turn.rare().forget = True
    workflow.note(turn, RecordKind.RESTARTED, actor=message.path)
    turn.rare().answer = Receipt(instance=message.instance, at=turn.now)


def _trim(workflow: WorkflowActor, turn: Turn, message: Trim) -> None:
    """Delete old records; what is not this instance's, is gone already or is its newest is left alone."""
    deleted = 0
    for sequence in message.records[:MOST_TRIMMED]:
        key = history_key(sequence)
        data = workflow.services.get(key)
        if data is not None and sequence != workflow.link and decode_record(data).root == workflow.root:
            turn.rare().engine_writes[key] = None
            deleted += 1
    turn.rare().answer = Receipt(instance=message.instance, at=turn.now, already=not deleted)


# `Any`: each function takes the very message it stands beside, a relation the type system cannot say.
RECEIVERS: Mapping[type[Message], Callable[[WorkflowActor, Turn, Any], None]] = {
    **dict.fromkeys(INTERVENTIONS, intervene),
    Done: _done,
    Failed: _failed,
    Withdrawn: _withdrawn,
    Lost: _lost,
    Beat: _beat,
    Due: _due,
    Grant: _grant,
    Recover: _recover,
    CallAgain: call_again,
    CalledAgain: called_again,
    Return: returned,
    Trouble: troubled,
    Undelivered: _undelivered,
    Watch: watch,
    Schedule: schedule,
    Unschedule: unschedule,
    RunAlone: _run_alone,
    Park: _park,
    Inspect: _inspect,
    Restart: _restart,
    Sleep: _sleep,
    Trim: _trim,
}
