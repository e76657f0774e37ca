"""The workflow actor: one instance. It holds the header, and owns places and composites."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import chain, islice
from typing import TypeAlias

from placet.actors.choice import choose, oldest, start_ready, wait_for_room
from placet.actors.composite import CompositeActor
from placet.actors.congestion import may_go_on
from placet.actors.delays import Delays
from placet.actors.derivation import derive
from placet.actors.effects import Progress
from placet.actors.guards import forget_taken
from placet.actors.holds import held_transitions
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent
from placet.actors.place import PlaceActor, TakenToken
from placet.actors.records import (
    RUNNING,
    Firing,
    GuardIncident,
    Header,
    Parked,
    Phase,
    Scheduled,
    Watcher,
    encode,
)
from placet.actors.services import Services
from placet.actors.slots import SLICE_S
from placet.actors.state import State
from placet.actors.tasks import Tasks
from placet.actors.turn import Turn
from placet.persistence.blobs import INLINE_BYTES, REF, chunk_keys, decode_ref, is_ref, join, split
from placet.persistence.errors import ValueTooLarge
from placet.persistence.history import RecordKind, encode_record
from placet.persistence.keys import (
    FIRST_PLACE,
    FROZEN,
    HEADER,
    HISTORY,
    entry_key,
    pack_id,
    split_entry,
)
from placet.persistence.store import MAX_VALUE_BYTES
from placet.petri.agenda import Agenda
from placet.petri.matching import Matches
from placet.petri.plan import Plan, TransitionPlan

Scan: TypeAlias = Callable[[bytes, bytes | None], Iterable[tuple[bytes, bytes]]]  # (prefix, where to begin)
INCIDENT = int(Phase.INCIDENT)
RUN, LIVE = Intent.RUN, InstanceState.RUNNING
NONE_HELD: frozenset[int] = frozenset()


class WorkflowActor:
    """One instance while it is in memory.

    Durable entries: `HEADER`, `GUARD_INCIDENT` | number, `PARKED` | number; its composites and places have
    theirs. `serial`, `link` and `fired` are stored in the header or in a firing's record, whichever is written
    anyway; the largest found at waking counts.
    """

    __slots__ = (
        "_asleep",
        "_counters",
        "_header_key",
        "_stored",
        "agenda",
        "composites",
        "counts",
        "delays",
        "dirty",
        "fired",
        "frozen",
        "guard_incidents",
        "header",
        "held",
        "inner",
        "link",
        "mark",
        "matches",
        "outer",
        "parked",
        "places",
        "plan",
        "raised",
        "ready",
        "reserved",
        "roomless",
        "root",
        "scheduled",
        "serial",
        "services",
        "slice_end",
        "state",
        "tasks",
        "troubled",
        "turn",
        "watchers",
    )

    def __init__(self, root: bytes, header: Header, plan: Plan, services: Services, turn: Turn, *, new: bool) -> None:
        self.root = root
        self.turn = turn  # the one being handled
        self.header = header
        self.plan = plan
        self.services = services
        self.mark = header.instance.encode() + b"\0"  # how user code run for this instance is named
        self.places: list[PlaceActor | None] = [None] * len(plan.places)  # None: empty, or asleep
        self._asleep: set[int] = set()  # places put to sleep one by one: to be read when next used
        self.composites = [CompositeActor(composite, self) for composite in plan.composites]
        self.agenda = Agenda(plan.transitions, partial(oldest, self))
        self.dirty: list[int] = []  # transitions to be considered: an input of theirs was given a token
        self.counts = [0] * len(Phase)  # firings by phase
        self.ready: dict[str, dict[int, CompositeActor]] = {}  # firings to be started, by executor
        self.guard_incidents: dict[tuple[int, int], GuardIncident] = {}  # by (transition, token)
        self.parked: dict[int, Parked] = {}
        self.raised: list[GuardIncident] | None = None  # while it is being read: not written yet
        self.inner = 0  # free tokens that are not in an exit
        self.outer = 0  # those that are
        self.delays = Delays(root)
        self.matches: dict[int, Matches] = {}  # by transition with join keys
        self.reserved: dict[int, int] = {}  # tokens that firings will give to places with a capacity
        self.roomless: set[int] = set()  # calls that lacked nothing but room when they were looked at last
        self.tasks = Tasks()
        self.state = State(root)
        self.scheduled: dict[int, Scheduled] = {}  # tokens that are to come
        self.watchers: dict[int, Watcher] = {}  # who is to be told of its end
        self.troubled = 0  # firings whose child needs a person
        self.held = held_transitions(plan, header.held) if header.held else NONE_HELD
        self.frozen = 0  # free tokens that nothing may take
        self.serial = header.serial
        self.link = header.link
        self.fired = header.fired
        self.slice_end = turn.now + SLICE_S  # engine time until which it may reuse slots while others wait
        self._header_key = entry_key(root, 0, HEADER, 0)
        self._stored = None if new else (header.state, header.intent, header.awake, header.held)
        self._counters = (self.serial, self.link)  # as last written

    # -- tokens --------------------------------------------------------------------------------------------

    def place(self, index: int) -> PlaceActor:
        """Return the place actor, waking or making it if it is not in memory."""
        place = self.places[index]
        if place is None:
            place = self.places[index] = PlaceActor(self.plan.places[index], self)
            if self._asleep and index in self._asleep:
                self._asleep.discard(index)
                entries = self.services.scan(self.root + (FIRST_PLACE + index).to_bytes(2, "big"))
                found = ((*split_entry(key), value) for key, value in entries)
                place.load_all(*self.with_frozen(place, found, self.services.scan))
        return place

    def occupied(self) -> Iterator[PlaceActor]:
        """Yield the places that may hold tokens: a large net has many more, for which nothing need be made."""
        for index, place in enumerate(self.places):
            if place is not None or index in self._asleep:
                yield self.place(index)

    def with_frozen(
        self,
        place: PlaceActor,
        entries: Iterator[tuple[int, int, int, bytes]],
        scan: Scan,
        is_cut: Callable[[], bool] = bool,  # False
    ) -> tuple[Iterator[tuple[int, int, int, bytes]], Set[int]]:
        """Return the entries of a place, each (actor, kind, token, value), and which of its tokens are frozen.

        That has to be known first, and stands behind the tokens: of a large place, or where the entries are cut off,
        it is read apart, so that never all of them are in memory.
        """
        few = self.services.room.values
        first = list(islice(entries, few))
        if len(first) < few and not is_cut():
            return iter(first), {token for _, kind, token, _ in first if kind == FROZEN}
        return chain(first, entries), {split_entry(key)[2] for key, _ in scan(place.prefix_of(FROZEN), None)}

    def sleep_place(self, index: int) -> None:
        """Drop a place from memory; the next message to it, or look at it, wakes it."""
        place = self.places[index]
        if place is not None:
            place.forget_matches()
            self.places[index] = None
            self._asleep.add(index)

    def deposit(self, turn: Turn, index: int, value: bytes, token: int = 0) -> int:
        """Put a new token into a place, offer it to the place's consumers, and return its id: `token` if it has one."""
        if not token:
            self.serial = token = self.serial + 1
        if len(value) > INLINE_BYTES:
            value = self.stored(turn, token, value)
        place = self.places[index]
        if place is None:
            place = self.place(index)
        place.deposit(turn, token, value)
        plan = place.plan
        self.dirty += plan.consumers
        if not plan.is_exit:
            self.inner += 1
        else:
            self.outer += 1
        return token

    def stored(self, turn: Turn, number: int, value: bytes) -> bytes:
        """Return a value as it stands in a token's entry: a large one in chunks, under the number of the token."""
        if len(value) <= INLINE_BYTES:
            return value
        reference, chunks = split(self.root, number, value)
        for key, chunk in chunks:
            turn.create(key, chunk or b"")
        return reference

    def settle_guards(self, turn: Turn, index: int, token: int) -> None:
        """Forget what guards said of a token that is about to change."""
        if self.guard_incidents:
            forget_taken(self, turn, [(index, token, b"")])

    def restore(self, turn: Turn, index: int, token: int, value: bytes) -> None:
        """Put back a token that a firing had taken."""
        place = self.place(index)
        place.restore(turn, token, value)
        self.inner += not place.plan.is_exit
        self.dirty += place.plan.consumers

    def remove(self, turn: Turn, index: int, token: int) -> bytes:
        """Take a free token away for good, and return its value as stored."""
        place = self.place(index)
        if place.frozen is not None and token in place.frozen:
            _, _, value = place.remove_frozen(turn, token)
            self.frozen -= 1
        else:
            _, _, value = place.remove(turn, token)
        self.inner -= not place.plan.is_exit
        self.outer -= place.plan.is_exit
        self.delays.forget(turn, token)
        if self.guard_incidents:
            forget_taken(self, turn, [(index, token, value)])
        return value

    def clear(self, turn: Turn, index: int) -> list[int]:
        """Remove all free tokens of a place, and return their ids."""
        place = self.place(index)
        tokens = [*place.tokens, *(place.frozen or ())]
        for token in tokens:
            value = self.remove(turn, index, token)
            if value[0] == REF:
                self.discard(turn, value)
        return tokens

    @property
    def is_delayed(self) -> bool:
        """True when some transition lacks nothing of a token but time."""
        places = {delay.place for delay in self.delays.held.values() if delay.due}
        return any(self.place(index).early for index in places)

    def mature(self, turn: Turn, token: int) -> None:
        """The time of a token has come for a transition with a delay."""
        delay = self.delays.held.get(token)
        if delay is not None and delay.due and delay.due <= turn.now:
            place = self.place(delay.place)
            self.delays.expire(turn, token)
            place.mature(turn, token)

    def seen(self, turn: Turn, transition: TransitionPlan) -> tuple[TakenToken, ...]:
        """Return copies of what a transition reads: the tokens themselves may be gone when its handler begins."""
        return tuple(
            (place, token, self._copy(turn, value))
            for arc in transition.reads
            for place, token, value in self.place(arc.place).see(turn, arc.queue, arc.weight)
        )

    def _copy(self, turn: Turn, stored: bytes) -> bytes:
        if not is_ref(stored):
            return stored
        return self.stored(turn, self.next_serial(), self.value(stored))

    def discard_seen(self, turn: Turn, firing: Firing) -> None:
        """Remove the chunks of large values a firing had read."""
        for _, _, value in firing.seen:
            if value[0] == REF:
                self.discard(turn, value)

    def reserve(self, transition: int, sign: int) -> None:
        """Count in (1) or out (-1) the tokens a firing will give to places with a capacity."""
        for bound in self.plan.transitions[transition].bounds:
            count = self.reserved.get(bound.place, 0) + sign * bound.weight
            if count > 0:
                self.reserved[bound.place] = count
            else:
                self.reserved.pop(bound.place, None)
            if sign < 0:
                self.dirty += self.plan.places[bound.place].watchers

    def matches_of(self, transition: int) -> Matches:
        """Return the join index of a transition with keys."""
        matches = self.matches.get(transition)
        if matches is None:
            weights = [arc.weight for arc in self.plan.transitions[transition].inputs if arc.keyed]
            matches = self.matches[transition] = Matches(weights)
        return matches

    def matched(self, transition: TransitionPlan) -> list[list[int]]:
        """Return the tokens that match and are to be taken, a list a keyed input; without keys there is none."""
        return (self.matches_of(transition.index).best() if transition.keyed else None) or []

    def loaded(self, tokens: tuple[TakenToken, ...]) -> tuple[TakenToken, ...]:
        """Return tokens with their values, large ones read from their chunks."""
        for _, _, value in tokens:
            if value[0] == REF:
                return tuple((place, token, self.value(stored)) for place, token, stored in tokens)
        return tokens

    def value(self, stored: bytes) -> bytes:
        """Return a token's encoded value, a large one from its chunks."""
        return join(_TurnView(self.turn, self.services), self.root, stored) if is_ref(stored) else stored

    def discard(self, turn: Turn, reference: bytes) -> None:
        """Remove the chunks of a large value whose token was consumed."""
        for key in chunk_keys(self.root, decode_ref(reference)):
            turn.delete(key)

    # -- history -------------------------------------------------------------------------------------------

    def next_serial(self) -> int:
        """Return a number this instance has not used for a token or a firing."""
        self.serial += 1
        return self.serial

    def record(
        self,
        turn: Turn,
        kind: RecordKind,
        transition: str = "",
        number: int = 0,
        attempt: int = 0,
        consumed: Sequence[int] = (),
        produced: Sequence[int] = (),
        detail: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        """Append a record to the history."""
        sequence = self.services.history + len(turn.log) + 1
        fields = (self.root, self.link, turn.now, kind, transition, number, attempt, consumed, produced, detail)
        self.link = sequence
        turn.log.append((HISTORY + pack_id(sequence), encode_record(fields)))  # the fields of `history.Record`
        if turn.observed:
            self.progress(turn, kind, transition, number, attempt)

    def note(self, turn: Turn, kind: RecordKind, **detail: str | int | float | bool) -> None:
        """Append a record about the instance itself to the history."""
        self.record(turn, kind, detail=detail or None)

    def progress(self, turn: Turn, kind: RecordKind, transition: str, number: int, attempt: int) -> None:
        """Tell those who follow this instance of a step."""
        turn.rare().progress.append(
            Progress(instance=self.header.instance, kind=kind, transition=transition, number=number, attempt=attempt)
        )

    # -- firings -------------------------------------------------------------------------------------------

    def note_ready(self, firing: Firing, composite: CompositeActor) -> None:
        """Remember a firing that is to be started as soon as its executor has a slot."""
        executor = self.plan.transitions[firing.transition].executor
        self.ready.setdefault(executor, {})[firing.number] = composite

    def forget_ready(self, firing: Firing) -> None:
        """Undo `note_ready`."""
        for numbers in self.ready.values():
            numbers.pop(firing.number, None)

    def firing(self, transition: int, number: int) -> tuple[CompositeActor, Firing | None]:
        """Return a firing by number, or None, with the composite it belongs to."""
        composite = self.composites[self.plan.transitions[transition].composite]
        return composite, composite.firings.get(number)

    def is_suspect(self, firing: Firing) -> bool:
        """Return whether a firing waits, now, to be run alone."""
        if firing.phase is not Phase.SUSPECT or self.header.intent is not Intent.RUN:
            return False
        if firing.transition in self.held:
            return False
        return self.firing(firing.transition, firing.number)[1] is firing

    def find_firing(self, number: int) -> tuple[CompositeActor, Firing] | None:
        """Return a firing whose transition is not known."""
        for composite in self.composites:
            firing = composite.firings.get(number)
            if firing is not None:
                return composite, firing
        return None

    @property
    def open_incidents(self) -> int:
        """How many incidents wait for a person."""
        return self.counts[Phase.INCIDENT] + len(self.guard_incidents) + len(self.parked)

    # -- settling: what every turn ends with -----------------------------------------------------------------

    def settle(self, turn: Turn) -> None:
        """Choose what fires next, derive the state, and write what changed."""
        header, counts = self.header, self.counts
        if header.intent is RUN and header.state not in TERMINAL:
            if self.ready:
                start_ready(self, turn)
            if self.dirty or self.agenda.queued or self.roomless:
                choose(self, turn)
            if not self.services.credit.is_unlimited:
                wait_for_room(self)
        if self.tasks.has_changed:
            self.tasks.settle(self, turn)
        if header.intent is RUN and (
            header.state is LIVE
            and header.awake
            and counts[RUNNING]
            and self._stored is not None
            and header.held is self._stored[3]
            and not (counts[INCIDENT] or self.guard_incidents or self.parked)
        ):  # the common case: it ran, and it runs
            self._write_firings(turn)
            return
        derive(self, turn)
        self._write_firings(turn)
        self._write_header(turn)

    def offer_dirty(self) -> None:
        """Bring the agenda up to date."""
        for index in dict.fromkeys(self.dirty):  # a spawn with many tokens names its consumers as often
            self.agenda.offer(self.plan.transitions[index])
        self.dirty.clear()

    def wants(self) -> list[str]:
        """Return the executors this instance has something to start on, were there slots."""
        if not self.agenda.queued and not self.ready:
            return []
        if self.header.intent is not RUN or self.header.state in TERMINAL:
            return []
        wanted = self.agenda.executors()
        transitions = self.plan.transitions
        for executor, numbers in self.ready.items():
            startable = any(
                transitions[firing.transition].behaviour is not None
                and firing.transition not in self.held
                and may_go_on(self, firing)
                for number, composite in numbers.items()
                for firing in (composite.firings[number],)
            )
            if startable and executor not in wanted:
                wanted.append(executor)
        return wanted

    def dispose(self) -> None:
        """Let go of the actors below, so that no cycle keeps them for the garbage collector."""
        self.places.clear()
        self.composites.clear()
        self.agenda.dispose()

    def forget_unwritten(self) -> None:
        """Take the counters as they are for those on disk: what waking ends with."""
        self._counters = (self.serial, self.link)

    def _write_firings(self, turn: Turn) -> None:
        """Write the firings that changed; each carries the counters, so that the header need not be written too."""
        for index, slot in turn.freed:
            turn.delete(self.composites[index].prefix + pack_id(slot))
        if not turn.firings:
            if (self.serial, self.link) != self._counters:
                self._put_header(turn)
            return
        for composite, firing, born in turn.firings.values():
            firing.serial, firing.link, firing.fired = self.serial, self.link, self.fired
            key = composite.prefix + pack_id(firing.slot)
            data = encode(firing)
            if len(data) > MAX_VALUE_BYTES:  # refused here, where it is one instance's trouble, not at the commit
                raise ValueTooLarge(len(data), MAX_VALUE_BYTES)
            if born:
                turn.born[key] = data
            else:
                turn.put(key, data)
        self._counters = (self.serial, self.link)

    def _write_header(self, turn: Turn) -> None:
        """Write the header if what it says of the instance has changed."""
        header = self.header
        if (header.state, header.intent, header.awake, header.held) != self._stored:
            self._put_header(turn)

    def _put_header(self, turn: Turn) -> None:
        header = self.header
        header.serial, header.link, header.fired = self.serial, self.link, self.fired
        if self._stored is None:
            turn.born[self._header_key] = encode(header)
        else:
            turn.put(self._header_key, encode(header))
        self._stored = (header.state, header.intent, header.awake, header.held)
        self._counters = (self.serial, self.link)


class _TurnView:
    """What is on disk, overlaid by the batch and by the turn being handled: a large value may be of this very turn."""

    def __init__(self, turn: Turn, services: Services) -> None:
        self._turn = turn
        self._get = services.get

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self._turn.get(key, self._get)
