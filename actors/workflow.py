"""The workflow actor: one instance. It holds the header, derives the state, and owns places and composites."""

from collections.abc import Iterable

from placet.actors.composite import CompositeActor
from placet.actors.effects import Progress, StateChanged
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent, check_move
from placet.actors.place import PlaceActor
from placet.actors.records import (
    Failure,
    Firing,
    GuardIncident,
    Header,
    Parked,
    Phase,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
    encode,
)
from placet.actors.services import Services, Waking
from placet.actors.turn import Turn
from placet.actors.usercode import passes
from placet.persistence.blobs import BLOB_ACTOR, INLINE_BYTES, chunk_keys, decode_ref, is_ref, join, split
from placet.persistence.history import Record, encode_record
from placet.persistence.keys import (
    FIRING,
    FIRST_PLACE,
    GUARD_INCIDENT,
    HEADER,
    PARKED,
    TOKEN,
    entry_key,
    history_key,
    split_entry,
)
from placet.petri.agenda import NOT_ENABLED, Agenda
from placet.petri.behaviour import INLINE
from placet.petri.plan import PlacePlan, Plan, TransitionPlan

Detail = dict[str, str | int | float | bool]


class WorkflowActor:
    """One instance while it is in memory.

    Durable entries: `HEADER`, `GUARD_INCIDENT` | number, `PARKED` | number; its composites and places have
    theirs. `serial`, `link` and `fired` are stored in the header or in a firing's record, whichever is written
    anyway; the largest found at waking counts.
    """

    __slots__ = (
        "_asleep",
        "_counters",
        "_stored",
        "agenda",
        "composites",
        "counts",
        "fired",
        "guard_incidents",
        "header",
        "inner",
        "link",
        "parked",
        "places",
        "plan",
        "ready",
        "root",
        "serial",
        "services",
        "slice_end",
        "turn",
    )

    def __init__(self, root: bytes, header: Header, plan: Plan, services: Services, turn: Turn) -> None:
        self.root = root
        self.turn = turn  # the one being handled
        self.header = header
        self.plan = plan
        self.services = services
        self.places: list[PlaceActor | None] = [None] * len(plan.places)  # None: empty, or asleep
        self._asleep: set[int] = set()  # places put to sleep one by one: to be read when next used
        self.composites = [CompositeActor(composite, self) for composite in plan.composites]
        self.agenda = Agenda(plan.transitions, self._oldest)
        self.counts = [0] * len(Phase)  # firings by phase
        self.ready: dict[str, dict[int, CompositeActor]] = {}  # firings to be started, by executor
        self.guard_incidents: dict[tuple[int, int], GuardIncident] = {}  # by (transition, token)
        self.parked: dict[int, Parked] = {}
        self.inner = 0  # free tokens that are not in an exit
        self.serial = header.serial
        self.link = header.link
        self.fired = header.fired
        self.slice_end = 0.0
        self._stored: tuple[InstanceState, Intent, bool] | None = (header.state, header.intent, header.awake)
        self._counters = (self.serial, self.link)  # as last written

    # -- spawning and waking -------------------------------------------------------------------------------------------

    @classmethod
    def spawn(
        cls, root: bytes, header: Header, tokens: tuple[tuple[int, bytes], ...], turn: Turn, services: Waking
    ) -> "WorkflowActor":
        """Make a new instance with its first tokens, each (place, value)."""
        workflow = cls(root, header, services.plan(header), services, turn)
        workflow._stored = None
        produced = tuple([workflow.deposit(turn, place, value) for place, value in tokens])
        workflow.note(turn, "spawned", produced, workflow=header.workflow, version=header.version)
        return workflow

    @classmethod
    def wake(cls, root: bytes, entries: Iterable[tuple[bytes, bytes]], turn: Turn, services: Waking) -> "WorkflowActor":
        """Bring an instance back from its entries."""
        tokens: list[tuple[int, int, bytes]] = []
        iterator = iter(entries)
        key, value = next(iterator)
        assert split_entry(key) == (0, HEADER, 0), key
        header = decode_header(value)
        workflow = cls(root, header, services.plan(header), services, turn)
        for key, value in iterator:
            actor, kind, number = split_entry(key)
            if actor == BLOB_ACTOR:
                break  # chunks of large values: read when needed
            if kind == TOKEN:
                tokens.append((actor - FIRST_PLACE, number, value))
            elif kind == FIRING:
                workflow._load_firing(workflow.composites[actor], decode_firing(value))
            elif kind == GUARD_INCIDENT:
                incident = decode_guard_incident(value)
                workflow.guard_incidents[incident.transition, incident.token] = incident
            elif kind == PARKED:
                workflow.parked[number] = decode_parked(value)
        workflow._counters = (workflow.serial, workflow.link)
        for place, token, value in tokens:
            workflow._load_token(turn, place, token, value)
        workflow.offer_all()
        return workflow

    def _load_firing(self, composite: CompositeActor, firing: Firing) -> None:
        composite.firings[firing.number] = firing
        self.counts[firing.phase] += 1
        if firing.phase is Phase.READY:
            self.note_ready(firing, composite)
        self.serial = max(self.serial, firing.serial)
        self.link = max(self.link, firing.link)
        self.fired = max(self.fired, firing.fired)

    def _load_token(self, turn: Turn, index: int, token: int, value: bytes) -> None:
        place = self.places[index]
        if place is None:
            place = self.places[index] = self._new_place(index)
        place.load(turn, token, value)
        if not place.plan.is_exit:
            self.inner += 1

    def offer_all(self) -> None:
        """Consider every transition that has a token to take."""
        for place in self.places:
            if place is not None and place.tokens:
                self._offer_consumers(place.plan)

    # -- places -------------------------------------------------------------------------------------------

    def place(self, index: int) -> PlaceActor:
        """Return the place actor, waking or making it if it is not in memory."""
        place = self.places[index]
        if place is None:
            place = self.places[index] = self._new_place(index)
            if index in self._asleep:
                self._asleep.discard(index)
                self._reload(place)
        return place

    def _new_place(self, index: int) -> PlaceActor:
        return PlaceActor(self.plan.places[index], self.root, self._judge)

    def _reload(self, place: PlaceActor) -> None:
        prefix = entry_key(self.root, FIRST_PLACE + place.plan.index, TOKEN, 0)[:-8]
        for key, value in self.services.scan(prefix):
            place.load(self.turn, split_entry(key)[2], value)

    def sleep_place(self, index: int) -> None:
        """Drop a place from memory; the next message to it, or look at it, wakes it."""
        if self.places[index] is not None:
            self.places[index] = None
            self._asleep.add(index)

    def deposit(self, turn: Turn, index: int, value: bytes) -> int:
        """Put a new token into a place, offer it to the place's consumers, and return its id."""
        self.serial += 1
        token = self.serial
        stored = value
        if len(value) > INLINE_BYTES:
            stored, chunks = split(self.root, token, value)
            for key, chunk in chunks:
                turn.create(key, chunk or b"")
        place = self.places[index] or self.place(index)
        place.deposit(turn, token, stored)
        self._arrived(place.plan)
        return token

    def restore(self, turn: Turn, index: int, token: int, value: bytes) -> None:
        """Put back a token that a firing had taken."""
        place = self.place(index)
        place.restore(turn, token, value)
        self._arrived(place.plan)

    def _arrived(self, plan: PlacePlan) -> None:
        if not plan.is_exit:
            self.inner += 1
            self._offer_consumers(plan)

    def _offer_consumers(self, plan: PlacePlan) -> None:
        transitions = self.plan.transitions
        for index in plan.consumers:
            self.agenda.offer(transitions[index])

    def loaded(self, tokens: tuple[tuple[int, int, bytes], ...]) -> tuple[tuple[int, int, bytes], ...]:
        """Return tokens with their values, large ones read from their chunks."""
        if not any(is_ref(value) for _, _, value in tokens):
            return tokens
        return tuple((place, token, self._value(value)) for place, token, value in tokens)

    def _value(self, stored: bytes) -> bytes:
        return join(self.services, self.root, stored) if is_ref(stored) else stored

    def discard(self, turn: Turn, tokens: tuple[tuple[int, int, bytes], ...]) -> None:
        """Remove what consumed tokens leave beside their entry: the chunks of large values."""
        for _, _, value in tokens:
            if is_ref(value):
                for key in chunk_keys(self.root, decode_ref(value)):
                    turn.delete(key)

    def _judge(self, plan: PlacePlan, position: int, token: int, stored: bytes, turn: Turn) -> bool:
        """Ask the guard of an arc about a token; a guard that raises is an incident on the two."""
        index, guard = plan.guarded[position]
        if guard is None or (index, token) in self.guard_incidents:
            return False
        path = self.plan.transitions[index].path
        if self.services.enter_user_code(self.header.instance, path):
            verdict = passes(guard, self._value(stored))
            self.services.leave_user_code()
        else:
            verdict = Failure(type="CrashSuspect", message="its process ended twice while this guard ran")
        if isinstance(verdict, bool):
            return verdict
        self._raise_guard_incident(turn, plan, index, token, verdict)
        return False

    def _raise_guard_incident(self, turn: Turn, plan: PlacePlan, index: int, token: int, failure: Failure) -> None:
        incident = GuardIncident(
            number=self.next_serial(), transition=index, place=plan.index, token=token, failure=failure
        )
        self.guard_incidents[index, token] = incident
        turn.born[entry_key(self.root, 0, GUARD_INCIDENT, incident.number)] = encode(incident)
        detail: Detail = {"type": failure.type, "message": failure.message, "token": token, "place": plan.path}
        self._record(turn, "incident", self.plan.transitions[index].path, incident.number, 0, detail=detail)

    # -- counting and history --------------------------------------------------------------------------------

    def next_serial(self) -> int:
        """Return a number this instance has not used for a token or a firing."""
        self.serial += 1
        return self.serial

    def record(
        self,
        turn: Turn,
        kind: str,
        transition: str,
        firing: Firing,
        consumed: tuple[int, ...] = (),
        produced: tuple[int, ...] = (),
        detail: Detail | None = None,
    ) -> None:
        """Append a record about a firing to the history."""
        self._record(turn, kind, transition, firing.number, firing.attempt, consumed, produced, detail)

    def note(self, turn: Turn, kind: str, produced: tuple[int, ...] = (), **detail: str | int | float | bool) -> None:
        """Append a record about the instance itself to the history."""
        self._record(turn, kind, "", 0, 0, (), produced, detail or None)

    def _record(
        self,
        turn: Turn,
        kind: str,
        transition: str,
        number: int,
        attempt: int,
        consumed: tuple[int, ...] = (),
        produced: tuple[int, ...] = (),
        detail: Detail | None = None,
    ) -> None:
        sequence = self.services.next_sequence(turn)
        record = Record(
            root=self.root,
            link=self.link,
            at=turn.now,
            kind=kind,
            transition=transition,
            firing=number,
            attempt=attempt,
            consumed=consumed,
            produced=produced,
            detail=detail,
        )
        self.link = sequence
        turn.records += 1
        turn.engine_writes[history_key(sequence)] = encode_record(record)
        if turn.observed:
            turn.progress.append(
                Progress(
                    instance=self.header.instance, kind=kind, transition=transition, number=number, attempt=attempt
                )
            )

    def progress(self, turn: Turn, kind: str, transition: str, firing: Firing) -> None:
        """Tell those who follow this instance of something that is not history."""
        if turn.observed:
            turn.progress.append(
                Progress(
                    instance=self.header.instance,
                    kind=kind,
                    transition=transition,
                    number=firing.number,
                    attempt=firing.attempt,
                )
            )

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

    def find_firing(self, number: int) -> tuple[CompositeActor, Firing] | None:
        """Return a firing whose transition is not known."""
        for composite in self.composites:
            firing = composite.firings.get(number)
            if firing is not None:
                return composite, firing
        return None

    # -- settling: what every turn ends with -----------------------------------------------------------------

    def settle(self, turn: Turn) -> None:
        """Choose what fires next, derive the state, and write what changed."""
        header = self.header
        if header.intent is Intent.RUN and header.state not in TERMINAL:
            self._start_ready(turn)
            self._choose(turn)
        self._derive(turn)
        self._write(turn)

    def share(self, turn: Turn, executor: str) -> int:
        """Return how many more firings this turn may start on `executor`."""
        if executor == INLINE:
            return turn.inline_left
        left = turn.shares.get(executor)
        if left is None:
            left = turn.shares[executor] = self.services.share(turn, executor, self.slice_end)
        return left

    def _start_ready(self, turn: Turn) -> None:
        for executor, numbers in self.ready.items():
            while numbers and self.share(turn, executor) > 0:
                number = next(iter(numbers))
                composite = numbers[number]
                firing = composite.firings[number]
                if self.plan.transitions[firing.transition].behaviour is None:
                    break
                composite.start_again(turn, firing)

    def _choose(self, turn: Turn) -> None:
        agenda = self.agenda
        transitions = self.plan.transitions
        while (executor := self._best(turn)) is not None:
            transition = agenda.take(executor)
            self.composites[transition.composite].fire(turn, transition)
            agenda.offer(transitions[transition.index])

    def _best(self, turn: Turn) -> str | None:
        best = None
        name = None
        for executor, heap in self.agenda.heaps.items():
            if heap and self.share(turn, executor) > 0:
                rank = self.agenda.peek(executor)
                if rank is not None and (best is None or rank < best):
                    best, name = rank, executor
        return name

    def _oldest(self, transition: TransitionPlan) -> int:
        return self.composites[transition.composite].oldest(transition)

    def wants(self) -> list[str]:
        """Return the executors this instance has something to start on, were there slots."""
        if self.header.intent is not Intent.RUN:
            return []
        wanted = [executor for executor in self.agenda.heaps if self.agenda.peek(executor) is not None]
        return wanted + [executor for executor, numbers in self.ready.items() if numbers and executor not in wanted]

    @property
    def is_busy(self) -> bool:
        """True while a firing runs: its instance stays in memory."""
        return self.counts[Phase.RUNNING] > 0

    @property
    def open_incidents(self) -> int:
        """How many incidents wait for a person."""
        return self.counts[Phase.INCIDENT] + len(self.guard_incidents) + len(self.parked)

    def _derive(self, turn: Turn) -> None:
        header = self.header
        counts = self.counts
        busy = counts[Phase.RUNNING]
        if busy and header.state is InstanceState.RUNNING and header.intent is Intent.RUN and not self.open_incidents:
            return
        if header.state in TERMINAL:
            return
        state = self._state(busy)
        header.awake = self._is_awake(state, busy)
        if state is not header.state:
            self._move(turn, state)

    def _state(self, busy: int) -> InstanceState:
        intent = self.header.intent
        if intent is Intent.CANCEL or intent is Intent.FAIL:
            if busy:
                return InstanceState.CANCELLING
            return InstanceState.CANCELLED if intent is Intent.CANCEL else InstanceState.FAILED
        if intent is Intent.PAUSE:
            return InstanceState.PAUSED
        if self.open_incidents:
            return InstanceState.INCIDENT
        counts = self.counts
        if busy or counts[Phase.READY] or counts[Phase.SUSPECT] or self.agenda.executors():
            return InstanceState.RUNNING
        if counts[Phase.BACKOFF] or self._unknown_handlers():
            return InstanceState.WAITING
        return InstanceState.STUCK if self.inner else InstanceState.COMPLETED

    def _is_awake(self, state: InstanceState, busy: int) -> bool:
        if state in TERMINAL:
            return False
        if self.header.intent is not Intent.RUN:
            return bool(busy)
        counts = self.counts
        return bool(busy or counts[Phase.READY] or counts[Phase.SUSPECT] or self.agenda.executors())

    def _unknown_handlers(self) -> list[str]:
        """Return the transitions that could fire, had this process a handler for them."""
        return [t.path for t in self.plan.transitions if t.behaviour is None and self._has_tokens(t)]

    def _has_tokens(self, transition: TransitionPlan) -> bool:
        return all(len(self.place(arc.place).tokens) >= arc.weight for arc in transition.inputs)

    def _move(self, turn: Turn, state: InstanceState) -> None:
        header = self.header
        check_move(header.state, state)
        header.state = state
        header.changed_at = turn.now
        if state in TERMINAL:
            self.note(turn, state.value)
        elif state is InstanceState.STUCK:
            self.note(turn, state.value, **self.lacking())
        elif state is InstanceState.WAITING and (unknown := self._unknown_handlers()):
            self.note(turn, state.value, reason="no handler in this process for " + ", ".join(unknown))
        turn.changes.append(
            StateChanged(instance=header.instance, root=self.root, state=state.value, at=turn.now)
        )

    def lacking(self) -> dict[str, str]:
        """Return what each transition lacks to fire, for those that have some of what they need."""
        reached = {
            index
            for place in (self.place(index) for index in range(len(self.places)))
            if place.tokens
            for index in place.plan.consumers
        }
        return {
            self.plan.transitions[index].path: "; ".join(self._lacks(self.plan.transitions[index]))
            for index in sorted(reached)
        }

    def _lacks(self, transition: TransitionPlan) -> list[str]:
        reasons: list[str] = []
        for arc in transition.inputs:
            place = self.place(arc.place)
            held = len(place.tokens)
            if held < arc.weight:
                reasons.append(f"needs {arc.weight} in {place.plan.path}, which has {held}")
            elif arc.queue >= 0 and (passing := len(place.queues[arc.queue])) < arc.weight:
                reasons.append(f"needs {arc.weight} in {place.plan.path} that pass its guard; of {held}, {passing} do")
        return reasons

    def _write(self, turn: Turn) -> None:
        wrote = False
        for composite, firing, born in turn.firings.values():
            firing.serial, firing.link, firing.fired = self.serial, self.link, self.fired
            key = composite.key(firing.number)
            if born:
                turn.born[key] = encode(firing)
            else:
                turn.put(key, encode(firing))
            wrote = True
        header = self.header
        stored = (header.state, header.intent, header.awake)
        counters = (self.serial, self.link)
        if stored != self._stored or (counters != self._counters and not wrote):
            header.serial, header.link, header.fired = self.serial, self.link, self.fired
            turn.put(entry_key(self.root, 0, HEADER, 0), encode(header))
            self._stored = stored
        self._counters = counters
