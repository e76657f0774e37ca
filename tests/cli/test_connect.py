"""Commands that ask a node, named by `--connect`: the same answers as with the state on this host."""

import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from placet.cli.where import HERE_ALONE
from placet.net.client import Client
from placet.net.keyring import KeyKind
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


@pytest.mark.parametrize("command", sorted(HERE_ALONE))
def test_what_only_a_state_can_do_says_why_in_one_line(call: Call, command: str) -> None:
    arguments = {"backup": ["file"], "restore": ["file"], "trace": ["generate", "montage"]}.get(command, [])
    answer = call(command, *arguments, "--connect", "127.0.0.1:1", "--json")
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert answer.err == f"placet: placet {command} takes no --connect; {HERE_ALONE[command]}\n"


def test_every_command_takes_a_node_or_says_why_not(call: Call) -> None:
    listed = call("--help").out.partition("Commands:")[2]
    names = re.findall(r"^  (\w+) ", listed, flags=re.MULTILINE)
    assert {"run", "backup", "token", "nodes"} <= set(names)
    groups = {"token", "nodes", "shard"}  # each of their commands takes one, see their tests
    taking = {name for name in names if name in groups or "--connect" in call(name, "--help").out}
    assert set(names) - taking == set(HERE_ALONE)


def test_an_actor_is_inspected_restarted_and_put_to_sleep(ask: Ask, client: Client) -> None:
    client.spawn("outer", {"ordered": [7]}, id="a-1")
    found = ask("inspect", "a-1/fulfil/packed").face
    assert (found["instance"], found["path"]) == ("a-1", "fulfil/packed")
    assert [one["value"] for one in found["entries"]] == [7]
    assert ask("inspect", "a-1").face["path"] == ""
    for verb in ("restart", "sleep"):
        accepted(ask(verb, "a-1/fulfil/packed"))
    assert ask("inspect", "a-1/nowhere").error["code"] == "not_found"


def test_an_instance_is_drawn(ask: Ask, client: Client) -> None:
    client.spawn("outer", {"ordered": [7]}, id="d-1").wait_task("fulfil/check", PATIENCE_S)
    drawn = ask("draw", "d-1", "--format", "text").face
    assert drawn["tokens"] == {"ordered": 1}
    assert drawn["picture"].startswith("ordered (1) ──fulfil/check──▶ fulfil/checked")
    client.spawn("joining", {"left": [1]}, id="d-2").wait_until("stuck", PATIENCE_S)
    assert ask("draw", "d-2", "--terminal").face["picture"].count("needs 1 in right")


def test_the_engines_are_watched(ask: Ask, client: Client) -> None:
    client.spawn("echo", {"given": [1]}, id="w-1").result(PATIENCE_S)
    seen = ask("top", "--once", "--every", "0.1").face
    assert seen["instances"]["completed"] >= 1
    assert (seen["health"], len(seen["pid"])) == ("running", 1)
    assert seen["firings_per_s"] is not None


def test_an_instance_is_exported_and_imported(
    ask: Ask, call: Call, node: RunningNode, client: Client, tmp_path: Path
) -> None:
    client.spawn("outer", {"ordered": [7]}, id="x-1").wait_task("fulfil/check", PATIENCE_S)
    file = tmp_path / "copy"
    assert ask("export", "x-1", file).face["size_bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert ask("export", "x-1", file).error["code"] == "copy_exists"
    refused = ask("import", file, "--id", "x-2", "--by", "eva")
    assert (refused.code, refused.error["code"]) == (2, "not_allowed")
    words = ["--connect", node.address, "--key-file", node.key_of(KeyKind.DEPLOY), "--json"]
    made = call("import", file, "--id", "x-2", "--by", "eva", *words)
    assert (made.code, made.face["state"]) == (0, "paused")
    assert made.face["next"][0].startswith("placet resume x-2 --connect ")
    accepted(ask("resume", "x-2"))
    copy = client.instance("x-2")
    copy.complete(copy.wait_task("fulfil/check", PATIENCE_S).id, by="eva")
    assert copy.result(PATIENCE_S) == {"shipped": [8]}


def test_a_place_goes_into_another_instance(
    ask: Ask, call: Call, node: RunningNode, client: Client, tmp_path: Path
) -> None:
    for id in ("m-1", "m-2"):
        client.spawn("outer", {"ordered": [1, 2]}, id=id).wait_task("fulfil/check", PATIENCE_S)
    file = tmp_path / "copy"
    assert ask("export", "m-1", file, "--place", "fulfil/packed").code == 0
    words = ["import", file, "--into", "m-2", "--by", "eva", "--request-id", "r"]
    assert ask(*words).error["code"] == "not_allowed", "its values are pickles"
    words += ["--connect", node.address, "--key-file", node.key_of(KeyKind.DEPLOY), "--json"]
    done, again = call(*words), call(*words)
    assert (done.code, done.face["already"], again.face["already"]) == (0, False, True)
    assert client.instance("m-2").marking()["ordered"] == [1, 2, 1, 2], "a port is the place of its parent"
    assert len(set(client.instance("m-2").view().tokens["ordered"])) == 4


def test_what_would_help_is_said_of_tasks_too(ask: Ask, client: Client) -> None:
    task = asking(client, "n-1")
    assert ask("show", "n-1").face["next"][0].startswith(f"placet approve {task} --connect ")
