"""Looking at committed state: what instances there are, where their tokens lie, what happened to them.

Works on any view of a store, beside a running engine or without one, and never loads a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, takewhile
from typing import TypeAlias

from placet.actors.calls import placed_child_id
from placet.actors.catalog import StoredNet, decode_stored_net, net_key
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Return, decode_message
from placet.actors.records import (
    Failure,
    Firing,
    Header,
    Parked,
    Phase,
    Task,
    decode_delay,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
    decode_state,
    decode_task,
)
from placet.actors.recovery import survey
from placet.actors.shards.visible import Visible
from placet.actors.state import HIDDEN, state_key
from placet.actors.task_view import TaskView, task_view
from placet.persistence.blobs import BLOB_ACTOR, is_ref, join
from placet.persistence.history import Record, trim, walk
from placet.persistence.keys import (
    DELAY,
    FIRING,
    FIRST_PLACE,
    FROZEN,
    GUARD_INCIDENT,
    HEADER,
    LIVE,
    PARKED,
    STATE,
    TASK,
    TASKS,
    TOKEN,
    address_key,
    below_prefixes,
    entry_key,
    kind_prefix,
    split_entry,
)
from placet.persistence.store import View
from placet.persistence.values import decode
from placet.petri.plan import Plan, make_plan

Values: TypeAlias = dict[str, list[bytes]]  # encoded values by place path, oldest first


class IncidentKind(StrEnum):
    """What failed for good. A member's value is what clients get: it stays as it is."""

    FIRING = "firing"
    GUARD = "guard"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that failed for good and waits for a person."""

    number: int
    kind: IncidentKind
    transition: str  # path; "" where no transition is concerned
    failures: tuple[Failure, ...]  # oldest first
    inputs: tuple[tuple[str, bytes], ...]  # (place path, encoded value) of the tokens that wait
    about: str = ""  # of a message that was parked: which, in a few words


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringView:
    """A firing as it is on disk."""

    number: int
    transition: str
    phase: Phase
    attempt: int
    losses: int
    since: float  # engine seconds
    due: float  # engine seconds; 0.0 is none
    child: str = ""  # id of the instance it called and waits for
    trouble: InstanceState | None = None  # of that child, where it needs a person, as far as it has told
    beat_at: float = 0.0  # engine seconds: its handler's last sign of life, in whatever attempt; 0.0 is none
    encoded_progress: bytes | None = field(default=None, repr=False)  # the last value given to `context.heartbeat`

    @property
    def progress(self) -> object:
        """The last value given to `context.heartbeat`, decoded anew each time. Raises `ValueNotLoadable`."""
        return None if self.encoded_progress is None else decode(self.encoded_progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance as of one moment."""

    header: Header
    fired: int  # results counted
    last: int  # its newest history record
    marking: Values
    firings: tuple[FiringView, ...]
    incidents: tuple[Incident, ...]
    tasks: tuple[TaskView, ...] = ()  # open ones, oldest first
    tokens: dict[str, list[int]] = field(default_factory=dict[str, list[int]])  # their ids, as in `marking`
    frozen: tuple[int, ...] = ()  # tokens that nothing may take
    delayed: tuple[int, ...] = ()  # tokens that some transition may take later, its delay being over
    state_values: dict[str, bytes] = field(default_factory=dict[str, bytes])  # what handlers keep, by name, encoded

    @property
    def paused_parts(self) -> tuple[str, ...]:
        """The places, transitions, composites and `#tags` in it that are paused."""
        return self.header.held


