"""`placet top`: what it tells of a running engine, how it ends, and that it says when there is none."""

import os
import pty
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from placet.cli.top_view import Glance, face_of, lines_of, sections_of
from tests.cli.commands import DEADLINE_S, ESCAPE, Face, attempts, command, placet, running, until
from tests.cli.conftest import Call

SHORT = ("--every", "0.05")


def told(**changed: object) -> Face:
    face: Face = {
        "pid": 7,
        "health": "running",
        "problem": "",
        "commits": 100,
        "firings": 200,
        "queued": 3,
        "waiting_for_slots": 4,
        "executors": {"thread": {"at_once": 64, "capacity": 175, "running": 2, "queued": 5, "abandoned": 1}},
        "running": [],
        "slowest": [],
    }
    return {**face, **changed}


def glance(at_s: float, **changed: object) -> Glance:
    return Glance(at_s=at_s, state="state", told=told(**changed), instances={"running": 8, "stuck": 1})


@pytest.fixture
def engine(slow: Path, tmp_path: Path) -> Generator["subprocess.Popen[str]"]:
    """Run an engine whose only handler holds until `hold` is gone."""
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        yield process


# -- the view ----------------------------------------------------------------------------------------------------------


def test_rates_are_those_between_two_glances() -> None:
    face = face_of(glance(10.0), glance(12.0, firings=500, commits=110))
    assert (face["firings_per_s"], face["commits_per_s"], face["measured_over_s"]) == (150.0, 5.0, 2.0)


def test_there_are_no_rates_at_first_and_none_over_a_restart() -> None:
    assert face_of(None, glance(1.0))["firings_per_s"] is None
    restarted = face_of(glance(1.0), glance(2.0, pid=8, firings=1))
    assert (restarted["firings_per_s"], restarted["commits_per_s"]) == (None, None)
    assert "-/s firings" in "\n".join(lines_of(restarted))


def test_every_figure_is_on_the_lines() -> None:
    running_now = [{"id": "order-1", "transition": "ship", "firing": 4, "attempt": 2, "since_s": 90.0}]
    slowest = [{"transition": "ship", "count": 9, "mean_s": 0.25, "worst_s": 200.0}]
    problem = "the disk is full"
    after = glance(1.0, running=running_now, slowest=slowest, problem=problem, health="full")
    text = "\n".join(lines_of(face_of(glance(0.0), after)))
    for part in (
        "engine 7 over state, full: the disk is full",
        "200 firings and 100 commits since its start",
        "queued: 3 messages, 4 instances for a slot, 5 firings for thread",
        "instances: 8 running, 1 stuck; waiting for a person: 0",
        "running: 1",
        "90.0 s  ship",
        "250.0 ms  3 min  9      ship",
    ):
        assert part in text
    assert ESCAPE not in text


def test_people_who_are_waited_for_are_counted_where_the_engine_tells() -> None:
    assert face_of(None, glance(0.0, tasks_offered=6))["waiting_people"] == 6


def test_of_many_running_handlers_the_longest_are_shown() -> None:
    many = [{"id": f"i{n}", "transition": "t", "firing": n, "attempt": 1, "since_s": 99.0 - n} for n in range(40)]
    section = next(one for one in sections_of(face_of(None, glance(0.0, running=many))) if "running" in one.title)
    assert section.title == "running: 40, the longest 12 of them"
    assert [row[2] for row in section.rows] == [f"i{n}" for n in range(12)]


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine")
def test_one_object_for_programs(call: Call, tmp_path: Path) -> None:
    face = call("top", "--state", tmp_path / "state", "--json", *SHORT).face
    assert (face["health"], face["instances"], face["waiting_people"]) == ("running", {"running": 1}, 0)
    assert face["executors"]["thread"]["running"] == 1
    (handler,) = face["running"]
    assert (handler["id"], handler["transition"], handler["attempt"]) == ("one", "hold", 1)
    assert face["firings_per_s"] == 0.0
    assert face["slowest"] == []


@pytest.mark.usefixtures("engine")
def test_one_table_in_a_pipe_is_plain(call: Call, tmp_path: Path) -> None:
    answer = call("top", "--state", tmp_path / "state", "--once", *SHORT)
    assert (answer.code, answer.err) == (0, "")
    assert ESCAPE not in answer.out
    assert "hold" in answer.out
    assert "slowest" not in answer.out


def test_what_has_run_is_told_to_be_slow(call: Call, engine: "subprocess.Popen[str]", tmp_path: Path) -> None:
    (tmp_path / "break").touch()
    state = tmp_path / "state"
    (tmp_path / "hold").unlink()
    assert engine.wait(DEADLINE_S) == 1
    with running("serve", "--state", state) as process:
        assert process.stdout is not None
        process.stdout.readline()
        call("retry", "one", until(lambda: incident_of(call, state), "there is an incident"), "--state", state)
        face = until(lambda: slow_face(call, state), "the retried handler has run")
        assert face["slowest"][0]["transition"] == "finish"
        assert 0 <= face["slowest"][0]["mean_s"] <= face["slowest"][0]["worst_s"]


def incident_of(call: Call, state: Path) -> int | None:
    incidents = call("show", "one", "--state", state, "--json").face["incidents"]
    return int(incidents[0]["number"]) if incidents else None


def slow_face(call: Call, state: Path) -> Face | None:
    face = call("top", "--state", state, "--json", *SHORT).face
    return face if face["slowest"] else None


@pytest.mark.usefixtures("engine")
def test_it_goes_on_until_ctrl_c_and_that_is_a_success(tmp_path: Path) -> None:
    with running("top", "--state", tmp_path / "state", *SHORT) as process:
        assert process.stdout is not None
        heads = 0
        while heads < 3:
            heads += process.stdout.readline().startswith("engine ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, "")


def test_when_the_engine_ends_it_says_so_in_one_line(engine: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with running("top", "--state", tmp_path / "state", *SHORT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        engine.kill()
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1
        assert len(err.splitlines()) == 1


def test_without_an_engine_it_says_how_to_get_one(call: Call, quick: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    answer = call("top", "--state", state)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"placet: no engine runs over {state}; placet serve --state {state} starts one\n"
    assert call("top", "--state", state, "--json").error["code"] == "engine_stopped"


def test_without_a_state_it_says_so(tmp_path: Path) -> None:
    answer = placet("top", "--state", tmp_path / "nowhere")
    assert answer.code == 2
    assert "there is no state" in answer.err


@pytest.mark.usefixtures("engine")
def test_on_a_terminal_it_takes_the_screen_and_gives_it_back(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    watching = command("top", "--state", tmp_path / "state", *SHORT)
    process = subprocess.Popen(watching, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    try:
        while seen.count(b"hold") < 2:
            seen += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        while chunk := _read(master):
            seen += chunk
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert b"\x1b[?1049h" in seen  # the other screen
    assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"hold")
    assert b"Traceback" not in seen


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other side is closed
        return b""
