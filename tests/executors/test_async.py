"""Handlers that are `async def`: together on one loop, cancelled at their deadline, and harmless to each other."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from placet import Context, NotCompleted, Retry, Runtime, Workflow
from placet.actors.executors import asynchronous
from placet.actors.executors.asynchronous import AsyncExecutor
from placet.actors.executors.base import Load
from placet.actors.runtime import client_of
from tests.endtoend.processes import until
from tests.executors.flows import PATIENCE_S, failure, kinds, one_step


def load_of(runtime: Runtime) -> Load:
    return client_of(runtime).engine.executors["async"].load()


def test_an_async_def_runs_on_the_loop_without_being_asked_for(tmp_path: Path) -> None:
    async def step(value: int, context: Context) -> tuple[int, int, str]:
        await asyncio.sleep(0)
        return value, context.attempt, threading.current_thread().name

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {"start": [3]}).result(PATIENCE_S) == {"done": [(3, 1, "placet-async")]}
        assert sorted(client_of(runtime).engine.executors) == ["async", "thread"]


def test_many_wait_at_once_on_one_thread(tmp_path: Path) -> None:
    begun: list[int] = []
    all_begun = asyncio.Event()

    async def meet(value: int) -> int:
        begun.append(value)
        if len(begun) == 100:
            all_begun.set()
        await all_begun.wait()
        return threading.get_ident()

    workflow = one_step(meet)
    with Runtime(tmp_path / "state", [workflow], threads=1) as runtime:
        result = runtime.spawn(workflow, {"start": list(range(100))}).result(PATIENCE_S)
        assert len(result["done"]) == 100
        assert len(set(result["done"])) == 1


def test_no_more_run_at_once_than_the_bound(tmp_path: Path) -> None:
    now, most = 0, 0

    async def step(value: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return value

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow], concurrency=3) as runtime:
        runtime.spawn(workflow, {"start": list(range(30))}).result(PATIENCE_S)
    assert most == 3


def test_a_cancel_takes_back_what_waits_for_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asynchronous, "STUCK_S", PATIENCE_S)  # no second loop
    begun: list[int] = []
    may_end = threading.Event()

    async def hog(value: int) -> int:
        begun.append(value)
        assert may_end.wait(PATIENCE_S)  # it holds the loop up
        return value

    workflow = one_step(hog)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [1]})
        until(lambda: begun == [1], "the first has begun")
        other = runtime.spawn(workflow, {"start": [2]})
        until(lambda: load_of(runtime).queued == 1, "the other waits")
        other.cancel(by="eva")
        assert other.wait_until(["cancelled"], timeout_s=PATIENCE_S).value == "cancelled"
        may_end.set()
        instance.result(PATIENCE_S)
        assert begun == [1]


def test_a_handler_past_its_time_is_cancelled(tmp_path: Path) -> None:
    cancelled: list[int] = []

    async def step(value: int) -> int:
        if value in cancelled:
            return value
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(value)
            raise
        return -1

    workflow = one_step(step, timeout_s=0.05, retry=Retry(attempts=2, first_s=0.01))
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [1, 2]})
        assert set(instance.result(PATIENCE_S)["done"]) == {1, 2}
        assert sorted(cancelled) == [1, 2]
        assert (kinds(instance)["attempt_failed"], load_of(runtime).abandoned) == (2, 0)


def test_one_that_will_not_be_cancelled_is_abandoned_and_its_result_dropped(tmp_path: Path) -> None:
    release, ended = threading.Event(), threading.Event()

    async def step(_value: int) -> int:
        while not release.is_set():
            try:
                await asyncio.sleep(0.002)
            except asyncio.CancelledError:
                continue
        ended.set()
        return 1

    workflow = one_step(step, timeout_s=0.05)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [1]})
        assert failure(instance)[0] == "TimedOut"
        assert (load_of(runtime).abandoned, load_of(runtime).running) == (1, 0)
        release.set()
        assert ended.wait(PATIENCE_S)
        until(lambda: load_of(runtime).abandoned == 0, "that it is over")
        assert kinds(instance)["fired"] == 0


def test_whatever_a_handler_raises_is_its_own_failure(tmp_path: Path) -> None:
    async def leave() -> None:
        sys.exit(4)

    async def step(value: int) -> int:
        if value == 1:
            sys.exit(3)
        if value == 2:
            raise asyncio.CancelledError
        if value == 3:
            task = asyncio.create_task(leave())
            await asyncio.sleep(0.01)
            return 3 if task.done() else 0
        return value

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        for value, kind in ((1, "SystemExit"), (2, "CancelledError")):
            with pytest.raises(NotCompleted, match=kind):
                runtime.spawn(workflow, {"start": [value]}).result(PATIENCE_S)
        for value in (3, 4):
            assert runtime.spawn(workflow, {"start": [value]}).result(PATIENCE_S) == {"done": [value]}


def test_one_that_cancels_all_tasks_fails_those_that_ran_and_no_later_one(tmp_path: Path) -> None:
    async def step(value: int) -> int:
        if value == 1:
            for task in asyncio.all_tasks():
                task.cancel()
        await asyncio.sleep(0)
        return value

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [1]}))[0].endswith("CancelledError")
        assert runtime.spawn(workflow, {"start": [2]}).result(PATIENCE_S) == {"done": [2]}


def test_one_that_holds_up_the_loop_holds_up_no_later_firing_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "STUCK_S", 0.05)
    release, begun = threading.Event(), threading.Event()

    async def step(value: int) -> int:
        if value == 0:
            begun.set()
            release.wait(PATIENCE_S)  # no await: nothing else runs on this loop
        return value

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        blocking = runtime.spawn(workflow, {"start": [0]})
        assert begun.wait(PATIENCE_S)
        assert runtime.spawn(workflow, {"start": [1]}).result(PATIENCE_S) == {"done": [1]}
        release.set()
        assert blocking.result(PATIENCE_S) == {"done": [0]}


def test_closing_cancels_what_runs_on_and_it_runs_again(tmp_path: Path) -> None:
    begun, cancelled = threading.Event(), threading.Event()
    once: list[int] = []

    async def step(value: int, context: Context) -> int:
        if not once:
            once.append(value)
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return context.attempt

    workflow = one_step(step)
    with Runtime(tmp_path / "state", [workflow], grace_s=0.0) as runtime:
        runtime.spawn(workflow, {"start": [1]}, id="one")
        assert begun.wait(PATIENCE_S)
    assert cancelled.wait(PATIENCE_S)
    with Runtime(tmp_path / "state", [workflow]) as again:
        assert again.instance("one").result(PATIENCE_S) == {"done": [2]}
        assert (kinds(again.instance("one"))["lost"], kinds(again.instance("one"))["attempt_failed"]) == (0, 0)


def test_steps_one_after_the_other_may_be_async(tmp_path: Path) -> None:
    async def first(value: int) -> int:
        return value + 1

    def second(value: int) -> int:
        return value * 2

    workflow = Workflow.sequence("mixed", [first, second])
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {"start": [1]}).result(PATIENCE_S) == {"done": [4]}


def test_the_bound_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="concurrency must be >= 1"):
        AsyncExecutor(lambda _: None, concurrency=0)
