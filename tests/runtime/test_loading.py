"""Files of other instances that hang, end the process or raise whatever they like when a start loads them."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import Runtime, Workflow
from placet.actors.loading_guard import GUILTY_AT, LoadingGuard, NotLoaded
from placet.petri.behaviour import Source
from tests.endtoend.processes import finished, start, until

PATIENCE_S = 30.0

RECORDED = """
from placet import Workflow

{name} = Workflow("{name}")
begin, end = {name}.places("begin end")
{name}.transition(begin >> end, "go", handler=abs)
"""

OPENS = """
import sys
from placet import Runtime, Workflow

other = Workflow("other")
begin, end = other.places("begin end")
other.transition(begin >> end, "go", handler=abs)

if __name__ == "__main__":
    with Runtime("state", [other]) as runtime:
        print(runtime.spawn(other, {begin: [-1]}).result(20), dict(runtime.unknown))
"""


def recorded(folder: Path) -> Path:
    """Make a state with an instance of a workflow in a file, and return the file."""
    file = folder / f"recorded_{folder.name}.py"
    file.write_text(RECORDED.format(name="known"), encoding="utf-8")
    (folder / "program.py").write_text(OPENS, encoding="utf-8")
    words = ["-m", "placet", "run", str(file), "--state", "state", "--id", "i", "--input", "1"]
    code, _, err = finished(words, cwd=folder)
    assert code == 0, err
    return file


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "GeneratorExit", "SystemExit", "BaseException"])
def test_a_recorded_file_may_raise_anything_and_the_engine_starts(tmp_path: Path, kind: str) -> None:
    file = recorded(tmp_path)
    file.write_text(f"raise {kind}('boo')", encoding="utf-8")
    workflow = Workflow("other")
    begin, end = workflow.places("begin end")
    workflow.transition(begin >> end, "go", handler=abs)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.unknown == {"known": f"{kind}: boo"}
        assert runtime.spawn(workflow, {begin: [-1]}).result(PATIENCE_S) == {"end": [1]}
    assert not (tmp_path / "state" / "loading").exists()


def test_a_recorded_file_that_ends_the_process_is_left_out_from_the_third_start_on(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    file.write_text("import os; os._exit(9)", encoding="utf-8")
    first, second, third = (finished(["program.py"], cwd=tmp_path) for _ in range(3))
    assert (first[0], second[0], third[0]) == (9, 9, 0)
    assert f"loading {file} again" in second[2]
    assert "{'end': [1]}" in third[1]
    assert f"the process ended 2 times while {file} was loaded" in third[1]
    file.write_text(RECORDED.format(name="known"), encoding="utf-8")  # mended
    code, out, _ = finished(["program.py"], cwd=tmp_path)
    assert (code, out) == (0, "{'end': [1]} {}\n")


def test_a_recorded_file_that_hangs_is_named_and_the_first_ctrl_c_ends_the_start(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    file.write_text("import threading; threading.Event().wait()", encoding="utf-8")
    process = start(
        ["-m", "placet", "run", "program.py:other", "--state", "state", "--id", "o", "--input", "1"], cwd=tmp_path
    )
    assert process.stderr is not None
    assert process.stderr.readline() == f"still loading {file}, for instances in this state; Ctrl-C ends it\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err[:25]) == (130, "placet: stopped by SIGINT")
    assert not (tmp_path / "state" / "loading").exists(), "it was no crash"


def test_a_killed_start_leaves_the_name_of_the_file_behind(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    file.write_text("import threading; threading.Event().wait()", encoding="utf-8")
    process = start(["program.py"], cwd=tmp_path)
    mark = tmp_path / "state" / "loading"
    until(mark.exists, "it is loaded", process)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert str(file) in mark.read_text(encoding="utf-8")


# -- the guard alone --------------------------------------------------------------------------------------------


def ends(directory: Path, source: Source, times: int) -> None:
    """Leave what so many processes leave that end in a file."""
    for _ in range(times):
        LoadingGuard(directory).enter(source.file or source.module, source)


@pytest.mark.parametrize("known", ["file", "module"])
def test_what_ended_two_processes_is_not_loaded_until_it_has_changed(tmp_path: Path, known: str) -> None:
    file = tmp_path / "flow.py"
    file.touch()
    source = Source(file=str(file)) if known == "file" else Source(module="flow")
    loaded: list[str] = []
    load: Callable[[], None] = lambda: loaded.append("once")  # noqa: E731
    ends(tmp_path, source, GUILTY_AT)
    with pytest.raises(NotLoaded, match="ended 2 times"):
        LoadingGuard(tmp_path).load(source, load)
    if known == "file":
        file.write_text("changed", encoding="utf-8")
    else:
        (tmp_path / "loading").unlink()
    LoadingGuard(tmp_path).load(source, load)
    assert (loaded, (tmp_path / "loading").exists()) == (["once"], False)


def test_a_note_of_one_end_is_forgotten_once_it_loads(tmp_path: Path) -> None:
    source, other = Source(module="flow"), Source(module="other")
    ends(tmp_path, source, 1)
    ends(tmp_path, other, GUILTY_AT)
    LoadingGuard(tmp_path).load(source, list[int])
    ends(tmp_path, source, 1)
    LoadingGuard(tmp_path).load(source, list[int])
    with pytest.raises(NotLoaded):
        LoadingGuard(tmp_path).load(other, list[int])


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}'])
def test_a_note_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "loading").write_bytes(content)
    assert LoadingGuard(tmp_path).load(Source(module="flow"), list[int]) == []
