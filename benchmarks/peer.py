"""A peer on the same machine: DBOS, which keeps the steps of plain functions in SQLite."""

import importlib
import time
from typing import Any

from benchmarks.figure import Figure
from benchmarks.setting import Setting
from benchmarks.steps import STEPS, step


class Unavailable(Exception):
    """A figure cannot be had here; the text says why."""


def dbos(setting: Setting) -> list[Figure]:
    """Measure workflows of ten steps, as `L1.thread` does. Raises `Unavailable` where DBOS is not installed."""
    try:
        module: Any = importlib.import_module("dbos")  # `Any`: an extra, whose types are not always there
    except ImportError as error:
        raise Unavailable("DBOS is not installed; pip install 'placet[benchmarks]'") from error
    framework = module.DBOS
    setting.directory.mkdir(exist_ok=True)
    database = f"sqlite:///{setting.fresh()}.sqlite"
    framework(config={"name": "benchmark", "system_database_url": database, "log_level": "ERROR"})
    durable_step = framework.step()(step)

    def ten(value: int) -> int:
        for _ in range(STEPS):
            value = durable_step(value)
        return value

    workflow = framework.workflow()(ten)
    framework.launch()
    try:
        rate = _rate(framework, workflow, setting.pick(100, 5))
    finally:
        framework.destroy()
    return [Figure(name="peer.dbos", value=rate, unit="firings/s", note="DBOS with SQLite, as L1.thread")]


def _rate(framework: Any, workflow: Any, count: int) -> float:
    begin_s = time.perf_counter()
    handles = [framework.start_workflow(workflow, number) for number in range(count)]
    for handle in handles:
        handle.get_result()
    return count * STEPS / (time.perf_counter() - begin_s)