class StateReader:
    """Reads instances from a view."""

    def __init__(self, view: View) -> None:
        self._view = Visible(view)
        self._plans: dict[bytes, Plan] = {}

    def root(self, instance: str) -> bytes | None:
        """Return the root of an instance, or None if there is none."""
        return self._view.get(address_key(instance))

    def header(self, instance: str) -> Header | None:
        """Return an instance's header, or None."""
        root = self.root(instance)
        data = self._view.get(entry_key(root, 0, HEADER, 0)) if root else None
        return decode_header(data) if data else None

    def headers(self) -> Iterator[Header]:
        """Yield the headers of all instances, in the order of the store; tokens are leapt over."""
        for key, value in survey(self._view):
            actor, kind, _ = split_entry(key)
            if (actor, kind) == (0, HEADER):
                yield decode_header(value)

    def children(self, instance: str) -> list[Header]:
        """Return the headers of the instances that calls of this one have begun, the oldest first.

        Reads all below it, and those whose ids are too long to be keys; what other engines have is not seen.
        """
        found: list[tuple[float, int, int, Header]] = []
        for prefix in below_prefixes(instance):
            for _, root in list(self._view.scan(prefix)):  # at once: an open view keeps a place of which there are few
                data = self._view.get(entry_key(root, 0, HEADER, 0))
                header = decode_header(data) if data else None
                if header is not None and header.caller is not None and header.caller.instance == instance:
                    found.append((header.spawned_at, header.caller.number, header.caller.attempt, header))
        return [header for *_, header in sorted(found, key=lambda one: one[:3])]

    def stored_net(self, header: Header) -> StoredNet:
        """Return the net an instance runs on. Raises `LookupError` if the store lacks it."""
        return decode_stored_net(self.stored_net_bytes(header))

    def stored_net_bytes(self, header: Header) -> bytes:
        """Return the net an instance runs on, as it is stored. Raises `LookupError` if the store lacks it."""
        data = self._view.get(net_key(header.net))
        if data is None:
            raise LookupError(f"the net of {header.instance} is not in the store")
        return data

    def plan(self, header: Header) -> Plan:
        """Return the plan of an instance's net, without behaviours."""
        plan = self._plans.get(header.net)
        if plan is None:
            plan = self._plans[header.net] = make_plan(self.stored_net(header).net, {})
        return plan

    def instance(self, instance: str) -> InstanceView | None:
        """Return an instance as it is, or None if there is none."""
        root = self.root(instance)
        entries = list(takewhile(_is_no_chunk, self._view.scan(root))) if root else []
        if root is None or not entries:
            return None
        header = decode_header(entries[0][1])
        plan = self.plan(header)
        marking: Values = {}
        tokens: dict[str, list[int]] = {}
        frozen: list[int] = []
        delayed: list[int] = []
        firings: list[Firing] = []
        incidents: list[Incident] = []
        tasks: list[Task] = []
        state: list[tuple[str, bytes]] = []
        for key, value in entries[1:]:
            actor, kind, number = split_entry(key)
            if kind == TOKEN:
                path = plan.places[actor - FIRST_PLACE].path
                marking.setdefault(path, []).append(self.value(root, value))
                tokens.setdefault(path, []).append(number)
            elif kind == FROZEN:
                frozen.append(number)
            elif kind == DELAY:
                delayed += [number] if decode_delay(value).due else []
            elif kind == TASK:
                tasks.append(decode_task(value))
            elif kind == STATE:
                state += [found for found in (decode_state(value),) if not found[0].startswith(HIDDEN)]
            elif kind == FIRING:
                firings.append(decode_firing(value))
            elif kind in (GUARD_INCIDENT, PARKED):
                incidents.append(self._other_incident(root, plan, kind, value))
        incidents += [self._firing_incident(root, plan, f) for f in firings if f.phase is Phase.INCIDENT]
        return InstanceView(
            header=header,
            fired=max([header.fired, *(firing.fired for firing in firings)]),
            last=max([header.link, *(firing.link for firing in firings)]),
            marking=marking,
            firings=tuple(_firing_view(header, plan, firing) for firing in firings),
            incidents=tuple(sorted(incidents, key=lambda incident: incident.number)),
            tasks=tuple(_task_views(header, plan, tasks, marking, tokens)),
            tokens=tokens,
            frozen=tuple(frozen),
            delayed=tuple(delayed),
            state_values=dict(sorted(state)),
        )

    def tasks(self, instance: str = "") -> Iterator[TaskView]:
        """Yield the open tasks of one instance, or of all, each instance's oldest first.

        Only instances that have some are looked at, and each value is read when its task is asked for; a task that
        has ended by then is left out.
        """
        known = [self.root(instance)] if instance else [LIVE + key[1:] for key, _ in list(self._view.scan(TASKS))]
        for root in known:
            for _, data in list(self._view.scan(kind_prefix(root, 0, TASK))) if root else ():
                found = self._open_task(root, decode_task(data)) if root else None
                if found is not None:
                    yield found

    def task(self, instance: str, number: int) -> Task | None:
        """Return one task, open or not, or None."""
        root = self.root(instance)
        data = self._view.get(entry_key(root, 0, TASK, number)) if root else None
        return decode_task(data) if data else None

    def open_task(self, instance: str, number: int) -> TaskView | None:
        """Return one task, or None if it is not open."""
        root, task = self.root(instance), self.task(instance, number)
        return self._open_task(root, task) if root and task else None

    def _open_task(self, root: bytes, task: Task) -> TaskView | None:
        header = self._view.get(entry_key(root, 0, HEADER, 0))
        token = self._view.get(entry_key(root, FIRST_PLACE + task.place, TOKEN, task.token))
        if task.ended or header is None or token is None:
            return None
        found = decode_header(header)
        return task_view(found.instance, self.plan(found), task, self.value(root, token))

    def tasks_offered(self) -> int:
        """Return how many tasks wait for people, without looking at any."""
        return sum(int.from_bytes(count, "big") for _, count in self._view.scan(TASKS))

    def token_place(self, instance: str, token: int) -> str:
        """Return the path of the place that a free token is in, or ""."""
        found = self.free_token(instance, token)
        return found[0] if found else ""

    def free_token(self, instance: str, token: int) -> tuple[str, bytes] | None:
        """Return the path of the place that a free token is in, and its encoded value, or None."""
        root, header = self.root(instance), self.header(instance)
        for place in self.plan(header).places if root and header else ():
            stored = self._view.get(entry_key(root, FIRST_PLACE + place.index, TOKEN, token)) if root else None
            if root and stored is not None:
                return place.path, self.value(root, stored)
        return None

    def fired(self, instance: str) -> int:
        """Return how many results of an instance have counted; reads its header and firings, not its tokens."""
        return max((entry.fired for entry in self._counting(instance)), default=0)

    def standing(self, instance: str, most: int) -> tuple[Header | None, list[FiringView]]:
        """Return an instance's header and the firings that have not failed for good, of the first `most` it has."""
        entries = list(islice(self._counting(instance), most + 1))
        header = next((entry for entry in entries if isinstance(entry, Header)), None)
        if header is None:
            return None, []
        plan = self.plan(header)
        going_on = [one for one in entries if isinstance(one, Firing) and one.phase is not Phase.INCIDENT]
        return header, [_firing_view(header, plan, firing) for firing in going_on]

    def last(self, instance: str) -> int:
        """Return the sequence of an instance's newest history record, or 0; reads what `fired` reads."""
        return max((entry.link for entry in self._counting(instance)), default=0)

    def _counting(self, instance: str) -> Iterator[Header | Firing]:
        """Yield the entries of an instance that carry its counters; they come before its tokens."""
        root = self.root(instance)
        for key, value in self._view.scan(root) if root else ():
            actor, kind, _ = split_entry(key)
            if actor >= FIRST_PLACE:
                break
            if kind == HEADER:
                yield decode_header(value)
            elif kind == FIRING:
                yield decode_firing(value)

    def kept(self, instance: str, name: str) -> bytes | None:
        """Return one named value of an instance's state, encoded, or None; those that people are not shown, too."""
        root = self.root(instance)
        data = self._view.get(state_key(root, name)) if root else None
        return decode_state(data)[1] if data else None

    def value(self, root: bytes, stored: bytes) -> bytes:
        """Return a token's encoded value; a large one is put together from its chunks."""
        return join(self._view, root, stored) if is_ref(stored) else stored

    def history(self, instance: str) -> list[tuple[int, Record]]:
        """Return (sequence, record) of an instance, oldest first."""
        return list(self.newest_first(instance))[::-1]

    def newest_first(self, instance: str) -> Iterator[tuple[int, Record]]:
        """Yield (sequence, record) of an instance, newest first, each read when it is asked for."""
        return walk(self._view, self.last(instance))

    def trimmable(self, instance: str, keep: int) -> list[int]:
        """Return the sequences of all but the newest `keep` records of an instance, oldest first."""
        keys = trim(self._view, self.last(instance), keep)
        return [int.from_bytes(key[1:], "big") for key in reversed(keys)]

    def _firing_incident(self, root: bytes, plan: Plan, firing: Firing) -> Incident:
        return Incident(
            number=firing.number,
            kind=IncidentKind.FIRING,
            transition=plan.transitions[firing.transition].path,
            failures=firing.failures,
            inputs=tuple((plan.places[place].path, self.value(root, value)) for place, _, value in firing.tokens),
        )

    def _other_incident(self, root: bytes, plan: Plan, kind: int, value: bytes) -> Incident:
        if kind == PARKED:
            parked = decode_parked(value)
            return Incident(
                number=parked.number,
                kind=IncidentKind.MESSAGE,
                transition="",
                failures=(parked.failure,),
                inputs=(),
                about=_about(parked),
            )
        guard = decode_guard_incident(value)
        stored = self._view.get(entry_key(root, FIRST_PLACE + guard.place, TOKEN, guard.token))
        inputs = ((plan.places[guard.place].path, self.value(root, stored)),) if stored else ()
        return Incident(
            number=guard.number,
            kind=IncidentKind.GUARD,
            transition=plan.transitions[guard.transition].path,
            failures=(guard.failure,),
            inputs=inputs,
        )


