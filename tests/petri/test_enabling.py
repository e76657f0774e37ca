"""Enabling as a pure function: what can fire, what is lacking, and what a firing changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.petri.enabling import can_fire, effects, enabled, fire, missing
from placet.petri.plan import Plan, make_plan
from placet.petri.workflow import Workflow
from tests.petri.nets import plans


def large(value: int) -> bool:
    return value >= 10 // (value - 1)  # raises for 1


def payments() -> Plan:
    workflow = Workflow("payments")
    paid, booked, done = workflow.places("paid booked done")
    workflow.transition((paid * 2 & booked) >> done, "settle")
    workflow.transition(paid >> done, "wave", guard=large)
    workflow.transition(paid * 2 >> done, "pair", guard=large)
    definition = workflow.definition()
    return make_plan(definition.net, definition.behaviours)


def test_weights_and_guards_decide() -> None:
    plan = payments()
    assert enabled(plan, {}) == []
    assert enabled(plan, {0: [(1, 2), (2, 3)], 1: [(3, 0)]}) == [0]
    assert enabled(plan, {0: [(1, 2), (2, 30)]}) == [1]
    assert enabled(plan, {0: [(1, 20), (2, 30)]}) == [1, 2]


@pytest.mark.parametrize(
    ("transition", "values", "text"),
    [
        (0, [], "needs 2 tokens in `paid`, has 0; needs 1 token in `booked`, has 0"),
        (0, [7], "needs 2 tokens in `paid`, has 1; needs 1 token in `booked`, has 0"),
        (1, [2, 3, 2], "no token of 3 in `paid` passes the guard"),
        (2, [2, 30, 2], "needs 2 tokens in `paid` that pass the guard, has 1 of 3"),
        (1, [30], ""),
        (1, [1], "no token of 1 in `paid` passes the guard"),  # the guard raises
    ],
)
def test_what_is_missing_is_said(transition: int, values: list[int], text: str) -> None:
    assert missing(payments(), {0: list(enumerate(values))}, transition) == text


def test_a_transition_without_its_code_waits_and_says_so() -> None:
    plan = make_plan(payments().net, {})
    marking = {0: [(1, 20), (2, 30)], 1: [(3, 0)]}
    assert enabled(plan, marking) == []
    assert missing(plan, marking, 0) == "its handler or guard is not registered in this process"


def test_firing_moves_counts() -> None:
    plan = payments()
    assert fire(plan, {0: 3, 1: 1}, 0) == {0: 1, 1: 0, 2: 1}
    with pytest.raises(ValueError, match="settle is not enabled"):
        fire(plan, {0: 3}, 0)


@given(plans(), st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=15))
def test_a_transition_is_enabled_exactly_when_nothing_is_missing(plan: Plan, values: list[list[int]]) -> None:
    marking = {place: list(enumerate(tokens)) for place, tokens in enumerate(values)}
    can = enabled(plan, marking)
    for transition in plan.transitions:
        assert (transition.index in can) == (missing(plan, marking, transition.index) == "")
        if transition.index in can:
            assert can_fire(transition, {place: len(tokens) for place, tokens in marking.items()})


@given(plans(), st.lists(st.integers(0, 6), min_size=1, max_size=15), st.data())
def test_firing_never_makes_a_count_negative(plan: Plan, start: list[int], data: st.DataObject) -> None:
    counts = dict(enumerate(start))
    for _ in range(20):
        ready = [one for one in plan.transitions if can_fire(one, counts)]
        if not ready:
            return
        chosen = data.draw(st.sampled_from(ready))
        counts = fire(plan, counts, chosen.index, data.draw(st.integers(0, len(effects(chosen)) - 1)))
        assert min(counts.values()) >= 0
