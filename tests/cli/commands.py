"""`placet` as a process of its own or within this one, and waiting for what it does without sleeping blindly."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

Face = dict[str, Any]  # JSON of the program under test: Any, since assertions look into it without a schema
T = TypeVar("T")
DEADLINE_S = 30.0

ESCAPE = "\x1b"

QUICK = """
from placet import Workflow

quick = Workflow("quick")
start, doubled, done = quick.places("start doubled done")


@quick.transition(start >> doubled)
def double(number):
    return 2 * number


@quick.transition(doubled >> done, run="inline")
def increment(number):
    return number + 1
"""

# Waits in `hold` for as long as a file is there; fails in `finish` for as long as another one is.
SLOW = """
import os
import threading
from pathlib import Path

from placet import Workflow

here = Path(__file__).parent
slow = Workflow("slow")
start, held, done = slow.places("start held done")


@slow.transition(start >> held)
def hold(value, context):
    with open(here / "attempts", "a") as log:
        print(context.firing_id, context.attempt, file=log, flush=True)
    while (here / "hold").exists():
        threading.Event().wait(0.01)
    return value


@slow.transition(held >> done)
def finish(value):
    if (here / "break").exists():
        raise ValueError(f"cannot finish {value}")
    return value
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def face(self) -> Face:
        """The last line of standard output, as JSON."""
        return parsed(self.out.splitlines()[-1])

    @property
    def faces(self) -> list[Face]:
        """Every line of standard output, as JSON."""
        return [parsed(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Face:
        """The error in the last line of standard output."""
        return parsed(json.dumps(self.face["error"]))


def parsed(line: str) -> Face:
    """Return the JSON object in one line."""
    face: Face = json.loads(line)
    assert isinstance(face, dict)
    return face


def command(*arguments: object) -> list[str]:
    """Return the words of one call of `placet`."""
    return [sys.executable, "-m", "placet", *map(str, arguments)]


def placet(*arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Answer:
    """Run a command to its end, its output into pipes."""
    ended = subprocess.run(
        command(*arguments),
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Answer(code=ended.returncode, out=ended.stdout, err=ended.stderr)


@contextmanager
def running(*arguments: object) -> Generator["subprocess.Popen[str]"]:
    """Run a command beside the test; it is killed at the end of the block if it is still there."""
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: "subprocess.Popen[str]") -> Answer:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=DEADLINE_S)
    return Answer(code=process.returncode, out=out, err=err)


def until(look: Callable[[], T | None], what: str) -> T:
    """Return what `look` sees as soon as it sees something; fail after half a minute."""
    end = monotonic() + DEADLINE_S
    while not (seen := look()):
        assert monotonic() < end, f"not within {DEADLINE_S:.0f} s: {what}"
        threading.Event().wait(0.02)
    return seen


def attempts(folder: Path) -> list[str]:
    """Return the lines that attempts of `hold` have left."""
    log = folder / "attempts"
    return log.read_text().splitlines() if log.exists() else []
