"""Writes a workflow as the JSON form of its net."""

import os
from functools import partial
from pathlib import Path

from placet.nets.errors import NetError
from placet.nets.retrying import retry_document
from placet.petri.document import encode_document
from placet.petri.import_path import path_of
from placet.petri.workflow import Workflow
from placet.petri.writing import document_of


def format_net(workflow: Workflow) -> str:
    """Return a workflow as JSON; `parse_net` gives an equal net of the same version.

    Raises `DefinitionError` where a function, type or policy has no name in a module, such as a lambda.
    """
    parts = {id(part): part for one in (workflow, *workflow.callees) for part in one.declared.parts().values()}
    named = partial(path_of, modules=tuple(dict.fromkeys(part.location.module for part in parts.values())))
    return encode_document(document_of(workflow, named, partial(retry_document, path_of=named)))


def write_net(workflow: Workflow, file: "str | os.PathLike[str]") -> None:
    """Write a workflow to a file, which should be called `x.net.json`. Raises like `format_net`, and `NetError`."""
    text = format_net(workflow)
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"it cannot be written ({error.strerror or error})"
        raise NetError(problem, "give another file", os.fspath(file)) from error
