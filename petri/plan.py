"""A net compiled for running: composites flattened, names turned into indices, arcs bound to guards.

Fused composites share their port places with the parent, so after flattening a port has one index and
the path it has in the outermost net; its inner names are aliases.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from placet.petri.behaviour import CALL, INLINE, PERSON, Behaviour, Definition, Guard, Key
from placet.petri.net import CONSUME, INHIBIT, MANY, READ, RESET, Called, Composite, Manual, Net, Place, Transition


@dataclass(slots=True, kw_only=True)
class InputArc:
    """An input of a planned transition, of one that is taken or read."""

    place: int
    weight: int  # `MANY`: as many as the join key says
    guard: Guard | None = None
    guarded: bool = False
    key: Key | None = None
    keyed: bool = False
    reads: bool = False  # the token stays where it is
    queue: int = -1  # index of the place's gate; -1: any token of the place will do


class Gate(NamedTuple):
    """What stands between the tokens of a place and one of its arcs: they enter the arc's queue one by one."""

    transition: int
    path: str
    guard: Guard | None
    key: Key | None
    delay_s: float
    known: bool  # False: guard or key are declared, but not in this process
    plain: bool  # neither key nor delay
    match: int = -1  # position among the keyed inputs of the transition
    manual: bool = False  # what enters its queue becomes a task
    counted: bool = False  # the key says how many tokens are taken together


class Bound(NamedTuple):
    """An output with a capacity: `net` is how many tokens more a firing of the transition leaves there."""

    place: int
    weight: int
    net: int
    capacity: int


@dataclass(slots=True, kw_only=True)
class TransitionPlan:
    """One transition with indices instead of names."""

    index: int
    path: str  # `fulfil/pack`
    composite: int
    inputs: tuple[InputArc, ...]  # what it takes
    outputs: tuple[tuple[int, int], ...]  # (place, weight)
    choice: bool
    priority: int
    behaviour: Behaviour | None  # None: today's registered workflow does not define it
    executor: str = INLINE  # pass-through transitions run in the kernel too
    single: InputArc | None = None  # the only input, where there is one of weight 1 without a key
    reads: tuple[InputArc, ...] = ()  # what it only reads
    arguments: tuple[InputArc, ...] = ()  # both, in written order
    inhibitors: tuple[tuple[int, int], ...] = ()  # (place, tokens from which on it is not enabled)
    resets: tuple[int, ...] = ()  # places it empties
    manual: Manual | None = None  # a task for each token, and it never fires by itself
    called: Called | None = None  # each firing is a child instance
    bounds: tuple[Bound, ...] = ()  # outputs with a capacity
    keyed: bool = False  # some of its inputs match by key
    conditional: bool = False  # more than enough tokens is asked for: reads, inhibitors, bounds, keys, a person or room
    delay_s: float = 0.0
    leaves: bool = False  # a result has more to end than tokens: reads, resets or delays
    error: int = -1  # place for firings that failed for good
    output_names: tuple[str, ...] = ()  # the outputs as the transition's own net calls them
    tags: tuple[str, ...] = ()  # its category and the names of its properties
    workflows: Mapping[str, Definition] = field(default_factory=dict[str, Definition])  # entrances its handler may use
    to_arguments: Callable[[Sequence[Sequence[object]]], list[object]] | None = None  # set by `result.prepare`
    to_deposits: Callable[[object], list[tuple[int, object]]] | None = None  # likewise

    @property
    def takes_many(self) -> bool:
        """True when the join key says how many tokens one of the inputs takes."""
        return any(arc.weight == MANY for arc in self.inputs)

    @property
    def plain_inputs(self) -> bool:
        """True when every input takes one token: the handler's arguments are the tokens' values."""
        return all(arc.weight == 1 for arc in self.arguments)


@dataclass(slots=True, kw_only=True)
class PlacePlan:
    """One place with indices instead of names."""

    index: int
    path: str  # `fulfil/packed`
    composite: int
    is_entry: bool = False
    is_exit: bool = False
    external: bool = False
    capacity: int = 0
    tags: tuple[str, ...] = ()
    consumers: tuple[int, ...] = ()  # transitions that take or read, in definition order
    watchers: tuple[int, ...] = ()  # transitions that a token's going may enable: inhibitors and capacity
    gates: tuple[Gate, ...] = ()
    delayed: bool = False  # some gate has a delay
    special: bool = False  # a token that goes is of interest to more than the queues: watchers, keys or delays


