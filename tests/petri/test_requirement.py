"""Which hosts will do for a handler."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.nets import format_net, parse_net
from placet.petri.behaviour import Behaviour, pool_of
from placet.petri.errors import DefinitionError
from placet.petri.requirement import Remote, Requires
from placet.petri.workflow import Workflow

NUMBERS = st.floats(-1e9, 1e9)


@given(NUMBERS, NUMBERS)
def test_a_number_is_met_by_as_much_or_more(wanted: float, there: float) -> None:
    assert Requires(gpu=wanted).is_met_by({"gpu": there, "other": 1.0}) == (there >= wanted)


@given(st.text(max_size=3), st.text(max_size=3))
def test_a_text_is_met_by_the_same_text(wanted: str, there: str) -> None:
    assert Requires(region=wanted).is_met_by({"region": there}) == (wanted == there)


def test_all_that_is_wanted_must_be_there_and_be_of_its_kind() -> None:
    wanted = Requires(region="eu", gpu=1)
    assert wanted == Requires(gpu=1.0, region="eu")
    assert (str(wanted), repr(wanted)) == ("gpu=1, region=eu", "Requires(gpu=1.0, region='eu')")
    assert wanted.is_met_by({"gpu": 2.0, "region": "eu"})
    for there in ({"gpu": 2.0}, {"gpu": "1", "region": "eu"}, {"gpu": 1.0, "region": 1.0}, {}):
        assert not wanted.is_met_by(there)
    assert Requires().is_met_by({})


@pytest.mark.parametrize("value", [True, None, float("nan"), float("inf"), [1]])
def test_only_texts_and_finite_numbers_can_be_wanted(value: object) -> None:
    with pytest.raises(ValueError, match="gpu"):
        Requires(gpu=value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is what is tried


def test_handlers_that_are_placed_have_an_executor_for_their_workflow_and_requirement() -> None:
    flow = Workflow("flow")
    a, b, c, d = flow.places("a b c d")
    flow.transition(a >> b, "one", handler=abs, requires=Requires(gpu=1))
    flow.transition(b >> c, "two", handler=abs, run=Remote("process"), requires=Requires(gpu=1, region="eu"))
    flow.transition(c >> d, "three", handler=abs, requires=Requires())
    behaviours = flow.definition().behaviours
    names = {path: behaviour.executor("flow") for path, behaviour in behaviours.items()}
    assert names == {
        "one": "thread/flow/gpu=1",
        "two": "process/flow/gpu=1, region=eu, anywhere",
        "three": "thread",
    }
    assert [pool_of(name) for name in names.values()] == ["thread", "process", "thread"]
    assert Behaviour(remote=True).executor("flow") == "thread/flow/anywhere"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"requires": {"gpu": 1}}, "is no requirement; write requires=Requires"),
        ({"requires": Requires(gpu=1), "run": "inline"}, "run='inline' runs in the engine itself"),
        ({"run": Remote("hybrid")}, "run='hybrid' moves handlers within one host"),
        ({"run": Remote("gpu")}, "run='gpu' names no executor"),
    ],
)
def test_what_cannot_be_placed_is_refused_where_it_is_written(options: dict[str, object], problem: str) -> None:
    flow = Workflow("flow")
    a, b = flow.places("a b")
    with pytest.raises(DefinitionError, match=problem):
        flow.transition(a >> b, "one", handler=abs, **options)  # type: ignore[arg-type]  # likewise


def test_a_transition_without_a_handler_cannot_be_placed() -> None:
    flow = Workflow("flow")
    a, b = flow.places("a b")
    flow.transition(a >> b, "one", requires=Requires(gpu=1))
    with pytest.raises(DefinitionError, match="it has no handler to run there"):
        flow.definition()


def test_a_net_in_json_says_the_same() -> None:
    flow = Workflow("flow")
    a, b, c = flow.places("a b c")
    flow.transition(a >> b, "one", handler=len, requires=Requires(gpu=1, region="eu"))
    flow.transition(b >> c, "two", handler=len, run=Remote("process"))
    again = parse_net(format_net(flow)).definition().behaviours
    assert [again[path].executor("flow") for path in ("one", "two")] == [
        "thread/flow/gpu=1, region=eu",
        "process/flow/anywhere",
    ]


def test_a_net_in_json_with_an_impossible_requirement_is_refused_where_it_stands() -> None:
    flow = Workflow("flow")
    a, b = flow.places("a b")
    flow.transition(a >> b, "one", handler=len, requires=Requires(gpu=1))
    text = format_net(flow).replace('"gpu": 1.0', '"": 1.0')
    with pytest.raises(DefinitionError, match="is no name of a capability"):
        parse_net(text)
