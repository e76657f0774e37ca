"""What handlers do through their context: it counts with the result, once, and never without it."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from placet import Context, Inject, Instance, Pause, Put, Retry, Runtime, Workflow
from placet.testing import Rehearsal
from tests.runtime.workflows import WAIT_S, Gate

DONE = {"done": ["x"]}


def child() -> Workflow:
    workflow = Workflow("child")
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "step")
    return workflow


def kinds(instance: Instance) -> Counter[str]:
    return Counter(record.kind for _, record in instance.history())


def details(instance: Instance, kind: str) -> list[dict[str, object]]:
    found = [record.detail for _, record in instance.history() if record.kind == kind]
    return [dict(detail) for detail in found if isinstance(detail, dict)]


# -- with the result, and never without it ---------------------------------------------------------------------


def test_an_attempt_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    workflow = Workflow("parent")
    start, done = workflow.places("start done")
    ids: list[str] = []

    @workflow.transition(start >> done, retry=Retry(attempts=3, first_s=0.001))
    def step(value: object, context: Context) -> object:
        ids.append(context.spawn("child", {"start": [context.attempt]}))
        context.put("attempt", context.attempt)
        context.put(f"of {context.attempt}", True)
        if context.attempt < 3:
            raise OSError("not yet")
        return value

    with Runtime(tmp_path / "state", [workflow, child()]) as runtime:
        instance = runtime.spawn(workflow, {start: ["x"]})
        assert instance.result(WAIT_S) == DONE
        assert len(ids) == 3
        assert len(set(ids)) == 1  # the same call of each attempt has the same id
        assert runtime.instance(ids[0]).result(WAIT_S) == {"done": [3]}
        assert instance.state_values() == {"attempt": 3, "of 3": True}


def test_a_handler_that_spawns_and_dies_leaves_one_child(tmp_path: Path) -> None:
    workflow = Workflow("parent")
    start, done = workflow.places("start done")

    def step(value: object, context: Context) -> object:
        context.spawn("child", {"start": [context.attempt]})
        if context.attempt == 1:
            os._exit(3)
        return value

    workflow.transition(start >> done, "step", handler=step, run="process", retry=Retry(attempts=2, first_s=0.001))
    with Runtime(tmp_path / "state", [workflow, child()], processes=1) as runtime:
        instance = runtime.spawn(workflow, {start: ["x"]}, id="parent")
        assert instance.result(WAIT_S) == DONE
        [other] = [one.instance for one in runtime.list() if one.instance != "parent"]
        assert runtime.instance(other).result(WAIT_S) == {"done": [2]}


def test_an_attempt_lost_with_its_engine_leaves_one_child_and_its_state_counts_once() -> None:
    workflow = Workflow("parent")
    start, done = workflow.places("start done")
    ids: list[str] = []

    @workflow.transition(start >> done)
    def step(value: object, context: Context) -> object:
        ids.append(context.spawn("child", {"start": [1]}))
        context.put("count", context.get("count", 0) + 1)
        return value

    rehearsal = Rehearsal(workflow, child())
    rehearsal.takes("step", 5.0)
    instance = rehearsal.spawn(workflow, {start: ["x"]}, id="parent")
    rehearsal.advance(4.0)
    rehearsal.crash()  # the handler was called, and its answer is lost
    rehearsal.advance(20.0)
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert rehearsal.instance(ids[0]).marking() == {"done": [1]}
    assert instance.state_values() == {"count": 1}
    rehearsal.crash()
    rehearsal.run()
    assert instance.state_values() == {"count": 1}


def test_a_result_that_comes_too_late_does_not_count_and_nor_does_what_went_with_it(tmp_path: Path) -> None:
    workflow = Workflow("parent")
    start, done = workflow.places("start done")
    gate = Gate()

    @workflow.transition(start >> done, timeout_s=0.05, retry=Retry(attempts=2, first_s=0.001))
    def step(value: object, context: Context) -> object:
        context.spawn("child", {"start": [context.attempt]}, id=f"of-{context.attempt}")
        context.put("attempt", context.attempt)
        if context.attempt == 1:
            gate.pass_through()
        return value

    with Runtime(tmp_path / "state", [workflow, child()]) as runtime:
        instance = runtime.spawn(workflow, {start: ["x"]}, id="parent")
        assert instance.result(WAIT_S) == DONE
        gate.open()
        assert runtime.instance("of-2").result(WAIT_S) == {"done": [2]}
        assert instance.state_values() == {"attempt": 2}
        assert {one.instance for one in runtime.list()} == {"parent", "of-2"}


# -- state -----------------------------------------------------------------------------------------------------


def racing(retry: Retry | None) -> Workflow:
    """Return a workflow whose two firings both see a free `owner`, and want it."""
    workflow = Workflow("racing")
    start, done = workflow.places("start done")
    both = threading.Barrier(2, timeout=WAIT_S)

    @workflow.transition(start >> done, retry=retry)
    def claim(value: str, context: Context) -> str:
        if context.attempt == 1:
            both.wait()
        return f"{value} owns" if context.compare_and_set("owner", None, value) else f"{value} came second"

    return workflow


def test_of_two_racing_firings_that_compare_and_set_one_tries_again(tmp_path: Path) -> None:
    workflow = racing(Retry(attempts=2, first_s=0.001))
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": ["ann", "bob"]})
        done = instance.result(WAIT_S)["done"]
        owner = instance.state_values()["owner"]
        other = "bob" if owner == "ann" else "ann"
        assert sorted(map(str, done)) == sorted([f"{owner} owns", f"{other} came second"])
        [conflict] = details(instance, "attempt_failed")
        assert conflict["type"] == "StateConflict"
        assert "'owner'" in str(conflict["message"])


def test_a_conflict_without_a_retry_is_an_incident(tmp_path: Path) -> None:
    workflow = racing(None)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": ["ann", "bob"]})
        instance.wait_until(["incident"], WAIT_S)
        [incident] = instance.view().incidents
        assert incident.failures[-1].type == "StateConflict"
        instance.retry(incident.number, by="eva")
        assert len(instance.result(WAIT_S)["done"]) == 2


def test_the_state_outlives_the_engine_and_can_be_seen(tmp_path: Path) -> None:
    workflow = Workflow("counting")
    start, done = workflow.place("start", entry=True), workflow.place("done")

    @workflow.transition(start >> done)
    def count(value: int, context: Context) -> int:
        context.put("total", context.get("total", 0) + value)
        return value

    workflow.task(done >> start, "more")
    for run, seen in ((1, 5), (2, 10)):
        with Runtime(tmp_path / "state", [workflow]) as runtime:
            instance = runtime.spawn(workflow, {start: [5]}, id="i")
            task = instance.wait_task("more", WAIT_S)
            assert instance.state_values() == {"total": seen}
            instance.complete(task.id, 5, by="eva", request_id=str(run))
            instance.wait_task("more", WAIT_S)


# -- messages --------------------------------------------------------------------------------------------------


def teller(instance: str, message: Put | Inject | Pause) -> Workflow:
    workflow = Workflow("teller")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done)
    def tell(value: object, context: Context) -> object:
        context.tell(instance, message)
        return value

    return workflow


def test_a_handler_pauses_another_instance_and_is_named_as_who_did_it(tmp_path: Path) -> None:
    workflow = teller("other", Pause(by="nobody", why="stock is short"))
    waiting = Workflow("waiting")
    waiting.task(waiting.place("start") >> waiting.place("done"), "decide")
    with Runtime(tmp_path / "state", [workflow, waiting]) as runtime:
        other = runtime.spawn(waiting, {"start": [1]}, id="other")
        runtime.spawn(workflow, {"start": ["x"]}, id="one").result(WAIT_S)
        other.wait_until(["paused"], WAIT_S)
        [paused] = details(other, "paused")
        assert str(paused["by"]).startswith("one#")
        assert paused["why"] == "stock is short"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_a_handler_tells_its_own_instance_is_there_when_that_would_have_ended(tmp_path: Path, count: int) -> None:
    workflow = Workflow("own")
    start, done = workflow.places("start done")
    extra, counted = workflow.place("extra", external=True), workflow.place("counted")
    workflow.transition(extra >> counted, "count")

    @workflow.transition(start >> done)
    def step(value: int, context: Context) -> int:
        context.tell(context.instance, Put(extra, value))
        return value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        result = runtime.spawn(workflow, {start: list(range(count))}).result(WAIT_S)
    assert {place: sorted(map(int, map(str, values))) for place, values in result.items()} == {
        "done": list(range(count)),
        "counted": list(range(count)),
    }


@pytest.mark.parametrize(
    ("target", "message", "reason"),
    [
        ("nobody", Put("inbox", 1), "there is no instance nobody"),
        ("other", Put("nowhere", 1), "other takes no tokens into 'nowhere'"),
    ],
)
def test_what_has_no_effect_is_told_in_the_history_of_the_sender(
    target: str, message: Put, reason: str, tmp_path: Path
) -> None:
    workflow = teller(target, message)
    waiting = Workflow("waiting")
    waiting.task(waiting.place("start") >> waiting.place("done"), "decide")
    rehearsal = Rehearsal(workflow, waiting)
    rehearsal.spawn(waiting, {"start": [1]}, id="other")
    sender = rehearsal.spawn(workflow, {"start": ["x"]}, id="one")
    rehearsal.run()
    assert sender.marking() == DONE
    assert "undelivered" in sender.history()
    with Runtime(tmp_path / "state", [workflow, waiting]) as runtime:
        runtime.spawn(waiting, {"start": [1]}, id="other")
        one = runtime.spawn(workflow, {"start": ["x"]}, id="one")
        one.result(WAIT_S)
        [undelivered] = details(one, "undelivered")
        assert (undelivered["target"], undelivered["message"]) == (target, "Put")
        assert reason in str(undelivered["reason"])


def test_a_spawn_of_an_id_that_is_taken_by_other_inputs_is_told(tmp_path: Path) -> None:
    workflow = Workflow("parent")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done)
    def step(value: object, context: Context) -> object:
        context.spawn("child", {"start": [value]}, id="shared")
        return value

    with Runtime(tmp_path / "state", [workflow, child()]) as runtime:
        shared = runtime.spawn("child", {"start": ["x"]}, id="shared")
        for value in ("x", "y"):
            runtime.spawn(workflow, {start: [value]}, id=value).result(WAIT_S)
        assert kinds(runtime.instance("x"))["undelivered"] == 0
        [undelivered] = details(runtime.instance("y"), "undelivered")
        assert "shared" in str(undelivered["reason"])
        assert shared.marking() == DONE


# -- right and wrong use -----------------------------------------------------------------------------------------


def test_a_context_serves_any_thread_until_its_handler_has_returned(tmp_path: Path) -> None:
    workflow = Workflow("threads")
    start, done = workflow.places("start done")
    kept: list[Context] = []

    @workflow.transition(start >> done)
    def step(value: object, context: Context) -> object:
        thread = threading.Thread(target=lambda: context.put("by", "another thread"))
        thread.start()
        thread.join()
        kept.append(context)
        return value

    @workflow.transition(done >> workflow.place("over"))
    def late(value: object) -> object:
        kept[0].spawn("threads")
        return value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: ["x"]})
        instance.wait_until(["incident"], WAIT_S)
        [incident] = instance.view().incidents
        assert incident.failures[-1].type == "placet.actors.errors.HandlerReturned"
        assert instance.state_values() == {"by": "another thread"}


def test_an_inline_handler_is_refused_and_told_why(tmp_path: Path) -> None:
    workflow = Workflow("pure")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done, run="inline")
    def step(value: object, context: Context) -> object:
        context.put("a", value)
        return value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: ["x"]})
        instance.wait_until(["incident"], WAIT_S)
        [incident] = instance.view().incidents
        assert incident.failures[-1].type == "placet.actors.errors.DeclaredPure"
        assert "run='thread'" in incident.failures[-1].message


def test_the_logger_names_the_firing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workflow = Workflow("logging")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done)
    def step(value: object, context: Context) -> object:
        context.logger.warning("saw %s", value, extra={"mine": 1})
        return context.firing_id

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        [firing] = runtime.spawn(workflow, {start: ["x"]}, id="one").result(WAIT_S)["done"]
    [record] = [one for one in caplog.records if one.name == "placet.handlers"]
    assert record.getMessage() == f"step {firing}: saw x"
    assert record.levelno == logging.WARNING
    found = {name: getattr(record, name) for name in ("instance", "transition", "firing", "attempt", "mine")}
    assert found == {"instance": "one", "transition": "step", "firing": firing, "attempt": 1, "mine": 1}


SCRIPT = """
import sys
from placet import Context, Runtime, Workflow

