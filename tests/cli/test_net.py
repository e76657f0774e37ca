"""Nets in JSON at the command line: run, gone on with, drawn, written from Python, refused in one line."""

import json
from pathlib import Path

import pytest

from placet.petri.document import document_schema
from tests.cli.commands import placet
from tests.cli.conftest import Call

HANDLERS = """
import os
from pathlib import Path

here = Path(__file__).parent


def double(number):
    return 2 * number


def hold(number):
    if (here / "die").exists():
        (here / "die").unlink()
        os._exit(9)
    return number + 1
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    module = f"handlers_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(HANDLERS, encoding="utf-8")
    document = {
        "format": 1,
        "name": "doubling",
        "places": ["start", "doubled", "done"],
        "transitions": [
            {"name": "double", "inputs": ["start"], "outputs": ["doubled"], "handler": f"{module}:double"},
            {"name": "hold", "inputs": ["doubled"], "outputs": ["done"], "handler": f"{module}:hold"},
        ],
    }
    file = tmp_path / "doubling.net.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def test_a_net_in_json_runs(call: Call, net: Path, tmp_path: Path) -> None:
    answer = call("run", net, "--state", tmp_path / "state", "--id", "one", "--input", "20", "--json")
    assert (answer.code, answer.face["state"], answer.face["result"]) == (0, "completed", {"done": [41]})


def test_an_instance_of_it_goes_on_after_its_process_died(net: Path, tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    arguments = ("run", net, "--state", tmp_path / "state", "--id", "one", "--input", "20", "--json")
    assert placet(*arguments).code == 9
    answer = placet(*arguments)
    assert (answer.code, answer.face["result"], answer.face["firings"]) == (0, {"done": [41]}, 2)


def test_the_engine_finds_its_handlers_by_the_file_it_came_from(net: Path, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    state = tmp_path / "state"
    assert placet("run", net, "--state", state, "--id", "one", "--input", "20").code == 9
    answer = placet("run", quick, "--state", state, "--id", "two", "--input", "1", "--json")
    assert (answer.code, answer.err) == (0, "")  # nothing is said of a workflow that could not be loaded
    assert placet("run", net, "--state", state, "--id", "one", "--json").face["result"] == {"done": [41]}


def test_it_is_drawn(call: Call, net: Path) -> None:
    assert call("draw", net).out.splitlines() == ["start ──double──▶ doubled", "doubled ──hold──▶ done"]


def test_a_python_workflow_is_written_as_json_that_runs(call: Call, quick: Path, tmp_path: Path) -> None:
    written = call("net", quick)
    assert (written.code, written.err) == (0, "")
    file = tmp_path / "quick.net.json"
    file.write_text(written.out, encoding="utf-8")
    assert call("net", file).out == written.out
    version = call("run", quick, "--state", tmp_path / "s", "--id", "one", "--input", "20", "--json").face["version"]
    answer = call("run", file, "--state", tmp_path / "s", "--id", "two", "--input", "20", "--json")
    assert (answer.code, answer.face["result"], answer.face["version"]) == (0, {"done": [41]}, version)
    assert call("net", quick, "--json").face == json.loads(written.out)


def test_the_schema_is_printed(call: Call) -> None:
    assert call("net", "--schema").out == document_schema()


def test_what_cannot_be_written_is_refused_in_one_line(call: Call, tmp_path: Path) -> None:
    file = tmp_path / f"secret_{tmp_path.name}.py"
    file.write_text(
        "from placet import Workflow\nw = Workflow('w')\na, b = w.places('a b')\n"
        "w.transition(a >> b, 't', handler=lambda value: value)\n",
        encoding="utf-8",
    )
    answer = call("net", file)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "transition `t`: the handler `<lambda>` cannot be written down" in answer.err
    assert f"{file}:4" in answer.err


def test_a_mistake_in_a_file_is_one_line_and_a_code(call: Call, net: Path, tmp_path: Path) -> None:
    document = json.loads(net.read_text("utf-8"))
    document["transitions"][1]["outputs"] = ["don"]
    net.write_text(json.dumps(document), encoding="utf-8")
    answer = call("run", net, "--state", tmp_path / "state", "--id", "one", "--input", "20", "--json")
    assert (answer.code, answer.face["error"]["code"]) == (2, "definition")
    assert answer.err == (
        "placet: workflow `doubling`, transition `hold`: workflow `doubling` has no place `don`; did you mean `done`? "
        f"({net} at `$.transitions[1].outputs[0]`)\n"
    )
    net.write_text("{", encoding="utf-8")
    answer = call("draw", net, "--json")
    assert (answer.code, answer.face["error"]["code"], answer.face["error"]["file"]) == (2, "net", str(net))


@pytest.mark.parametrize("arguments", [("net",), ("net", "x.py", "--schema"), ("net", "x.txt")])
def test_wrong_usage_is_refused(call: Call, arguments: tuple[str, ...]) -> None:
    assert call(*arguments).code == 2
