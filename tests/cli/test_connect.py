"""Commands that ask a node, named by `--connect`: the same answers as with the state on this host."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from placet.net.client import Client
from tests.cli.commands import Answer, Face
from tests.cli.conftest import Call
from tests.endtoend.processes import PATIENCE_S
from tests.net.nodes import RunningNode, running

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    with running(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="module")
def client(node: RunningNode) -> Generator[Client]:
    with node.connect() as connected:
        yield connected


@pytest.fixture
def ask(call: Call, node: RunningNode) -> Ask:
    """Run a command that asks the node, and return what it says in JSON."""

    def asked(*arguments: object) -> Answer:
        return call(*arguments, "--connect", node.address, "--key-file", node.key_file, "--json")

    return asked


def accepted(answer: Answer) -> Face:
    assert (answer.code, answer.err) == (0, ""), answer
    assert answer.face["engine"] is None
    assert ":" in answer.face["node"]
    return answer.face


def asking(client: Client, id: str) -> str:
    """Spawn an instance that waits for its boss, and return the id of its task."""
    return client.spawn("asking", {"asked": [5]}, id=id).wait_task("boss", PATIENCE_S).id


def test_tasks_are_listed_claimed_and_decided(ask: Ask, call: Call, node: RunningNode, client: Client) -> None:
    task = asking(client, "t-1")
    (face,) = ask("tasks", "--id", "t-1").faces
    assert (face["id"], face["value"], face["roles"]) == (task, 5, ["boss"])
    assert ask("tasks", "--role", "clerk", "--id", "t-1").out == ""
    accepted(ask("claim", task, "--by", "eva", "--role", "boss"))
    accepted(ask("unclaim", task, "--by", "eva"))
    yes = ("approve", task, "--by", "eva", "--why", "known", "--role", "boss", "--output", "7", "--request-id", "r")
    assert accepted(ask(*yes))["id"] == "t-1"
    assert accepted(ask(*yes))["already"] is True
    late = ask("reject", task, "--by", "bob", "--role", "boss")
    assert (late.code, late.error["refusal"], late.error["by"]) == (1, "decided", "eva")
    filing = client.instance("t-1").wait_task("file", PATIENCE_S).id
    line = call("tasks", "--id", "t-1", "--connect", node.address, "--key-file", node.key_file).out.splitlines()[1]
    assert line.split()[:2] == [filing, "anybody"]
    accepted(ask("complete", filing, "--output", '{"kept": [1], "done": [2]}'))
    assert client.instance("t-1").result(PATIENCE_S) == {"filed": [[1, 2]]}
    missing = ask("tasks", "--id", "nobody")
    assert (missing.code, missing.error["code"]) == (2, "not_found")


def test_tokens_and_parts_are_changed(ask: Ask, client: Client) -> None:
    asking(client, "k-1")
    (token,) = ask("token", "list", "k-1").faces
    number = token["token"]
    assert (token["place"], token["value"]) == ("asked", 5)
    accepted(ask("pause", "k-1", "--target", "door"))
    accepted(ask("put", "k-1", "door", "8"))
    wrong = ask("put", "k-1", "door", '"text"')
    assert (wrong.code, wrong.error["code"], wrong.error["place"]) == (2, "wrong_type", "door")
    accepted(ask("token", "inject", "k-1", "kept", '"by hand"'))
    accepted(ask("token", "edit", "k-1", number, "6"))
    accepted(ask("token", "freeze", "k-1", number))
    assert ask("show", "k-1").face["frozen"] == [number]
    accepted(ask("token", "thaw", "k-1", number))
    accepted(ask("token", "move", "k-1", number, "denied"))
    accepted(ask("token", "drop", "k-1", number))
    shown = ask("show", "k-1", "--tokens").face
    assert (shown["marking"], shown["paused"]) == ({"door": [8], "kept": ["by hand"]}, ["door"])
    assert any(command.startswith("placet resume k-1 --target door --connect ") for command in shown["next"])
    accepted(ask("resume", "k-1", "--target", "door"))
    accepted(ask("cancel", "k-1", "--why", "enough"))
    assert ask("history", "k-1").faces[-1]["kind"] == "cancelled"


def test_instances_and_their_children_are_looked_at(ask: Ask, call: Call, node: RunningNode, client: Client) -> None:
    client.spawn("calling", {"wanted": [3]}, id="c-1")
    assert {face["id"]: face.get("caller") for face in ask("list").faces}["c-1/ask.2"] == "c-1"
    parent = ask("show", "c-1").face
    assert [child["id"] for child in parent["children"]] == ["c-1/ask.2"]
    assert parent["next"][0].startswith("placet show c-1/ask.2 --connect ")
    (task,) = ask("tasks", "--id", "c-1/ask.2").faces
    text = call("show", "c-1/ask.2", "--connect", node.address, "--key-file", node.key_file).out
    assert "called by c-1\n" in text
    accepted(ask("reject", task["id"], "--role", "boss"))
    assert client.instance("c-1").result(PATIENCE_S) == {"answered": [3]}
    assert ask("show", "nobody").error["code"] == "not_found"


def test_an_incident_is_settled(ask: Ask, client: Client) -> None:
    for number, (verb, more) in enumerate((("retry", ()), ("skip", ("--output", "1")), ("fail", ()))):
        instance = client.spawn("broken", {"whole": [number]}, id=f"b-{verb}")
        instance.wait_until("incident", PATIENCE_S)
        (incident,) = ask("show", instance.id).face["incidents"]
        assert accepted(ask(verb, instance.id, incident["number"], *more))["id"] == instance.id


def test_a_stuck_instance_says_what_it_lacks(ask: Ask, client: Client) -> None:
    instance = client.spawn("joining", {"left": [1]}, id="s-1")
    instance.wait_until("stuck", PATIENCE_S)
    assert ask("show", "s-1").face["lacking"] == {"join": "needs 1 in right, which has 0"}


def test_where_it_is_comes_from_the_environment_too(
    call: Call, node: RunningNode, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asking(client, "e-1")
    monkeypatch.setenv("PLACET_CONNECT", node.address)
    monkeypatch.setenv("PLACET_KEY_FILE", str(node.key_file))
    assert [face["id"] for face in call("tasks", "--id", "e-1", "--json").faces] == [task]


def test_the_key_in_the_state_of_a_node_is_found(call: Call, tmp_path: Path) -> None:
    answer = call("tasks", "--state", tmp_path, "--connect", "127.0.0.1:1", "--json")
    assert (answer.code, answer.error["code"]) == (2, "key_unusable")
    assert str(tmp_path / ".node.key") in answer.err


def test_what_only_a_state_can_do_knows_no_node(call: Call, node: RunningNode) -> None:
    answer = call("backup", "file", "--connect", node.address, "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert "--connect" in answer.err
