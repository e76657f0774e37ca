"""One firing that runs its handler once an item: in order, as one attempt, stopped as one."""

import threading
from pathlib import Path
from typing import cast

import pytest

from placet import Context, Retry, Runtime, Workflow
from placet.actors.runtime import client_of
from tests.endtoend.processes import until
from tests.executors.flows import PATIENCE_S, failure, kinds, one_step
from tests.executors.handlers import doubled, fails_at_three, hang_alone, leave, scaled
from tests.executors.test_process import wait_for_end

BOTH = pytest.mark.parametrize("run", ["parallel", "parallel_threads"])


@BOTH
def test_results_come_in_the_order_of_the_list_from_one_firing(run: str, tmp_path: Path) -> None:
    workflow = one_step(doubled, run)
    with Runtime(tmp_path / "state", [workflow], processes=2) as runtime:
        for items in ([], [7], list(range(100)), tuple(range(3))):
            instance = runtime.spawn(workflow, {"start": [items]})
            assert instance.result(PATIENCE_S) == {"done": [[2 * item for item in items]]}
            assert (kinds(instance)["fired"], kinds(instance)["attempt_failed"]) == (1, 0)


@BOTH
def test_the_other_arguments_go_along_and_each_call_knows_its_item(run: str, tmp_path: Path) -> None:
    workflow = Workflow("scaling")
    values, factor, done = workflow.places("values factor done")
    workflow.transition((values & factor) >> done, "scale", handler=scaled, run=run)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        tokens: dict[str, list[object]] = {"values": [[5, 6, 7]], "factor": [10]}
        [found] = runtime.spawn(workflow, tokens, id="i").result(PATIENCE_S)["done"]
    result = cast("list[tuple[int, int, str]]", found)
    assert [(value, item) for value, item, _ in result] == [(50, 0), (60, 1), (70, 2)]
    assert len({firing_id for _, _, firing_id in result}) == 1
    assert result[0][2].startswith("i#")


def test_tokens_of_a_weighted_arc_are_its_list_and_its_results_may_be_tokens(tmp_path: Path) -> None:
    workflow = Workflow("weighted")
    start, done = workflow.places("start done")
    workflow.transition(start * 3 >> done * 3, "step", handler=doubled, run="parallel_threads")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {start: [1, 2, 3]}).result(PATIENCE_S) == {"done": [2, 4, 6]}


@BOTH
def test_an_item_that_fails_fails_the_attempt(run: str, tmp_path: Path) -> None:
    workflow = one_step(fails_at_three, run, retry=Retry(attempts=2, first_s=0.01))
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        instance = runtime.spawn(workflow, {"start": [[1, 2, 3, 4]]})
        assert failure(instance) == ("LookupError", "three is missing")
        assert (kinds(instance)["fired"], kinds(instance)["attempt_failed"]) == (0, 2)
        [incident] = instance.view().incidents
        assert "for item 2 of the list" in incident.failures[-1].traceback


def test_after_a_failure_no_more_items_begin(tmp_path: Path) -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def step(value: int) -> int:
        with lock:
            begun.append(value)
        raise LookupError(value)

    workflow = one_step(step, "parallel_threads")
    with Runtime(tmp_path / "state", [workflow], threads=1) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [list(range(500))]}))[0] == "LookupError"
        assert len(begun) < 50


@BOTH
def test_what_is_no_list_is_a_failure_that_says_so(run: str, tmp_path: Path) -> None:
    workflow = one_step(doubled, run)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        kind, message = failure(runtime.spawn(workflow, {"start": [{"a": 1}]}))
        assert kind == "TypeError"
        assert "`step` takes a list as its first argument, since it runs once an item" in message


def test_an_item_that_leaves_is_a_failure(tmp_path: Path) -> None:
    workflow = one_step(leave, "parallel_threads")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [[1, 0, 2]]}))[0] == "SystemExit"
        assert runtime.spawn(workflow, {"start": [[1, 2]]}).result(PATIENCE_S) == {"done": [[1, 2]]}


def test_past_its_time_all_its_items_are_stopped(tmp_path: Path) -> None:
    workflow = one_step(hang_alone, "parallel", timeout_s=2.0)
    told = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    with Runtime(tmp_path / "state", [workflow], processes=2) as runtime:
        instance = runtime.spawn(workflow, {"start": [[str(path) for path in told]]})
        assert failure(instance)[0] == "TimedOut"
        for pid in [int(path.read_text(encoding="utf-8")) for path in told if path.exists()]:
            wait_for_end(pid)
        until(lambda: client_of(runtime).engine.executors["parallel"].load().abandoned == 0, "that nothing runs on")
    assert not told[2].exists()


def test_closing_counts_a_list_that_is_done_within_the_grace(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()

    def step(value: int, context: Context) -> int:
        if context.item == 0:
            begun.set()
            release.wait(PATIENCE_S)
        return value

    workflow = one_step(step, "parallel_threads")
    runtime = Runtime(tmp_path / "state", [workflow], threads=1, grace_s=PATIENCE_S)
    runtime.spawn(workflow, {"start": [list(range(50))]}, id="one")
    assert begun.wait(PATIENCE_S)
    threading.Timer(0.1, release.set).start()
    runtime.close()
    with Runtime(tmp_path / "state", [workflow]) as again:
        assert again.instance("one").state.value == "completed"