@dataclass(slots=True, kw_only=True)
class CompositePlan:
    """One composite; index 0 is the root."""

    index: int
    path: str  # "" for the root
    parent: int  # -1 for the root
    tags: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Plan:
    """A whole instance's net, ready to run. `place_index` knows aliases of ports too."""

    net: Net
    places: list[PlacePlan]
    transitions: list[TransitionPlan]
    composites: list[CompositePlan]
    place_index: dict[str, int] = field(default_factory=dict[str, int])
    transition_index: dict[str, int] = field(default_factory=dict[str, int])
    composite_index: dict[str, int] = field(default_factory=dict[str, int])
    unknown: list[int] = field(default_factory=list[int])  # transitions without a behaviour today
    uncalled: list[int] = field(default_factory=list[int])  # of these, the calls that lack but the workflow they call
    external: bool = False  # some place is fed from outside


def shares(arcs: Sequence[InputArc], tokens: int) -> list[int]:
    """Return how many of all the `tokens` that a firing has are of each arc."""
    rest = tokens - sum(arc.weight for arc in arcs)
    return [arc.weight if arc.weight != MANY else rest for arc in arcs]


def make_plan(net: Net, behaviours: Mapping[str, Behaviour]) -> Plan:
    """Compile `net`; a transition that `behaviours` does not name gets none and will wait, saying so."""
    plan = Plan(net=net, places=[], transitions=[], composites=[])
    _flatten(plan, net, behaviours, path="", parent=-1, ports={})
    _link(plan)
    plan.unknown = [transition.index for transition in plan.transitions if transition.behaviour is None]
    return plan


def _flatten(
    plan: Plan,
    net: Net,
    behaviours: Mapping[str, Behaviour],
    *,
    path: str,
    parent: int,
    ports: dict[str, int],
    tags: tuple[str, ...] = (),
) -> None:
    prefix = f"{path}/" if path else ""
    composite = CompositePlan(index=len(plan.composites), path=path, parent=parent, tags=tags)
    plan.composites.append(composite)
    plan.composite_index[path] = composite.index
    local: dict[str, int] = {}
    for place in net.places:
        index = ports.get(place.name)
        if index is None:
            index = len(plan.places)
            plan.places.append(PlacePlan(index=index, path=prefix + place.name, composite=composite.index))
        planned = plan.places[index]
        planned.is_entry |= place.entry
        planned.external |= place.external
        planned.tags += _tags(place)
        planned.capacity = min(planned.capacity, place.capacity) or planned.capacity or place.capacity
        local[place.name] = plan.place_index[prefix + place.name] = index
    for transition in net.transitions:
        _add_transition(plan, transition, prefix, composite.index, local, behaviours)
    for inner in net.composites:
        inner_ports = {inside: local[outside] for inside, outside in inner.ports}
        _flatten(
            plan,
            inner.net,
            behaviours,
            path=prefix + inner.name,
            parent=composite.index,
            ports=inner_ports,
            tags=_tags(inner),
        )


def _tags(node: Place | Transition | Composite) -> tuple[str, ...]:
    names = tuple(name for name, _ in node.properties)
    return (node.category, *names) if node.category else names


def _add_transition(
    plan: Plan,
    transition: Transition,
    prefix: str,
    composite: int,
    local: dict[str, int],
    behaviours: Mapping[str, Behaviour],
) -> None:
    path = prefix + transition.name
    behaviour = _fitting(transition, behaviours.get(path))
    arguments = _arguments(transition, local, behaviour)
    inputs = tuple(arc for arc in arguments if not arc.reads)
    reads = tuple(arc for arc in arguments if arc.reads)
    planned = TransitionPlan(
        index=len(plan.transitions),
        path=path,
        composite=composite,
        inputs=inputs,
        reads=reads,
        arguments=arguments,
        inhibitors=tuple((local[arc.place], arc.weight) for arc in transition.inputs if arc.kind == INHIBIT),
        resets=tuple(local[arc.place] for arc in transition.inputs if arc.kind == RESET),
        outputs=tuple((local[arc.place], arc.weight) for arc in transition.outputs),
        output_names=tuple(arc.place for arc in transition.outputs),
        choice=transition.choice,
        priority=transition.priority,
        delay_s=transition.delay_s,
        error=local[transition.error] if transition.error else -1,
        behaviour=behaviour,
        manual=transition.manual,
        tags=_tags(transition),
        called=transition.called,
        executor=_executor(transition, behaviour, plan.net.name),
        keyed=any(arc.keyed for arc in inputs),
    )
    if len(inputs) == 1 and inputs[0].weight == 1 and not reads and not planned.keyed:
        planned.single = inputs[0]
    if any((arc.guarded and arc.guard is None) or (arc.keyed and arc.key is None) for arc in arguments):
        planned.behaviour = None  # its guard is not known today: it must not fire without
    plan.transitions.append(planned)
    plan.transition_index[path] = planned.index


