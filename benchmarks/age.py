"""What a step costs in a young instance and in one that has made a hundred thousand."""

import time
from queue import SimpleQueue
from statistics import median

from benchmarks.figure import Figure
from benchmarks.setting import PATIENCE_S, Setting
from placet import Instance, Runtime, Workflow

YOUNG, OLD = 10, 100_000

Progress = tuple[int, int]  # (steps made, step at which to wait)


class Loop:
    """One instance over a state of its own that steps in a loop, and waits at the step it is told."""

    def __init__(self, setting: Setting) -> None:
        self._waits: SimpleQueue[int] = SimpleQueue()
        self._orders: SimpleQueue[int] = SimpleQueue()
        workflow = Workflow("loop")
        turning = workflow.place("turning", entry=True)
        waiting, end = workflow.places("waiting end")

        @workflow.transition(turning >> (turning | waiting), run="inline")
        def turn(progress: Progress) -> object:
            made, stop = progress
            return turning((made + 1, stop)) if made + 1 < stop else waiting((made + 1, stop))

        @workflow.transition(waiting >> (turning | end))
        def wait(progress: Progress) -> object:
            self._waits.put(progress[0])
            more = self._orders.get(timeout=PATIENCE_S)
            return turning((progress[0], progress[0] + more)) if more else end(progress)

        self._runtime = Runtime(setting.fresh(), [workflow])
        self._instance: Instance = self._runtime.spawn(workflow, {turning: [(0, YOUNG)]}, id="loop")
        self._waits.get(timeout=PATIENCE_S)

    def go(self, steps: int) -> float:
        """Make so many steps more and return the seconds they took."""
        begin_s = time.perf_counter()
        self._orders.put(steps)
        self._waits.get(timeout=PATIENCE_S)
        return time.perf_counter() - begin_s

    def close(self) -> None:
        """End the instance and its runtime."""
        self._orders.put(0)
        self._instance.result(timeout_s=PATIENCE_S)
        self._runtime.close()


def age(setting: Setting) -> list[Figure]:
    """Measure the steps from the 10th on in new instances, between those from the 100,000th on in one old one."""
    steps = setting.pick(3_000, 500)
    old = Loop(setting)
    old_age = setting.pick(OLD, 5_000)
    old.go(old_age - YOUNG)
    ratios: list[float] = []
    for _ in range(setting.pick(9, 3)):
        young = Loop(setting)
        young_s = young.go(steps)
        young.close()
        ratios.append(old.go(steps) / young_s)
    old.close()
    note = f"{steps} steps each" if old_age == OLD else f"quick: at step {old_age}"
    return [Figure(name="age.step10_vs_step100000", value=median(ratios), unit="ratio", note=note)]
