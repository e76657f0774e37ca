"""Checks of a whole net: arcs, ports, size, and that everything in it can be reached."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from placet.petri.location import Site
from placet.petri.net import CONSUME, INHIBIT, MANY, READ, RESET, Arc, Composite, Net, Transition
from placet.petri.plan import Plan, TransitionPlan, make_plan

_LIKE_A_CHILD = re.compile(r"\.[0-9]+(\+[0-9]+)?$")  # as in `order-17/fulfil.41`
MAX_NODES = 32_000  # places, and composites: an actor's number has two bytes, half of them for places
MAX_DEPTH = 100  # nested composites; each level costs a few frames of Python's stack

Locations = Mapping[str, str]  # `file:line` by path, such as `fulfil/pack`


def check_net(net: Net, locations: Locations | None = None) -> None:
    """Raise `DefinitionError` for the first mistake in `net`; `locations` helps to say where it was written."""
    places = Counter[str]()
    known = locations or {}
    check_size(net)
    for path, level in _levels(net, ""):
        _check_level(net, path, level, known)
        places.update(place.name for place in level.places)
    if not places:
        raise Site(workflow=net.name).error("the workflow has no places", 'declare some with `.places("start done")`')
    _check_reach(make_plan(net, {}), known)


def check_size(net: Net) -> None:
    """Raise where a net is too large or too deep to run; quick even where its parts repeat without end."""
    places, composites, depth = _measure(net, {})
    site = Site(workflow=net.name)
    check_depth(net.name, depth)
    for count, what in ((places, "places"), (composites, "composites")):
        if count > MAX_NODES:
            raise site.error(f"{count} {what}, {MAX_NODES} is the limit", "use tokens for the items instead of places")


def check_depth(workflow: str, depth: int) -> None:
    """Raise where composites nest too deep; `depth` counts the workflow itself."""
    if depth > MAX_DEPTH:
        problem = f"composites nest {depth} deep, {MAX_DEPTH} is the limit"
        raise Site(workflow=workflow).error(problem, "flatten some of them")


def _measure(net: Net, known: dict[int, tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return (places, composites, depth), the root included; shared parts are measured once."""
    found = known.get(id(net))
    if found is None:
        parts = [(_measure(inner.net, known), len(inner.ports)) for inner in net.composites]
        places = len(net.places) + sum(part[0] - ports for part, ports in parts)
        depth = max((part[2] for part, _ in parts), default=0) + 1
        found = known[id(net)] = (places, 1 + sum(part[1] for part, _ in parts), depth)
    return found


def _levels(net: Net, path: str) -> Iterator[tuple[str, Net]]:
    yield path, net
    for inner in net.composites:
        yield from _levels(inner.net, f"{path}{inner.name}/")


def _check_level(root: Net, path: str, net: Net, locations: Locations) -> None:
    names = {place.name for place in net.places}
    _check_unique(root, path, net)
    for transition in net.transitions:
        _check_transition(transition, names, _site(root, "transition", path + transition.name, locations))
    for composite in net.composites:
        _check_ports(composite, names, _site(root, "composite", path + composite.name, locations))


def _site(root: Net, kind: str, path: str, locations: Locations) -> Site:
    return Site(workflow=root.name, node=f"{kind} `{path}`", location=locations.get(path, ""))


def _check_unique(root: Net, path: str, net: Net) -> None:
    counts = Counter(place.name for place in net.places)
    counts.update(transition.name for transition in net.transitions)
    counts.update(composite.name for composite in net.composites)
    name, count = next(iter(counts.most_common(1)), ("", 0))
    if count > 1:
        raise Site(workflow=root.name).error(f"the name `{path}{name}` is given {count} times", "rename all but one")


def _check_transition(transition: Transition, names: set[str], site: Site) -> None:
    if transition.called and _LIKE_A_CHILD.search(transition.name):
        raise site.error("its name ends as the ids of called children do", "end it with no dot and digits")
    if not any(arc.kind == CONSUME for arc in transition.inputs):
        raise site.error("a transition needs an input to take from", "give it a place to take from")
    taken = tuple(arc for arc in transition.inputs if arc.kind in (CONSUME, READ))
    for side, arcs in (
        ("inputs", taken),
        ("inhibitors", tuple(arc for arc in transition.inputs if arc.kind == INHIBIT)),
        ("resets", tuple(arc for arc in transition.inputs if arc.kind == RESET)),
        ("outputs", transition.outputs),
    ):
        _check_arcs(side, arcs, names, site)
    _check_many(transition, site)
    _check_error(transition, names, site)


def _check_many(transition: Transition, site: Site) -> None:
    """Raise for arcs that take or give many tokens where nothing says how many."""
    taken = [arc for arc in transition.inputs if arc.weight == MANY]
    given = [arc for arc in transition.outputs if arc.weight == MANY]
    if (taken or given) and (transition.manual or transition.called):
        raise site.error("it takes or gives many tokens, and has no handler", "do that in a transition beside it")
    keyed = [arc for arc in transition.inputs if arc.keyed and arc.weight != MANY]
    for arc in taken:
        if arc.kind != CONSUME or not arc.keyed:
            problem = f"nothing says how many tokens of `{arc.place}` it takes"
            raise site.error(problem, "give it a join key that ends with how many there are")
    if len(taken) > 1:
        raise site.error("it takes many tokens of two places", "take many of one, and join the other before")
    if taken and not keyed:
        problem = f"it takes many tokens of `{taken[0].place}` and nothing with them"
        raise site.error(problem, "join them with a token of the same key, which tells of groups without members")
    if given and not transition.handler:
        raise site.error(f"nobody makes the tokens for `{given[0].place}`", "give it a handler that returns a list")


