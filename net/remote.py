"""The handle of an instance on a node: the verbs of `Instance`, from another process."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state
from placet.actors.async_verbs import AsyncVerbs
from placet.actors.clock import monotonic_s
from placet.actors.errors import NotCompleted, WaitTimeout
from placet.actors.instance import SETTLED, InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import InstanceView
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.actors.verbs import Giving
from placet.net.answer import Explained, Listed, NextOffer, Offers, Shown, StateSeen, Told, Trimmed
from placet.net.gathering import gather
from placet.net.node_client import NodeClient
from placet.net.request import (
    ExplainRequest,
    HistoryRequest,
    ListRequest,
    OfferRequest,
    ShowRequest,
    TasksRequest,
    TrimRequest,
    WaitRequest,
)
from placet.net.twins import Steps, awaited, blocked, blocking, twin
from placet.persistence.history import Record
from placet.persistence.keys import shard_of
from placet.persistence.values import decode, encode
from placet.petri.expression import PlaceRef

T = TypeVar("T")
ROUND_S = 20.0  # a wait is asked anew after so long


class RemoteInstance(AsyncVerbs):
    """One instance on a node, by its id. Cheap to make; safe to use from any thread, and from asyncio.

    Every method may raise `NotFound`, `WaitTimeout` and `NodeUnreachable`. What is told has its effect once, however
    often it is sent. Each verb has a twin for asyncio, such as `result_async`; to cancel who awaits one ends the wait,
    and takes nothing back.
    """

    def __init__(self, client: NodeClient, id: str) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"RemoteInstance({self.id!r})"

    # -- looking ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        return blocked(self._current())

    async def state_async(self) -> InstanceState:
        """`state` for asyncio."""
        return await awaited(self._current())

    async def _current(self) -> InstanceState:
        seen = await self._wait_round(frozenset(InstanceState), 0.0, None)
        assert seen is not None, "it is in one of all states, so the node need not wait"
        return seen

    @blocking
    async def view(self, timeout_s: float | None = None) -> InstanceView:
        """Return everything about it, as committed: header, marking, firings, incidents; values stay encoded."""
        return (await self._shown(timeout_s)).view

    view_async = twin(view)

    @blocking
    async def marking(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return decoded((await self._shown(timeout_s)).view.marking)

    marking_async = twin(marking)

    @blocking
    async def history(self, timeout_s: float | None = None) -> list[tuple[int, Record]]:
        """Return (sequence, record) for everything that happened to it, oldest first."""
        return (await self._client.ask(HistoryRequest(instance=self.id), Told, self.id, timeout_s)).records

    history_async = twin(history)

    @blocking
    async def trim_history(self, keep: int, timeout_s: float | None = None) -> int:
        """Delete all but the newest `keep` records (at least one) of its history; return how many were deleted.

        After a `WaitTimeout` ask again: it goes on with what is left.
        """
        request = TrimRequest(instance=self.id, keep=keep)
        return (await self._client.ask(request, Trimmed, self.id, timeout_s, "trim it again")).count

    trim_history_async = twin(trim_history)

    @blocking
    async def explain(self, timeout_s: float | None = None) -> str:
        """Return in a few words why it has not completed."""
        return (await self._client.ask(ExplainRequest(instance=self.id), Explained, self.id, timeout_s)).reason

    explain_async = twin(explain)

    @blocking
    async def state_values(self, timeout_s: float | None = None) -> dict[str, object]:
        """Return what handlers keep with it through their context, by name; `state` is how it is."""
        kept = (await self._shown(timeout_s)).view.state_values
        return {name: decode(value) for name, value in kept.items()}

    state_values_async = twin(state_values)

    async def _shown(self, timeout_s: float | None) -> Shown:
        return await self._client.ask(ShowRequest(instance=self.id), Shown, self.id, timeout_s)

    # -- its family ------------------------------------------------------------------------------------------------

    @blocking
    async def parent(self, timeout_s: float | None = None) -> "RemoteInstance | None":
        """Return the instance that called it, or None."""
        caller = (await self._shown(timeout_s)).view.header.caller
        return None if caller is None else RemoteInstance(self._client, caller.instance)

    parent_async = twin(parent)

    @blocking
    async def children(self, timeout_s: float | None = None) -> "list[RemoteInstance]":
        """Return the instances it has called, those that have ended too, the oldest first."""
        return [RemoteInstance(self._client, one.instance) for one in await calls_of(self._client, self.id, timeout_s)]

    children_async = twin(children)

    @blocking
    async def called(self, timeout_s: float | None = None) -> list[InstanceSummary]:
        """Return summaries of the instances it has called, in the order in which they were."""
        return await calls_of(self._client, self.id, timeout_s)

    called_async = twin(called)

    # -- waiting ---------------------------------------------------------------------------------------------------

    @blocking
    async def wait_until(
        self, states: InstanceState | str | Iterable[InstanceState | str], timeout_s: float | None = None
    ) -> InstanceState:
        """Wait until its state is one of `states`, or it has ended, and return its state.

        Without `timeout_s` it waits as long as the node answers.
        """
        wanted = frozenset(check_state(state) for state in ([states] if isinstance(states, str) else states))
        return await self._reached(wanted, timeout_s)

    wait_until_async = twin(wait_until)

    @blocking
    async def result(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Wait for completion and return the values in its exit places, which are loaded here.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident; `ValueNotLoadable`.
        """
        state = await self._reached(SETTLED | {InstanceState.COMPLETED}, timeout_s)
        shown = await self._shown(None)
        if state is InstanceState.COMPLETED:
            return decoded(shown.view.marking)
        raise NotCompleted(self.id, shown.reason, state.value)

    result_async = twin(result)

    async def _reached(self, wanted: frozenset[InstanceState], timeout_s: float | None) -> InstanceState:
        return await in_rounds(
            self.id, lambda patience_s, left_s: self._wait_round(wanted, patience_s, left_s), timeout_s
        )

    async def _wait_round(
        self, states: frozenset[InstanceState], patience_s: float, timeout_s: float | None
    ) -> InstanceState | None:
        request = WaitRequest(instance=self.id, states=sorted(states), patience_s=patience_s)
        return (await self._client.ask(request, StateSeen, self.id, timeout_s, "wait again")).state

    # -- tasks -----------------------------------------------------------------------------------------------------

    @blocking
    async def tasks(self, timeout_s: float | None = None) -> Iterator[TaskView]:
        """Yield what it offers to people, as committed, oldest first."""
        return iter((await self._client.ask(TasksRequest(instance=self.id), Offers, self.id, timeout_s)).tasks)

    tasks_async = twin(tasks)

    @blocking
    async def wait_task(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """Wait until a task of the manual transition with this path is open, and return the oldest.

        Raises `NotFound` for a path that is none, and `NotCompleted` where it ended, is stuck or has an open incident
        and offers none. Without `timeout_s` it waits as long as the node answers.
        """
        return await in_rounds(
            self.id, lambda patience_s, left_s: self._task_round(transition, patience_s, left_s), timeout_s
        )

    wait_task_async = twin(wait_task)

    async def _task_round(self, transition: str, patience_s: float, timeout_s: float | None) -> TaskView | None:
        request = OfferRequest(instance=self.id, transition=transition, patience_s=patience_s)
        number = (await self._client.ask(request, NextOffer, self.id, timeout_s, "wait again")).number
        if number is None:
            return None
        asked = TasksRequest(instance=self.id, transition=transition)
        offered = (await self._client.ask(asked, Offers, self.id, None)).tasks
        if offered:
            return offered[0]
        if not number:
            shown = await self._shown(None)
            raise NotCompleted(self.id, shown.reason, shown.view.header.state.value)
        return None  # somebody has decided it meanwhile

    # -- interventions, besides those of `AsyncVerbs` --------------------------------------------------------------

    def _tell(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        return blocked(self._client.tell(self.id, message, timeout_s))

    async def _tell_async(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        return await awaited(self._client.tell(self.id, message, timeout_s))

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:  # noqa: ARG002  the engine knows types
        return encode(value)


async def in_rounds(
    instance: str, ask: "Callable[[float, float | None], Steps[T | None]]", timeout_s: float | None
) -> T:
    """Ask again and again, with (patience, time left), until there is an answer. Raises `WaitTimeout`."""
    end_s = None if timeout_s is None else monotonic_s() + timeout_s
    while True:
        left_s = None if end_s is None else max(0.0, end_s - monotonic_s())
        try:
            seen = await ask(ROUND_S if left_s is None else min(ROUND_S, left_s), left_s)
        except WaitTimeout as error:
            if timeout_s is None:  # the node is silent
                raise
            raise _not_seen(instance, timeout_s) from error
        if seen is not None:
            return seen
        if timeout_s is not None and monotonic_s() >= (end_s or 0.0):
            raise _not_seen(instance, timeout_s)


def _not_seen(instance: str, timeout_s: float) -> WaitTimeout:
    return WaitTimeout(instance, f"{instance} was not seen so far within {timeout_s:g} s; it goes on, wait again")


async def calls_of(client: NodeClient, caller: str, timeout_s: float | None) -> list[InstanceSummary]:
    """Return summaries of the instances that one has called, in the order in which they were.

    Raises `ShardsMissing` where some may not be known.
    """
    found = await gather(client, ListRequest(caller=caller), Listed, timeout_s)
    if found.missing is not None:
        raise found.missing
    return sorted(
        (one for part in found.parts for one in part.answer.instances if shard_of(one.instance) in part.shards),
        key=lambda one: _call_number(one.instance),
    )


def decoded(values: dict[str, list[bytes]]) -> dict[str, list[object]]:
    """Return values by place, loaded. Raises `ValueNotLoadable`."""
    return {place: [decode(value) for value in several] for place, several in values.items()}


def _call_number(child: str) -> tuple[int, ...]:
    """Return (firing, attempt) of a child's id, such as `order-17/fulfil.41.2` or `order-17/fulfil.41+7`."""
    tail = child.rpartition("/")[2]
    return tuple(int(part) for part in tail.partition("+")[0].split(".")[1:] if part.isdecimal())
