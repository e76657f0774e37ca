"""A net compiled for running: composites flattened, names turned into indices, arcs bound to guards.

Fused composites share their port places with the parent, so after flattening a port has one index and
the path it has in the outermost net; its inner names are aliases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from placet.petri.behaviour import INLINE, Behaviour, Guard
from placet.petri.net import Net, Transition


@dataclass(slots=True, kw_only=True)
class InputArc:
    """An input of a planned transition."""

    place: int
    weight: int
    guard: Guard | None
    guarded: bool
    queue: int = -1  # index in the place's `guarded` list; -1: any token of the place will do


@dataclass(slots=True, kw_only=True)
class TransitionPlan:
    """One transition with indices instead of names."""

    index: int
    path: str  # `fulfil/pack`
    composite: int
    inputs: tuple[InputArc, ...]
    outputs: tuple[tuple[int, int], ...]  # (place, weight)
    choice: bool
    priority: int
    behaviour: Behaviour | None  # None: today's registered workflow does not define it
    executor: str = INLINE  # pass-through transitions run in the kernel too
    single: InputArc | None = None  # the only input, where there is one of weight 1
    output_names: tuple[str, ...] = ()  # the outputs as the transition's own net calls them
    to_arguments: Callable[[Sequence[Sequence[object]]], list[object]] | None = None  # set by `result.prepare`
    to_deposits: Callable[[object], list[tuple[int, object]]] | None = None  # likewise

    @property
    def plain_inputs(self) -> bool:
        """True when every input takes one token: the handler's arguments are the tokens' values."""
        return all(arc.weight == 1 for arc in self.inputs)


@dataclass(slots=True, kw_only=True)
class PlacePlan:
    """One place with indices instead of names."""

    index: int
    path: str  # `fulfil/packed`
    composite: int
    is_entry: bool = False
    is_exit: bool = False
    consumers: tuple[int, ...] = ()  # transitions, in definition order
    guarded: tuple[
        tuple[int, Guard | None, str], ...
    ] = ()  # (transition, guard, path) for each guarded arc out of here


@dataclass(slots=True, kw_only=True)
class CompositePlan:
    """One composite; index 0 is the root."""

    index: int
    path: str  # "" for the root
    parent: int  # -1 for the root


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


def make_plan(net: Net, behaviours: Mapping[str, Behaviour]) -> Plan:
    """Compile `net`; a transition that `behaviours` does not name gets none and will wait, saying so."""
    plan = Plan(net=net, places=[], transitions=[], composites=[])
    _flatten(plan, net, behaviours, path="", parent=-1, ports={})
    _link(plan)
    plan.unknown = [transition.index for transition in plan.transitions if transition.behaviour is None]
    return plan


def _flatten(
    plan: Plan, net: Net, behaviours: Mapping[str, Behaviour], *, path: str, parent: int, ports: dict[str, int]
) -> None:
    prefix = f"{path}/" if path else ""
    composite = CompositePlan(index=len(plan.composites), path=path, parent=parent)
    plan.composites.append(composite)
    plan.composite_index[path] = composite.index
    local: dict[str, int] = {}
    for place in net.places:
        index = ports.get(place.name)
        if index is None:
            index = len(plan.places)
            plan.places.append(PlacePlan(index=index, path=prefix + place.name, composite=composite.index))
        if place.entry:
            plan.places[index].is_entry = True
        local[place.name] = plan.place_index[prefix + place.name] = index
    for transition in net.transitions:
        _add_transition(plan, transition, prefix, composite.index, local, behaviours)
    for inner in net.composites:
        inner_ports = {inside: local[outside] for inside, outside in inner.ports}
        _flatten(plan, inner.net, behaviours, path=prefix + inner.name, parent=composite.index, ports=inner_ports)


def _add_transition(
    plan: Plan,
    transition: Transition,
    prefix: str,
    composite: int,
    local: dict[str, int],
    behaviours: Mapping[str, Behaviour],
) -> None:
    path = prefix + transition.name
    behaviour = behaviours.get(path)
    guards = behaviour.guards if behaviour else ()
    inputs = tuple(
        InputArc(
            place=local[arc.place],
            weight=arc.weight,
            guarded=arc.guarded,
            guard=guards[position] if position < len(guards) else None,
        )
        for position, arc in enumerate(transition.inputs)
    )
    planned = TransitionPlan(
        index=len(plan.transitions),
        path=path,
        composite=composite,
        inputs=inputs,
        outputs=tuple((local[arc.place], arc.weight) for arc in transition.outputs),
        output_names=tuple(arc.place for arc in transition.outputs),
        choice=transition.choice,
        priority=transition.priority,
        behaviour=behaviour,
        executor=behaviour.run if behaviour and behaviour.handler else INLINE,
        single=inputs[0] if len(inputs) == 1 and inputs[0].weight == 1 else None,
    )
    if any(arc.guarded and arc.guard is None for arc in inputs):
        planned.behaviour = None  # its guard is not known today: it must not fire without
    plan.transitions.append(planned)
    plan.transition_index[path] = planned.index


def _link(plan: Plan) -> None:
    """Fill in, place by place, who consumes from it, and which places are entries and exits."""
    consumers: list[list[int]] = [[] for _ in plan.places]
    guarded: list[list[tuple[int, Guard | None, str]]] = [[] for _ in plan.places]
    fed: set[int] = set()
    for transition in plan.transitions:
        for arc in transition.inputs:
            if transition.index not in consumers[arc.place]:
                consumers[arc.place].append(transition.index)
            if arc.guarded:
                arc.queue = len(guarded[arc.place])
                guarded[arc.place].append((transition.index, arc.guard, transition.path))
        fed.update(place for place, _ in transition.outputs)
    for place in plan.places:
        place.consumers = tuple(consumers[place.index])
        place.guarded = tuple(guarded[place.index])
        place.is_exit = not place.consumers
        place.is_entry = place.is_entry or place.index not in fed