def _check_error(transition: Transition, names: set[str], site: Site) -> None:
    if transition.error and transition.error not in names:
        raise site.error(f"its error arc names `{transition.error}`, which is no place", "declare it, or mend the name")


def _check_arcs(side: str, arcs: tuple[Arc, ...], names: set[str], site: Site) -> None:
    seen: set[str] = set()
    for arc in arcs:
        if arc.place not in names:
            raise site.error(f"unknown place `{arc.place}` among the {side}", "declare it, or mend the name")
        if arc.place in seen:
            raise site.error(f"place `{arc.place}` is twice among the {side}", "give its arc a weight instead")
        if arc.weight < 1 and arc.weight != MANY:
            raise site.error(
                f"the arc of `{arc.place}` has weight {arc.weight}", "a weight is a whole number from 1 on"
            )
        seen.add(arc.place)


def _check_ports(composite: Composite, outer: set[str], site: Site) -> None:
    if _LIKE_A_CHILD.search(composite.name):
        raise site.error("its name ends as the ids of called children do", "end it with no dot and digits")
    inner = {place.name for place in composite.net.places}
    for end, name in _unknown_ports(composite, inner, outer):
        raise site.error(f"a port names `{name}`, which is no place of the {end} workflow", "mend the name")
    for end, ported in (
        ("inner", [port[0] for port in composite.ports]),
        ("outer", [port[1] for port in composite.ports]),
    ):
        name, count = next(iter(Counter(ported).most_common(1)), ("", 0))
        if count > 1:
            raise site.error(f"the {end} place `{name}` is ported {count} times", "give each port a place of its own")


def _unknown_ports(composite: Composite, inner: set[str], outer: set[str]) -> Iterable[tuple[str, str]]:
    for inside, outside in composite.ports:
        if inside not in inner:
            yield "inner", inside
        if outside not in outer:
            yield "outer", outside


def _check_reach(plan: Plan, locations: Locations) -> None:
    """Raise for a place no arc touches, or a node that no token from any entry can ever come to."""
    touched = {arc.place for one in plan.transitions for arc in one.arguments}
    touched |= {place for one in plan.transitions for place in _given(one)}
    touched |= {place for one in plan.transitions for place, _ in one.inhibitors}
    touched |= {place for one in plan.transitions for place in one.resets}
    declared = {
        plan.place_index[path + place.name]
        for path, net in _levels(plan.net, "")
        for place in net.places
        if place.entry or place.external
    }
    for place in plan.places:
        if place.index not in touched and place.index not in declared:
            site = _site(plan.net, "place", place.path, locations)
            hint = "connect it, or remove it; one that stands alone is declared with entry=True or external=True"
            raise site.error("no transition takes from it or gives to it", hint)
    for one in plan.transitions:
        if one.error >= 0 and plan.places[one.error].capacity:
            site = _site(plan.net, "transition", one.path, locations)
            problem = f"its error place `{plan.places[one.error].path}` has a capacity"
            raise site.error(problem, "a failure must always find room: leave the capacity out")
        full = next((place for place, weight in one.outputs if weight == MANY and plan.places[place].capacity), None)
        if full is not None:
            site = _site(plan.net, "transition", one.path, locations)
            problem = f"it gives many tokens to `{plan.places[full].path}`, which has a capacity"
            raise site.error(problem, "nobody knows beforehand how many: leave the capacity out")
    places, transitions = reachable(plan)
    for planned in plan.transitions:
        if planned.index not in transitions:
            wanting = next(arc.place for arc in planned.arguments if arc.place not in places)
            site = _site(plan.net, "transition", planned.path, locations)
            problem = f"it can never fire: no token comes to `{plan.places[wanting].path}` from any entry"
            name = plan.places[wanting].path.rpartition("/")[2]
            hint = f"declare `{name}` with entry=True, with external=True to be fed while it runs, or connect it"
            raise site.error(problem, hint)


def _given(transition: TransitionPlan) -> set[int]:
    given = {place for place, _ in transition.outputs}
    return given | {transition.error} if transition.error >= 0 else given


def reachable(plan: Plan) -> tuple[set[int], set[int]]:
    """Return the places and transitions tokens could come to from the entries, by structure alone."""
    missing = [len({arc.place for arc in transition.arguments}) for transition in plan.transitions]
    fresh = [place.index for place in plan.places if place.is_entry or place.external]
    places, transitions = set(fresh), set[int]()
    while fresh:
        for consumer in plan.places[fresh.pop()].consumers:
            missing[consumer] -= 1
            if not missing[consumer]:
                transitions.add(consumer)
                given = _given(plan.transitions[consumer]) - places
                places |= given
                fresh.extend(given)
    return places, transitions
