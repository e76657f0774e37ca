import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import ESCAPE, Answer, attempts, ended, placet, running, until
from tests.cli.conftest import Call


def run(call: Call, file: Path, state: Path, *more: object) -> Answer:
    return call("run", file, "--state", state, "--id", "one", "--json", *more)


def test_a_run_ends_with_its_face_and_running_it_again_reports_the_same(
    call: Call, quick: Path, tmp_path: Path
) -> None:
    first = run(call, quick, tmp_path / "state", "--input", "20")
    assert (first.code, first.err) == (0, "")
    assert first.face.pop("elapsed_s") != 0
    assert {key: first.face[key] for key in ("id", "workflow", "state", "firings", "incidents", "result")} == {
        "id": "one",
        "workflow": "quick",
        "state": "completed",
        "firings": 2,
        "incidents": 0,
        "result": {"done": [41]},
    }
    again = run(call, quick, tmp_path / "state", "--input", "20")
    assert {**again.face, "elapsed_s": 0} == {**first.face, "elapsed_s": 0}
    without_input = run(call, quick, tmp_path / "state")
    assert without_input.face["result"] == {"done": [41]}


def test_people_read_what_came_of_it(call: Call, quick: Path, tmp_path: Path) -> None:
    answer = call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "20")
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("one completed: 2 firings")
    assert "  done: 41" in answer.out.splitlines()