def _about(parked: Parked) -> str:
    if parked.kind != Return.__name__:
        return f"the message {parked.kind}"
    returned = decode_message(parked.message)
    assert isinstance(returned, Return), parked.kind
    return f"what {returned.child} returned"


def _is_no_chunk(entry: tuple[bytes, bytes]) -> bool:
    return split_entry(entry[0])[0] != BLOB_ACTOR


def _task_views(
    header: Header, plan: Plan, tasks: list[Task], marking: Values, tokens: dict[str, list[int]]
) -> Iterator[TaskView]:
    values = {token: value for path, ids in tokens.items() for token, value in zip(ids, marking[path], strict=True)}
    for task in tasks:
        if not task.ended and task.token in values:
            yield task_view(header.instance, plan, task, values[task.token])


def _firing_view(header: Header, plan: Plan, firing: Firing) -> FiringView:
    transition = plan.transitions[firing.transition]
    is_called = firing.phase is Phase.CALLED
    return FiringView(
        number=firing.number,
        transition=transition.path,
        child=placed_child_id(header.instance, transition, firing.number, firing.attempt) if is_called else "",
        trouble=firing.heard.state if firing.heard is not None else None,
        phase=firing.phase,
        attempt=firing.attempt,
        losses=firing.losses,
        since=firing.since,
        due=firing.due,
        beat_at=firing.beat.at if firing.beat is not None else 0.0,
        encoded_progress=firing.beat.progress if firing.beat is not None else None,
    )
