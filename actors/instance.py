"""Handles: what a client holds of one instance, and of one place in it."""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from placet.actors.answers import Entries, Receipt, encode_answer
from placet.actors.arguments import check_state
from placet.actors.errors import NotCompleted, NotFound
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.messages import (
    MOST_TRIMMED,
    Cancel,
    FailIncident,
    Inspect,
    InterventionMessage,
    Pause,
    Restart,
    Resume,
    RetryIncident,
    SkipIncident,
    Sleep,
    Trim,
)
from placet.actors.reader import InstanceView
from placet.actors.records import Header
from placet.persistence.history import Record
from placet.persistence.values import decode, encode

if TYPE_CHECKING:
    from placet.actors.runtime import Runtime

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
        )


class Instance:
    """One instance, by its id. Cheap to make; safe to use from any thread."""

    def __init__(self, runtime: "Runtime", id: str) -> None:
        self._runtime = runtime
        self.id = id

    def __repr__(self) -> str:
        return f"Instance({self.id!r})"

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        header = self._runtime.reader.header(self.id)
        if header is None:
            raise NotFound(self.id, f"there is no instance {self.id}")
        return header.state

    def view(self) -> InstanceView:
        """Return everything about it, as committed: header, marking, firings, incidents; values stay encoded."""
        found = self._runtime.reader.instance(self.id)
        if found is None:
            raise NotFound(self.id, f"there is no instance {self.id}")
        return found

    def marking(self) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return {place: [decode(value) for value in values] for place, values in self.view().marking.items()}

    def history(self) -> list[tuple[int, Record]]:
        """Return (sequence, record) for everything that happened to it, oldest first."""
        return self._runtime.reader.history(self.id)

    def trim_history(self, keep: int, timeout_s: float | None = None) -> int:
        """Delete all but the newest `keep` records (at least one) of its history; return how many were deleted.

        `timeout_s` bounds the wait for each thousand of them. Raises `WaitTimeout`.
        """
        doomed = self._runtime.reader.trimmable(self.id, max(1, keep))
        for begin in range(0, len(doomed), MOST_TRIMMED):
            self._trim(tuple(doomed[begin : begin + MOST_TRIMMED]), timeout_s)
        return len(doomed)

    def _trim(self, records: tuple[int, ...], timeout_s: float | None) -> None:
        self._runtime.ask(lambda reply: Trim(instance=self.id, records=records, reply=reply), timeout_s)

    # -- waiting -------------------------------------------------------------------------------------------

    def wait_until(self, states: Iterable[InstanceState | str], timeout_s: float | None = None) -> InstanceState:
        """Wait until its state is one of `states` and return it. Raises `WaitTimeout`."""
        return self._runtime.wait(self._runtime.reached(self.id, _states(states)), timeout_s, self.id)

    def result(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Wait for completion and return the values in its exit places.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident; `WaitTimeout`.
        """
        return self._outcome(self.wait_until(SETTLED | {_S.COMPLETED}, timeout_s))

    async def wait_until_async(
        self, states: Iterable[InstanceState | str], timeout_s: float | None = None
    ) -> InstanceState:
        """`wait_until` for asyncio."""
        return await self._runtime.wait_async(self._runtime.reached(self.id, _states(states)), timeout_s, self.id)

    async def result_async(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """`result` for asyncio."""
        return self._outcome(await self.wait_until_async(SETTLED | {_S.COMPLETED}, timeout_s))

    def _outcome(self, state: InstanceState) -> dict[str, list[object]]:
        if state is _S.COMPLETED:
            return self.marking()
        raise NotCompleted(self.id, self._runtime.explain(self.id), state.value)

    # -- interventions -------------------------------------------------------------------------------------

    def tell(self, message: InterventionMessage, timeout_s: float | None = None) -> Receipt:
        """Send an intervention and return its receipt once it is on disk.

        Raises `RequestRefused` with the reason when it no longer applies; `WaitTimeout` leaves open whether it
        has happened: send it again with the same `request_id` to find out.
        """
        return self._runtime.wait(self.tell_later(message), timeout_s, self.id)

    def tell_later(self, message: InterventionMessage) -> "Future[Receipt]":
        """`tell` without waiting."""
        return self._runtime.intervene(self.id, message)

    async def tell_async(self, message: InterventionMessage, timeout_s: float | None = None) -> Receipt:
        """`tell` for asyncio."""
        return await self._runtime.wait_async(self.tell_later(message), timeout_s, self.id)

    def pause(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Choose nothing new in it; results of what is in flight are counted. Raises as `tell` does."""
        return self.tell(Pause(by=by, why=why, request_id=request_id), timeout_s)

    def resume(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Undo a pause. Raises as `tell` does."""
        return self.tell(Resume(by=by, why=why, request_id=request_id), timeout_s)

    def cancel(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """End it once what is in flight has answered. Raises as `tell` does."""
        return self.tell(Cancel(by=by, why=why, request_id=request_id), timeout_s)

    def retry(
        self, incident: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Try a failed firing again. Raises as `tell` does."""
        return self.tell(RetryIncident(incident=incident, by=by, why=why, request_id=request_id), timeout_s)

    def skip(
        self,
        incident: int,
        outputs: object,
        *,
        by: str,
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Count a failed firing as done. Raises as `tell` does.

        `outputs` is the value of its only output, or `Outputs({place: [values]})`; None where it has no output.
        """
        given = () if outputs is None and self._gives_nothing(incident) else encoded_outputs(outputs)
        message = SkipIncident(incident=incident, outputs=given, by=by, why=why, request_id=request_id)
        return self.tell(message, timeout_s)

    def _gives_nothing(self, incident: int) -> bool:
        view = self.view()
        path = next((found.transition for found in view.incidents if found.number == incident), "")
        plan = self._runtime.reader.plan(view.header)
        return path in plan.transition_index and not plan.transitions[plan.transition_index[path]].outputs

    def fail(
        self, incident: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Give up: the instance ends as `failed`. Raises as `tell` does."""
        return self.tell(FailIncident(incident=incident, by=by, why=why, request_id=request_id), timeout_s)


class ActorHandle:
    """One place or composite of an instance, by its address."""

    def __init__(self, runtime: "Runtime", instance: str, path: str) -> None:
        self._runtime = runtime
        self.instance = instance
        self.path = path

    @property
    def address(self) -> str:
        """The actor's address, such as `order-17/fulfil/packed`."""
        return f"{self.instance}/{self.path}"

    def inspect(self, timeout_s: float | None = None) -> Entries:
        """Return the actor's durable entries: its snapshot. Raises `WaitTimeout`."""
        instance, path = self.instance, self.path
        answer = self._runtime.ask(lambda reply: Inspect(instance=instance, path=path, reply=reply), timeout_s)
        assert isinstance(answer, Entries)
        return answer

    def export(self, timeout_s: float | None = None) -> bytes:
        """Return the actor's snapshot as one piece of bytes (msgpack: address, and entries with kind, id and bytes)."""
        return encode_answer(self.inspect(timeout_s))

    def restart(self, timeout_s: float | None = None) -> None:
        """Drop the actor from memory and bring it back from its snapshot; its tokens are as before."""
        instance, path = self.instance, self.path
        self._runtime.ask(lambda reply: Restart(instance=instance, path=path, reply=reply), timeout_s)

    def sleep(self, timeout_s: float | None = None) -> None:
        """Put the actor to sleep: on disk, not in memory, until something needs it."""
        instance, path = self.instance, self.path
        self._runtime.ask(lambda reply: Sleep(instance=instance, path=path, reply=reply), timeout_s)

    def values(self) -> list[object]:
        """Return the values of a place's free tokens, oldest first."""
        return Instance(self._runtime, self.instance).marking().get(self.path, [])


def encoded_outputs(outputs: object) -> tuple[tuple[str, bytes], ...]:
    """Return what a person gives for a skipped firing: one value, or `Outputs`, encoded."""
    if not isinstance(outputs, Outputs):
        return (("", encode(outputs)),)
    return tuple((place, encode(value)) for place, values in outputs.by_place.items() for value in values)


class Outputs:
    """Values for several outputs of a skipped firing, by the name of the place."""

    def __init__(self, by_place: dict[str, list[object]]) -> None:
        self.by_place = by_place


def _states(states: Iterable[InstanceState | str]) -> frozenset[InstanceState]:
    return frozenset(check_state(state) for state in ([states] if isinstance(states, str) else states))
