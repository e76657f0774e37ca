"""A trace as a workflow: a transition a task, a place an edge, tokens where roots can take them."""

from pathlib import Path

import pytest

from placet.petri.behaviour import Source
from placet.petri.net import Net
from placet.petri.plan import make_plan
from placet.petri.structure import reachable
from placet.traces.conversion import entry_tokens, trace_workflow
from placet.traces.errors import TraceError
from placet.traces.loader import load_workflow
from placet.traces.reader import load_trace
from placet.traces.task import TaskHandler
from tests.traces.documents import diamond, document, write


def net_of(folder: Path, parents: dict[str, list[str]]) -> Net:
    return trace_workflow(load_trace(write(folder, document(parents)))).definition().net


def edges_of(net: Net) -> set[tuple[str, str]]:
    """Return (parent, child) for every place between two transitions."""
    givers = {arc.place: one.name for one in net.transitions for arc in one.outputs}
    return {(givers[arc.place], one.name) for one in net.transitions for arc in one.inputs if arc.place in givers}


def test_tasks_become_transitions_and_edges_places(tmp_path: Path) -> None:
    trace = load_trace(write(tmp_path, diamond()))
    workflow = trace_workflow(trace)
    definition = workflow.definition()
    net = definition.net
    assert [transition.name for transition in net.transitions] == ["a", "b", "c", "d"]
    assert edges_of(net) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    assert len(net.places) == 6  # four edges, a start and an end
    assert workflow.name == "trace"
    assert definition.source == Source(file=str(tmp_path / "trace.json"))
    assert {place.name: tokens for place, tokens in entry_tokens(workflow).items()} == {"start-a": ["start"]}


def test_each_root_starts_and_each_leaf_ends_by_itself(tmp_path: Path) -> None:
    made = write(tmp_path, document({"a": [], "b": [], "c": ["b"], "d": ["b"]}))
    workflow = trace_workflow(load_trace(made))
    plan = make_plan(workflow.definition().net, {})
    assert {place.path for place in plan.places if place.is_entry} == {"start-a", "start-b"}
    assert {place.path for place in plan.places if place.is_exit} == {"done-a", "done-c", "done-d"}
    assert {place.name for place in entry_tokens(workflow)} == {"start-a", "start-b"}


def test_names_of_places_never_collide(tmp_path: Path) -> None:
    parents: dict[str, list[str]] = {
        "a": [],
        "b": ["a"],
        "a-to-b": ["b"],
        "b-to-c": ["a"],
        "c": ["a-to-b"],
        "start-a": ["a"],
        "done-c": [],
    }
    net = net_of(tmp_path, parents)
    names = [place.name for place in net.places] + [transition.name for transition in net.transitions]
    assert len(names) == len(set(names))
    assert edges_of(net) == {(parent, task) for task, several in parents.items() for parent in several}
    assert set(parents) == {transition.name for transition in net.transitions}


@pytest.mark.parametrize(("stem", "name"), [("my trace (2)", "my_trace_2"), ("ø", "ø"), ("..", "trace")])
def test_the_workflow_is_named_after_the_file(tmp_path: Path, stem: str, name: str) -> None:
    file = write(tmp_path, diamond(), f"{stem}.json")
    assert trace_workflow(load_trace(file)).definition().name == name


def test_the_same_file_gives_the_same_version_whatever_the_scale(tmp_path: Path) -> None:
    file = write(tmp_path, diamond())
    first = trace_workflow(load_trace(file), time_scale=0.5).definition()
    again = load_workflow(first.source).definition()
    assert (again.name, again.version, again.net) == (first.name, first.version, first.net)


def test_a_loaded_workflow_has_its_handlers_again(tmp_path: Path) -> None:
    file = write(tmp_path, diamond())
    behaviours = load_workflow(Source(file=str(file)), time_scale=2.0).definition().behaviours
    assert behaviours["b"].handler == TaskHandler(task="b", sleep_s=5.0)
    assert all(behaviour.takes_context for behaviour in behaviours.values())


def test_a_trace_that_is_gone_is_an_error_when_it_is_loaded_again(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        load_workflow(Source(file=str(tmp_path / "gone.json")))


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf")])
def test_an_impossible_time_scale_is_refused(tmp_path: Path, scale: float) -> None:
    trace = load_trace(write(tmp_path, diamond()))
    with pytest.raises(TraceError, match="the time scale is"):
        trace_workflow(trace, time_scale=scale)


def test_a_join_of_a_thousand_tasks_becomes_a_net_in_which_all_can_fire(tmp_path: Path) -> None:
    branches = [f"branch{number}" for number in range(1000)]
    parents: dict[str, list[str]] = {"fork": [], **{branch: ["fork"] for branch in branches}, "join": branches}
    plan = make_plan(net_of(tmp_path, parents), {})
    assert len(plan.transitions[plan.transition_index["join"]].inputs) == 1000
    assert len(reachable(plan)[1]) == 1002


def test_a_trace_is_loaded_again_at_the_scale_it_was_run_at(tmp_path: Path) -> None:
    first = trace_workflow(load_trace(write(tmp_path, diamond())), time_scale=0.1).definition()
    again = load_workflow(first.source).definition()
    assert {path: one.handler for path, one in again.behaviours.items()} == {
        path: one.handler for path, one in first.behaviours.items()
    }
