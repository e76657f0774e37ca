"""How a copy of an exported instance comes into being: a new root, a new incarnation, and paused.

What ran when it was exported did not run here: it comes back as after a clean stop, which counts nothing against it. A
copy is paused, since beside its original it would do everything a second time: a person decides which of them goes on.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from placet.actors.copies.entries import Copy
from placet.actors.interventions import end
from placet.actors.lifecycle import TERMINAL, Intent
from placet.actors.messages import Import
from placet.actors.records import Phase
from placet.actors.schedule import wait_again
from placet.actors.services import WakingServices
from placet.actors.timers import OF_A_TOKEN
from placet.actors.turn import Turn
from placet.actors.waking import wake
from placet.actors.workflow import WorkflowActor
from placet.persistence.history import RecordKind, decode_record, encode_record
from placet.persistence.keys import HISTORY, pack_id


def bring_in(root: bytes, message: Import, turn: Turn, services: WakingServices) -> WorkflowActor:
    """Make an instance out of an exported one. Raises `StoreDamaged` where the header is missing."""
    first = services.history + len(turn.log)
    copy = Copy(
        root=root,
        instance=message.instance,
        origin=message.origin,
        incarnation=message.incarnation,
        link=first + len(message.records) if message.records else 0,
        now=turn.now,
        shift_s=turn.now - message.age_s - message.engine_s,
    )
    link = 0
    for sequence, data in enumerate(message.records, first + 1):
        turn.log.append((HISTORY + pack_id(sequence), encode_record(copy.record(decode_record(data), link))))
        link = sequence
    entries = [made for key, value in message.entries if (made := copy.entry(key, value)) is not None]
    turn.born.update(entries)
    workflow = wake(root, partial(_below, entries), turn, services)
    detail = {"by": message.by, "why": message.why, "origin": message.origin}
    workflow.note(turn, RecordKind.IMPORTED, **detail, exported_at=copy.past(message.engine_s))
    if workflow.header.state not in TERMINAL:
        _begin(workflow, turn)
    return workflow


def _below(
    entries: Sequence[tuple[bytes, bytes]], prefix: bytes, _start: bytes | None
) -> Iterator[tuple[bytes, bytes]]:
    return (entry for entry in entries if entry[0].startswith(prefix))


def _begin(workflow: WorkflowActor, turn: Turn) -> None:
    """Take back what ran elsewhere, set the timers, and pause."""
    header = workflow.header
    if header.intent is Intent.RUN:
        header.intent = Intent.PAUSE
    for composite in workflow.composites:
        for firing in list(composite.firings.values()):
            if firing.phase is Phase.RUNNING:
                composite.lost(turn, firing, clean=True)
            elif firing.phase is Phase.CALLED:  # its child returns to the original
                composite.make_ready(turn, firing)
            elif firing.phase is Phase.BACKOFF:
                turn.timers.append((firing.number, 0.0, firing.due, firing.transition))
    for token, delay in workflow.delays.held.items():
        if delay.due:
            turn.timers.append((token, 0.0, delay.due, OF_A_TOKEN))
    wait_again(workflow, turn)
    workflow.tasks.note(workflow, turn, 0)
    if header.intent in (Intent.CANCEL, Intent.FAIL):
        end(workflow, turn, header.intent)
