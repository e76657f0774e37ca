"""A fresh process that opens a state, for `sleeping`: how much memory it has, and when all is live again."""

import json
import sys
import threading
import time
from pathlib import Path

from benchmarks.setting import PATIENCE_S
from benchmarks.sleepers import WORKFLOWS, welcome
from placet import InstanceState, Runtime
from placet.actors.engine import Health


def anonymous_mb() -> float:
    """Return the memory of this process that is backed by no file; the pages of the store are not counted."""
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        raise OSError("there is no /proc/self/smaps_rollup; measure memory on Linux")
    for line in rollup.read_text(encoding="ascii").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("/proc/self/smaps_rollup has no line `Anonymous`")


def awaken(state: Path, start: str) -> dict[str, float]:
    """Open a state; unless it is "empty", see a stored timer fire and a stuck instance found, and say when."""
    begin_s = time.perf_counter()
    with Runtime(state, WORKFLOWS) as runtime:
        opened_s = time.perf_counter() - begin_s
        if start == "empty":
            _wait_until_running(runtime)
        else:
            welcome.add(int(start))
            paused = runtime.instance(f"lacking-{start}")
            paused.resume(by="benchmark", why="it has slept enough")
            paused.wait_until([InstanceState.STUCK], PATIENCE_S)
            runtime.instance(f"soon-{start}").wait_until([InstanceState.COMPLETED], PATIENCE_S)
        restart_s = time.perf_counter() - begin_s
        return {"opened_s": opened_s, "restart_s": restart_s, "anonymous_mb": anonymous_mb()}


def _wait_until_running(runtime: Runtime) -> None:
    end_s = time.perf_counter() + PATIENCE_S
    while runtime.health is Health.STARTING and time.perf_counter() < end_s:
        threading.Event().wait(0.01)


if __name__ == "__main__":
    print(json.dumps(awaken(Path(sys.argv[1]), sys.argv[2])))
