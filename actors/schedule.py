"""Tokens that are to come: put into a place at a time, for timers that outlive the engine."""

import hashlib
from typing import TYPE_CHECKING, Final

from placet.actors.answers import RefusalCode, Refused
from placet.actors.lifecycle import ENDING, TERMINAL
from placet.actors.messages import Schedule, Unschedule
from placet.actors.records import Scheduled, encode
from placet.actors.timers import OF_A_SCHEDULE
from placet.actors.turn import Turn
from placet.persistence.history import Detail, RecordKind
from placet.persistence.keys import SCHEDULED, entry_key

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

_APART: Final = 1 << 63  # so that no timer of this kind has the number of a token or a firing

# Durable entries: `SCHEDULED` | digest of the timer's name -> `records.Scheduled`. Gone once the token is there, or the
# instance has ended.


def schedule(workflow: "WorkflowActor", turn: Turn, message: Schedule) -> None:
    """Note a token that is to come; it takes the place of an earlier one of its name."""
    header, index = workflow.header, workflow.plan.place_index.get(message.place)
    if header.state in TERMINAL or header.intent in ENDING:
        code = RefusalCode.ENDED if header.state in TERMINAL else RefusalCode.ENDING
        _refuse(turn, message, code, f"{message.instance} is {header.state.value}")
        return
    if index is None or not workflow.plan.places[index].external:
        reason = f"{message.instance} takes no tokens into {message.place!r}"
        _refuse(turn, message, RefusalCode.NOT_EXTERNAL, reason)
        return
    if workflow.plan.places[index].capacity:
        reason = f"{message.place} holds a certain number of tokens: whether there will be room cannot be known"
        _refuse(turn, message, RefusalCode.FULL, reason)
        return
    number, due = timer_number(message.timer), turn.now + message.after_s
    before = workflow.scheduled.get(number)
    coming = Scheduled(number, message.timer, index, due, message.value, message.by)
    workflow.scheduled[number] = coming
    turn.put(entry_key(workflow.root, 0, SCHEDULED, number), encode(coming))
    turn.timers.append((number, before.due if before else 0.0, due, OF_A_SCHEDULE))
    workflow.note(turn, RecordKind.SCHEDULED, timer=message.timer, place=message.place, by=message.by, due=due)


def _refuse(turn: Turn, message: Schedule, code: RefusalCode, reason: str) -> None:
    turn.rare().answer = Refused(instance=message.instance, code=code, reason=reason)


def unschedule(workflow: "WorkflowActor", turn: Turn, message: Unschedule) -> None:
    """Let a token not come, if it has not come yet."""
    coming = workflow.scheduled.get(timer_number(message.timer))
    if coming is not None:
        _forget(workflow, turn, coming)
        workflow.note(turn, RecordKind.UNSCHEDULED, timer=message.timer)


def mature(workflow: "WorkflowActor", turn: Turn, number: int) -> None:
    """The time of a token has come."""
    coming = workflow.scheduled.get(number)
    if coming is None or coming.due > turn.now:
        return  # of an earlier one: it was on its way when this one took its place
    _forget(workflow, turn, coming)
    if workflow.header.intent in ENDING:
        workflow.note(turn, RecordKind.UNSCHEDULED, timer=coming.timer)
        return
    token = workflow.deposit(turn, coming.place, coming.value)
    path = workflow.plan.places[coming.place].path
    detail: Detail = {"by": coming.by, "why": "", "place": path, "token": token, "timer": coming.timer}
    workflow.record(turn, RecordKind.PUT, produced=(token,), detail=detail)


def drop_all(workflow: "WorkflowActor", turn: Turn) -> None:
    """The instance has ended: nothing more will come."""
    for coming in list(workflow.scheduled.values()):
        _forget(workflow, turn, coming)


def wait_again(workflow: "WorkflowActor", turn: Turn) -> None:
    """Set the timers of an instance that comes from elsewhere."""
    for number, coming in workflow.scheduled.items():
        turn.timers.append((number, 0.0, coming.due, OF_A_SCHEDULE))


def _forget(workflow: "WorkflowActor", turn: Turn, coming: Scheduled) -> None:
    del workflow.scheduled[coming.number]
    turn.delete(entry_key(workflow.root, 0, SCHEDULED, coming.number))
    turn.timers.append((coming.number, coming.due, 0.0, OF_A_SCHEDULE))


def timer_number(name: str) -> int:
    """Return the number of the timer of that name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") | _APART
