"""Ten thousand approvals that wait for people: what they hold, how soon they are listed, how fast they are decided."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice

from benchmarks.awaken import anonymous_mb
from benchmarks.figure import Figure
from benchmarks.finish import Finish
from benchmarks.setting import Setting
from placet import Approve, Instance, InstanceState, Receipt, Runtime, Workflow

AT_ONCE = 5_000  # requests on their way


def waiting(setting: Setting) -> list[Figure]:
    """Measure one engine with many tasks open, before and after they are decided."""
    count = setting.pick(10_000, 200)
    workflow = approval()
    with Runtime(setting.fresh(), [workflow]) as runtime:
        runtime.spawn(workflow, {"asked": [{"order": -1}]}, id="first").wait_task("manager", timeout_s=10)
        threads, before_mb = threading.active_count(), anonymous_mb()
        offered = Finish(runtime, InstanceState.WAITING, count)
        for number in range(count):
            offered.expect(f"order-{number}")
        in_turn(count, lambda n: runtime.spawn_later(workflow, {"asked": [{"order": n}]}, id=f"order-{n}"))
        offered.wait()
        held_mb, holding = anonymous_mb() - before_mb, threading.active_count()
        begin_s = time.perf_counter()
        tasks = [task.id for task in runtime.tasks() if task.instance != "first"]
        listed_s = time.perf_counter() - begin_s
        assert len(tasks) == count, len(tasks)
        begin_s = time.perf_counter()
        in_turn(count, lambda n: decide(runtime, tasks[n]))
        decided_s = time.perf_counter() - begin_s
    note = f"{count} instances wait for a person"
    return [
        Figure(name="waiting.anonymous_mb", value=max(0.001, held_mb), unit="MB", note=note),
        Figure(name="waiting.threads", value=holding, unit="threads", note=f"{threads} before; {note}"),
        Figure(name="waiting.list_s", value=listed_s, unit="s", note=f"{count} tasks with their values"),
        Figure(name="waiting.decisions", value=count / decided_s, unit="1/s", note="each to the end of its instance"),
    ]


def approval() -> Workflow:
    """Return a workflow that waits for a yes or no."""
    workflow = Workflow("approval")
    asked, approved, rejected = workflow.places("asked approved rejected")
    workflow.approval("manager", asked, approve=approved, reject=rejected)
    return workflow


def decide(runtime: Runtime, task: str) -> "Future[Receipt]":
    """Say yes to a task."""
    return runtime.tell_later(task.partition("/")[0], Approve(task, by="benchmark"))


def in_turn(count: int, ask: "Callable[[int], Future[Instance]] | Callable[[int], Future[Receipt]]") -> None:
    """Make many requests, so many at once as an engine takes."""
    numbers = iter(range(count))
    while futures := [ask(number) for number in islice(numbers, AT_ONCE)]:
        for future in futures:
            future.result()
