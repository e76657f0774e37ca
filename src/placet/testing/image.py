"""An instance as its store shows it, and what follows from that alone, worked out apart from the kernel."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from placet.actors.calls import placed_child_id
from placet.actors.holds import held_transitions
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent
from placet.actors.records import (
    Delay,
    Firing,
    GuardIncident,
    Header,
    Parked,
    Phase,
    Scheduled,
    Task,
    Watcher,
    decode_delay,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
    decode_scheduled,
    decode_state,
    decode_task,
    decode_watcher,
)
from placet.persistence.blobs import chunk_keys, decode_ref, is_ref, join
from placet.persistence.keys import (
    BLOB,
    DELAY,
    FIRING,
    FIRST_PLACE,
    FROZEN,
    GUARD_INCIDENT,
    HEADER,
    PARKED,
    REQUEST,
    SCHEDULED,
    STATE,
    TASK,
    TOKEN,
    WATCHER,
    shard_of,
    split_entry,
)
from placet.persistence.store import View
from placet.persistence.values import decode
from placet.petri.behaviour import IN_KERNEL
from placet.petri.enabling import blocking, is_enabled, passes
from placet.petri.plan import Plan, TransitionPlan
from placet.testing.errors import require

Tokens = dict[int, bytes]  # stored value by id


@dataclass(slots=True)
class Image:
    """What the store holds of one instance."""

    root: bytes
    header: Header
    firings: dict[int, Firing] = field(default_factory=dict[int, Firing])
    places: dict[int, Tokens] = field(default_factory=dict[int, Tokens])
    guard_incidents: list[GuardIncident] = field(default_factory=list[GuardIncident])
    parked: list[Parked] = field(default_factory=list[Parked])
    delays: dict[int, Delay] = field(default_factory=dict[int, Delay])  # by token
    tasks: dict[int, Task] = field(default_factory=dict[int, Task])  # open ones, by number
    frozen: dict[int, set[int]] = field(default_factory=dict[int, set[int]])  # tokens nothing may take, by place
    state: dict[str, bytes] = field(default_factory=dict[str, bytes])  # named values
    scheduled: dict[int, Scheduled] = field(default_factory=dict[int, Scheduled])  # tokens that are to come
    watchers: dict[int, Watcher] = field(default_factory=dict[int, Watcher])
    requests: int = 0
    chunks: set[bytes] = field(default_factory=set[bytes])  # keys of the parts of large values

    @property
    def is_over(self) -> bool:
        """True when the instance has ended."""
        return self.header.state in TERMINAL

    @property
    def last_link(self) -> int:
        """The newest history record, wherever that is noted."""
        return max(self.header.link, *(firing.link for firing in self.firings.values()), 0)

    def tokens(self) -> set[int]:
        """Return the ids of all tokens, free or taken."""
        taken = {token for firing in self.firings.values() for _, token, _ in firing.tokens}
        return taken.union(*self.places.values())

    def needed_chunks(self) -> set[bytes]:
        """Return the keys of the parts that the large values of all tokens are made of."""
        stored = [value for tokens in self.places.values() for value in tokens.values()]
        stored += [value for firing in self.firings.values() for _, _, value in (*firing.tokens, *firing.seen)]
        return {key for value in stored if is_ref(value) for key in chunk_keys(self.root, decode_ref(value))}

    def phases(self, phase: Phase) -> list[Firing]:
        """Return the firings in one phase."""
        return [firing for firing in self.firings.values() if firing.phase is phase]

    @property
    def incidents(self) -> list[int]:
        """The numbers of all open incidents."""
        found = [firing.number for firing in self.phases(Phase.INCIDENT)]
        found += [incident.number for incident in self.guard_incidents]
        return found + [parked.number for parked in self.parked]


def told(firing: Firing) -> InstanceState | None:
    """Return what a firing knows of the trouble of its child."""
    return firing.heard.state if firing.heard is not None else None


def read_image(view: View, root: bytes) -> Image | None:
    """Return what the store holds of an instance, or None if it has no header."""
    image: Image | None = None
    for key, value in view.scan(root):
        actor, kind, number = split_entry(key)
        if image is None:
            if (actor, kind) != (0, HEADER):
                return None
            image = Image(root=root, header=decode_header(value))
        elif kind == FIRING:
            firing = decode_firing(value)
            require(
                firing.number not in image.firings, "P1: a firing has one record", f"{image.header.instance} {firing}"
            )
            require(firing.slot == number, "a firing knows its record", f"{image.header.instance} {firing}")
            image.firings[firing.number] = firing
        elif kind == TOKEN:
            image.places.setdefault(actor - FIRST_PLACE, {})[number] = value
        elif kind == GUARD_INCIDENT:
            image.guard_incidents.append(decode_guard_incident(value))
        elif kind == STATE:
            name, found = decode_state(value)
            image.state[name] = found
        elif kind == SCHEDULED:
            image.scheduled[number] = decode_scheduled(value)
        elif kind == WATCHER:
            image.watchers[number] = decode_watcher(value)
        elif kind == FROZEN:
            image.frozen.setdefault(actor - FIRST_PLACE, set()).add(number)
        elif kind == TASK:
            task = decode_task(value)
            require(task.number == number, "a task knows its record", task)
            if not task.ended:
                image.tasks[number] = task
        elif kind == DELAY:
            image.delays[number] = decode_delay(value)
        elif kind == PARKED:
            image.parked.append(decode_parked(value))
        elif kind == REQUEST:
            image.requests += 1
        elif kind == BLOB:
            image.chunks.add(key)
    return image


def value_of(view: View, root: bytes, stored: bytes) -> object:
    """Return the value of a stored token."""
    return decode(join(view, root, stored) if is_ref(stored) else stored)


Marking = Mapping[int, list[tuple[int, object]]]


def marking_of(view: View, image: Image) -> Marking:
    """Return the free tokens, with their values, by place."""
    return {
        place: [(token, value_of(view, image.root, stored)) for token, stored in tokens.items()]
        for place, tokens in image.places.items()
    }


@dataclass(slots=True, kw_only=True)
class Outlook:
    """What an instance could do next."""

    image: Image
    lacks: bool  # nobody can run a handler
    enabled: list[TransitionPlan]  # in the committed marking, with the code this process knows
    ready: list[TransitionPlan]  # of firings that wait to be started, where the code is known
    suspects: list[TransitionPlan]  # likewise, of those that wait to be run alone
    targets: list[tuple[TransitionPlan, int]]  # what is enabled or ready, with the shard it sends to; -1: any, or none
    unknown: bool  # something could move, had this process the code
    external: bool  # tokens may come from outside
    held: bool  # some transition is paused
    delayed: bool  # some transition lacks nothing of a token but time
    inner: bool  # a token lies where transitions take from

    def _free(self, full: Set[int]) -> list[TransitionPlan]:
        """Return what is enabled or ready, and sends to no shard that is full."""
        return [one for one, shard in self.targets if shard not in full]

    def inline(self, full: Set[int]) -> bool:
        """Return whether something can happen in the kernel itself, while these shards take no more."""
        return any(one.executor in IN_KERNEL for one in self._free(full))

    def executors(self, full: Set[int]) -> list[str]:
        """Return the executors something wants a slot of, beside others, while these shards take no more."""
        return sorted({one.executor for one in self._free(full)} - IN_KERNEL)

    def state(self, full: Set[int]) -> InstanceState:
        """Return the state the instance must have while these shards take no more."""
        image = self.image
        busy = bool(image.phases(Phase.RUNNING) or image.phases(Phase.CALLED))
        match image.header.intent:
            case Intent.CANCEL:
                return InstanceState.CANCELLING if busy else InstanceState.CANCELLED
            case Intent.FAIL:
                return InstanceState.CANCELLING if busy else InstanceState.FAILED
            case Intent.PAUSE:
                return InstanceState.PAUSED
            case Intent.RUN:
                pass
        if image.incidents or any(told(firing) for firing in image.phases(Phase.CALLED)):
            return InstanceState.INCIDENT
        wanted = [*self._free(full), *self.suspects]
        if busy or any(one.executor in IN_KERNEL or not self.lacks for one in wanted):
            return InstanceState.RUNNING
        if image.firings or self.unknown or wanted or self.enabled:
            return InstanceState.WAITING
        if not self.inner:
            return InstanceState.COMPLETED
        people = image.tasks or image.frozen or self.held
        return InstanceState.WAITING if people or self.delayed or self.external else InstanceState.STUCK

    @property
    def moves(self) -> bool:
        """True when something can happen without a timer or a person: a start of the engine must see to it."""
        image = self.image
        if image.is_over:
            return False
        if image.phases(Phase.RUNNING):
            return True
        return image.header.intent is Intent.RUN and bool(self.ready or self.suspects or self.enabled)


def outlook_of(view: View, image: Image, plan: Plan, *, lacks: bool = False, visiting: bool = False) -> Outlook:
    """Work out what an instance could do next; `visiting`: beside no engine, which knows no code at all."""
    marking = marking_of(view, image)
    held = held_transitions(plan, image.header.held)
    reserved = Counter[int]()
    for firing in image.firings.values():
        reserved.update({bound.place: bound.weight for bound in plan.transitions[firing.transition].bounds})
    enabled = [
        one
        for one in plan.transitions
        if one.manual is None and one.index not in held
        if is_enabled(plan, one, marking, reserved)  # what delays keep back still inhibits, and takes room
        and is_enabled(plan, one, _mature(marking, image, one), reserved)
    ]
    return Outlook(
        image=image,
        lacks=lacks,
        enabled=enabled,
        targets=[
            *((one, _shard_of_call(image, one)) for one in enabled),
            *(
                (plan.transitions[firing.transition], _shard_of_next(image, firing, plan))
                for firing in image.phases(Phase.READY)
                if firing.transition not in held and plan.transitions[firing.transition].behaviour is not None
            ),
        ],
        external=plan.external,
        held=bool(held),
        delayed=any(_is_delayed(image, one, marking) for one in plan.transitions),
        ready=_known(plan, image, Phase.READY, held),
        suspects=_known(plan, image, Phase.SUSPECT, held),
        unknown=any(
            one.behaviour is None
            and _has_tokens(one, image)
            and not (
                visiting and (one.index in held or _is_offered(one) or any(blocking(plan, one, marking, reserved)))
            )
            for one in plan.transitions
        ),
        inner=any(tokens and not plan.places[place].is_exit for place, tokens in image.places.items()),
    )


def _mature(marking: Marking, image: Image, transition: TransitionPlan) -> Marking:
    """Return the marking without what a transition may not take, or not yet: frozen tokens, and those to be delayed."""
    taken = {arc.place for arc in transition.inputs}
    return {
        place: [
            (token, value)
            for token, value in tokens
            if token not in image.frozen.get(place, ())
            and (place not in taken or not transition.delay_s or _is_mature(image, token, transition.delay_s))
        ]
        for place, tokens in marking.items()
    }


def _is_delayed(image: Image, transition: TransitionPlan, marking: Marking) -> bool:
    """Whether a guard lets a token through that its delay keeps back."""
    return any(
        (arc.guard is None or passes(arc.guard, value)) and not _is_mature(image, token, transition.delay_s)
        for arc in transition.inputs
        if transition.delay_s and arc.guarded == (arc.guard is not None) and arc.keyed == (arc.key is not None)
        for token, value in marking.get(arc.place, ())
        if token not in image.frozen.get(arc.place, ())
    )


def _is_mature(image: Image, token: int, delay_s: float) -> bool:
    """Whether a gate is open to a token: those that open later than its one timer is set for are not."""
    delay = image.delays.get(token)
    return delay is None or not delay.due or delay.arrived + delay_s < delay.due


def unoffered(view: View, image: Image, plan: Plan) -> list[tuple[int, int]]:
    """Return (transition, token) for each token that should be a task, and is none."""
    offered = {(task.transition, task.token) for task in image.tasks.values()}
    marking = marking_of(view, image)
    return [
        (one.index, token)
        for one in plan.transitions
        if one.manual is not None and one.behaviour is not None
        for arc in one.inputs
        for token, value in marking.get(arc.place, ())
        if token not in image.frozen.get(arc.place, ()) and (arc.guard is None or passes(arc.guard, value))
        if (one.index, token) not in offered
    ]


def _shard_of_call(image: Image, transition: TransitionPlan) -> int:
    """Return the only shard in which a new child may live, or -1."""
    near = transition.called.near if transition.called is not None else None
    return -1 if near is None else shard_of(near or image.header.instance)


def _shard_of_next(image: Image, firing: Firing, plan: Plan) -> int:
    """Return the shard that the next attempt of a firing sends to, where that is known, or -1."""
    transition = plan.transitions[firing.transition]
    if transition.called is None:
        return firing.held_up
    return shard_of(placed_child_id(image.header.instance, transition, firing.number, firing.attempt + 1))


def _known(plan: Plan, image: Image, phase: Phase, held: frozenset[int]) -> list[TransitionPlan]:
    transitions = [plan.transitions[firing.transition] for firing in image.phases(phase)]
    return [one for one in transitions if one.behaviour is not None and one.index not in held]


def _is_offered(transition: TransitionPlan) -> bool:
    """Return whether people are offered all that a transition could take: no guard is to be asked first."""
    return transition.manual is not None and not any(one.guarded for one in transition.inputs)


def _has_tokens(transition: TransitionPlan, image: Image) -> bool:
    return all(len(image.places.get(arc.place, ())) >= arc.weight for arc in transition.arguments)
