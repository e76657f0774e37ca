"""Where a command writes: results to standard output, everything else to standard error, one line each."""

import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from placet.petri.errors import printable


def is_terminal(stream: TextIO) -> bool:
    """True when a person watches the stream on a terminal that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
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


def say(text: str) -> None:
    """Write one line of a result; what could move a cursor is written as an escape. Raises `NobodyReads`."""
    _write(printable(text))


def say_lines(text: str) -> None:
    """Write a result of several lines."""
    for line in text.splitlines():
        say(line)


def say_json(value: object) -> None:
    """Write one JSON object on one line, in ASCII. Raises `NobodyReads`."""
    _write(json.dumps(value))


def _write(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:  # Typer would make its own of it
        raise NobodyReads from error


def note(text: str) -> None:
    """Write one line for people to standard error, if anybody reads it."""
    with suppress(OSError):
        sys.stderr.write(f"placet: {printable(text)}\n")
        sys.stderr.flush()


def shown(value: object, longest: int = 200) -> str:
    """Return a plain value on one line for people, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
