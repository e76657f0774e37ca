"""What a task's handler does: it takes its time, leaves its line, returns its id."""

import json
import threading
from pathlib import Path

import pytest

from placet.actors.clock import monotonic_s
from placet.actors.context import Context
from placet.traces.task import LOG_VARIABLE, TaskHandler, append_line


def context(number: int = 1, attempt: int = 1) -> Context:
    return Context(instance="x", firing_id=f"x#00000000.{number}", attempt=attempt)


def test_it_returns_its_id_whatever_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOG_VARIABLE, raising=False)
    handler = TaskHandler(task="a", sleep_s=0.0)
    assert handler(context=context()) == handler("start", "b", context=context()) == "a"


def test_it_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOG_VARIABLE, raising=False)
    before_s = monotonic_s()
    TaskHandler(task="a", sleep_s=0.05)(context=context())
    assert monotonic_s() - before_s >= 0.05


def test_every_attempt_leaves_a_line_in_the_file_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    handler = TaskHandler(task="a", sleep_s=0.0)
    handler(context=context(3, 1))
    handler(context=context(3, 2))
    assert [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] == [
        {"task": "a", "firing": "x#00000000.3", "attempt": 1},
        {"task": "a", "firing": "x#00000000.3", "attempt": 2},
    ]


def test_a_log_that_is_given_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG_VARIABLE, str(tmp_path / "other"))
    TaskHandler(task="a", sleep_s=0.0, log=tmp_path / "mine")(context=context())
    assert (tmp_path / "mine").exists()
    assert not (tmp_path / "other").exists()


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def write(thread: int) -> None:
        for number in range(50):
            append_line(log, {"thread": thread, "number": number, "padding": "x" * 500})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {(line["thread"], line["number"]) for line in lines} == {(t, n) for t in range(4) for n in range(50)}
    assert len(lines) == 200