@pytest.mark.parametrize("given", ['{"start": [1, 2]}', "@tokens.json"])
def test_tokens_by_place_and_from_a_file(
    call: Call, quick: Path, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokens.json").write_text('{"start": [1, 2]}')
    monkeypatch.chdir(tmp_path)
    assert run(call, quick, tmp_path / "state", "--input", given).face["result"] == {"done": [3, 5]}


def test_the_workflow_is_found_by_the_name_of_its_variable(call: Call, quick: Path, tmp_path: Path) -> None:
    with quick.open("a") as file:
        file.write('\nother = Workflow("other")\nbegin, finish = other.places("begin finish")\n')
        file.write('other.transition(begin >> finish, "move")\n')
    ambiguous = run(call, quick, tmp_path / "state", "--input", "1")
    assert ambiguous.code == 2
    assert f"{quick}:quick or {quick}:other" in ambiguous.err
    answer = call("run", f"{quick}:other", "--state", tmp_path / "state", "--id", "x", "--input", '"v"', "--json")
    assert answer.face["result"] == {"finish": ["v"]}


def test_a_part_of_a_workflow_does_not_make_the_file_ambiguous(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "nested_parts.py"
    file.write_text(
        "from placet import Workflow\n"
        'inner = Workflow("inner")\nsource, sink = inner.places("source sink")\n'
        'inner.transition(source >> sink, "move")\n'
        'outer = Workflow("outer")\nbegin, end = outer.places("begin end")\n'
        'outer.composite("part", inner, {source: begin, sink: end})\n'
    )
    assert run(call, file, tmp_path / "state", "--input", "7").face["result"] == {"end": [7]}


def test_a_trace_brings_its_tokens_and_its_transitions_are_its_tasks(call: Call, tmp_path: Path) -> None:
    trace = tmp_path / "fork.json"
    written = call("trace", "generate", "forkjoin", "--tasks", 6, "--output", trace, "--seed", 3, "--json")
    assert written.face == {"shape": "forkjoin", "file": str(trace), "wanted": 6, "tasks": 6}
    answer = run(call, trace, tmp_path / "state")
    assert (answer.code, answer.face["state"], answer.face["firings"]) == (0, "completed", 6)
    ids = {task["id"] for task in json.loads(trace.read_text())["workflow"]["specification"]["tasks"]}
    history = call("history", "one", "--state", tmp_path / "state", "--json").faces
    assert {record["transition"] for record in history if record["kind"] == "fired"} == ids
    refused = run(call, trace, tmp_path / "state", "--input", "1")
    assert (refused.code, refused.error["code"]) == (2, "usage")


def test_other_inputs_under_the_same_id_are_refused(call: Call, quick: Path, tmp_path: Path) -> None:
    run(call, quick, tmp_path / "state", "--input", "20")
    answer = run(call, quick, tmp_path / "state", "--input", "21")
    assert (answer.code, answer.error["code"]) == (2, "conflict")


def test_a_changed_net_goes_on_with_the_stored_one_and_says_so(quick: Path, tmp_path: Path) -> None:
    arguments = ("run", quick, "--state", tmp_path / "state", "--id", "one", "--json")
    placet(*arguments, "--input", "20")
    text = quick.read_text().replace("(doubled >> done", '(quick.place("between") >> done')
    quick.write_text(text + '\nquick.transition(doubled >> quick["between"], "pass_on")\n')
    answer = placet(*arguments, "--input", "20")
    assert answer.code == 0
    assert answer.face["result"] == {"done": [41]}
    assert answer.err.startswith("placet: warning: quick has changed")
    assert placet(*arguments, "--input", "21").error["code"] == "conflict"


def test_an_incident_ends_the_run_and_says_what_helps(call: Call, slow: Path, tmp_path: Path) -> None:
    (tmp_path / "break").touch()
    answer = run(call, slow, tmp_path / "state", "--input", '"v"')
    assert (answer.code, answer.face["state"], answer.face["incidents"]) == (1, "incident", 1)
    assert answer.error["code"] == "not_completed"
    (line,) = answer.err.splitlines()
    assert "ValueError: cannot finish v" in line
    assert f"placet run {slow} --state {tmp_path / 'state'} --id one" in line
    assert "Traceback" not in answer.err


def test_a_transition_that_the_file_no_longer_has_ends_the_run(slow: Path, tmp_path: Path) -> None:
    arguments = ("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5", "--json")
    (tmp_path / "hold").touch()
    with running(*arguments) as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        process.kill()
    text = slow.read_text()
    slow.write_text(text.replace("def hold(", "def keep_on("))  # of another length, so that no compiled file is taken
    answer = placet(*arguments)
    assert (answer.code, answer.face["state"]) == (1, "waiting")
    assert "no handler in this process for hold" in answer.err
    (tmp_path / "hold").unlink()
    slow.write_text(text)
    assert placet(*arguments).code == 0


def test_a_stuck_instance_ends_the_run(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "stuck_net.py"
    file.write_text(
        "from placet import Workflow\n"
        'join = Workflow("join")\nleft, right, both = join.places("left right both")\n'
        'join.transition((left & right) >> both, "meet")\n'
    )
    answer = run(call, file, tmp_path / "state", "--input", '{"left": [1]}')
    assert (answer.code, answer.face["state"]) == (1, "stuck")
    assert "needs 1 in right, which has 0" in answer.err
    shown = call("show", "one", "--state", tmp_path / "state", "--json").face
    assert shown["lacking"] == {"meet": "needs 1 in right, which has 0"}
    assert [
        line for line in call("show", "one", "--state", tmp_path / "state").out.splitlines() if "stuck: meet" in line
    ]


def test_a_time_limit_leaves_a_state_that_goes_on(slow: Path, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()
    arguments = ("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    with running(*arguments, "--timeout", 1) as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        stops(tmp_path / "state")
        (tmp_path / "hold").unlink()
        answer = ended(process)
    assert answer.code == 124
    assert "one has not ended within 1 s; to go on: placet run" in answer.err
    assert placet(*arguments).code == 0


def stops(state: Path) -> None:
    """Wait until the engine begins to stop: nobody can reach it any more."""
    until((state / "control.sock").exists, "the engine can be reached")
    until(lambda: not (state / "control.sock").exists(), "the engine begins to stop")


def has_begun(folder: Path, times: int) -> bool:
    return len(attempts(folder)) >= times


def test_killed_and_run_again_each_task_counts_once(slow: Path, tmp_path: Path) -> None:
    arguments = ("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5", "--json")
    (tmp_path / "hold").touch()
    for kills in (1, 2):
        with running(*arguments) as process:
            until(partial(has_begun, tmp_path, kills), "the handler begins")
            process.kill()
            assert ended(process).code == -signal.SIGKILL
    (tmp_path / "hold").unlink()
    answer = placet(*arguments)
    assert (answer.code, answer.face["firings"], answer.face["result"]) == (0, 2, {"done": [5]})
    history = placet("history", "one", "--state", tmp_path / "state", "--json").faces
    fired = [record for record in history if record["kind"] == "fired"]
    assert [record["transition"] for record in fired] == ["hold", "finish"]
    assert fired[0]["attempt"] == 3
    assert f"{fired[0]['firing']} 3" in attempts(tmp_path)
    assert [record["kind"] for record in history].count("lost") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_a_state_that_goes_on_and_says_how(
    slow: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = ("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5", "--json")
    (tmp_path / "hold").touch()
    with running(*arguments) as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        process.send_signal(number)
        (tmp_path / "hold").unlink()  # what ends within the grace still counts
        answer = ended(process)
    assert answer.code == code
    (line,) = answer.err.splitlines()
    assert line == f"placet: stopped by {number.name}; to go on: {answer.face['resume']}"
    assert answer.face["resume"] == f"placet run {slow} --state {tmp_path / 'state'} --id one --input 5 --json"
    assert (answer.face["state"], answer.error["code"]) == ("running", "interrupted")
    again = placet(*arguments)
    assert (again.code, again.face["firings"]) == (0, 2)
    kinds = [record["kind"] for record in placet("history", "one", "--state", tmp_path / "state", "--json").faces]
    assert "lost" not in kinds


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_second_ctrl_c_ends_at_once(slow: Path, tmp_path: Path, run: str, is_json: bool) -> None:
    (tmp_path / "hold").touch()
    text = slow.read_text(encoding="utf-8")
    slow.write_text(text.replace("(start >> held)", f"(start >> held, run={run!r})"), encoding="utf-8")
    words = ("--json",) if is_json else ()
    with running("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5", *words) as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        until((tmp_path / "state" / "control.sock").exists, "the engine can be reached")
        process.send_signal(signal.SIGINT)
        until(lambda: not (tmp_path / "state" / "control.sock").exists(), "the engine begins to stop")
        process.send_signal(signal.SIGINT)
        answer = ended(process)
    assert answer.code == 130
    (line,) = answer.err.splitlines()
    assert line.startswith("placet: ended at once by a second signal, SIGINT; ")
    assert [face["error"]["code"] for face in answer.faces] == ["interrupted"] * is_json
    (tmp_path / "hold").unlink()
    assert placet("run", slow, "--state", tmp_path / "state", "--id", "one").code == 0


def test_piped_output_has_no_escapes_and_a_closed_pipe_is_no_error(quick: Path, tmp_path: Path) -> None:
    arguments = ("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "5")
    answer = placet(*arguments, env={"FORCE_COLOR": "1"})
    assert ESCAPE not in answer.out + answer.err
    with running("history", "one", "--state", tmp_path / "state") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() in (0, 141)


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize("more", ["", "--json"])
def test_output_that_cannot_be_written_is_one_line_and_the_command_has_done_its_work(
    quick: Path, tmp_path: Path, where: str, more: str
) -> None:
    state = tmp_path / "state"
    placet_command = f"{sys.executable} -m placet"
    for command in (f"run {quick} --id one --input 5 --state {state}", f"list --state {state}"):
        line = f"{placet_command} {command} {more} {where}"
        process = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert process.returncode == 1
        (told,) = process.stderr.splitlines()
        assert told.startswith("placet: the output could not be written")
    assert placet("show", "one", "--state", state, "--json").face["state"] == "completed"
