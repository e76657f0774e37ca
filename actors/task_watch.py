"""Waiting for a task: who waits is told by the engine, and looks at no instance again and again."""

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from placet.actors.effects import Progress, StateChanged
from placet.actors.engine import Engine
from placet.actors.errors import NotFound, no_instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.reader import StateReader
from placet.persistence.history import RecordKind

HOPELESS = TERMINAL | {InstanceState.STUCK, InstanceState.INCIDENT}  # what a wait for a task ends at


def next_offered(engine: Engine, reader: StateReader, instance: str, transition: str) -> "Future[int]":
    """Return a future of the number of an open task of a manual transition: the oldest, or the next to come.

    It is 0 where the instance came to an end, got stuck or has an open incident. The task may have ended when the
    future is looked at. Raises `NotFound`.
    """
    header = reader.header(instance)
    if header is None:
        raise no_instance(instance)
    plan = reader.plan(header)
    if transition not in plan.transition_index or plan.transitions[plan.transition_index[transition]].manual is None:
        manual = ", ".join(one.path for one in plan.transitions if one.manual is not None) or "none"
        raise NotFound(instance, f"{instance} offers no tasks at {transition!r}; its manual transitions: {manual}")
    future: Future[int] = Future()

    def settle(number: int) -> None:
        """Give the number of a task to who waits, once."""
        with suppress(InvalidStateError):  # the engine's thread and this one may both do so
            future.set_result(number)

    def step(progress: Progress) -> None:
        """Take a task of the transition when it is offered."""
        if progress.kind is RecordKind.OFFERED and progress.transition == transition:
            settle(progress.number)

    def change(changed: StateChanged) -> None:
        """Give up, with 0, where no task will come."""
        if InstanceState(changed.state) in HOPELESS:
            settle(0)

    undo = (engine.steps.add(instance, step), engine.changes.add(instance, change))
    future.add_done_callback(lambda _: [forget() for forget in undo])
    # What was committed before this look is seen by it, and what comes after is told.
    for task in reader.tasks(instance):
        if task.transition == transition:
            settle(int(task.id.rpartition(".")[2]))
            break
    latest = reader.header(instance)
    if latest is not None and latest.state in HOPELESS:
        settle(0)
    return future
