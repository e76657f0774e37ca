"""The builder: what is written is what the net says."""

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from placet.petri.behaviour import INLINE, THREAD, Source
from placet.petri.errors import DefinitionError
from placet.petri.net import Arc, decode_net, encode_net
from placet.petri.options import HandlerOptions, TaskOptions, TransitionOptions
from placet.petri.output import Output
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow


def double(value: int) -> int:
    return value * 2


def add(first: int, second: int) -> int:
    return first + second


nameless = functools.partial(double)


def positive(value: int) -> bool:
    return value > 0


module_level = Workflow("module_level")
module_level.transition(module_level.place("a") >> module_level.place("b"), handler=double)


def test_places_come_in_order_and_are_found_by_name() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    (single,) = workflow.places("single")
    assert [a.name, b.name, single.name] == ["a", "b", "single"]
    assert workflow["b"] is b
    assert {a: 1, b: 2}[b] == 2
    assert a.workflow == "w"


def test_calling_a_place_makes_an_output() -> None:
    (a,) = Workflow("w").places("a")
    assert a({"total": 3}) == Output("a", {"total": 3})


def test_a_place_survives_pickling_as_a_maker_of_outputs() -> None:
    (a,) = Workflow("w").places("a")
    assert pickle.loads(pickle.dumps(a))(1) == a(1)


def test_a_decorator_returns_the_function_itself_and_takes_its_name() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")

    def step(value: int) -> int:
        return value

    assert workflow.transition(a >> b, timeout_s=2)(step) is step
    behaviour = workflow.definition().behaviours["step"]
    assert (behaviour.handler, behaviour.run, behaviour.timeout_s) == (step, THREAD, 2)


def test_a_name_without_handler_passes_through_inline() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, name="move", guard=positive)
    definition = workflow.definition()
    assert definition.net.transitions[0].inputs == (Arc(place="a", guarded=True),)
    assert definition.net.transitions[0].handler == ""
    behaviour = definition.behaviours["move"]
    assert (behaviour.handler, behaviour.run, behaviour.guards) == (None, INLINE, (positive,))


def test_a_name_and_a_decorator_together() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "twice", run="inline", priority=3)(double)
    (transition,) = workflow.definition().net.transitions
    assert (transition.name, transition.priority) == ("twice", 3)
    assert transition.handler.endswith("test_workflow:double")


def test_joins_forks_choices_weights_and_sinks() -> None:
    workflow = Workflow("w")
    a, b, c, d = workflow.places("a b c d")
    workflow.transition((a * 2 & b) >> c, handler=add, guard={b: positive})
    workflow.transition(c >> (a & 3 * d), "fork", handler=double)
    workflow.transition(c >> (a | d), "choice", handler=double)
    workflow.transition(d.consumed(), "sink")
    workflow.transition((a & b).consumed(), "sinks")
    workflow.transition(workflow.place("start") >> (a & b), "feed")
    join, fork, choice, sink, sinks, _ = workflow.definition().net.transitions
    assert join.inputs == (Arc(place="a", weight=2), Arc(place="b", guarded=True))
    assert (fork.outputs, fork.choice) == ((Arc(place="a"), Arc(place="d", weight=3)), False)
    assert (choice.outputs, choice.choice) == ((Arc(place="a"), Arc(place="d")), True)
    assert (sink.outputs, len(sinks.inputs)) == ((), 2)
    assert workflow.definition().behaviours["add"].guards == (None, positive)


def test_context_is_seen_by_its_name() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")

    @workflow.transition(a >> b)
    def with_context(value: int, context: object) -> int:
        return value

    @workflow.transition(a >> b)
    def keyword_only(value: int, *, context: object) -> int:
        return value

    workflow.transition(a >> b, handler=double)
    behaviours = workflow.definition().behaviours
    assert [behaviours[name].takes_context for name in ("with_context", "keyword_only", "double")] == [
        True,
        True,
        False,
    ]


def test_tags_and_types_are_part_of_the_net() -> None:
    workflow = Workflow("w")
    a = workflow.place("a", type=dict, category="in", properties={"z": 1, "a": True})
    b = workflow.place("b", type=list[int])
    workflow.transition(a >> b, "t", category="money", properties={"team": "eu"})
    net = workflow.definition().net
    assert [place.type for place in net.places] == ["dict", "list[int]"]
    assert (net.places[0].category, net.places[0].properties) == ("in", (("a", True), ("z", 1)))
    assert (net.transitions[0].category, net.transitions[0].properties) == ("money", (("team", "eu"),))
    assert decode_net(encode_net(net)) == net


