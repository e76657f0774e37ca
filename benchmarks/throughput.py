"""Many instances, or many tokens, at once: firings a second."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import median

from benchmarks.figure import Figure
from benchmarks.finish import Finish
from benchmarks.setting import PATIENCE_S, Setting
from benchmarks.steps import STEPS, step, ten_steps
from placet import Instance, InstanceState, Retry, Runtime, Workflow

ITEMS = 1_000


def l1_thread(setting: Setting) -> list[Figure]:
    """Measure instances of ten steps on threads, each with guard, time-out and retry."""
    rates = [_l1(setting, _threaded()) for _ in range(setting.pick(3, 1))]
    return [_firings("L1.thread", rates)]


def l1_async(setting: Setting) -> list[Figure]:
    """Measure instances of ten steps that are `async def`, each with guard, time-out and retry."""
    workflow = ten_steps("async", "async", retry=Retry(), timeout_s=60.0)
    return [_firings("L1.async", [_l1(setting, workflow) for _ in range(setting.pick(3, 1))])]


def l1_inline(setting: Setting) -> list[Figure]:
    """Measure instances of ten guarded steps in the kernel."""
    rates = [_l1(setting, ten_steps("inline", "inline")) for _ in range(setting.pick(3, 1))]
    return [_firings("L1.inline", rates)]


def l1_thread_beside_cpu(setting: Setting) -> list[Figure]:
    """Measure `L1.thread` while one more handler computes without end."""
    rates = [_l1(setting, _threaded(), beside=_Burner()) for _ in range(setting.pick(3, 1))]
    return [_firings("L1.thread_beside_cpu", rates)]


def _threaded() -> Workflow:
    return ten_steps("thread", "thread", retry=Retry(), timeout_s=60.0)


class _Burner:
    """A workflow whose only handler computes until it is told to end."""

    def __init__(self) -> None:
        self._begun, self._enough = threading.Event(), threading.Event()
        self.workflow = Workflow("burn")
        start, end = self.workflow.places("start end")
        self.workflow.transition(start >> end, "burn", handler=self._burn)

    def _burn(self, value: int) -> int:
        self._begun.set()
        while not self._enough.is_set():
            value = (value * 31 + 7) % 1_000_003
        return value

    def start(self, runtime: Runtime) -> None:
        """Return once it computes."""
        runtime.spawn(self.workflow, {"start": [1]}, id="burn")
        if not self._begun.wait(PATIENCE_S):
            raise TimeoutError("the handler that only computes has not begun")

    def end(self) -> None:
        """Let it return."""
        self._enough.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """What one run gave."""

    firings_a_second: float
    cpu_us: float  # processor time of the whole process a firing: hardly depends on what else the machine does


def _firings(name: str, rates: list[_Rate]) -> Figure:
    cpu_us = median(rate.cpu_us for rate in rates)
    value = median(rate.firings_a_second for rate in rates)
    return Figure(name=name, value=value, unit="firings/s", note=f"{cpu_us:.0f} us of processor time a firing")


def _l1(setting: Setting, workflow: Workflow, beside: _Burner | None = None) -> _Rate:
    """Measure from the first spawn to the commit of the last result."""
    count = setting.pick(3_000, 100)
    workflows = [workflow] if beside is None else [workflow, beside.workflow]
    with Runtime(setting.fresh(), workflows) as runtime:
        if beside is not None:
            beside.start(runtime)
        cpu_s = time.process_time()
        elapsed_s = run_all(runtime, workflow, {"p0": [0]}, count)
        cpu_s = time.process_time() - cpu_s
        if beside is not None:
            beside.end()
    firings = count * STEPS
    return _Rate(firings_a_second=firings / elapsed_s, cpu_us=cpu_s / firings * 1e6)


def run_all(
    runtime: Runtime,
    workflow: Workflow,
    tokens: Mapping[str, Sequence[object]],
    count: int,
    state: InstanceState = InstanceState.COMPLETED,
) -> float:
    """Spawn instances, wait until each has come to `state`, and return the seconds it took."""
    finish = Finish(runtime, state, count)
    names = [f"{workflow.name}-{number}" for number in range(count)]
    for name in names:
        finish.expect(name)
    spawned: list[Future[Instance]] = []
    begin_s = time.perf_counter()
    for name in names:
        spawned.append(runtime.spawn_later(workflow, tokens, id=name))
    finish.wait()
    elapsed_s = time.perf_counter() - begin_s
    for future in spawned:
        future.result()
    return elapsed_s


def l2_thread(setting: Setting) -> list[Figure]:
    """Measure one instance with a token an item: all of them fire on threads, then a join takes all results."""
    workflow = Workflow("items")
    todo, done, end = workflow.places("todo done end")
    workflow.transition(todo >> done, "item", handler=step)
    workflow.transition(done * ITEMS >> end, "join", handler=len)
    times_s: list[float] = []
    with Runtime(setting.fresh(), [workflow]) as runtime:
        for number in range(setting.pick(7, 2)):
            begin_s = time.perf_counter()
            instance = runtime.spawn(workflow, {todo: list(range(ITEMS))}, id=f"items-{number}")
            instance.wait_until([InstanceState.COMPLETED], PATIENCE_S)
            times_s.append(time.perf_counter() - begin_s)
    return [Figure(name="L2.thread", value=median(times_s), unit="s")]


def spawn_rate(setting: Setting) -> list[Figure]:
    """Measure how many instances a second one client puts on disk; each waits for a second token and does nothing."""
    workflow = Workflow("waiting")
    first, second, end = workflow.places("first second end")
    workflow.transition((first & second) >> end, "meet", handler=max)
    count = setting.pick(10_000, 500)
    rates: list[float] = []
    for _ in range(setting.pick(3, 1)):
        with Runtime(setting.fresh(), [workflow]) as runtime:
            rates.append(count / run_all(runtime, workflow, {"first": [1]}, count, InstanceState.STUCK))
    return [Figure(name="spawn.rate", value=median(rates), unit="instances/s")]
