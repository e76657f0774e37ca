"""Random nets for property tests: joins, forks, choices, loops, weights, guards and fused composites."""

from hypothesis import strategies as st

from placet.petri.behaviour import Behaviour
from placet.petri.net import Arc, Composite, Net, Place, Transition
from placet.petri.plan import Plan, TransitionPlan, make_plan


def even(value: int) -> bool:
    """Pass even values: the guard of every guarded arc here."""
    return value % 2 == 0


@st.composite
def nets(draw: st.DrawFn, depth: int = 1) -> Net:
    """Draw a net of up to 5 places and 5 transitions, with composites to the given depth."""
    names = [f"p{number}" for number in range(draw(st.integers(1, 5)))]
    transitions = [draw(_transition(f"t{number}", names)) for number in range(draw(st.integers(1, 5)))]
    composites: list[Composite] = []
    for number in range(draw(st.integers(0, 2)) if depth else 0):
        inner = draw(nets(depth=depth - 1))
        count = draw(st.integers(0, min(len(inner.places), len(names))))
        outer = draw(st.permutations(names))[:count]
        ports = tuple((place.name, name) for place, name in zip(inner.places, outer, strict=False))
        composites.append(Composite(name=f"c{number}", net=inner, ports=ports))
    places = tuple(Place(name=name) for name in names)
    return Net(name="random", places=places, transitions=tuple(transitions), composites=tuple(composites))


@st.composite
def _transition(draw: st.DrawFn, name: str, places: list[str]) -> Transition:
    inputs = draw(
        st.lists(_arcs(places, guarded=st.booleans()), min_size=1, max_size=3, unique_by=lambda arc: arc.place)
    )
    outputs = draw(st.lists(_arcs(places, guarded=st.just(False)), max_size=3, unique_by=lambda arc: arc.place))
    choice = len(outputs) > 1 and draw(st.booleans())
    return Transition(name=name, inputs=tuple(inputs), outputs=tuple(outputs), choice=choice)


def _arcs(places: list[str], guarded: st.SearchStrategy[bool]) -> st.SearchStrategy[Arc]:
    return st.builds(Arc, place=st.sampled_from(places), weight=st.integers(1, 3), guarded=guarded)


def behaviours_of(net: Net, path: str = "") -> dict[str, Behaviour]:
    """Return a behaviour for each transition of a random net, by path."""
    found = {
        path + one.name: Behaviour(guards=tuple(even if arc.guarded else None for arc in one.inputs))
        for one in net.transitions
    }
    for composite in net.composites:
        found |= behaviours_of(composite.net, f"{path}{composite.name}/")
    return found


def plans() -> st.SearchStrategy[Plan]:
    """Draw a plan of a random net, ready to run."""
    return nets().map(lambda net: make_plan(net, behaviours_of(net)))


def transition_with(weights: list[int], *, choice: bool = False, inputs: tuple[int, ...] = (1,)) -> TransitionPlan:
    """Return a planned transition with inputs of the given weights and outputs `b`, `c`, `d`, …."""
    names = [chr(ord("b") + number) for number in range(len(weights))]
    places = [f"in{number}" for number in range(len(inputs))]
    transition = Transition(
        name="t",
        inputs=tuple(Arc(place=name, weight=weight) for name, weight in zip(places, inputs, strict=True)),
        outputs=tuple(Arc(place=name, weight=weight) for name, weight in zip(names, weights, strict=True)),
        choice=choice,
    )
    net = Net(name="n", places=tuple(Place(name=name) for name in places + names), transitions=(transition,))
    return make_plan(net, {"t": Behaviour()}).transitions[0]
