"""The faces other programs rely on, field by field, beside a running engine and without one."""

from pathlib import Path

import pytest

from tests.cli.commands import ESCAPE, Answer, Face, attempts, ended, placet, running, until
from tests.cli.conftest import Call

TYPES = """
from dataclasses import dataclass

from placet import Workflow

typed = Workflow("typed")
start, done = typed.places("start done")


@dataclass
class Secret:
    text: str


@typed.transition(start >> done)
def wrap(value):
    return Secret(value)
"""


def look(call: Call, name: str, state: Path, *more: object) -> Answer:
    answer = call(*name.split(), "--state", state, "--json", *more)
    assert (answer.code, answer.err) == (0, ""), answer
    return answer


def test_the_faces_of_a_completed_instance(call: Call, quick: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    call("run", quick, "--state", state, "--id", "one", "--input", "20")
    header = look(call, "list", state).face
    assert list(header) == ["id", "workflow", "version", "state", "spawned_at", "changed_at"]
    assert (header["id"], header["workflow"], header["state"]) == ("one", "quick", "completed")
    shown = look(call, "show one", state).face
    assert {key: shown[key] for key in header} == header
    rest: Face = {
        "firings": 2,
        "marking": {"done": [41]},
        "firings_running": [],
        "firings_waiting": [],
        "incidents": [],
        "tasks": [],
        "frozen": [],
        "paused": [],
        "state_values": {},
        "children": [],
    }
    assert {key: value for key, value in shown.items() if key not in header} == {**rest, "next": []}
    history = look(call, "history one", state).faces
    assert [record["kind"] for record in history] == ["spawned", "fired", "fired", "completed"]
    assert [record["seq"] for record in history] == sorted(record["seq"] for record in history)
    for record in history:
        assert list(record)[:3] == ["seq", "at", "kind"]
        assert isinstance(record["at"], float)
        assert record["address"] == "one"
    fired = history[1]
    assert (fired["transition"], fired["attempt"]) == ("double", 1)
    assert str(fired["firing"]).startswith("one#")
    assert (len(fired["consumed"]), len(fired["produced"])) == (1, 1)


def test_the_address_of_what_happens_in_a_composite(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "nested_addresses.py"
    file.write_text(
        "from placet import Workflow\n"
        'inner = Workflow("inner")\nsource, sink = inner.places("source sink")\n'
        'inner.transition(source >> sink, "move")\n'
        'outer = Workflow("outer")\nbegin, end = outer.places("begin end")\n'
        'outer.composite("part", inner, {source: begin, sink: end})\n'
    )
    call("run", file, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    fired = look(call, "history one", tmp_path / "state").faces[1]
    assert (fired["transition"], fired["address"]) == ("part/move", "one/part")


def test_an_object_is_shown_by_its_type_and_never_loaded(tmp_path: Path) -> None:
    file = tmp_path / "typed_values.py"
    file.write_text(TYPES)
    state = tmp_path / "state"
    answer = placet("run", file, "--state", state, "--id", "one", "--input", '"s"', "--json")
    file.unlink()
    (value,) = answer.face["result"]["done"]
    assert value["$type"] == "typed_values.Secret"
    shown = placet("show", "one", "--state", state, "--json").face
    assert shown["marking"] == {"done": [value]}


def test_an_incident_with_its_attempts_inputs_and_traceback(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "break").touch()
    call("run", slow, "--state", state, "--id", "one", "--input", '"v"')
    shown = look(call, "show one", state).face
    (incident,) = shown["incidents"]
    number = incident["number"]
    assert {key: incident[key] for key in ("kind", "transition", "error", "inputs")} == {
        "kind": "firing",
        "transition": "finish",
        "error": {"type": "ValueError", "message": "cannot finish v"},
        "inputs": {"held": ["v"]},
    }
    (attempt,) = incident["attempts"]
    assert list(attempt) == ["attempt", "at", "type", "message"]
    assert shown["next"][:3] == [
        f"placet retry one {number} --state {state}",
        f"placet skip one {number} --state {state} --output JSON",
        f"placet fail one {number} --state {state}",
    ]
    traced = look(call, "show one --traceback", state).face["incidents"]
    assert "raise ValueError" in traced[0]["attempts"][0]["traceback"]
    text = call("show", "one", "--state", state, "--traceback").out
    assert "  ValueError: cannot finish v" in text.splitlines()
    assert "  | Traceback (most recent call last):" in text.splitlines()


def test_beside_a_running_engine(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", "5") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        until((state / "control.sock").exists, "the engine can be reached")
        assert look(call, "list", state).face["state"] == "running"
        shown = look(call, "show one", state).face
        (firing,) = shown["firings_running"]
        assert (firing["transition"], firing["phase"], firing["attempt"]) == ("hold", "running", 1)
        assert firing["firing"] in attempts(tmp_path)[0]
        assert shown["next"] == []
        status = look(call, "status", state).face
        assert (status["pid"], status["health"], status["instances"]) == (process.pid, "running", {"running": 1})
        (handler,) = status["running"]
        assert (handler["id"], handler["transition"], handler["attempt"]) == ("one", "hold", 1)
        (tmp_path / "hold").unlink()
        assert ended(process).code == 0


def test_the_status_of_a_state_without_an_engine(call: Call, quick: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    status = look(call, "status", state).face
    assert (status["pid"], status["health"], status["problem"], status["running"]) == (None, "stopped", "", [])
    assert status["instances"] == {"completed": 1}
    assert isinstance(status["last_commit_at"], float)
    for size in ("used_bytes", "file_bytes", "free_bytes"):
        assert isinstance(status[size], int)
        assert status[size]
    lines = call("status", "--state", state).out.splitlines()
    assert lines[:3] == [f"state {state}", "engine: none", "instances: 1 (1 completed)"]


def test_a_list_can_be_of_one_state(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    call("run", slow, "--state", state, "--id", "good", "--input", "1")
    (tmp_path / "break").touch()
    call("run", slow, "--state", state, "--id", "bad", "--input", "1")
    assert [face["id"] for face in look(call, "list", state).faces] == ["good", "bad"]
    assert [face["id"] for face in look(call, "list --in incident", state).faces] == ["bad"]
    assert call("list", "--state", state, "--in", "dreaming").code == 2
    assert look(call, "list --in cancelled", state).out == ""


@pytest.mark.parametrize(
    ("notation", "part"), [("mermaid", "flowchart LR"), ("dot", "digraph"), ("text", "──double──▶")]
)
def test_draw_a_file_and_an_instance_with_its_tokens(
    call: Call, quick: Path, tmp_path: Path, notation: str, part: str
) -> None:
    state = tmp_path / "state"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    file = call("draw", quick, "--state", state, "--format", notation)
    instance = call("draw", "one", "--state", state, "--format", notation)
    assert part in file.out
    assert part in instance.out
    assert ("done (1)" in instance.out) or ("done #40;1#41;" in instance.out)
    assert "1" not in file.out.partition("done")[2].splitlines()[0]
    assert look(call, "draw one", state).face["tokens"] == {"done": 1}


def test_control_characters_from_outside_do_not_reach_the_terminal(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "rude.py"
    file.write_text(
        "from placet import Workflow\n"
        'rude = Workflow("rude")\nstart, done = rude.places("start done")\n'
        "@rude.transition(start >> done)\ndef shout(value):\n"
        '    raise ValueError("\\x1b[31mred\\x9b2J\\nsecond line")\n'
    )
    state = tmp_path / "state"
    answers = [call("run", file, "--state", state, "--id", "one", "--input", '"\\u009b31m"')]
    answers += [call(name, "one", "--state", state) for name in ("show", "history")]
    for answer in answers:
        assert not {ESCAPE, "\x9b"} & set(answer.out + answer.err)


def test_the_state_is_named_by_an_environment_variable_too(quick: Path, tmp_path: Path) -> None:
    environment = {"PLACET_STATE": str(tmp_path / "elsewhere")}
    assert placet("run", quick, "--id", "one", "--input", "1", env=environment).code == 0
    assert placet("list", "--json", env=environment).face["id"] == "one"
    assert placet("version", "--json").face["name"] == "placet"
