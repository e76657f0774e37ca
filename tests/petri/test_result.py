"""What a handler returned becomes exactly the tokens of its outputs, or a clear failure."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.petri.errors import OutputError
from placet.petri.output import Output
from placet.petri.plan import make_plan
from placet.petri.result import arguments_of, outputs_of, passed_through, prepare
from placet.petri.workflow import Workflow
from tests.petri.nets import transition_with


def b(value: object) -> Output:
    return Output("b", value)


def c(value: object) -> Output:
    return Output("c", value)


FITTING: list[tuple[list[int], bool, object, list[tuple[int, object]]]] = [
    ([], False, "ignored", []),
    ([], False, b(1), []),
    ([1], False, 7, [(0, 7)]),
    ([1], False, None, [(0, None)]),
    ([1], False, (1, 2), [(0, (1, 2))]),
    ([1], False, [], [(0, [])]),
    ([1], False, b([3]), [(0, [3])]),
    ([3], False, [7, 8, 9], [(0, 7), (0, 8), (0, 9)]),
    ([3], False, (7, 8, 9), [(0, 7), (0, 8), (0, 9)]),
    ([2], False, b([7, 8]), [(0, 7), (0, 8)]),
    ([1, 1], False, (b(1), c(2)), [(0, 1), (1, 2)]),
    ([1, 1], False, (c(2), b(1)), [(1, 2), (0, 1)]),
    ([1, 1], False, 5, [(0, 5), (1, 5)]),
    ([1, 1], False, (5, 6), [(0, (5, 6)), (1, (5, 6))]),
    ([1, 2], False, (b(1), c([2, 3])), [(0, 1), (1, 2), (1, 3)]),
    ([1, 2], False, [2, 3], [(0, [2, 3]), (1, 2), (1, 3)]),
    ([1, 1], True, c(4), [(1, 4)]),
    ([1, 2], True, c([4, 5]), [(1, 4), (1, 5)]),
]


@pytest.mark.parametrize(("weights", "choice", "returned", "expected"), FITTING)
def test_what_fits_is_deposited(
    weights: list[int], choice: bool, returned: object, expected: list[tuple[int, object]]
) -> None:
    assert outputs_of(transition_with(weights, choice=choice), returned) == expected


REFUSED: list[tuple[list[int], bool, object, str]] = [
    ([1], False, c(1), "`c`, which is none of its outputs; return a value"),
    ([1], False, (b(1),), "an output inside a value"),
    ([1], False, [b(1), 2], "an output inside a value"),
    ([1], False, b(b(1)), "an output inside a value"),
    ([3], False, 7, "returned 7 (int) for `b`, which takes 3 tokens; return a list of 3 values"),
    ([3], False, [7, 8], "returned 2 values for `b`, which takes 3 tokens"),
    ([3], False, [7, 8, 9, 10], "returned 4 values for `b`, which takes 3 tokens"),
    ([3], False, "abc", "returned 'abc' (str) for `b`"),
    ([1, 1], False, b(1), "returned nothing for `c`; return `(b(value), c(value))`, or one value for all"),
    ([1, 1, 1], False, (c(1),), "returned nothing for `b` and `d`"),
    ([1, 1], False, (b(1), b(2)), "returned two values for `b`"),
    ([1, 1], False, (b(1), c(2), Output("x", 3)), "`x`, which is none of its outputs"),
    ([1, 1], False, (b(1), 2), "returned 2 (int) beside outputs, without a place"),
    ([1, 1], False, [b(1), c(2)], "an output inside a value"),
    ([1, 2], False, 5, "returned 5 (int) for `c`, which takes 2 tokens"),
    ([1, 1], True, 4, "which does not say which output it is for; return one of `b(value)` or `c(value)`"),
    ([1, 1], True, None, "which does not say which output it is for"),
    ([1, 1], True, (b(1),), "which does not say which output it is for"),
    ([1, 1], True, Output("x", 1), "`x`, which is none of its outputs"),
    ([1, 2], True, c(1), "which takes 2 tokens; return one of `b(value)` or `c([2 values])`"),
]


@pytest.mark.parametrize(("weights", "choice", "returned", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_what_would(
    weights: list[int], choice: bool, returned: object, message: str
) -> None:
    with pytest.raises(OutputError) as caught:
        outputs_of(transition_with(weights, choice=choice), returned)
    assert message in str(caught.value)
    assert str(caught.value).startswith("transition `t` returned ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


class Unprintable:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("value", [Unprintable(), "x" * 10_000, list(range(10_000))])
def test_messages_stay_short_whatever_was_returned(value: object) -> None:
    with pytest.raises(OutputError) as caught:
        outputs_of(transition_with([1, 1], choice=True), value)
    assert len(str(caught.value)) < 300


weights_of_a_transition = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@given(weights_of_a_transition)
def test_every_branch_of_a_fork_gets_as_many_tokens_as_its_weight(weights: list[int]) -> None:
    transition = transition_with(weights)
    branches = [
        Output(name, [f"{name}{number}" for number in range(weight)] if weight > 1 else f"{name}0")
        for name, weight in zip(transition.output_names, weights, strict=True)
    ]
    deposits = outputs_of(transition, tuple(reversed(branches)) if len(branches) > 1 else branches[0])
    counts = [sum(position == wanted for position, _ in deposits) for wanted in range(len(weights))]
    assert counts == weights
    assert all(str(value).startswith(transition.output_names[position]) for position, value in deposits)


@given(weights_of_a_transition, st.data())
def test_a_choice_gives_to_one_output_only(weights: list[int], data: st.DataObject) -> None:
    transition = transition_with(weights, choice=True)
    chosen = data.draw(st.integers(0, len(weights) - 1))
    value = list(range(weights[chosen])) if weights[chosen] > 1 else 0
    deposits = outputs_of(transition, Output(transition.output_names[chosen], value))
    assert [position for position, _ in deposits] == [chosen] * weights[chosen]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_arguments_are_a_value_an_arc_or_a_list_where_the_weight_is_above_one(weights: list[int]) -> None:
    transition = transition_with([1], inputs=tuple(weights))
    values = [[(arc, number) for number in range(weight)] for arc, weight in enumerate(weights)]
    expected: list[object] = [taken if len(taken) > 1 else taken[0] for taken in values]
    assert arguments_of(transition, values) == expected


def test_passing_through_keeps_one_value_and_gathers_several() -> None:
    assert passed_through([[1, 2]]) == [1, 2]
    assert passed_through([1, 2]) == (1, 2)


def test_a_prepared_plan_carries_both_directions() -> None:
    workflow = Workflow("w")
    pair, done = workflow.places("pair done")
    workflow.transition(2 * pair >> done, "t")
    (transition,) = prepare(make_plan(workflow.definition().net, {})).transitions
    assert transition.to_arguments is not None
    assert transition.to_deposits is not None
    assert transition.to_arguments([[1, 2]]) == [[1, 2]]
    assert transition.to_deposits([1, 2]) == [(0, [1, 2])]
