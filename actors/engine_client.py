"""One client of a running engine: it asks, waits for the answers, and looks at what has been committed.

Handles, desks and the runtime are made of it. It is no part of the public face: `placet.Runtime` is.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from placet.actors.addressee import Addressee
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.control.visit import accepted
from placet.actors.copies.export import Exported, export
from placet.actors.engine import Engine
from placet.actors.errors import EngineStopped, RequestRefused, WaitTimeout, no_instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.messages import ClientMessage, InterventionMessage, MoveToken, Put
from placet.actors.outputs import encoded_outputs
from placet.actors.reader import StateReader
from placet.actors.report import explain
from placet.actors.task_request import TaskRequest, TaskRequests, to_task_message
from placet.actors.task_watch import next_offered
from placet.actors.token_request import GivingRequest, to_giving_message
from placet.persistence.lmdb_store import LmdbStore
from placet.petri.behaviour import Definition
from placet.petri.expression import PlaceRef

if TYPE_CHECKING:
    from placet.actors.executors.base import RunningHandler

T = TypeVar("T")
Told: TypeAlias = InterventionMessage | TaskRequests | GivingRequest  # by a person to an instance


class EngineClient:
    """Speaks for clients of one engine in this process; safe to use from any thread.

    `definitions` are those of the workflows known here; `unknown` says why others could not be loaded.
    """

    def __init__(
        self, engine: Engine, store: LmdbStore, definitions: Mapping[str, Definition], unknown: Mapping[str, str]
    ) -> None:
        self.engine = engine
        self.unknown = unknown
        self._store = store
        self._reader = StateReader(store)
        self.definitions = definitions
        self._closed = threading.Event()  # the store is let go of

    def close(self) -> None:
        """Look at nothing any more: the store is about to be let go of."""
        self._closed.set()

    # -- looking -------------------------------------------------------------------------------------------

    @property
    def store(self) -> LmdbStore:
        """The engine's store. Raises `EngineStopped` once the runtime is closed."""
        self._refuse_closed()
        return self._store

    @property
    def reader(self) -> StateReader:
        """What looks at committed state. Raises `EngineStopped` once the runtime is closed."""
        self._refuse_closed()
        return self._reader

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise EngineStopped("the runtime is closed; open it again to look at its state")

    def explain(self, instance: str) -> str:
        """Return in a few words why an instance has not completed."""
        return explain(self.reader, instance)

    def addressee(self, instance: str) -> Addressee:
        """Return what is known of an instance to those who send it values. Raises `NotFound`."""
        return Addressee.of(instance, self.reader, self.definitions)

    def encoded(self, instance: str, target: PlaceRef | str | int, value: object) -> bytes:
        """Return a value for a place of an instance, or for its token of this number; see `Addressee.encoded_for`."""
        return self.addressee(instance).encoded_for(target, value, self.reader)

    def outputs(self, instance: str, incident: int, outputs: object) -> tuple[tuple[str, bytes], ...]:
        """Return what is given for the outputs of the firing of an incident; None where it has none."""
        if outputs is None and self._gives_nothing(instance, incident):
            return ()
        return encoded_outputs(outputs)

    def _gives_nothing(self, instance: str, incident: int) -> bool:
        view = self.reader.instance(instance)
        if view is None:
            raise no_instance(instance)
        path = next((found.transition for found in view.incidents if found.number == incident), "")
        plan = self.reader.plan(view.header)
        return path in plan.transition_index and not plan.transitions[plan.transition_index[path]].outputs

    def export(self, instance: str, path: Path, *, actor: str = "", history: bool = True) -> Exported:
        """Write an instance, or one place or composite of it, to a file; see `placet.actors.copies.export`."""
        with self.store.frozen() as view:
            return export(view, instance, path, path=actor, history=history)

    def running(self) -> "Sequence[RunningHandler]":
        """Return the handlers that run now, longest first."""
        found = [handler for executor in self.engine.executors.values() for handler in executor.running()]
        return sorted(found, key=lambda handler: -handler.since_s)

    # -- asking --------------------------------------------------------------------------------------------

    def intervene(self, instance: str, message: Told) -> "Future[Receipt]":
        """Send an intervention; its receipt comes once it is on disk.

        Raises `NotFound`, `WrongType`, and as `to_task_message` and `to_giving_message` do.
        """
        if isinstance(message, GivingRequest):
            told = self.addressee(instance)
            message = to_giving_message(message, lambda target, value: told.encoded_for(target, value, self.reader))
        if not message.by and not isinstance(message, Put):
            raise ValueError("an intervention needs `by`: who does it")
        if isinstance(message, TaskRequest):
            message = to_task_message(message, instance, self.addressee(instance), self.reader)
        elif isinstance(message, MoveToken):
            self.addressee(instance).check_move(message, self.reader)
        addressed = msgspec.structs.replace(message, instance=instance)
        return self.engine.ask(
            lambda reply: msgspec.structs.replace(addressed, reply=reply), lambda answer: accepted(instance, answer)
        )

    def ask(self, make: Callable[[int], ClientMessage], timeout_s: float | None = None) -> Answer:
        """Send a message and return the answer. Raises `RequestRefused`."""
        answer = self.wait(self.engine.ask(make, lambda answer: answer), timeout_s, make(0).instance)
        if isinstance(answer, Refused):
            raise RequestRefused(answer.instance, answer.reason, answer.code, answer.by, answer.at)
        return answer

    # -- waiting -------------------------------------------------------------------------------------------

    def offered(self, instance: str, transition: str) -> "Future[int]":
        """Return a future of the number of the next task of a manual transition; see `task_watch.next_offered`."""
        return self.engine.outlive(next_offered(self.engine, self.reader, instance, transition))

    def reached(self, instance: str, states: frozenset[InstanceState]) -> "Future[InstanceState]":
        """Return a future of the first of `states` the instance is in; it ends with the engine. Raises `NotFound`."""
        future: Future[InstanceState] = Future()

        def offer(state: InstanceState) -> None:
            """Take a state if it is one to wait for, or the last."""
            if state in states or state in TERMINAL:
                with suppress(InvalidStateError):  # the engine's thread and this one may both offer
                    future.set_result(state)

        reader = self.reader
        undo = self.engine.changes.add(instance, lambda change: offer(InstanceState(change.state)))
        future.add_done_callback(lambda _: undo())
        header = reader.header(instance)
        if header is None:
            undo()
            raise no_instance(instance)
        offer(header.state)
        return self.engine.outlive(future)

    def wait(self, future: "Future[T]", timeout_s: float | None, instance: str) -> T:
        """Wait for a future of this engine. Raises `WaitTimeout`; what it stands for goes on; `WaitsForItself`."""
        self.engine.refuse_own_thread()
        try:
            return future.result(timeout_s)
        except FutureTimeout as error:
            if future.done():
                raise
            future.cancel()
            raise _too_late(instance, timeout_s) from error

    async def wait_async(self, future: "Future[T]", timeout_s: float | None, instance: str) -> T:
        """`wait` for asyncio."""
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise _too_late(instance, timeout_s) from error


def _too_late(instance: str, timeout_s: float | None) -> WaitTimeout:
    return WaitTimeout(instance, f"{instance or 'the new instance'}: not within {timeout_s} s; it goes on")
