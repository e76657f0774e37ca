"""Composites at scale: called ones, each firing a child instance, and fused ones, nested a hundred deep."""

import time
from statistics import median

from benchmarks.figure import Figure
from benchmarks.setting import Setting
from benchmarks.steps import step
from benchmarks.throughput import run_all
from placet import Runtime, Workflow

DEPTH = 100
INSTANCES = 100


def calling(run: str) -> Workflow:
    """Return a workflow that calls a child of one step for each of its tokens."""
    child = Workflow("child")
    asked, answered = child.places("asked answered")
    child.transition(asked >> answered, "work", handler=step, run=run)
    workflow = Workflow("parent")
    todo, done = workflow.places("todo done")
    workflow.call(todo >> done, "delegate", child)
    return workflow


def calls(setting: Setting) -> list[Figure]:
    """Measure calls and their returns a second, across the instances of one process."""
    figures: list[Figure] = []
    for name, run in (("calls.rate", "inline"), ("calls.rate_thread", "thread")):
        rates: list[float] = []
        cpu_us: list[float] = []
        parents, each = setting.pick(200, 10), setting.pick(50, 5)
        for _ in range(setting.pick(3, 1)):
            workflow = calling(run)
            with Runtime(setting.fresh(), [workflow]) as runtime:
                cpu_s = time.process_time()
                elapsed_s = run_all(runtime, workflow, {"todo": list(range(each))}, parents)
                cpu_us.append((time.process_time() - cpu_s) / (parents * each) * 1e6)
                rates.append(parents * each / elapsed_s)
        note = f"{median(cpu_us):.0f} us of processor time a call; {parents} parents with {each} calls each"
        figures.append(Figure(name=name, value=median(rates), unit="calls/s", note=note))
    return figures


def fused() -> Workflow:
    """Return a workflow that holds one, which holds one, and so on: a step on each level, a hundred in all."""
    inner: Workflow | None = None
    for level in range(DEPTH):
        workflow = Workflow(f"level-{DEPTH - level}")
        before, after = workflow.places("before after")
        if inner is None:
            workflow.transition(before >> after, "step", handler=step, run="inline")
        else:
            between = workflow.place("between")
            workflow.transition(before >> between, "step", handler=step, run="inline")
            workflow.composite("inner", inner, {"before": "between", "after": "after"})
        inner = workflow
    assert inner is not None
    return inner


def called() -> Workflow:
    """Return a workflow that calls itself, a hundred deep: so often as its token says."""
    workflow = Workflow("deep")
    before, after = workflow.place("before", entry=True), workflow.place("after")
    again = workflow.place("again")
    workflow.transition(before >> again, "down", handler=_less, guard=_is_more, run="inline")
    workflow.transition(before >> after, "turn", handler=step, guard=_is_last, run="inline")
    workflow.call(again >> after, "deeper", workflow)
    return workflow


def _less(depth: int) -> int:
    return depth - 1


def _is_more(depth: int) -> bool:
    return depth > 1


def _is_last(depth: int) -> bool:
    return depth <= 1


def nested(setting: Setting) -> list[Figure]:
    """Measure a hundred instances of a hundred nested composites, from the first spawn to the last result."""
    count = setting.pick(INSTANCES, 5)
    figures: list[Figure] = []
    for kind, workflow in (("fused", fused()), ("called", called())):
        times_s: list[float] = []
        for _ in range(setting.pick(3, 1)):
            with Runtime(setting.fresh(), [workflow]) as runtime:
                times_s.append(run_all(runtime, workflow, {"before": [DEPTH]}, count))
        note = f"{count} instances, {DEPTH} deep, a step on each level"
        figures.append(Figure(name=f"nested.{kind}_s", value=median(times_s), unit="s", note=note))
    return figures
