"""Children of calls from the command line: named by their ids, which are addresses, wherever an instance may be."""

from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Answer, Face, running, until
from tests.cli.conftest import Call
from tests.cli.test_intervene import engines, served

CALLING = """
from pathlib import Path

from placet import Workflow

fulfil = Workflow("fulfil")
items, weighed, packed = fulfil.places("items weighed packed")


@fulfil.transition(items >> weighed)
def weigh(item):
    if (Path(__file__).parent / "break").exists():
        raise ValueError("no scale")
    return item


fulfil.task(weighed >> packed, "inspect")

orders = Workflow("orders")
received, shipped = orders.places("received shipped")
orders.call(received >> shipped, "fulfil", fulfil)
"""
CHILD = "order-17/fulfil.2"
TASK = f"{CHILD}/inspect.4"


@pytest.fixture
def orders(tmp_path: Path) -> str:
    path = tmp_path / f"orders_{tmp_path.name}.py"
    path.write_text(CALLING, encoding="utf-8")
    return f"{path}:orders"


@pytest.fixture
def state(call: Call, orders: str, tmp_path: Path) -> Path:
    """Return a state with an order whose child waits for a person."""
    state = tmp_path / "state"
    answer = run(call, orders, state, "--input", '"lamp"', "--timeout", "1")
    assert answer.code == 124, answer
    assert f"order-17 is running, and waits: {CHILD} is waiting: a person is to decide on {TASK}" in answer.err
    return state


def run(call: Call, orders: str, state: Path, *more: str) -> Answer:
    return call("run", orders, "--state", state, "--id", "order-17", "--json", *more)


def shown(call: Call, state: Path, id: str) -> Face:
    return call("show", id, "--state", state, "--json").face


def state_of(call: Call, state: Path, id: str, wanted: str) -> bool:
    return bool(shown(call, state, id)["state"] == wanted)


def accepted(answer: Answer) -> Face:
    assert (answer.code, answer.err) == (0, ""), answer
    return answer.face


# -- looking ------------------------------------------------------------------------------------------------------


def test_parent_and_child_are_shown_with_each_other(call: Call, state: Path) -> None:
    parent, child = shown(call, state, "order-17"), shown(call, state, CHILD)
    assert (parent.get("caller"), child["caller"]) == (None, "order-17")
    assert parent["children"] == [{"id": CHILD, "workflow": "fulfil", "state": "waiting"}]
    assert [(one["phase"], one["child"]) for one in parent["firings_waiting"]] == [("called", CHILD)]
    assert f"placet show {CHILD} --state {state}" in parent["next"]
    assert any(command.endswith(" --id order-17") for command in child["next"]), "its root is what is run on"
    assert f"placet complete {TASK} --state {state}" in child["next"]
    text = call("show", "order-17", "--state", state).out
    assert f"child {CHILD}  waiting" in text
    assert f", child {CHILD}\n" in text
    assert "called by order-17\n" in call("show", CHILD, "--state", state).out


def test_a_list_tells_callers_and_draws_the_tree(call: Call, state: Path) -> None:
    faces = call("list", "--state", state, "--json").faces
    assert {face["id"]: face.get("caller") for face in faces} == {"order-17": None, CHILD: "order-17"}
    lines = call("list", "--tree", "--state", state).out.splitlines()
    assert [line.split("  ", 1)[0] for line in lines[1:]] == ["order-17", ""]
    assert lines[2].startswith(f"  {CHILD}  fulfil")
    assert call("list", "--tree", "--in", "waiting", "--state", state).out.splitlines()[1].startswith(CHILD)


def test_histories_name_child_and_caller(call: Call, state: Path) -> None:
    (called,) = [
        one for one in call("history", "order-17", "--state", state, "--json").faces if one["kind"] == "called"
    ]
    assert (called["transition"], called["child"]) == ("fulfil", CHILD)
    faces = call("history", CHILD, "--state", state, "--json").faces
    assert [face["kind"] for face in faces] == ["spawned", "fired", "offered"]
    assert {face["address"] for face in faces} == {CHILD}


@pytest.mark.parametrize("id", ["order-17", CHILD])
@pytest.mark.parametrize("how", [("--format", "text"), ("--format", "mermaid"), ("--terminal",), ("--svg", "-")])
def test_both_are_drawn(call: Call, state: Path, id: str, how: tuple[str, ...]) -> None:
    answer = call("draw", id, "--state", state, *how)
    assert (answer.code, answer.err) == (0, "")
    assert ("inspect" if id == CHILD else "fulfil") in answer.out


# -- stepping in --------------------------------------------------------------------------------------------------


@engines
def test_a_task_of_a_child_is_listed_and_decided(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        for which in ((), ("--id", CHILD)):
            assert [task["id"] for task in call("tasks", *which, *end).faces] == [TASK]
        assert call("tasks", "--id", "order-17", *end).out == "", "a parent's tasks are its own"
        accepted(call("claim", TASK, "--by", "eva", *end))
        assert accepted(call("complete", TASK, "--by", "eva", "--output", '"heavy"', *end))["id"] == CHILD
        until(partial(state_of, call, state, "order-17", "completed"), "the parent has what its child returned")
    assert shown(call, state, "order-17")["marking"] == {"shipped": ["heavy"]}


@engines
def test_a_child_is_paused_resumed_and_its_tokens_changed(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        assert accepted(call("pause", CHILD, *end))["state"] == "paused"
        assert shown(call, state, "order-17")["state"] == "running"
        assert accepted(call("resume", CHILD, *end))["state"] == "waiting", "its task is on offer"
        (token,) = call("token", "list", CHILD, *end).faces
        assert accepted(call("token", "edit", CHILD, token["token"], '"desk"', *end))["id"] == CHILD
        assert shown(call, state, CHILD)["marking"] == {"weighed": ["desk"]}


@engines
def test_a_cancelled_child_fails_the_firing_that_called_it(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        assert accepted(call("cancel", CHILD, *end))["state"] == "cancelled"
        (incident,) = shown(call, state, "order-17")["incidents"]
        assert incident["error"] == {"type": "ChildCancelled", "message": f"{CHILD} is cancelled"}
        accepted(call("retry", "order-17", incident["number"], *end))
        children = {one["id"]: one["state"] for one in shown(call, state, "order-17")["children"]}
        assert (f"{CHILD}.2" in children) is with_engine, "only an engine calls"


@engines
def test_cancelling_a_parent_ends_its_children(call: Call, state: Path, with_engine: bool) -> None:
    with served(state, with_engine=with_engine):
        accepted(call("cancel", "order-17", "--state", state, "--json"))
        assert [state_of(call, state, id, "cancelled") for id in ("order-17", CHILD)] == [True, True]


def test_a_run_ends_where_its_child_needs_a_person_and_goes_on_after_a_retry(
    call: Call, orders: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    (tmp_path / "break").touch()
    answer = run(call, orders, state, "--input", '"lamp"', "--timeout", "20")
    assert answer.code == 1, answer
    assert f"{CHILD} has an open incident, number 2: weigh failed with ValueError: no scale" in answer.err
    (tmp_path / "break").unlink()
    (incident,) = shown(call, state, CHILD)["incidents"]
    accepted(call("retry", CHILD, incident["number"], "--state", state, "--json"))
    with running("run", orders, "--state", state, "--id", "order-17", "--json") as process:
        until(lambda: call("tasks", "--state", state, "--json").out, "its task is offered")
        accepted(call("complete", call("tasks", "--state", state, "--json").face["id"], "--state", state, "--json"))
        process.wait(30)
    assert shown(call, state, "order-17")["state"] == "completed"
