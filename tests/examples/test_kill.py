"""An example that is killed with SIGKILL, again and again, and run again, ends as if nothing had been."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.project.sources import ROOT

PATIENCE_S = 120.0


class Attempts:
    """The file in which the tasks of a trace write down their attempts."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[tuple[str, str, int]]:
        if not self.file.exists():
            return []
        lines = [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]
        return [(line["task"], line["firing"], line["attempt"]) for line in lines]


def start(folder: Path, attempts: Attempts) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "science.py"), str(folder / "state")],
        env=os.environ | {"PYTHONUTF8": "1", "TMPDIR": str(folder), "PLACET_TRACE_LOG": str(attempts.file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )


def kill_once_begun(process: "subprocess.Popen[str]", attempts: Attempts, count: int) -> None:
    """Kill the process group as soon as `count` attempts have begun in all."""
    while len(attempts.read()) < count and process.poll() is None:
        try:
            process.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def test_every_task_counts_once_however_often_the_run_is_killed(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempts")
    for _ in range(4):
        kill_once_begun(start(tmp_path, attempts), attempts, len(attempts.read()) + 14)
    process = start(tmp_path, attempts)
    said, complained = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, complained
    assert "58 of 58 tasks counted, none more often than 1 time" in said
    made = Counter(attempts.read())
    assert max(made.values()) == 1, "an attempt is counted before it begins, so none begins twice"
    firings = {(task, firing) for task, firing, _ in made}
    assert len(firings) == len({task for task, _ in firings}) == 58, "each task is one firing, whatever its attempts"
