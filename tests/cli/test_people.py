"""Tasks, tokens and parts from the command line: beside a running engine and without one, with the same answers."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from placet import InstanceState, Runtime
from placet.cli.source import load
from tests.cli.commands import Answer, Face, ended, placet, running, until
from tests.cli.conftest import Call
from tests.cli.test_intervene import engines, served

APPROVING = """
from placet import Workflow

orders = Workflow("orders")
received = orders.place("received", entry=True)
priced, approved, rejected, shipped = orders.places("priced approved rejected shipped")
door = orders.place("door", external=True, type=int)
orders.transition(received >> priced, "price", handler=lambda count: {"count": count}, run="inline")
orders.approval("manager", priced, approve=approved, reject=rejected, roles=["manager"])
orders.transition(door >> received, "enter")


@orders.transition(approved >> shipped)
def ship(order):
    return order
"""


@pytest.fixture
def approving(tmp_path: Path) -> Path:
    path = tmp_path / f"approving_{tmp_path.name}.py"
    path.write_text(APPROVING, encoding="utf-8")
    return path


@pytest.fixture
def state(approving: Path, tmp_path: Path) -> Path:
    """Return a state with an order that waits for its manager."""
    workflow = load(str(approving), 1.0).workflow
    with Runtime(tmp_path / "state", [workflow], control=False) as runtime:
        instance = runtime.spawn(workflow, {"received": [2]}, id="one")
        instance.wait_until([InstanceState.WAITING], 20.0)
    return tmp_path / "state"


def only(call: Call, state: Path) -> Face:
    (task,) = call("tasks", "--state", state, "--json").faces
    return task


def accepted(answer: Answer, *, already: bool = False) -> Face:
    assert (answer.code, answer.err) == (0, ""), answer
    assert answer.face["already"] is already
    return answer.face


def refused(answer: Answer) -> Face:
    assert (answer.code, len(answer.err.splitlines())) == (1, 1), answer
    assert answer.error["code"] == "refused"
    return answer.error


def shipped(call: Call, state: Path) -> bool:
    return bool(call("show", "one", "--state", state, "--json").face["state"] == "completed")


@engines
def test_a_task_is_listed_claimed_and_decided_once(call: Call, state: Path, with_engine: bool) -> None:
    with served(state, with_engine=with_engine):
        task = only(call, state)
        assert task == {
            **task,
            "id": "one/manager.4",
            "instance": "one",
            "transition": "manager",
            "place": "priced",
            "value": {"count": 2},
            "roles": ["manager"],
            "assignees": [],
            "claimed_by": "",
        }
        end = ("--state", state, "--json")
        bob, eva = ("--by", "bob", "--role", "manager"), ("--by", "eva", "--role", "clerk", "--role", "manager")
        assert refused(call("approve", task["id"], "--by", "eva", *end))["refusal"] == "not_in_role"
        accepted(call("claim", task["id"], *eva, *end))
        assert (only(call, state)["claimed_by"], call("tasks", "--assignee", "bob", *end).out) == ("eva", "")
        claimed = refused(call("approve", task["id"], *bob, *end))
        assert (claimed["refusal"], claimed["by"]) == ("claimed", "eva")
        accepted(call("unclaim", task["id"], "--by", "bob", *end))
        yes = ("approve", task["id"], *eva, "--why", "known customer", "--output", '{"count": 3}', *end)
        decided = accepted(call(*yes, "--request-id", "r1"))
        assert (decided["id"], bool(decided["engine"])) == ("one", with_engine)
        for repeated in (("--request-id", "r1"), ("--request-id", "r2")):
            assert accepted(call(*yes, *repeated), already=True)["at"] == decided["at"]
        late = refused(call("reject", task["id"], *bob, *end))
        assert (late["refusal"], late["by"], late["at"]) == ("decided", "eva", decided["at"])
        assert call("tasks", *end).out == ""
        if with_engine:
            until(partial(shipped, call, state), "it is shipped")
            assert call("show", "one", *end).face["marking"] == {"shipped": [{"count": 3}]}
    (fired,) = [
        one
        for one in call("history", "one", "--state", state, "--json").faces
        if (one["kind"], one.get("transition")) == ("fired", "manager")
    ]
    assert (fired["by"], fired["why"], fired["output"]) == ("eva", "known customer", "approved")


@engines
def test_tokens_are_listed_and_changed_by_number(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        (token,) = call("token", "list", "one", *end).faces
        assert token == {**token, "place": "priced", "value": {"count": 2}, "frozen": False}
        number = token["token"]
        accepted(call("token", "freeze", "one", number, *end))
        accepted(call("token", "freeze", "one", number, *end), already=True)
        shown = call("show", "one", "--tokens", *end).face
        assert (shown["frozen"], shown["tokens"], shown["tasks"]) == ([number], {"priced": [number]}, [])
        accepted(call("token", "edit", "one", number, '{"count": 5}', *end))
        accepted(call("token", "thaw", "one", number, *end))
        accepted(call("token", "move", "one", number, "rejected", *end))
        assert call("show", "one", *end).face["marking"] == {"rejected": [{"count": 5}]}
        assert refused(call("token", "drop", "one", number, *end))["refusal"] == "ended"


@engines
def test_a_token_comes_in_from_outside_or_by_hand(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        assert refused(call("put", "one", "priced", "1", *end))["refusal"] == "not_external"
        accepted(call("put", "one", "door", "1", *end))
        assert refused(call("token", "inject", "one", "nowhere", "1", *end))["refusal"] == "no_place"
        accepted(call("token", "inject", "one", "rejected", '"by hand"', *end, "--request-id", "r"))
        accepted(call("token", "inject", "one", "rejected", '"by hand"', *end, "--request-id", "r"), already=True)
        rejected = [one for one in call("token", "list", "one", *end).faces if one["place"] == "rejected"]
        (injected,) = rejected
        accepted(call("token", "drop", "one", injected["token"], *end))
        assert refused(call("token", "drop", "one", injected["token"], *end))["refusal"] == "not_free"


@engines
def test_a_part_is_paused_and_resumed(call: Call, state: Path, with_engine: bool) -> None:
    end = ("--state", state, "--json")
    with served(state, with_engine=with_engine):
        assert refused(call("pause", "one", "--target", "nothing", *end))["refusal"] == "no_target"
        accepted(call("pause", "one", "--target", "manager", *end))
        shown = call("show", "one", *end).face
        assert shown["paused"] == ["manager"]
        assert f"placet resume one --target manager --state {state}" in shown["next"]
        task = only(call, state)["id"]
        answer = refused(call("approve", task, "--role", "manager", *end))
        assert answer["refusal"] == "paused"
        accepted(call("resume", "one", "--target", "manager", *end))
        accepted(call("approve", task, "--role", "manager", *end))


@engines
def test_what_names_no_task_or_fits_no_place_is_wrong_usage(call: Call, state: Path, with_engine: bool) -> None:
    with served(state, with_engine=with_engine):
        for task, code in (("one", "bad_request"), ("nobody/manager.1", "not_found")):
            answer = call("approve", task, "--state", state, "--json")
            assert (answer.code, answer.error["code"]) == (2, code), answer
        assert refused(call("approve", "one/manager.99", "--state", state, "--json"))["refusal"] == "no_task"


def test_beside_an_engine_values_are_checked_against_declared_types(call: Call, state: Path) -> None:
    with served(state, with_engine=True):
        answer = call("put", "one", "door", '"no number"', "--state", state, "--json")
        assert (answer.code, answer.error["code"], answer.error["place"]) == (2, "wrong_type", "door")
        (token,) = call("token", "list", "one", "--state", state, "--json").faces
        answer = call("token", "move", "one", token["token"], "door", "--state", state, "--json")
        assert (answer.code, answer.error["code"], answer.error["found"]) == (2, "wrong_type", "a value of type dict")


def test_people_see_what_waits_for_them_in_plain_lines(call: Call, state: Path) -> None:
    header, line = call("tasks", "--state", state).out.splitlines()
    assert header.split()[:2] == ["TASK", "FOR"]
    assert line.split()[:2] == ["one/manager.4", "manager"]
    assert '{"count": 2}' in line
    shown = call("show", "one", "--tokens", "--state", state).out
    assert "task one/manager.4 for manager, for " in shown
    assert '  3: {"count": 2}' in shown
    assert f"next: placet approve one/manager.4 --state {state}" in shown
    assert "waiting for a person: 1 tasks" in call("status", "--state", state).out
    assert call("status", "--state", state, "--json").face["tasks_offered"] == 1
    assert call("token", "list", "one", "--state", state).out.splitlines()[1].split()[:2] == ["3", "priced"]


def test_top_counts_who_waits_for_people(call: Call, state: Path) -> None:
    with served(state, with_engine=True):
        assert call("top", "--once", "--state", state, "--json").face["waiting_people"] == 1


def test_a_run_waits_for_the_person_and_goes_on_at_once(approving: Path, tmp_path: Path) -> None:
    state = tmp_path / "fresh"
    with running(
        "run", approving, "--state", state, "--id", "one", "--input", '{"received": [7]}', "--json"
    ) as process:
        task = until(lambda: state.exists() and placet("tasks", "--state", state, "--json").out, "it is offered")
        assert '"one/manager.' in str(task)
        assert process.poll() is None, "it waits"
        answer = placet("approve", "one/manager.4", "--role", "manager", "--state", state)
        assert (answer.code, answer.err) == (0, "")
        result = ended(process)
    assert (result.code, result.face["result"]) == (0, {"shipped": [{"count": 7}]})
    assert "a person is to decide on one/manager.4" in result.err


def test_two_people_at_two_terminals_decide_and_one_learns_of_the_other(state: Path) -> None:
    with served(state, with_engine=True):
        words = ("one/manager.4", "--role", "manager", "--state", state, "--json")
        with (
            running("approve", *words, "--by", "eva") as first,
            running("reject", *words, "--by", "bob") as second,
        ):
            answers = {"eva": ended(first), "bob": ended(second)}
    codes = sorted(answer.code for answer in answers.values())
    assert codes == [0, 1]
    winner = next(name for name, answer in answers.items() if not answer.code)
    loser = next(answer for answer in answers.values() if answer.code)
    assert (loser.error["refusal"], loser.error["by"]) == ("decided", winner)


def test_a_task_outlives_a_kill_and_its_decision_too(approving: Path, tmp_path: Path, call: Call) -> None:
    state = tmp_path / "killed"
    arguments = ("run", approving, "--state", state, "--id", "one", "--input", '{"received": [7]}', "--json")
    with running(*arguments) as process:
        until(lambda: state.exists() and placet("tasks", "--state", state, "--json").out, "it is offered")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    task = only(call, state)
    accepted(call("approve", task["id"], "--role", "manager", "--state", state, "--json"))
    assert placet(*arguments).face["result"] == {"shipped": [{"count": 7}]}
