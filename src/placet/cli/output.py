"""Where a command writes: results to standard output, everything else to standard error, one line each."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from placet.petri.errors import PlacetError, printable


def is_terminal(stream: TextIO | None) -> bool:
    """True when a person watches the stream on a terminal that can move its cursor; None is a closed one."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def accept_any_text() -> None:
    """Let what the encoding of the terminal or file lacks be written as escapes instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_text(given: str) -> bool:
    """True unless `given` stands for bytes that are no UTF-8."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


class NobodyReads(Exception):
    """Standard output goes into a pipe whose reader has gone, such as `head`: the end of the command, quietly."""


class NotWritten(PlacetError):
    """Standard output takes nothing: a full disk, or it is closed. What the command did, it has done."""

    code = "not_written"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return printable(f"the output could not be written ({self.reason}); run it again with its output elsewhere")


def say(text: str) -> None:
    """Write one line of a result; what could move a cursor is written as an escape.

    Raises `NobodyReads` and `NotWritten`.
    """
    _write(printable(text))


def say_lines(text: str) -> None:
    """Write a result of several lines."""
    for line in text.splitlines():
        say(line)


def say_json(value: object) -> None:
    """Write one JSON object on one line, in ASCII. Raises `NobodyReads` and `NotWritten`."""
    _write(json.dumps(value))


def _write(line: str) -> None:
    if sys.stdout is None:  # the process was started with it closed
        raise NotWritten("standard output is closed")
    with _told_apart():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def finish() -> None:
    """Write out what others left in the buffer. Raises `NobodyReads` and `NotWritten`."""
    if sys.stdout is not None:
        with _told_apart():
            sys.stdout.flush()


@contextmanager
def _told_apart() -> Generator[None]:
    try:
        yield
    except BrokenPipeError as error:  # Typer would make its own of it
        raise NobodyReads from error
    except (OSError, ValueError) as error:  # `ValueError`: it was closed
        raise NotWritten(getattr(error, "strerror", None) or str(error)) from error


def forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere."""
    if sys.stdout is not None:
        with suppress(OSError, ValueError):  # there is nothing to forget
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Write one line for people to standard error, if anybody reads it."""
    if sys.stderr is None:  # closed, as above
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(f"placet: {printable(text)}\n")
        sys.stderr.flush()


def shown(value: object, longest: int = 200) -> str:
    """Return a plain value on one line for people, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
