"""What a start does about files that hang, end the process, or raise whatever they like while it loads them.

The files are those of workflows that the state has instances of, and nobody asked for them: they must not keep the
engine from running others.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TypeVar

import msgspec

from placet.persistence.directory import LOADING
from placet.petri.behaviour import Source

T = TypeVar("T")

SLOW_S = 1.0  # after so long it is said what is being loaded
GUILTY_AT = 2  # ends of the process while a file was loaded, after which it is left out


class NotLoaded(Exception):
    """A workflow could not be loaded; its text says why."""


class _Entry(msgspec.Struct):
    changed_ns: int  # when the file was changed last, as of the start that met its end in it
    ends: int  # of processes that were loading it


_decode = msgspec.json.Decoder(dict[str, _Entry]).decode


class LoadingGuard:
    """Loads workflows, and remembers in the state directory which one is being loaded, should the process end.

    A file that was being loaded when two processes ended is left out for as long as it stays as it is.
    Layout of `DIR/loading`, which is there only while there is something to remember: a JSON object, by file or module.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOADING
        self._known: dict[str, _Entry] = {}
        with suppress(OSError, msgspec.MsgspecError):  # it is not there, or was cut off
            self._known = _decode(self._path.read_bytes())

    def load(self, source: Source, load: Callable[[], T]) -> T:
        """Return what `load` returns. Raises `NotLoaded`, and `KeyboardInterrupt` where somebody pressed Ctrl-C."""
        name = source.file or source.module
        self.enter(name, source)
        interrupts: list[int] = []
        try:
            with _telling(name), _noting(interrupts):
                found = load()
        except BaseException as error:  # a user's module may raise anything, `sys.exit()` and worse included
            self._leave(name)
            if isinstance(error, KeyboardInterrupt) and interrupts:
                raise
            raise NotLoaded(f"{type(error).__name__}: {error}") from error
        self._leave(name)
        return found

    def enter(self, name: str, source: Source) -> None:
        """Count the end of this process as one in that file, until `_leave`. Raises `NotLoaded`."""
        changed_ns = _changed_ns(source.file)
        entry = self._known.get(name)
        if entry is None or entry.changed_ns != changed_ns:
            entry = self._known[name] = _Entry(changed_ns, 0)
        if entry.ends >= GUILTY_AT:
            times, again = f"{entry.ends} times", f"mend it, or remove {self._path}"
            raise NotLoaded(f"the process ended {times} while {name} was loaded, so it is left out; {again}")
        if entry.ends:
            logging.getLogger("placet").warning("loading %s again, although the last process ended in it", name)
        entry.ends += 1
        self._write()

    def _leave(self, name: str) -> None:
        self._known.pop(name, None)
        self._write()

    def _write(self) -> None:
        """Leave a note for the next start; where that cannot be, there is none, and all goes on."""
        with suppress(OSError):
            if self._known:
                draft = self._path.with_suffix(".new")
                draft.write_bytes(msgspec.json.encode(self._known))
                draft.replace(self._path)
            else:
                self._path.unlink(missing_ok=True)


def _changed_ns(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns if file else 0
    except OSError:
        return 0


@contextmanager
def _telling(name: str) -> Generator[None]:
    """Say what is being loaded where that takes long: somebody may sit before a start that never ends."""
    text = "still loading %s, for instances in this state; Ctrl-C ends it"
    timer = threading.Timer(SLOW_S, logging.getLogger("placet").warning, (text, name))
    timer.daemon = True
    with suppress(RuntimeError):  # there can be no more threads: then nothing is said
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _noting(interrupts: list[int]) -> Generator[None]:
    """Note each SIGINT before it has its effect: a `KeyboardInterrupt` without one was raised by the file itself."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # no signal comes to this thread, or to none
        return

    def receive(number: int, frame: FrameType | None) -> None:
        """Note a signal, and handle it as before."""
        interrupts.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, receive)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is receive:  # unless the file has set its own
            signal.signal(signal.SIGINT, before)
