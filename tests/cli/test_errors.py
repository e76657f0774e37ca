"""Every mistake: one line on standard error, its code for programs, its exit code, and never a traceback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from placet.persistence.directory import DATA
from placet.persistence.format import FORMAT_KEY
from placet.persistence.state import open_state
from tests.cli.commands import Answer, Face, attempts, ended, placet, running, until
from tests.cli.conftest import Call


def check(answer: Answer, code: int, error: str, *parts: str) -> Face:
    """Check the form that every error has; return its face."""
    assert answer.code == code, answer
    (line,) = answer.err.splitlines()
    assert line.startswith("placet: ")
    assert "; " in line, "what happened; what to do"
    assert not [part for part in parts if part not in line], line
    face = answer.error
    assert face["code"] == error
    assert face["message"] == line.removeprefix("placet: ")
    return face


TWICE = (
    '{"name": "t", "name": "u", "schemaVersion": "1.5", "workflow": {"specification": {"tasks": '
    '[{"name": "a", "id": "a", "parents": [], "children": []}]}}}'
)


@pytest.mark.parametrize(
    ("name", "text", "error", "part"),
    [
        ("none.py", None, "bad_file", "there is no such file"),
        ("text.txt", "hello", "bad_file", "neither Python, nor a net, nor a trace"),
        ("syntax.py", "a = 1\nb = = 2\n", "bad_file", "syntax.py:2: invalid syntax"),
        ("raising.py", "x = 1\nraise RuntimeError('no\\nway')\n", "bad_file", "raising.py:2: loading it raised"),
        ("exiting.py", "import sys\nsys.exit(3)\n", "bad_file", "SystemExit: 3"),
        ("empty.py", "", "bad_file", "defines no workflow"),
        ("wrong.py", "from placet import Workflow\nw = Workflow('w')\nw['x']\n", "definition", "has no place `x`"),
        ("bare.py", "from placet import Workflow\nw = Workflow('w')\nw.place('x')\n", "definition", "workflow `w`"),
        ("json.json", '{\n "a": \n}', "trace", "line 3, column 1"),
        ("other.json", "[]", "trace", "`$`"),
        ("twice.json", TWICE, "trace", 'twice.json: an object has the key "name" twice at line 1, column 15'),
    ],
)
def test_bad_files(call: Call, tmp_path: Path, name: str, text: str | None, error: str, part: str) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    check(call("run", file, "--state", tmp_path / "state", "--id", "x", "--json"), 2, error, part)
    assert not (tmp_path / "state").exists(), "nothing was begun"


def task(id: str, parents: list[str], children: list[str]) -> dict[str, object]:
    return {"name": id, "id": id, "parents": parents, "children": children}


@pytest.mark.parametrize(
    ("tasks", "part"),
    [
        ([task("a", ["b"], ["b"]), task("b", ["a"], ["a"])], "circle"),
        ([task("a", ["gone"], [])], "`gone`, which is no task"),
    ],
)
def test_bad_traces(call: Call, tmp_path: Path, tasks: list[object], part: str) -> None:
    trace = {"name": "t", "schemaVersion": "1.5", "workflow": {"specification": {"tasks": tasks}}}
    (tmp_path / "t.json").write_text(json.dumps(trace))
    answer = call("run", tmp_path / "t.json", "--state", tmp_path / "state", "--id", "x", "--json")
    check(answer, 2, "trace", part, "t.json")


@pytest.mark.parametrize(
    ("given", "error", "part"),
    [
        ('{"start": [1}', "bad_json", "line 1, column 13"),
        ("NaN", "bad_json", "NaN is no JSON number"),
        ("@/nowhere.json", "usage", "/nowhere.json"),
        ('{"start": [1],\n "start": [2]}', "usage", '--input: an object has the key "start" twice at line 2, column 2'),
        ('[{"a": {"b": 1}, "b": [1, {"\\"": 1, "b": "a"}], "\\u0061": 2}]', "usage", '"a" twice at line 1, column 49'),
        ('[{"a": 1, "a": 2]', "bad_json", "line 1, column 17"),
        ('"\\ud800"', "bad_json", "not valid Unicode"),
    ],
)
def test_bad_inputs(call: Call, quick: Path, tmp_path: Path, given: str, error: str, part: str) -> None:
    answer = call("run", quick, "--state", tmp_path / "state", "--id", "x", "--input", given, "--json")
    check(answer, 2, error, part)


@pytest.mark.parametrize(
    "words",
    [
        "run FILE --input 1 --id BAD",
        "run FILE --input 1 --id one --state BAD",
        "run FILE --id one --input BAD",
        "run BAD --id one",
        "list --in BAD",
        "show BAD",
        "history BAD",
        "draw BAD",
        "pause BAD",
        "pause one --by BAD",
        "cancel one --why BAD",
        "resume one --request-id BAD",
        "retry BAD 1",
        "skip one 1 --output BAD",
        "fail one 1 --why BAD",
    ],
)
def test_arguments_that_are_no_text(call: Call, quick: Path, tmp_path: Path, words: str) -> None:
    call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    given = [{"FILE": quick, "BAD": "one\udcff"}.get(word, word) for word in words.split()]
    state = () if "--state" in words else ("--state", tmp_path / "state")
    check(call(*given, *state, "--json"), 2, "usage", "the argument 'one\\udcff' is not UTF-8 text")


def test_a_state_of_the_environment_that_is_no_text(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLACET_STATE", str(tmp_path / "one\udcff"))
    check(call("list", "--json"), 2, "usage", "one\\udcff' is not UTF-8 text")


def test_missing_input_names_the_places(call: Call, quick: Path, tmp_path: Path) -> None:
    answer = call("run", quick, "--state", tmp_path / "state", "--id", "x", "--json")
    check(answer, 2, "usage", "quick needs tokens in start", "--input")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "No such command"),
        (["run"], "argument"),
        (["run", "x.py"], "--id"),
        (["run", "x.py", "--id", "1", "--what"], "--what"),
        (["run", "x.py", "--id", "1", "--threads", "0"], "--threads"),
        (["retry", "one", "two"], "valid integer"),
        ([], "No such option"),
    ],
)
def test_wrong_usage(call: Call, arguments: list[str], part: str) -> None:
    check(call(*arguments, "--json"), 2, "usage", part, "placet --help")


@pytest.mark.parametrize("name", ["list", "status", "show x", "history x", "draw x", "pause x", "retry x 1", "serve"])
def test_no_state(call: Call, tmp_path: Path, name: str) -> None:
    answer = call(*name.split(), "--state", tmp_path / "none", "--json")
    check(answer, 2, "state_missing", "there is no state at", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["show x", "history x", "draw x", "pause x", "fail x 1"])
def test_no_such_instance(call: Call, quick: Path, tmp_path: Path, name: str) -> None:
    call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    check(call(*name.split(), "--state", tmp_path / "state", "--json"), 2, "not_found", "there is no instance x")


def test_requests_that_no_longer_apply(call: Call, quick: Path, tmp_path: Path) -> None:
    call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    face = check(call("pause", "one", "--state", tmp_path / "state", "--json"), 1, "refused", "one is completed")
    assert face["refusal"] == "ended"


def test_an_id_that_cannot_be_one(call: Call, quick: Path, tmp_path: Path) -> None:
    for id in ("a/b", " ", "tab\t"):
        answer = call("run", quick, "--state", tmp_path / "state", "--id", id, "--input", "1", "--json")
        check(answer, 2, "invalid_id")


def test_another_engine_has_the_state(slow: Path, tmp_path: Path) -> None:
    arguments = ("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "1", "--json")
    (tmp_path / "hold").touch()
    with running(*arguments) as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        face = check(placet(*arguments), 2, "store_in_use", f"in use by process {process.pid}")
        assert face["pid"] == process.pid
        check(placet("serve", "--state", tmp_path / "state", "--json"), 2, "store_in_use")
        (tmp_path / "hold").unlink()
        assert ended(process).code == 0


def test_a_state_of_a_newer_format(call: Call, quick: Path, tmp_path: Path) -> None:
    state = open_state(tmp_path / "state")
    state.store.commit([(FORMAT_KEY, b"99")])
    state.close()
    run = ("run", quick, "--id", "x", "--input", "1")
    for arguments in (run, ("list",), ("status",), ("show", "x"), ("pause", "x"), ("serve",)):
        check(call(*arguments, "--state", tmp_path / "state", "--json"), 2, "format_too_new", "upgrade Placet")


def test_a_truncated_state(call: Call, quick: Path, tmp_path: Path) -> None:
    call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    os.truncate(tmp_path / "state" / DATA, 9_000)
    for arguments in (("run", quick, "--id", "x", "--input", "1"), ("list",), ("show", "one")):
        check(call(*arguments, "--state", tmp_path / "state", "--json"), 2, "store_damaged", "truncated", "backup")


def test_a_folder_that_is_no_state(call: Call, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").touch()
    answer = call("run", quick, "--state", tmp_path / "mine", "--id", "x", "--input", "1", "--json")
    check(answer, 2, "state_unusable", "photo.jpg")


# A first run imports everything: another user may not be able to read this checkout.
AS_NOBODY = """
import os, sys
from placet.cli.main import main
warm, *arguments = sys.argv[1:]
assert main([warm if word == "STATE" else word for word in arguments]) == 0
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main([os.environ["STATE"] if word == "STATE" else word for word in arguments]))
"""


@pytest.fixture
def open_folder() -> Generator[Path]:
    """Make a folder that every user can come to; pytest's own are closed to others."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_one_may_not_write(quick: Path, open_folder: Path) -> None:
    file = Path(shutil.copy(quick, open_folder))
    (open_folder / "state").mkdir()
    (open_folder / "state").chmod(0o555)
    for state in (open_folder / "state", open_folder / "state" / "below"):
        words = ("run", file, "--state", "STATE", "--id", "x", "--input", "1", "--json")
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(open_folder / f"warm_{state.name}"), *map(str, words)],
            env={**os.environ, "STATE": str(state)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        out = "".join(done.stdout.splitlines(keepends=True)[1:])  # after the line of the first run
        check(Answer(code=done.returncode, out=out, err=done.stderr), 2, "state_unusable", "choose another path")


def test_debug_shows_the_traceback_before_the_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "raising_too.py").write_text("raise RuntimeError('oh')\n")
    answer = call("run", tmp_path / "raising_too.py", "--state", tmp_path / "state", "--id", "x", "--debug")
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1].startswith("placet: ")
