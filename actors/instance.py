"""What a client holds of one instance."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state
from placet.actors.async_verbs import AsyncVerbs
from placet.actors.clock import monotonic_s
from placet.actors.copies.export import Exported
from placet.actors.copies.part_import import part_message, read_part
from placet.actors.engine_client import EngineClient
from placet.actors.errors import NotCompleted, no_instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.messages import MOST_TRIMMED, Trim
from placet.actors.reader import InstanceView
from placet.actors.records import Header
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.actors.token_request import GivingRequest
from placet.actors.verbs import Giving
from placet.persistence.history import Record
from placet.persistence.values import decode
from placet.petri.expression import PlaceRef

_S = InstanceState
SETTLED = TERMINAL | {_S.STUCK, _S.INCIDENT}  # what `result` stops waiting at


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSummary:
    """What a list of instances says about one of them."""

    instance: str
    workflow: str
    version: str
    state: InstanceState
    spawned_at: float  # engine seconds
    changed_at: float  # engine seconds: when `state` last changed
    caller: str = ""  # id of the instance that called it and waits for it; "" where it is nobody's child

    @classmethod
    def of(cls, header: Header) -> "InstanceSummary":
        """Return the summary of a stored header."""
        return cls(
            instance=header.instance,
            workflow=header.workflow,
            version=header.version,
            state=header.state,
            spawned_at=header.spawned_at,
            changed_at=header.changed_at,
            caller=header.caller.instance if header.caller is not None else "",
        )


class Instance(AsyncVerbs):
    """One instance, by its id. Cheap to make; safe to use from any thread."""

    def __init__(self, client: EngineClient, id: str) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"Instance({self.id!r})"

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        header = self._client.reader.header(self.id)
        if header is None:
            raise no_instance(self.id)
        return header.state

    def view(self) -> InstanceView:
        """Return everything about it, as committed: header, marking, firings, incidents; values stay encoded."""
        found = self._client.reader.instance(self.id)
        if found is None:
            raise no_instance(self.id)
        return found

    def explain(self) -> str:
        """Return in a few words why it has not completed, or what it waits for."""
        return self._client.explain(self.id)

    def marking(self) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return {place: [decode(value) for value in values] for place, values in self.view().marking.items()}

    def state_values(self) -> dict[str, object]:
        """Return what handlers keep with it through their context, by name; `state` is how it is."""
        return {name: decode(value) for name, value in self.view().state_values.items()}

    def history(self) -> list[tuple[int, Record]]:
        """Return (sequence, record) for everything that happened to it, oldest first."""
        return self._client.reader.history(self.id)

    def export_to(self, path: str | os.PathLike[str], *, history: bool = True) -> Exported:
        """Write it, as committed at one moment, to the file `path`, which only this user may read.

        `Runtime.import_from` makes an instance of it again, in this state or another one. The file is there whole or
        not at all. Raises `CopyExists` and `CopyFailed`.
        """
        return self._client.export(self.id, Path(path), history=history)

    def trim_history(self, keep: int, timeout_s: float | None = None) -> int:
        """Delete all but the newest `keep` records (at least one) of its history; return how many were deleted.

        `timeout_s` bounds the wait for each thousand of them. Raises `WaitTimeout`.
        """
        doomed = self._client.reader.trimmable(self.id, max(1, keep))
        for begin in range(0, len(doomed), MOST_TRIMMED):
            self._trim(tuple(doomed[begin : begin + MOST_TRIMMED]), timeout_s)
        return len(doomed)

    def _trim(self, records: tuple[int, ...], timeout_s: float | None) -> None:
        self._client.ask(lambda reply: Trim(instance=self.id, records=records, reply=reply), timeout_s)

    def import_place(
        self,
        path: str | os.PathLike[str],
        *,
        by: str,
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Put the tokens of an exported place or composite, out of a file, into the same places, all of them or none.

        They are new tokens, beside those that are there; what was frozen is frozen. Import only files you trust: their
        values are pickles, loaded when used. Raises `BadCopy`, `BadRequest`, and as `tell` does: `RequestRefused` where
        it lacks such a place, or has one of another declared type or without the room, and where it has ended.
        """
        found = read_part(Path(path))
        reader = self._client.reader
        message = part_message(found, self.id, reader, by=by, why=why, request_id=request_id)
        return self._client.wait(self._client.intervene(self.id, message), timeout_s, self.id)

    # -- its family ----------------------------------------------------------------------------------------

    def parent(self) -> "Instance | None":
        """Return the instance that called it and waits for what it returns, or None. Raises `NotFound`."""
        header = self._client.reader.header(self.id)
        if header is None:
            raise no_instance(self.id)
        return None if header.caller is None else Instance(self._client, header.caller.instance)

    def children(self) -> "list[Instance]":
        """Return the instances its calls have begun, those that have ended too, the oldest first."""
        return [Instance(self._client, header.instance) for header in self._client.reader.children(self.id)]

    # -- waiting -------------------------------------------------------------------------------------------

    def wait_until(
        self, states: InstanceState | str | Iterable[InstanceState | str], timeout_s: float | None = None
    ) -> InstanceState:
        """Wait until its state is one of `states` and return it. Raises `WaitTimeout`."""
        return self._client.wait(self._client.reached(self.id, _states(states)), timeout_s, self.id)

    def result(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Wait for completion and return the values in its exit places.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident; `WaitTimeout`.
        """
        return self._outcome(self.wait_until(SETTLED | {_S.COMPLETED}, timeout_s))

    async def wait_until_async(
        self, states: InstanceState | str | Iterable[InstanceState | str], timeout_s: float | None = None
    ) -> InstanceState:
        """`wait_until` for asyncio."""
        return await self._client.wait_async(self._client.reached(self.id, _states(states)), timeout_s, self.id)

    async def result_async(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """`result` for asyncio."""
        return self._outcome(await self.wait_until_async(SETTLED | {_S.COMPLETED}, timeout_s))

    def _outcome(self, state: InstanceState) -> dict[str, list[object]]:
        if state is _S.COMPLETED:
            return self.marking()
        raise NotCompleted(self.id, self._client.explain(self.id), state.value)

    # -- tasks ---------------------------------------------------------------------------------------------

    def tasks(self) -> Iterator[TaskView]:
        """Yield what it offers to people, as committed, oldest first. Raises `NotFound`."""
        if self._client.reader.root(self.id) is None:
            raise no_instance(self.id)
        return self._client.reader.tasks(self.id)

    def wait_task(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """Wait until a task of the manual transition with this path is open, and return the oldest.

        Raises `NotFound` for a path that is none, `NotCompleted` where it ended, is stuck or has an open incident and
        offers none, and `WaitTimeout`.
        """
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        while True:
            left_s = None if until_s is None else max(0.0, until_s - monotonic_s())
            number = self._client.wait(self._client.offered(self.id, transition), left_s, self.id)
            if (task := self._offered(transition, number)) is not None:
                return task

    async def wait_task_async(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """`wait_task` for asyncio."""
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        while True:
            left_s = None if until_s is None else max(0.0, until_s - monotonic_s())
            number = await self._client.wait_async(self._client.offered(self.id, transition), left_s, self.id)
            if (task := self._offered(transition, number)) is not None:
                return task

    def _offered(self, transition: str, number: int) -> TaskView | None:
        """Return the task that was offered; None if it has ended since. Raises `NotCompleted` where none will come."""
        if number:
            return self._client.reader.open_task(self.id, number)
        found = next((task for task in self.tasks() if task.transition == transition), None)
        if found is None:
            raise NotCompleted(self.id, self._client.explain(self.id), self.state.value)
        return found

    # -- interventions, besides those of `Verbs` -----------------------------------------------------------

    def _tell(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        return self._client.wait(self._client.intervene(self.id, message), timeout_s, self.id)

    async def _tell_async(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        return await self._client.wait_async(self._client.intervene(self.id, message), timeout_s, self.id)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:
        return self._client.encoded(self.id, target, value)

    def _outputs(self, incident: int, outputs: object) -> tuple[tuple[str, bytes], ...]:
        return self._client.outputs(self.id, incident, outputs)

    def tell_later(self, message: Intervention | GivingRequest) -> "Future[Receipt]":
        """`tell` without waiting."""
        return self._client.intervene(self.id, message)


def _states(states: InstanceState | str | Iterable[InstanceState | str]) -> frozenset[InstanceState]:
    return frozenset(check_state(state) for state in ([states] if isinstance(states, str) else states))