child = Workflow("child")
child.transition(child.place("start", type=dict) >> child.place("done"), "step")
parent = Workflow("parent")
start, done = parent.places("start done")

class Note:
    def __init__(self, text):
        self.text = text

@parent.transition(start >> done, run="process")
def step(value, context: Context):
    context.put("note", Note("kept"))
    again = [context.spawn(parent, {start: [value - 1]})] if value else []
    return again + [context.spawn(child, {"start": [{"value": value}]})]

if __name__ == "__main__":
    with Runtime(sys.argv[1], [parent, child], processes=1) as runtime:
        found = [("one", 2)]
        for id, value in found:
            instance = runtime.instance(id) if value < 2 else runtime.spawn(parent, {start: [2]}, id=id)
            [children] = instance.result(30)["done"]
            found += [(child, value - 1) for child in children[:-1]]
            print(runtime.instance(children[-1]).result(30), instance.state_values()["note"].text)
"""


def test_workflows_of_a_program_itself_are_spawned_from_worker_processes(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "state")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [f"{{'done': [{{'value': {value}}}]}} kept" for value in (2, 1, 0)]
    command = [sys.executable, "-m", "placet", "show", "one", "--state", str(tmp_path / "state"), "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    note = json.loads(shown.stdout)["state_values"]["note"]
    assert note["$type"] == "__main__.Note"  # shown without being loaded