def test_the_version_follows_structure_handlers_and_the_authors_own() -> None:
    def built(own: str = "", weight: int = 1, handler: str = "double") -> str:
        workflow = Workflow("w", own)
        a, b = workflow.places("a b")
        workflow.transition(a >> b * weight, "t", handler={"double": double, "positive": positive}[handler])
        return workflow.definition().version

    assert built() == built()
    assert len({built(), built(weight=2), built(handler="positive"), built(own="2026-01")}) == 4
    assert built(own="2026-01").startswith("2026-01+")


def test_a_definition_is_the_same_until_the_builder_changes() -> None:
    inner, outer = Workflow("inner"), Workflow("outer")
    a, b = inner.places("a b")
    inner.transition(a >> b, "t")
    outer.composite("part", inner, {a: outer.place("in")})
    before = outer.definition()
    assert outer.definition() is before
    inner.transition(b >> inner.place("c"), "u")
    after = outer.definition()
    assert after is not before
    assert after is outer.definition()
    assert set(after.behaviours) == {"part/t", "part/u"}


def test_decorating_later_changes_the_definition() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    decorator = workflow.transition(a >> b, "t")
    assert workflow.definition().behaviours["t"].handler is None
    decorator(double)
    assert workflow.definition().behaviours["t"].handler is double


def test_the_source_is_found() -> None:
    source = module_level.definition().source
    assert Path(source.file).name == "test_workflow.py"
    assert (source.module, source.name) == (__name__, "module_level")


def test_the_source_can_be_given() -> None:
    given = Source(file="/trace.json")
    workflow = Workflow("w", source=given)
    workflow.place("a", entry=True)
    assert workflow.definition().source is given


def test_a_composite_of_a_composite_shares_its_ports() -> None:
    innermost, middle, outer = Workflow("innermost"), Workflow("middle"), Workflow("outer")
    a, b = innermost.places("a b")
    innermost.transition(a >> b, handler=double)
    c, d = middle.places("c d")
    middle.composite("core", innermost, {a: c, b: d}, category="deep")
    e, f = outer.places("e f")
    outer.composite("left", middle, {c: e, d: f})
    outer.composite("right", middle, {"c": "f"})
    definition = outer.definition()
    plan = make_plan(definition.net, definition.behaviours)
    assert [place.path for place in plan.places] == ["e", "f", "right/d"]
    assert plan.place_index["left/core/b"] == plan.place_index["f"]
    assert sorted(plan.transition_index) == ["left/core/double", "right/core/double"]
    assert all(transition.behaviour for transition in plan.transitions)


def test_a_port_may_be_what_makes_an_inner_loop_reachable() -> None:
    inner, outer = Workflow("inner"), Workflow("outer")
    a, b = inner.places("a b")
    inner.transition(a >> b, "there")
    inner.transition(b >> a, "back")
    with pytest.raises(DefinitionError, match="can never fire"):
        inner.definition()
    start, loop = outer.places("start loop")
    outer.transition(start >> loop, "begin")
    outer.composite("spin", inner, {a: loop})
    assert "spin/back" in outer.definition().behaviours


def test_a_sequence_of_steps() -> None:
    definition = Workflow.sequence("steps", [double, double, nameless], timeout_s=3).definition()
    assert [transition.name for transition in definition.net.transitions] == ["double", "double_2", "step_3"]
    plan = make_plan(definition.net, {})
    assert [place.path for place in plan.places if place.is_entry] == ["start"]
    assert [place.path for place in plan.places if place.is_exit] == ["done"]
    assert {behaviour.timeout_s for behaviour in definition.behaviours.values()} == {3}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parallel_steps(count: int) -> None:
    definition = Workflow.parallel("steps", [double] * count).definition()
    plan = make_plan(definition.net, {})
    assert [place.path for place in plan.places if place.is_entry] == ["start"]
    assert [place.path for place in plan.places if place.is_exit] == ["done"]
    assert len(plan.transitions[plan.transition_index["join"]].inputs) == count
    gather = definition.behaviours["join"].handler
    assert gather is not None
    assert gather(*range(count)) == tuple(range(count))


def test_steps_named_like_a_place_get_a_name_of_their_own() -> None:
    def start(value: int) -> int:
        return value

    def join(value: int) -> int:
        return value

    assert set(Workflow.sequence("s", [start, join]).definition().behaviours) == {"start_1", "join_2"}
    assert {"start_1", "join_2"} < set(Workflow.parallel("p", [start, join]).definition().behaviours)


@pytest.mark.parametrize(
    ("declare", "options"),
    [
        (Workflow.transition, TransitionOptions),
        (Workflow.map, HandlerOptions),
        (Workflow.task, TaskOptions),
        (Workflow.approval, TaskOptions),
    ],
)
def test_every_keyword_that_is_taken_as_a_whole_is_explained(declare: Callable[..., object], options: type) -> None:
    explained = declare.__doc__ or ""
    assert [name for name in get_type_hints(options) if f"`{name}`" not in explained] == []
