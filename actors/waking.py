"""How an instance comes into memory: spawned with its first tokens, or read back from its entries."""

from collections.abc import Iterator, Set
from itertools import groupby
from operator import itemgetter
from sys import maxsize

from placet.actors.guards import write_raised
from placet.actors.place import PlaceActor
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
from placet.actors.services import WakingServices
from placet.actors.troubles import is_in_trouble
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
    root: bytes, header: Header, tokens: tuple[tuple[int, bytes], ...], turn: Turn, services: WakingServices
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


def wake(root: bytes, scan: Scan, turn: Turn, services: WakingServices) -> WorkflowActor:
    """Bring an instance back from its entries at once. Raises `StoreDamaged` where the header is missing."""
    workflow = Awakening(root).go_on(scan, turn, services, maxsize)
    assert workflow is not None, root
    return workflow


class Awakening:
    """An instance on its way into memory, read from its entries some at a time; nothing is written until all are.

    Each portion goes on where the last one ended, over the state as it then is: only turns of the instance write its
    entries, and it has none before it is awake. The entries come in the order of keys: those of composites, guard
    incidents among them, before places, so that what is known to raise is not asked again.
    """

    __slots__ = ("_frozen", "_place", "_root", "_start", "_workflow")

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._workflow: WorkflowActor | None = None
        self._place: PlaceActor | None = None  # the one being read, which may go on in the next portion
        self._frozen: Set[int] = frozenset()  # those of its tokens that nothing may take
        self._start: bytes | None = None  # the entry at which the next portion begins

    def go_on(self, scan: Scan, turn: Turn, services: WakingServices, most: int) -> WorkflowActor | None:
        """Read at most so many entries, and return the instance if it is whole.

        Raises `StoreDamaged` where the header is missing.
        """
        iterator = iter(scan(self._root, self._start))
        workflow = self._workflow
        if workflow is None:
            workflow = self._workflow = self._begin(iterator, turn, services)
        workflow.turn = turn
        for actor, found in groupby(self._portion(iterator, most), itemgetter(0)):
            if actor == BLOB_ACTOR:
                break  # chunks of large values: read when needed
            if actor < FIRST_PLACE:
                for _, kind, number, value in found:
                    _load(workflow, actor, kind, number, value)
                workflow.forget_unwritten()  # before any guard is asked, which may raise
            else:
                self._load_place(workflow, actor - FIRST_PLACE, found, scan)
        else:
            if self._start is not None:
                return None
        if self._place is not None:
            self._leave_place(workflow, self._place)
        workflow.tasks.recheck(workflow)
        write_raised(workflow, turn)
        return workflow

    def dispose(self) -> None:
        """Let go of what was read: it is to be read anew."""
        if self._workflow is not None:
            self._workflow.dispose()

    def _begin(self, entries: Iterator[tuple[bytes, bytes]], turn: Turn, services: WakingServices) -> WorkflowActor:
        key, value = next(entries, (b"", b""))
        if not key or split_entry(key) != (0, HEADER, 0):
            raise StoreDamaged(f"instance {self._root.hex()} has no header")
        header = decode_header(value)
        workflow = WorkflowActor(self._root, header, services.plan(header), services, turn, new=False)
        workflow.raised = []
        return workflow

    def _portion(self, entries: Iterator[tuple[bytes, bytes]], most: int) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield at most so many entries, each (actor, kind, id, value), and note where the next portion begins."""
        self._start = None
        for key, value in entries:
            if most <= 0:
                self._start = key
                return
            most -= 1
            yield *split_entry(key), value

    def _load_place(
        self, workflow: WorkflowActor, index: int, found: Iterator[tuple[int, int, int, bytes]], scan: Scan
    ) -> None:
        place = self._place
        if place is None or place.plan.index != index:
            if place is not None:
                self._leave_place(workflow, place)
            place = self._place = workflow.place(index)
            found, self._frozen = workflow.with_frozen(place, found, scan, lambda: self._start is not None)
        place.load_all(found, self._frozen)

    def _leave_place(self, workflow: WorkflowActor, place: PlaceActor) -> None:
        """Count what a place holds, now that all of it is there."""
        workflow.frozen += len(place.frozen or ())
        if place.plan.is_exit:
            workflow.outer += place.count
        else:
            workflow.inner += place.count
        workflow.dirty += place.plan.consumers


def _load(workflow: WorkflowActor, actor: int, kind: int, number: int, value: bytes) -> None:
    if kind == FIRING:
        firing, composite = decode_firing(value), workflow.composites[actor]
        composite.firings[firing.number] = firing
        workflow.counts[firing.phase] += 1
        workflow.reserve(firing.transition, 1)
        workflow.troubled += is_in_trouble(firing)
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
