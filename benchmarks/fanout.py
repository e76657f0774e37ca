"""Many computing handlers at once in worker processes, beside the same functions on a plain pool of such processes."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.figure import Figure
from benchmarks.setting import PATIENCE_S, Setting
from placet import InstanceState, Runtime, Workflow
from placet.actors.executors.roster import processors

ITEMS = 64


def compute(rounds: int) -> int:
    """Keep one processor busy: some 20 ms for 200,000 rounds."""
    value = rounds
    for number in range(rounds):
        value = (value * 31 + number) % 1_000_003
    return value


def process_fanout(setting: Setting) -> list[Figure]:
    """Measure one instance of 64 computing firings, over plain loky's time for the same calls, in turns."""
    from loky import (  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no annotations; here alone
        ProcessPoolExecutor,  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType] - likewise
    )

    rounds = setting.pick(200_000, 2_000)
    pool: Any = ProcessPoolExecutor(max_workers=processors())  # `Any`: it has no annotations
    workflow = Workflow("fanout")
    todo, done = workflow.places("todo done")
    workflow.transition(todo >> done, "compute", handler=compute, run="process")
    ours_s: list[float] = []
    plain_s: list[float] = []
    with Runtime(setting.fresh(), [workflow]) as runtime:

        def ours() -> None:
            instance = runtime.spawn(workflow, {todo: [rounds] * ITEMS})
            instance.wait_until([InstanceState.COMPLETED], PATIENCE_S)

        def plain() -> None:
            list(pool.map(compute, [rounds] * ITEMS))

        for run in (plain, ours):  # the first time workers are started
            _timed(run)
        for _ in range(setting.pick(9, 2)):
            plain_s.append(_timed(plain))
            ours_s.append(_timed(ours))
    pool.shutdown()
    note = f"{median(ours_s):.3f} s, plain loky {median(plain_s):.3f} s, on {processors()} processors"
    return [Figure(name="process.fanout", value=median(ours_s) / median(plain_s), unit="ratio", note=note)]


def _timed(run: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    run()
    return time.perf_counter() - begin_s
