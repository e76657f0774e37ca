"""User code that does not merely raise: it leaves, or takes the process with it at the worst moment."""

import sys
from pathlib import Path

import pytest

from placet import NotCompleted, Runtime, Workflow
from placet.actors.engine import Health
from tests.endtoend.processes import finished

PATIENCE_S = 30.0

# A clean stop leaves a token before a deadly inline handler, so that each start meets it in its very first batch.
DEADLY_AT_START = """
import os, sys, threading
from placet import NotCompleted, Runtime, Workflow

deadly = Workflow("deadly")
start, middle, end = deadly.places("start middle end")
begun, go_on = threading.Event(), threading.Event()

@deadly.transition(start >> middle)
def slow(value):
    begun.set()
    go_on.wait(0.5)
    return value

@deadly.transition(middle >> end, run="inline")
def die(value):
    os._exit(9)

if __name__ == "__main__":
    runtime = Runtime("state", [deadly], grace_s=20)
    if sys.argv[1:] == ["first"]:
        runtime.spawn(deadly, {start: [1]}, id="i")
        begun.wait(20)
        runtime.close()
    else:
        try:
            runtime.instance("i").result(timeout_s=20)
        except NotCompleted as error:
            print(error)
        runtime.close()
"""


@pytest.mark.parametrize("run", ["thread", "inline"])
def test_a_handler_that_exits_is_an_incident_and_the_engine_goes_on(tmp_path: Path, run: str) -> None:
    workflow = Workflow("leaving")
    begin, end = workflow.places("begin end")

    @workflow.transition(begin >> end, run=run)
    def leave(value: int) -> int:
        return value if value else sys.exit(3)

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        with pytest.raises(NotCompleted, match="SystemExit"):
            runtime.spawn(workflow, {begin: [0]}).result(PATIENCE_S)
        assert runtime.spawn(workflow, {begin: [1]}).result(PATIENCE_S) == {"end": [1]}
        assert runtime.health is Health.RUNNING


def test_a_guard_that_exits_is_an_incident_and_the_engine_goes_on(tmp_path: Path) -> None:
    workflow = Workflow("leaving")
    begin, end = workflow.places("begin end")

    def guard(value: int) -> bool:
        return bool(value) or sys.exit(3)

    workflow.transition(begin >> end, name="pass", guard=guard)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        with pytest.raises(NotCompleted, match="SystemExit"):
            runtime.spawn(workflow, {begin: [0]}).result(PATIENCE_S)
        assert runtime.spawn(workflow, {begin: [1]}).result(PATIENCE_S) == {"end": [1]}


def test_a_deadly_inline_handler_in_the_first_batch_of_a_start_is_no_crash_loop(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY_AT_START)
    codes = [finished(["deadly.py", *words], cwd=tmp_path)[0] for words in (["first"], [], [])]
    assert codes == [0, 9, 9]
    code, out, _ = finished(["deadly.py"], cwd=tmp_path)
    assert (code, "CrashSuspect" in out) == (0, True)


def test_an_inline_handler_that_would_wait_for_its_own_engine_fails_instead(tmp_path: Path) -> None:
    workflow = Workflow("selfish")
    begin, end = workflow.places("begin end")
    runtimes: list[Runtime] = []

    @workflow.transition(begin >> end, run="inline")
    def ask(value: str) -> object:
        if value == "close":
            runtimes[0].close()
        return runtimes[0].spawn(workflow, {begin: ["nothing"]}) if value == "spawn" else value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        runtimes.append(runtime)
        for value in ("close", "spawn"):
            with pytest.raises(NotCompleted, match="WaitsForItself"):
                runtime.spawn(workflow, {begin: [value]}).result(PATIENCE_S)
        assert runtime.spawn(workflow, {begin: ["plain"]}).result(PATIENCE_S) == {"end": ["plain"]}
