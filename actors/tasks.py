"""The tasks of an instance: what manual transitions offer to people, one a token."""

from typing import TYPE_CHECKING

from placet.actors.lifecycle import TERMINAL
from placet.actors.records import Task, encode
from placet.actors.turn import Turn
from placet.persistence.history import RecordKind
from placet.persistence.keys import TASK, entry_key, pack_id, tasks_key

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor


class Tasks:
    """The open tasks of one instance, and what changed about them in this turn.

    Durable entries: `TASK` | number -> `records.Task`. How many are open is noted apart, under `TASKS`, so that a
    list of all waiting tasks looks at no other instance, and counting them at none.
    """

    __slots__ = ("_changes", "_numbers", "open")

    def __init__(self) -> None:
        self.open: dict[int, Task] = {}  # by number
        self._numbers: dict[tuple[int, int], int] = {}  # by (transition, token)
        self._changes: dict[tuple[int, int], int] = {}  # (transition, token) -> place, or -1 for withdrawn

    def load(self, task: Task) -> None:
        """Hold an open task that is in the store."""
        self.open[task.number] = task
        self._numbers[task.transition, task.token] = task.number

    def offer(self, transition: int, token: int, place: int) -> None:
        """A token has come to a manual transition."""
        self._changes[transition, token] = place

    def withdraw(self, transition: int, token: int) -> None:
        """A token has gone from a manual transition."""
        self._changes[transition, token] = -1

    def recheck(self, workflow: "WorkflowActor") -> None:
        """After waking: withdraw what guards, which may be others today, no longer let through."""
        for task in self.open.values():
            known = workflow.plan.transitions[task.transition].behaviour is not None
            if known and (task.transition, task.token) not in self._changes:
                self._changes[task.transition, task.token] = -1

    @property
    def has_changed(self) -> bool:
        """True when `settle` has something to do."""
        return bool(self._changes)

    def settle(self, workflow: "WorkflowActor", turn: Turn) -> None:
        """Write what changed: tasks that are new, and tasks whose token is gone."""
        if workflow.header.state in TERMINAL:
            self._changes.clear()
            return
        before = len(self.open)
        for (transition, token), place in self._changes.items():
            number = self._numbers.get((transition, token))
            if place >= 0 and number is None:
                self._add(workflow, turn, Task(workflow.next_serial(), transition, place, token, turn.now))
            elif place < 0 and number is not None:
                self.end(workflow, turn, self.open[number], "withdrawn")
        self._changes.clear()
        self.note(workflow, turn, before)

    def _add(self, workflow: "WorkflowActor", turn: Turn, task: Task) -> None:
        self.load(task)
        turn.born[entry_key(workflow.root, 0, TASK, task.number)] = encode(task)
        path = workflow.plan.transitions[task.transition].path
        workflow.record(turn, RecordKind.OFFERED, path, task.number)
        if not turn.observed:  # always told: who waits for a task may have begun to while this turn was under way
            workflow.progress(turn, RecordKind.OFFERED, path, task.number, 0)

    def end(self, workflow: "WorkflowActor", turn: Turn, task: Task, how: str) -> None:
        """Close a task; its entry stays."""
        task.ended, task.at = how, turn.now
        del self.open[task.number]
        del self._numbers[task.transition, task.token]
        self.write(workflow, turn, task)
        if how == "withdrawn":
            workflow.record(turn, RecordKind.WITHDRAWN, workflow.plan.transitions[task.transition].path, task.number)

    def end_all(self, workflow: "WorkflowActor", turn: Turn) -> None:
        """The instance is over: nobody is asked any more."""
        before = len(self.open)
        for task in list(self.open.values()):
            self.end(workflow, turn, task, "withdrawn")
        self._changes.clear()
        self.note(workflow, turn, before)

    def write(self, workflow: "WorkflowActor", turn: Turn, task: Task) -> None:
        """Write a task that is in the store."""
        turn.put(entry_key(workflow.root, 0, TASK, task.number), encode(task))

    def note(self, workflow: "WorkflowActor", turn: Turn, before: int) -> None:
        """Keep the note of how many tasks are open, which were so many `before`, up to date."""
        count = len(self.open)
        if count != before:
            turn.rare().engine_writes[tasks_key(workflow.root)] = pack_id(count) if count else None
