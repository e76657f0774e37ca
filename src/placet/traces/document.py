"""The parts of a WfFormat 1.5 file that Placet reads: names as in its JSON, checked while they are decoded.

Source: https://github.com/wfcommons/WfFormat, `wfcommons-schema.json`.
"""

import json
import re
from pathlib import Path
from typing import NoReturn

import msgspec

from placet.repeated_key import KeyRepeated, load_json
from placet.traces.errors import TraceError

VERSION = "1.5"

_LACKS = re.compile(r"Object missing required field (`[^`]*`)")


class TaskSpecification(msgspec.Struct, frozen=True):
    """What a task is and whom it waits for."""

    name: str
    id: str
    parents: tuple[str, ...]
    children: tuple[str, ...]


class TaskExecution(msgspec.Struct, frozen=True, rename={"runtime_s": "runtimeInSeconds"}):
    """How long a task took."""

    id: str
    runtime_s: float


class Specification(msgspec.Struct, frozen=True):
    """All tasks of a workflow."""

    tasks: tuple[TaskSpecification, ...]


class Execution(msgspec.Struct, frozen=True):
    """A recorded run."""

    tasks: tuple[TaskExecution, ...]


class WorkflowPart(msgspec.Struct, frozen=True):
    """The tasks and, where it has been run, the recorded run."""

    specification: Specification
    execution: Execution | None = None


class Document(msgspec.Struct, frozen=True):
    """A whole file."""

    name: str
    workflow: WorkflowPart


class _Version(msgspec.Struct, frozen=True, rename={"version": "schemaVersion"}):
    version: str


_decode_document = msgspec.json.Decoder(Document).decode
_decode_version = msgspec.json.Decoder(_Version).decode


def read_document(path: Path) -> Document:
    """Return what a file holds. Raises `TraceError` for one that cannot be read or is not WfFormat 1.5."""
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # some editors put this mark first
    except OSError as error:
        raise TraceError(
            f"the trace cannot be read ({error.strerror or error})", "check its path and permissions", str(path)
        ) from error
    try:
        version = _decode_version(data).version
        if version != VERSION:
            problem = f'this is WfFormat "{version}", Placet reads "{VERSION}"'
            raise TraceError(problem, "convert it with the tools of WfCommons", str(path), "`$.schemaVersion`")
        document = _decode_document(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        _check_text(data, path)  # a slip of the pen first: what follows from it would mislead
        if isinstance(error, msgspec.ValidationError):
            raise _misshapen(error, path) from error
        raise TraceError(f"this is not JSON ({error})", "mend the file, or export it again", str(path)) from error
    _check_text(data, path)  # the decoder takes the last of two equal keys, and says nothing
    return document


def _misshapen(error: msgspec.ValidationError, path: Path) -> TraceError:
    """Say which key is wrong, and where in the tree."""
    problem, _, where = str(error).partition(" - at ")
    lacking = _LACKS.match(problem)
    said = f"the key {lacking[1]} is missing" if lacking else f"{problem[:1].lower()}{problem[1:]}"
    return TraceError(said, f"give it the form of WfFormat {VERSION}", str(path), where or "`$`")


def _check_text(data: bytes, path: Path) -> None:
    """Raise where a text stops being JSON, or repeats a key, with line and column: Python's own parser knows."""
    remedy = "mend the file, or export it again"
    try:
        load_json(data.decode(), _no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise TraceError(f"this is not JSON ({error.msg})", remedy, str(path), where) from error
    except KeyRepeated as error:
        raise TraceError(str(error.found), "keep one of the two", str(path), error.found.where) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        where = f"line {line}, column {column}"
        raise TraceError("this is not UTF-8 text", remedy, str(path), where) from error
    except (ValueError, RecursionError) as error:
        raise TraceError(f"this is not JSON ({error})", remedy, str(path)) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
