"""Checks of whole nets that no builder made: read from a file, or written as values."""

import pytest
from hypothesis import given

from placet.petri.errors import DefinitionError
from placet.petri.net import INHIBIT, RESET, Arc, Composite, Net, Place, Transition
from placet.petri.plan import make_plan
from placet.petri.structure import check_net, reachable
from tests.petri.nets import nets

A, B = Place(name="a"), Place(name="b")
INNER = Net(
    name="inner",
    places=(A, B),
    transitions=(Transition(name="t", inputs=(Arc(place="a"),), outputs=(Arc(place="b"),)),),
)


def net(inputs: tuple[Arc, ...], outputs: tuple[Arc, ...] = (), *composites: Composite) -> Net:
    transition = Transition(name="t", inputs=inputs, outputs=outputs)
    return Net(name="n", places=(A, B), transitions=(transition,), composites=composites)


def part(*ports: tuple[str, str]) -> Composite:
    return Composite(name="part", net=INNER, ports=ports)


TO_B = (Arc(place="b"),)
FROM_A = (Arc(place="a"),)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (net((), TO_B), "a transition needs an input"),
        (net((Arc(place="x"),), TO_B), "unknown place `x` among the inputs"),
        (net(FROM_A, (Arc(place="x"),)), "unknown place `x` among the outputs"),
        (net(FROM_A + FROM_A, TO_B), "place `a` is twice among the inputs"),
        (net(FROM_A, (Arc(place="b", weight=-1),)), "the arc of `b` has weight -1"),
        (net(FROM_A, TO_B, part(("x", "a"))), "a port names `x`, which is no place of the inner workflow"),
        (net(FROM_A, TO_B, part(("a", "x"))), "a port names `x`, which is no place of the outer workflow"),
        (net(FROM_A, TO_B, part(("a", "a"), ("a", "b"))), "the inner place `a` is ported 2 times"),
        (net(FROM_A, TO_B, part(("a", "a"), ("b", "a"))), "the outer place `a` is ported 2 times"),
        (net(FROM_A, TO_B, part(), part()), "the name `part` is given 2 times"),
        (Net(name="n", places=(A, A)), "the name `a` is given 2 times"),
        (Net(name="n"), "the workflow has no places"),
        (Net(name="n", places=(A,)), "no transition takes from it or gives to it"),
    ],
)
def test_a_wrong_net_is_refused(wrong: Net, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_net(wrong)
    assert problem in caught.value.problem


def test_a_place_to_which_only_people_come_may_stand_alone() -> None:
    check_net(Net(name="n", places=(Place(name="a", entry=True),)))
    inner = Net(name="inner", places=(Place(name="a", entry=True),))
    check_net(net(FROM_A, TO_B, Composite(name="part", net=inner, ports=())))


@pytest.mark.parametrize("kind", [INHIBIT, RESET])
@pytest.mark.parametrize("external", [False, True])
def test_a_place_that_is_only_watched_or_reset_is_an_entry_and_an_exit(kind: str, external: bool) -> None:
    flag = Place(name="flag", external=external)
    move = Transition(name="move", inputs=(Arc(place="a"), Arc(place="flag", kind=kind)), outputs=TO_B)
    watched = Net(name="n", places=(A, B, flag), transitions=(move,))
    check_net(watched)
    planned = make_plan(watched, {}).places[2]
    assert (planned.is_entry, planned.is_exit) == (True, True)


def test_a_place_fed_from_outside_may_stand_alone() -> None:
    check_net(Net(name="n", places=(Place(name="a", external=True),)))


def test_the_way_out_for_a_place_that_stands_alone_is_named() -> None:
    with pytest.raises(DefinitionError) as caught:
        check_net(Net(name="n", places=(A,)))
    assert "entry=True or external=True" in caught.value.remedy


@given(nets())
def test_what_is_reachable_is_what_a_fixed_point_finds(drawn: Net) -> None:
    plan = make_plan(drawn, {})
    places = {place.index for place in plan.places if place.is_entry}
    transitions: set[int] = set()
    while True:
        ready = {one.index for one in plan.transitions if {arc.place for arc in one.inputs} <= places} - transitions
        if not ready:
            break
        transitions |= ready
        places |= {place for index in ready for place, _ in plan.transitions[index].outputs}
    assert reachable(plan) == (places, transitions)
