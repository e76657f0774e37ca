"""Reads a workflow from the JSON form of its net."""

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from placet.nets.errors import NetError
from placet.nets.importing import Importer
from placet.nets.retrying import retry_from
from placet.petri.behaviour import Definition, Source
from placet.petri.document import NetDocument, decode_document
from placet.petri.reading import workflow_of
from placet.petri.workflow import Workflow
from placet.repeated_key import KeyRepeated, load_json

_LACKS = re.compile(r"Object missing required field (`[^`]*`)")
_MANY = re.compile(r"Object contains unknown field (`[^`]*`)")


def read_net(file: "str | os.PathLike[str]") -> Workflow:
    """Return the workflow in a file `x.net.json`; modules beside the file can be imported.

    Raises `NetError` for a file that cannot be read, is no JSON or not of the form `net_schema()` describes, and
    `DefinitionError` for a net that is wrong: both name the place.
    """
    path = Path(file)
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
        raise NetError(problem, "check its path and permissions", str(path)) from error
    return _workflow(_document(data, str(path)), path)


def parse_net(text: str, folder: "str | os.PathLike[str]" = ".") -> Workflow:
    """Return the workflow in the text of a net; modules in `folder` can be imported.

    Raises like `read_net`. Give it to `Runtime(workflows=[…])` at every start: it is in no file to be loaded from.
    """
    return _build(_document(text.encode(), "the text"), Source(), Importer(Path(folder).absolute()))


def load_definition(source: Source) -> Definition:
    """Return the workflow of a file again, for instances that a state has of it."""
    return read_net(source.file).definition()


def _workflow(document: NetDocument, path: Path) -> Workflow:
    file = path.absolute()
    return _build(document, Source(file=str(file)), Importer(file.parent))


def _build(document: NetDocument, source: Source, importer: Importer) -> Workflow:
    return workflow_of(document, source, importer, partial(retry_from, importer=importer))


# -- text ----------------------------------------------------------------------------------------------------------


def _document(data: bytes, file: str) -> NetDocument:
    data = data.removeprefix(b"\xef\xbb\xbf")  # some editors put this mark first
    try:
        document = decode_document(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        _check_text(data, file)  # a slip of the pen first: what follows from it would mislead
        if isinstance(error, msgspec.ValidationError):
            raise _misshapen(error, file) from error
        raise NetError(f"this is not JSON ({error})", "mend it", file) from error
    _check_text(data, file)  # the decoder takes the last of two equal keys, and says nothing
    return document


def _misshapen(error: msgspec.ValidationError, file: str) -> NetError:
    """Say which key is wrong, and where in the tree."""
    problem, _, where = str(error).partition(" - at ")
    lacking, unknown = _LACKS.match(problem), _MANY.match(problem)
    if lacking:
        said = f"the key {lacking[1]} is missing"
    elif unknown:
        said = f"there is no key {unknown[1]}"
    elif "matching regex" in problem:
        said = "this is no import path, such as `package.module:function`"
    else:
        said = f"{problem[:1].lower()}{problem[1:]}"
    return NetError(said, "placet net --schema prints the form", file, where or "`$`")


def _check_text(data: bytes, file: str) -> None:
    """Raise where a text stops being JSON, or repeats a key, with line and column: Python's own parser knows."""
    try:
        load_json(data.decode(), _no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NetError(f"this is not JSON ({error.msg})", "mend it", file, where) from error
    except KeyRepeated as error:
        raise NetError(str(error.found), "keep one of the two", file, error.found.where) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        where = f"line {line}, column {column}"
        raise NetError("this is not UTF-8 text", "save it as UTF-8", file, where) from error
    except (ValueError, RecursionError) as error:
        raise NetError(f"this is not JSON ({error})", "mend it", file) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
