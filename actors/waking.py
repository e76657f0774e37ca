"""How an instance comes into memory: spawned with its first tokens, or read back from its entries."""

from itertools import groupby
from operator import itemgetter

from placet.actors.records import (
    Header,
    Phase,
    decode_delay,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
    decode_scheduled,
    decode_task,
    decode_watcher,
)
from placet.actors.services import Waking
from placet.actors.turn import Turn
from placet.actors.workflow import Scan, WorkflowActor
from placet.persistence.blobs import BLOB_ACTOR
from placet.persistence.errors import StoreDamaged
from placet.persistence.history import RecordKind
from placet.persistence.keys import (
    DELAY,
    FIRING,
    FIRST_PLACE,
    GUARD_INCIDENT,
    HEADER,
    PARKED,
    SCHEDULED,
    STATE,
    TASK,
    WATCHER,
    split_entry,
)


def spawn(
    root: bytes, header: Header, tokens: tuple[tuple[int, bytes], ...], turn: Turn, services: Waking
) -> WorkflowActor:
    """Make a new instance with its first tokens, each (place, value)."""
    workflow = WorkflowActor(root, header, services.plan(header), services, turn, new=True)
    produced = tuple(range(workflow.serial + 1, workflow.serial + 1 + len(tokens)))
    workflow.serial += len(tokens)
    detail = {"workflow": header.workflow, "version": header.version}
    # First: a guard may raise at a deposit.
    workflow.record(turn, RecordKind.SPAWNED, produced=produced, detail={**detail})
    for token, (place, value) in zip(produced, tokens, strict=True):
        workflow.deposit(turn, place, value, token)
    return workflow


def wake(root: bytes, scan: Scan, turn: Turn, services: Waking) -> WorkflowActor:
    """Bring an instance back from its entries, which `scan` yields. Raises `StoreDamaged` where the header is missing.

    The entries come in the order of keys: those of composites, guard incidents among them, before places, so that what
    is known to raise is not asked again.
    """
    iterator = iter(scan(root))
    key, value = next(iterator, (b"", b""))
    if not key or split_entry(key) != (0, HEADER, 0):
        raise StoreDamaged(f"instance {root.hex()} has no header")
    header = decode_header(value)
    workflow = WorkflowActor(root, header, services.plan(header), services, turn, new=False)
    entries = ((*split_entry(key), value) for key, value in iterator)
    for actor, found in groupby(entries, itemgetter(0)):
        if actor == BLOB_ACTOR:
            break  # chunks of large values: read when needed
        if actor < FIRST_PLACE:
            for _, kind, number, value in found:
                _load(workflow, actor, kind, number, value)
            workflow.forget_unwritten()  # before any guard is asked, which may raise
            continue
        place = workflow.place(actor - FIRST_PLACE)
        workflow.load_place(place, ((kind, token, value) for _, kind, token, value in found), scan)
        workflow.frozen += len(place.frozen or ())
        if not place.plan.is_exit:
            workflow.inner += place.count
        workflow.dirty += place.plan.consumers
    workflow.tasks.recheck(workflow)
    return workflow


def _load(workflow: WorkflowActor, actor: int, kind: int, number: int, value: bytes) -> None:
    if kind == FIRING:
        firing, composite = decode_firing(value), workflow.composites[actor]
        composite.firings[firing.number] = firing
        workflow.counts[firing.phase] += 1
        workflow.reserve(firing.transition, 1)
        if firing.phase is Phase.READY:
            workflow.note_ready(firing, composite)
        workflow.serial = max(workflow.serial, firing.serial)
        workflow.link = max(workflow.link, firing.link)
        workflow.fired = max(workflow.fired, firing.fired)
    elif kind == GUARD_INCIDENT:
        incident = decode_guard_incident(value)
        workflow.guard_incidents[incident.transition, incident.token] = incident
    elif kind == STATE:
        workflow.state.load(value)
    elif kind == TASK:
        task = decode_task(value)
        if not task.ended:
            workflow.tasks.load(task)
    elif kind == DELAY:
        workflow.delays.held[number] = decode_delay(value)
    elif kind == PARKED:
        workflow.parked[number] = decode_parked(value)
    elif kind == SCHEDULED:
        workflow.scheduled[number] = decode_scheduled(value)
    elif kind == WATCHER:
        workflow.watchers[number] = decode_watcher(value)
