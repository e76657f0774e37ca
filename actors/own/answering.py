"""Waiting for an actor's answer: who waits is told by the engine, and looks at nothing again and again."""

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from placet.actors.effects import Progress, StateChanged
from placet.actors.engine import Engine
from placet.actors.errors import no_instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.reader import StateReader
from placet.actors.state import ANSWER
from placet.persistence.history import RecordKind

HOPELESS = TERMINAL | {InstanceState.INCIDENT}  # what a wait for an answer ends at


def next_answer(engine: Engine, reader: StateReader, actor: str, request: str) -> "Future[bytes | None]":
    """Return a future of the answer to a request, encoded; None where the actor has ended or has an open incident.

    Raises `NotFound`.
    """
    if reader.root(actor) is None:
        raise no_instance(actor)
    future: Future[bytes | None] = Future()

    def settle(answer: bytes | None) -> None:
        """Give the answer to who waits, once."""
        with suppress(InvalidStateError):  # the engine's thread and this one may both do so
            future.set_result(answer)

    def look() -> None:
        """Give the answer if it is on disk."""
        answer = reader.kept(actor, ANSWER + request)
        if answer is not None:
            settle(answer)

    def step(progress: Progress) -> None:
        """Look when some message has been answered."""
        if progress.kind is RecordKind.ANSWERED:
            look()

    def change(changed: StateChanged) -> None:
        """Give up where the actor answers nothing any more."""
        if InstanceState(changed.state) in HOPELESS:
            look()  # its last message may be this one
            settle(None)

    undo = (engine.steps.add(actor, step), engine.changes.add(actor, change))
    future.add_done_callback(lambda _: [forget() for forget in undo])
    # What was committed before this look is seen by it, and what comes after is told.
    look()
    latest = reader.header(actor)
    if latest is not None and latest.state in HOPELESS:
        settle(None)
    return future
