"""Reads WfFormat 1.5 files into traces, and refuses what cannot be run, saying where and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from placet.petri.errors import DefinitionError
from placet.petri.location import Site
from placet.petri.validation import check_name
from placet.traces.document import Execution, TaskSpecification, read_document
from placet.traces.errors import TraceError, quoted
from placet.traces.trace import Trace, TraceTask

_TASKS = "$.workflow.specification.tasks"
_RUNS = "$.workflow.execution.tasks"


def load_trace(path: Path | str) -> Trace:
    """Return the trace in a WfFormat 1.5 file. Raises `TraceError` for the first mistake found.

    A file without a recorded run is read as one whose tasks took no time.
    """
    file = Path(path).absolute()
    document = read_document(file)
    checks = _Checks(str(path))
    tasks = document.workflow.specification.tasks
    checks.ids(tasks)
    checks.edges(tasks)
    checks.order(tasks)
    runtimes_s = checks.runtimes(tasks, document.workflow.execution)
    return Trace(
        name=document.name,
        file=str(file),
        tasks=tuple(
            TraceTask(id=task.id, name=task.name, parents=task.parents, runtime_s=runtimes_s[task.id]) for task in tasks
        ),
    )


@dataclass(frozen=True, slots=True)
class _Checks:
    """The checks of one file, in the order in which later ones rely on earlier ones."""

    file: str

    def ids(self, tasks: Sequence[TaskSpecification]) -> None:
        """Raise unless there are tasks, and each id is a usable name of its own."""
        if not tasks:
            raise self._error("the trace has no tasks", "give it at least one", _TASKS)
        seen: dict[str, int] = {}
        for position, task in enumerate(tasks):
            where = f"{_TASKS}[{position}].id"
            try:
                check_name(task.id, Site(workflow=""))
            except DefinitionError as error:
                raise self._error(f"a task cannot have this id: {error.problem}", error.remedy, where) from error
            if task.id in seen:
                problem = f"two tasks have the id {quoted(task.id)}, the first at `{_TASKS}[{seen[task.id]}]`"
                raise self._error(problem, "give each task an id of its own", where)
            seen[task.id] = position

    def edges(self, tasks: Sequence[TaskSpecification]) -> None:
        """Raise unless parents and children are known, named once, and say the same."""
        positions = {task.id: position for position, task in enumerate(tasks)}
        for task in tasks:
            self._named("parents", task.id, task.parents, positions)
            self._named("children", task.id, task.children, positions)
        children = {task.id: frozenset(task.children) for task in tasks}
        parents = {task.id: frozenset(task.parents) for task in tasks}
        for task in tasks:
            for parent in task.parents:
                if task.id not in children[parent]:
                    problem = f"{quoted(task.id)} has the parent {quoted(parent)}, which does not have it as a child"
                    raise self._disagreement(problem, positions[task.id])
            for child in task.children:
                if task.id not in parents[child]:
                    problem = f"{quoted(task.id)} has the child {quoted(child)}, which does not have it as a parent"
                    raise self._disagreement(problem, positions[task.id])

    def _named(self, key: str, task: str, others: tuple[str, ...], positions: dict[str, int]) -> None:
        where = f"{_TASKS}[{positions[task]}].{key}"
        relation = "parent" if key == "parents" else "child"
        for other in others:
            if other not in positions:
                problem = f"task {quoted(task)} has the {relation} {quoted(other)}, which is no task of the trace"
                raise self._error(problem, f"add the task {quoted(other)}, or mend the name", where)
        if len(set(others)) < len(others):
            twice = next(other for other in others if others.count(other) > 1)
            problem = f"task {quoted(task)} has the {relation} {quoted(twice)} twice"
            raise self._error(problem, "name it once", where)

    def _disagreement(self, problem: str, position: int) -> TraceError:
        return self._error(problem, "let `parents` and `children` say the same", f"{_TASKS}[{position}]")

    def order(self, tasks: Sequence[TaskSpecification]) -> None:
        """Raise where tasks wait for each other in a circle."""
        try:
            TopologicalSorter({task.id: task.parents for task in tasks}).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            named = [quoted(task) for task in circle]
            shown = named if len(named) <= 9 else [*named[:4], "…", *named[-4:]]
            problem = f"tasks wait for each other in a circle: {' → '.join(shown)}"
            raise self._error(problem, "a trace must have no cycle", _TASKS) from error

    def runtimes(self, tasks: Sequence[TaskSpecification], execution: Execution | None) -> dict[str, float]:
        """Return the seconds each task took; raise unless the recorded run, if any, has each task once."""
        if execution is None:
            return {task.id: 0.0 for task in tasks}
        known = {task.id for task in tasks}
        runtimes_s: dict[str, float] = {}
        for position, run in enumerate(execution.tasks):
            where = f"{_RUNS}[{position}]"
            if run.id not in known:
                raise self._error(f"the run of {quoted(run.id)} is of no task", "remove it, or mend its id", where)
            if run.id in runtimes_s:
                raise self._error(f"task {quoted(run.id)} has two runs", "keep one", where)
            if not 0 <= run.runtime_s < math.inf:
                problem = f"task {quoted(run.id)} took {run.runtime_s:g} seconds"
                raise self._error(problem, "a runtime is 0 or more", f"{where}.runtimeInSeconds")
            runtimes_s[run.id] = run.runtime_s
        for task in tasks:
            if task.id not in runtimes_s:
                raise self._error(f"task {quoted(task.id)} has no recorded run", "add one with its runtime", _RUNS)
        return runtimes_s

    def _error(self, problem: str, remedy: str, where: str) -> TraceError:
        return TraceError(problem, remedy, self.file, f"`{where}`")
