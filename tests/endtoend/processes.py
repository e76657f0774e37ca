"""Programs and commands in process groups of their own, to be killed at any moment."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

from tests.project.sources import ROOT

T = TypeVar("T")
PATIENCE_S = 60.0  # a bound for what takes a second or two

Process = subprocess.Popen[str]


def start(arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start a Python process as the leader of a group of its own."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def started(arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Generator[Process]:
    """`start`, and kill the group at the end of the block if it is still there."""
    process = start(arguments, cwd=cwd, env=env)
    try:
        yield process
    finally:
        kill(process)


def kill(process: Process) -> None:
    """Kill the whole group with SIGKILL and wait for its end; harmless when it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def finished(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None, within_s: float = PATIENCE_S
) -> tuple[int, str, str]:
    """Run a Python process to its end; return its code and what it wrote."""
    with started(arguments, cwd=cwd, env=env) as process:
        out, err = process.communicate(timeout=within_s)
        return process.returncode, out, err


def until(
    look: Callable[[], T | None], what: str, process: Process | None = None, *, within_s: float = PATIENCE_S
) -> T:
    """Return what `look` sees as soon as it sees something; fail when `process` ends or after a minute."""
    end = monotonic() + within_s
    while not (seen := look()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it ended before {what}: {process.communicate()}")
        assert monotonic() < end, f"not within {within_s:.0f} s: {what}"
        threading.Event().wait(0.002)
    return seen
