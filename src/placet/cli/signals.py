"""Ctrl-C and its kin while an engine runs: the first asks it to stop, the second ends the process at once."""

import json
import os
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Self

from placet.cli.errors import SIGNALLED, error_face
from placet.petri.errors import PlacetError

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(PlacetError):
    """A person or the system asked the command to stop; what was committed is on disk."""

    code = "interrupted"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {self.name}; run it again to go on"

    @property
    def name(self) -> str:
        """The name of the signal, such as `SIGINT`."""
        return signal.Signals(self.number).name


class Signals:
    """A context in which the main thread waits for something to happen, a signal included.

    Waiting goes through a `SimpleQueue`, whose `put` may be called from a signal handler in the midst of a `get`;
    an `Event` could lock itself up there.
    """

    def __init__(self, last: Mapping[str, object] | None = None) -> None:
        """Return it; `last` is what a program that reads JSON is told besides the error when a second signal comes."""
        self._last = last
        self._wakes: SimpleQueue[int] = SimpleQueue()
        self._received = 0
        self._raises = False
        self._number = 0  # of the signal that was raised
        self._before: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> Self:
        for number in CAUGHT:
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`: leave it ignored
                self._before.append((number, signal.signal(number, self._receive)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before:
            with suppress(TypeError):  # a handler that was not set from Python
                signal.signal(number, before)  # type: ignore[arg-type]  # what `signal` returned it takes  # pyright: ignore[reportArgumentType]

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._received += 1
        if self._received > 1:
            self._end(Interrupted(number))
        if self._raises:
            self._number = number
            raise KeyboardInterrupt
        self._wakes.put(number)

    def _end(self, stop: Interrupted) -> None:
        """End the process: patience is over, and the state is as after a crash."""
        reason = f"ended at once by a second signal, {stop.name}"
        remedy = "what was committed is on disk; run it again to go on"
        told = [(2, f"placet: {reason}; {remedy}")]
        if self._last is not None:
            told.append((1, json.dumps({**self._last, "error": {**error_face(stop), "message": reason}})))
        for stream, line in told:
            with suppress(OSError):  # nobody reads it
                os.write(stream, f"{line}\n".encode())  # not through Python's streams: one may be at work below us
        os._exit(SIGNALLED + stop.number)

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Let the first signal end what is done within, user code included. Raises `Interrupted` then."""
        self._raises = True
        try:
            yield
        except KeyboardInterrupt:
            if self._received:
                raise Interrupted(self._number) from None
            raise
        finally:
            self._raises = False

    def wake(self) -> None:
        """End the wait of the main thread; safe from any thread."""
        self._wakes.put(0)

    def wait(self, timeout_s: float) -> None:
        """Wait until woken, or for `timeout_s`. Raises `Interrupted` when a signal came."""
        with suppress(Empty):
            number = self._wakes.get(timeout=timeout_s)
            while not number:
                number = self._wakes.get_nowait()
            raise Interrupted(number)
