"""Handlers that worker processes import: light, since each of them imports all of this."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from placet import Context

DEADLY = 13


def echo(value: object) -> object:
    return value


def pid_of(_value: object) -> int:
    return os.getpid()


def die(value: int) -> int:
    """Take the process along for one value."""
    if value == DEADLY:
        os._exit(7)
    return value


def hang(path: str) -> None:
    """Write down the own process and a child's, and never return."""
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait(600)"])
    _hang(path, f"{os.getpid()} {child.pid}")


def hang_alone(path: str) -> None:
    """Write down the own process, and never return."""
    _hang(path, str(os.getpid()))


def _hang(path: str, text: str) -> None:
    written = Path(path).with_suffix(".part")
    written.write_text(text, encoding="utf-8")
    written.rename(path)
    threading.Event().wait()


def doubled(value: int) -> int:
    return value * 2


def fails_at_three(value: int) -> int:
    if value == 3:
        raise LookupError("three is missing")
    return value


def leave(value: int) -> int:
    return value if value else sys.exit(3)


def scaled(value: int, factor: int, context: Context) -> tuple[int, int | None, str]:
    return value * factor, context.item, context.firing_id


def burn(value: int) -> int:
    """Compute for some tens of milliseconds, and return the process that did."""
    for number in range(400_000):
        value = (value * 31 + number) % 1_000_003
    return os.getpid()


class Traced:
    """A value that writes down each process it is pickled or unpickled in."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getstate__(self) -> str:
        self._note("out")
        return self.path

    def __setstate__(self, path: str) -> None:
        self.path = path
        self._note("in")

    def _note(self, way: str) -> None:
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write(f"{way} {os.getpid()}\n")


def passed_on(value: Traced) -> Traced:
    return value


def scaled_by(factor: int, value: int) -> int:
    return value * factor


def lock_of(_value: object) -> object:
    return threading.Lock()
