"""Small WfFormat documents for tests, right in all they do not get wrong on purpose."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

# What is in a document is what `json` makes of it: `Any`, since tests break it at will.
Document: TypeAlias = dict[str, Any]


def document(parents: Mapping[str, Iterable[str]], runtimes_s: Mapping[str, float] | None = None) -> Document:
    """Return a document with these tasks; each takes a second unless `runtimes_s` says otherwise."""
    edges = [(parent, task) for task, several in parents.items() for parent in several]
    return {
        "name": "small",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    {
                        "name": f"program of {task}",
                        "id": task,
                        "parents": [parent for parent, child in edges if child == task],
                        "children": [child for parent, child in edges if parent == task],
                    }
                    for task in parents
                ]
            },
            "execution": {
                "makespanInSeconds": 1,
                "executedAt": "2020-01-01T00:00:00Z",
                "tasks": [{"id": task, "runtimeInSeconds": (runtimes_s or {}).get(task, 1)} for task in parents],
            },
        },
    }


def diamond() -> Document:
    """Return a document of four tasks: `b` and `c` wait for `a`, `d` for both."""
    return document({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}, {"b": 2.5})


def tasks_of(made: Document) -> list[Document]:
    """Return the tasks of a document, to be changed."""
    tasks: list[Document] = made["workflow"]["specification"]["tasks"]
    return tasks


def runs_of(made: Document) -> list[Document]:
    """Return the recorded runs of a document, to be changed."""
    runs: list[Document] = made["workflow"]["execution"]["tasks"]
    return runs


def write(folder: Path, made: Document | str | bytes, name: str = "trace.json") -> Path:
    """Write a document, or a text that may be none, and return the file."""
    file = folder / name
    if isinstance(made, bytes):
        file.write_bytes(made)
    else:
        file.write_text(made if isinstance(made, str) else json.dumps(made), encoding="utf-8")
    return file
