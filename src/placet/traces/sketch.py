"""A generated trace while it is drawn: tasks with their parents, seeded runtimes, and at the end its JSON."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from placet.traces.document import VERSION

_FILE_BYTES = (10_000, 4_000_000)  # least and most of a generated file
_NEVER = "1970-01-01T00:00:00Z"  # the format wants a date; a generated trace has not been run


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTask:
    """One task of a sketch."""

    id: str
    program: str
    parents: tuple[str, ...]
    runtime_s: float


@dataclass(slots=True)
class Sketch:
    """The tasks drawn so far. The same seed and the same calls give the same sketch."""

    seed: int
    tasks: list[DrawnTask] = field(default_factory=list[DrawnTask])
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def task(self, program: str, parents: Sequence[str], least_s: float, most_s: float) -> str:
        """Draw a task that takes between `least_s` and `most_s` seconds, and return its id."""
        drawn = DrawnTask(
            id=f"{program}_ID{len(self.tasks) + 1:07}",
            program=program,
            parents=tuple(parents),
            runtime_s=round(self._random.triangular(least_s, most_s), 3),
        )
        self.tasks.append(drawn)
        return drawn.id

    def document(self, name: str, description: str) -> dict[str, object]:
        """Return the sketch as a WfFormat 1.5 document: plain values, ready for JSON."""
        children: dict[str, list[str]] = {task.id: [] for task in self.tasks}
        for task in self.tasks:
            for parent in task.parents:
                children[parent].append(task.id)
        files = [file for task in self.tasks for file in _files_of(task)]
        return {
            "name": name,
            "description": description,
            "schemaVersion": VERSION,
            "workflow": {
                "specification": {
                    "tasks": [_specification(task, children[task.id]) for task in self.tasks],
                    "files": [{"id": file, "sizeInBytes": self._random.randint(*_FILE_BYTES)} for file in files],
                },
                "execution": {
                    "makespanInSeconds": self._longest_chain_s(),
                    "executedAt": _NEVER,
                    "tasks": [
                        {"id": task.id, "runtimeInSeconds": task.runtime_s, "command": {"program": task.program}}
                        for task in self.tasks
                    ],
                },
            },
        }

    def _longest_chain_s(self) -> float:
        """Return the seconds a run takes where no task waits for a machine; parents are drawn before children."""
        ends_s: dict[str, float] = {}
        for task in self.tasks:
            ends_s[task.id] = max((ends_s[parent] for parent in task.parents), default=0.0) + task.runtime_s
        return round(max(ends_s.values()), 3)


def _specification(task: DrawnTask, children: list[str]) -> dict[str, object]:
    return {
        "name": task.program,
        "id": task.id,
        "parents": list(task.parents),
        "children": children,
        "inputFiles": _read_by(task),
        "outputFiles": [_written_by(task.id)],
    }


def _files_of(task: DrawnTask) -> list[str]:
    """Return the files a task brings into being: what it writes, and for a root what it reads."""
    return [*([] if task.parents else _read_by(task)), _written_by(task.id)]


def _read_by(task: DrawnTask) -> list[str]:
    return [_written_by(parent) for parent in task.parents] or [f"{task.id}.in"]


def _written_by(task: str) -> str:
    return f"{task}.out"
