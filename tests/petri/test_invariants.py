"""Place invariants: found where they are known, and constant under every sequence of firings."""

from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from placet.petri.enabling import can_fire, effects, fire
from placet.petri.invariants import place_invariants, weigh
from placet.petri.plan import Plan, make_plan
from placet.petri.workflow import Workflow
from tests.petri.nets import plans


def plan_of(workflow: Workflow) -> Plan:
    definition = workflow.definition()
    return make_plan(definition.net, definition.behaviours)


def value(token: object) -> object:
    return token


def test_a_chain_keeps_its_token() -> None:
    assert place_invariants(plan_of(Workflow.sequence("s", [value, value]))) == [{0: 1, 1: 1, 2: 1}]


def test_a_fork_and_join_has_one_invariant_a_branch() -> None:
    plan = plan_of(Workflow.parallel("p", [value, value]))
    named = [{plan.places[place].path: weight for place, weight in one.items()} for one in place_invariants(plan)]
    branch = {"start": 1, "done": 1, "value_todo": 1, "value_done": 1}
    difference = {"value_todo": 1, "value_done": 1, "value_2_todo": -1, "value_2_done": -1}
    assert len(named) == 2
    assert branch in named or difference in named


def test_a_choice_counts_each_alternative() -> None:
    workflow = Workflow("w")
    a, b, c = workflow.places("a b c")
    workflow.transition(a >> (b | 2 * c), "choose", handler=value)
    assert place_invariants(plan_of(workflow)) == [{0: 2, 1: 2, 2: 1}]


def test_weights_are_balanced_in_whole_numbers() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(4 * a >> 6 * b, "t", handler=value)
    assert place_invariants(plan_of(workflow)) == [{0: 3, 1: 2}]


def test_a_source_of_tokens_leaves_no_invariant() -> None:
    workflow = Workflow("w")
    a, b = workflow.place("a", entry=True), workflow.place("b")
    workflow.transition(a >> (a & b), "t")
    workflow.transition((a & b).consumed(), "end")
    workflow.place("c", entry=True)
    assert place_invariants(plan_of(workflow)) == [{2: 1}]


@given(plans(), st.lists(st.integers(0, 6), min_size=1, max_size=15), st.data())
def test_no_firing_changes_an_invariant(plan: Plan, start: list[int], data: st.DataObject) -> None:
    invariants = place_invariants(plan)
    counts = dict(enumerate(start))
    before = [weigh(one, counts) for one in invariants]
    for _ in range(20):
        ready = [one for one in plan.transitions if can_fire(one, counts)]
        if not ready:
            break
        chosen = data.draw(st.sampled_from(ready))
        counts = fire(plan, counts, chosen.index, data.draw(st.integers(0, len(effects(chosen)) - 1)))
        assert [weigh(one, counts) for one in invariants] == before


@given(plans())
def test_the_basis_is_as_large_as_the_null_space_and_without_common_factors(plan: Plan) -> None:
    invariants = place_invariants(plan)
    columns = [effect for transition in plan.transitions for effect in effects(transition)]
    assert len(invariants) == len(plan.places) - rank(columns)
    assert rank(invariants) == len(invariants)
    for one in invariants:
        assert gcd(*one.values()) == 1
        assert one[min(one)] > 0
        assert all(weigh(one, column) == 0 for column in columns)


def rank(vectors: list[dict[int, int]]) -> int:
    """Return the rank modulo a large prime, by another way than the code under test."""
    prime = 2**61 - 1
    rows = [{key: number % prime for key, number in vector.items() if number} for vector in vectors]
    found = 0
    while rows:
        pivot = rows.pop()
        if not pivot:
            continue
        found += 1
        key = min(pivot)
        inverse = pow(pivot[key], -1, prime)
        for row in rows:
            factor = row.get(key, 0) * inverse % prime
            if factor:
                for column, number in pivot.items():
                    row[column] = (row.get(column, 0) - factor * number) % prime
                    if not row[column]:
                        del row[column]
    return found
