"""The handle of an instance on a node: the verbs of `Instance`, from another process."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state
from placet.actors.clock import monotonic_s
from placet.actors.errors import NotCompleted, WaitTimeout
from placet.actors.instance import SETTLED, InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import InstanceView
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.actors.verbs import Giving, Verbs
from placet.net.answer import Listed, NextOffer, Offers, Shown, StateSeen, Told
from placet.net.node_client import NodeClient
from placet.net.plain import plain
from placet.net.request import HistoryRequest, ListRequest, OfferRequest, ShowRequest, TasksRequest, WaitRequest
from placet.persistence.history import Record
from placet.persistence.values import decode, encode
from placet.petri.expression import PlaceRef

T = TypeVar("T")
ROUND_S = 20.0  # a wait is asked anew after so long


class RemoteInstance(Verbs):
    """One instance on a node, by its id. Cheap to make; safe to use from any thread.

    Every method may raise `NotFound`, `WaitTimeout` and `NodeUnreachable`; values that are given must be plain, as JSON
    has them, else `ValueNotEncodable`. What is told has its effect once, however often it is sent.
    """

    def __init__(self, client: NodeClient, id: str) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"RemoteInstance({self.id!r})"

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        seen = self._wait_round(frozenset(InstanceState), 0.0, None)
        assert seen is not None, "it is in one of all states, so the node need not wait"
        return seen

    def view(self, timeout_s: float | None = None) -> InstanceView:
        """Return everything about it, as committed: header, marking, firings, incidents; values stay encoded."""
        return self._show(timeout_s).view

    def marking(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return _values(self.view(timeout_s))

    def history(self, timeout_s: float | None = None) -> list[tuple[int, Record]]:
        """Return (sequence, record) for everything that happened to it, oldest first."""
        return self._client.ask(HistoryRequest(instance=self.id), Told, self.id, timeout_s).records

    def state_values(self, timeout_s: float | None = None) -> dict[str, object]:
        """Return what handlers keep with it through their context, by name; `state` is how it is."""
        return {name: decode(value) for name, value in self.view(timeout_s).state_values.items()}

    def parent(self, timeout_s: float | None = None) -> "RemoteInstance | None":
        """Return the instance that called it, or None."""
        caller = self.view(timeout_s).header.caller
        return None if caller is None else RemoteInstance(self._client, caller.instance)

    def children(self, timeout_s: float | None = None) -> "list[RemoteInstance]":
        """Return the instances it has called, those that have ended too, the oldest first."""
        return [RemoteInstance(self._client, summary.instance) for summary in self.called(timeout_s)]

    def called(self, timeout_s: float | None = None) -> list[InstanceSummary]:
        """Return summaries of the instances it has called, in the order in which they were."""
        found = self._client.ask_all(ListRequest(caller=self.id), Listed, self.id, timeout_s)
        return sorted(
            (summary for listed in found for summary in listed.instances), key=lambda one: _call_number(one.instance)
        )

    def _show(self, timeout_s: float | None) -> Shown:
        return self._client.ask(ShowRequest(instance=self.id), Shown, self.id, timeout_s)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait_until(
        self, states: InstanceState | str | Iterable[InstanceState | str], timeout_s: float | None = None
    ) -> InstanceState:
        """Wait until its state is one of `states`, or it has ended, and return its state.

        Without `timeout_s` it waits as long as the node answers.
        """
        wanted = frozenset(check_state(state) for state in ([states] if isinstance(states, str) else states))
        return self._in_rounds(lambda patience_s, left_s: self._wait_round(wanted, patience_s, left_s), timeout_s)

    def _in_rounds(self, ask: Callable[[float, float | None], T | None], timeout_s: float | None) -> T:
        """Ask again and again, with (patience, time left), until there is an answer. Raises `WaitTimeout`."""
        end_s = None if timeout_s is None else monotonic_s() + timeout_s
        while True:
            left_s = None if end_s is None else max(0.0, end_s - monotonic_s())
            try:
                seen = ask(ROUND_S if left_s is None else min(ROUND_S, left_s), left_s)
            except WaitTimeout as error:
                if timeout_s is None:  # the node is silent
                    raise
                raise self._not_seen(timeout_s) from error
            if seen is not None:
                return seen
            if timeout_s is not None and monotonic_s() >= (end_s or 0.0):
                raise self._not_seen(timeout_s)

    def _not_seen(self, timeout_s: float) -> WaitTimeout:
        return WaitTimeout(self.id, f"{self.id} was not seen so far within {timeout_s:g} s; it goes on, wait again")

    def _wait_round(
        self, states: frozenset[InstanceState], patience_s: float, timeout_s: float | None
    ) -> InstanceState | None:
        request = WaitRequest(instance=self.id, states=sorted(states), patience_s=patience_s)
        return self._client.ask(request, StateSeen, self.id, timeout_s, "wait again").state

    def result(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Wait for completion and return the values in its exit places, which are loaded here.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident; `ValueNotLoadable`.
        """
        state = self.wait_until(SETTLED | {InstanceState.COMPLETED}, timeout_s)
        shown = self._show(None)
        if state is InstanceState.COMPLETED:
            return _values(shown.view)
        raise NotCompleted(self.id, shown.reason, state.value)

    # -- tasks -----------------------------------------------------------------------------------------------------

    def tasks(self, timeout_s: float | None = None) -> Iterator[TaskView]:
        """Yield what it offers to people, as committed, oldest first."""
        return iter(self._client.ask(TasksRequest(instance=self.id), Offers, self.id, timeout_s).tasks)

    def wait_task(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """Wait until a task of the manual transition with this path is open, and return the oldest.

        Raises `NotFound` for a path that is none, and `NotCompleted` where it ended, is stuck or has an open incident
        and offers none. Without `timeout_s` it waits as long as the node answers.
        """
        return self._in_rounds(lambda patience_s, left_s: self._task_round(transition, patience_s, left_s), timeout_s)

    def _task_round(self, transition: str, patience_s: float, timeout_s: float | None) -> TaskView | None:
        request = OfferRequest(instance=self.id, transition=transition, patience_s=patience_s)
        number = self._client.ask(request, NextOffer, self.id, timeout_s, "wait again").number
        if number is None:
            return None
        asked = TasksRequest(instance=self.id, transition=transition)
        offered = self._client.ask(asked, Offers, self.id, None).tasks
        if offered:
            return offered[0]
        if not number:
            shown = self._show(None)
            raise NotCompleted(self.id, shown.reason, shown.view.header.state.value)
        return None  # somebody has decided it meanwhile

    # -- interventions, besides those of `Verbs` -------------------------------------------------------------------

    def _tell(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        return self._client.tell(self.id, message, timeout_s)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:  # noqa: ARG002  the engine knows types
        return encode(plain(value))


def _values(view: InstanceView) -> dict[str, list[object]]:
    return {place: [decode(value) for value in values] for place, values in view.marking.items()}


def _call_number(child: str) -> tuple[int, ...]:
    """Return (firing, attempt) of a child's id, such as `order-17/fulfil.41.2`."""
    return tuple(int(part) for part in child.rpartition("/")[2].split(".")[1:] if part.isdecimal())