def _fitting(transition: Transition, behaviour: Behaviour | None) -> Behaviour | None:
    """Return today's behaviour of a transition of a stored net, or None where it is now something else altogether.

    A step that has become an approval, or has lost its handler, must not pass values through because nothing is left
    to run; nor may one that calls a child do so. A task stays one: it does not fire by itself anyway.
    """
    if behaviour is None or transition.manual:
        return behaviour
    if behaviour.run == PERSON or (behaviour.run == CALL) != (transition.called is not None):
        return None
    return None if transition.handler and behaviour.handler is None else behaviour


def forget_callees(plan: Plan, known: Container[str]) -> Plan:
    """Let calls of workflows that are not `known` today wait, as transitions without a handler do; return the plan."""
    for transition in plan.transitions:
        if transition.called is not None and transition.called.workflow not in known and transition.behaviour:
            transition.behaviour = None
            plan.unknown.append(transition.index)
            plan.uncalled.append(transition.index)
    plan.unknown.sort()
    return plan


def _executor(transition: Transition, behaviour: Behaviour | None, workflow: str) -> str:
    if transition.manual:
        return PERSON
    if transition.called:
        return CALL
    return behaviour.executor(workflow) if behaviour and behaviour.handler else INLINE


def _arguments(transition: Transition, local: dict[str, int], behaviour: Behaviour | None) -> tuple[InputArc, ...]:
    """Return the arcs a handler gets values from."""
    guards = behaviour.guards if behaviour else ()
    keys = behaviour.keys if behaviour else ()
    return tuple(
        InputArc(
            place=local[arc.place],
            weight=arc.weight,
            guarded=arc.guarded,
            guard=guards[position] if position < len(guards) else None,
            keyed=arc.keyed,
            key=keys[position] if position < len(keys) else None,
            reads=arc.kind == READ,
        )
        for position, arc in enumerate(transition.inputs)
        if arc.kind in (CONSUME, READ)
    )


def _link(plan: Plan) -> None:
    """Fill in, place by place, who consumes from it, and which places are entries and exits."""
    consumers: list[dict[int, None]] = [{} for _ in plan.places]
    watchers: list[dict[int, None]] = [{} for _ in plan.places]
    gates: list[list[Gate]] = [[] for _ in plan.places]
    taken: set[int] = set()
    fed: set[int] = set()
    for transition in plan.transitions:
        for arc in transition.arguments:
            consumers[arc.place][transition.index] = None
            gate = _gate(transition, arc)
            if gate is not None:
                arc.queue = len(gates[arc.place])
                gates[arc.place].append(gate)
        taken.update(arc.place for arc in transition.inputs)
        fed.update(place for place, _ in transition.outputs)
        fed.add(transition.error)
        transition.bounds = tuple(_bounds(plan, transition))
        is_near = transition.called is not None and transition.called.near is not None
        transition.conditional = bool(
            transition.reads
            or transition.inhibitors
            or transition.bounds
            or transition.keyed
            or transition.manual
            or is_near
        )
        for watched in [bound.place for bound in transition.bounds] + [place for place, _ in transition.inhibitors]:
            watchers[watched][transition.index] = None
    plan.external = any(place.external for place in plan.places)
    for place in plan.places:
        place.consumers = tuple(consumers[place.index])
        place.watchers = tuple(watchers[place.index])
        place.gates = tuple(gates[place.index])
        place.delayed = any(gate.delay_s for gate in place.gates)
        place.special = bool(place.watchers) or any(not gate.plain for gate in place.gates)
        place.is_exit = place.index not in taken
        place.is_entry = place.is_entry or place.index not in fed
    for transition in plan.transitions:
        delayed = any(plan.places[arc.place].delayed for arc in transition.inputs)
        transition.leaves = bool(transition.reads or transition.resets or delayed)


def _gate(transition: TransitionPlan, arc: InputArc) -> Gate | None:
    delay_s = 0.0 if arc.reads else transition.delay_s
    if not (arc.guarded or arc.keyed or delay_s or transition.manual):
        return None
    return Gate(
        transition=transition.index,
        path=transition.path,
        guard=arc.guard,
        key=arc.key,
        delay_s=delay_s,
        known=(arc.guard is not None or not arc.guarded) and (arc.key is not None or not arc.keyed),
        plain=not (arc.keyed or delay_s or transition.manual),
        manual=transition.manual is not None,
        counted=arc.keyed and transition.takes_many,
        match=sum(other.keyed for other in transition.inputs[: transition.inputs.index(arc)]) if arc.keyed else -1,
    )


def _bounds(plan: Plan, transition: TransitionPlan) -> Iterator[Bound]:
    for place, weight in transition.outputs:
        capacity = plan.places[place].capacity
        if capacity:
            taken = sum(arc.weight for arc in transition.inputs if arc.place == place)
            yield Bound(place, weight, weight - taken, capacity)
