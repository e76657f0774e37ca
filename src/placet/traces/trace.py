"""A recorded workflow as a value: tasks, who waits for whom, how long each took."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTask:
    """One task of a trace."""

    id: str
    name: str  # such as the program it ran; several tasks may share one
    parents: tuple[str, ...]  # ids of the tasks that must end before it begins
    runtime_s: float  # as recorded; 0.0 where the trace holds no recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A workflow's tasks in the order of its file; checked: ids are unique, parents known, and there is no cycle."""

    name: str
    file: str  # absolute path it was read from
    tasks: tuple[TraceTask, ...]

    @property
    def edge_count(self) -> int:
        """How many edges lead from a parent to a child."""
        return sum(len(task.parents) for task in self.tasks)

    def children(self) -> dict[str, tuple[str, ...]]:
        """Return the ids of the tasks that wait for each task, by its id."""
        children: dict[str, list[str]] = {task.id: [] for task in self.tasks}
        for task in self.tasks:
            for parent in task.parents:
                children[parent].append(task.id)
        return {task: tuple(found) for task, found in children.items()}

    def levels(self) -> tuple[tuple[str, ...], ...]:
        """Return the ids of the tasks level by level: roots first, each other task one below its lowest parent."""
        by_id = {task.id: task for task in self.tasks}
        depths: dict[str, int] = {}
        for task in self.tasks:
            waiting = [task.id]
            while waiting:  # a stack of its own: chains may be longer than Python's
                parents = by_id[waiting[-1]].parents
                unknown = [parent for parent in parents if parent not in depths]
                if unknown:
                    waiting.extend(unknown)
                else:
                    depths[waiting.pop()] = 1 + max((depths[parent] for parent in parents), default=-1)
        levels: list[list[str]] = [[] for _ in range(1 + max(depths.values(), default=-1))]
        for task in self.tasks:
            levels[depths[task.id]].append(task.id)
        return tuple(tuple(level) for level in levels)
