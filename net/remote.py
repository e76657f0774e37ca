"""The handle of an instance on a node: the verbs of `Instance`, from another process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import UNSET

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state
from placet.actors.clock import monotonic_s
from placet.actors.control.tokens import AboutTokens, EditTokenRequest, InjectRequest, PutRequest
from placet.actors.errors import NotCompleted, WaitTimeout
from placet.actors.instance import SETTLED
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    Cancel,
    DropToken,
    FailIncident,
    FreezeToken,
    MoveToken,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
    ThawToken,
)
from placet.actors.outputs import encoded_outputs
from placet.actors.reader import InstanceView
from placet.actors.task_request import Approve, Claim, Complete, Intervention, Reject, Unclaim
from placet.actors.task_view import TaskView
from placet.net.answer import Listed, NextOffer, Offers, Shown, StateSeen, Told
from placet.net.node_client import NodeClient
from placet.net.plain import plain
from placet.net.request import HistoryRequest, ListRequest, OfferRequest, ShowRequest, TasksRequest, WaitRequest
from placet.net.telling import known
from placet.persistence.history import Record
from placet.persistence.values import decode
from placet.petri.expression import PlaceRef, place_name

T = TypeVar("T")
ROUND_S = 20.0  # a wait is asked anew after so long


class RemoteInstance:
    """One instance on a node, by its id. Cheap to make; safe to use from any thread.

    Every method may raise `NotFound`, `WaitTimeout` and `NodeUnreachable`.
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
        assert seen is not None
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
        found = self._client.ask(ListRequest(caller=self.id), Listed, self.id, timeout_s).instances
        return [RemoteInstance(self._client, summary.instance) for summary in found]

    def _show(self, timeout_s: float | None) -> Shown:
        return self._client.ask(ShowRequest(instance=self.id), Shown, self.id, timeout_s)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait_until(self, states: Iterable[InstanceState | str], timeout_s: float | None = None) -> InstanceState:
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

    def approve(
        self,
        task: str,
        *,
        by: str,
        why: str = "",
        value: object = UNSET,
        roles: Sequence[str] = (),
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Say yes to the task with this id: see `Approve`. Raises as `tell` does."""
        return self.tell(Approve(task, by=by, why=why, value=value, roles=roles, request_id=request_id), timeout_s)

    def reject(
        self,
        task: str,
        *,
        by: str,
        why: str = "",
        value: object = UNSET,
        roles: Sequence[str] = (),
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Say no to the task with this id: see `Reject`. Raises as `tell` does."""
        return self.tell(Reject(task, by=by, why=why, value=value, roles=roles, request_id=request_id), timeout_s)

    def complete(
        self,
        task: str,
        outputs: object = UNSET,
        *,
        by: str,
        output: PlaceRef | str = "",
        why: str = "",
        roles: Sequence[str] = (),
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Finish the task with this id: see `Complete`. Raises as `tell` does."""
        told = Complete(task, by=by, outputs=outputs, output=output, why=why, roles=roles, request_id=request_id)
        return self.tell(told, timeout_s)

    def claim(
        self,
        task: str,
        *,
        by: str,
        why: str = "",
        roles: Sequence[str] = (),
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Keep a task for oneself: nobody else may decide it. Raises as `tell` does."""
        return self.tell(Claim(task, by=by, why=why, roles=roles, request_id=request_id), timeout_s)

    def unclaim(
        self, task: str, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Give a claimed task back to everybody. Raises as `tell` does."""
        return self.tell(Unclaim(task, by=by, why=why, request_id=request_id), timeout_s)

    # -- tokens ----------------------------------------------------------------------------------------------------

    def put(
        self,
        place: PlaceRef | str,
        value: object,
        *,
        by: str = "",
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Put a token into a place fed from outside; a program need not say who it is. Raises as `inject` does."""
        path, given = place_name(place), plain(value)
        told = PutRequest(instance=self.id, place=path, value=given, by=by, why=why, request_id=known(request_id))
        return self._carry_out(told, timeout_s)

    def inject(
        self,
        place: PlaceRef | str,
        value: object,
        *,
        by: str,
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Put a token into any place. Raises as `tell` does, `WrongType`, and `ValueNotEncodable`: values are plain."""
        path, given = place_name(place), plain(value)
        told = InjectRequest(instance=self.id, place=path, value=given, by=by, why=why, request_id=known(request_id))
        return self._carry_out(told, timeout_s)

    def edit_token(
        self,
        token: int,
        value: object,
        *,
        by: str,
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Give a free token another value; it keeps its age. Raises as `inject` does."""
        given, id = plain(value), known(request_id)
        told = EditTokenRequest(instance=self.id, token=token, value=given, by=by, why=why, request_id=id)
        return self._carry_out(told, timeout_s)

    def move_token(
        self,
        token: int,
        place: PlaceRef | str,
        *,
        by: str,
        why: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Receipt:
        """Put a free token into another place; it keeps its age. Raises as `tell` does, and `WrongType`."""
        told = MoveToken(token=token, place=place_name(place), by=by, why=why, request_id=request_id)
        return self.tell(told, timeout_s)

    def drop_token(
        self, token: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Remove a free token for good. Raises as `tell` does."""
        return self.tell(DropToken(token=token, by=by, why=why, request_id=request_id), timeout_s)

    def freeze_token(
        self, token: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Let nothing take a token until it is thawed. Raises as `tell` does."""
        return self.tell(FreezeToken(token=token, by=by, why=why, request_id=request_id), timeout_s)

    def thaw_token(
        self, token: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Let a frozen token be taken again. Raises as `tell` does."""
        return self.tell(ThawToken(token=token, by=by, why=why, request_id=request_id), timeout_s)

    def _carry_out(self, request: AboutTokens, timeout_s: float | None) -> Receipt:
        if not request.by and not isinstance(request, PutRequest):
            raise ValueError("an intervention needs `by`: who does it")
        done = self._client.carry_out(request, timeout_s)
        return Receipt(instance=done.id, at=done.at, already=done.already)

    # -- interventions ---------------------------------------------------------------------------------------------

    def tell(self, message: Intervention, timeout_s: float | None = None) -> Receipt:
        """Send an intervention and return its receipt once it is on disk; see `Client.tell`."""
        return self._client.tell(self.id, message, timeout_s)

    def pause(
        self, *, by: str, why: str = "", target: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Choose nothing new in it; results of what is in flight are counted. Raises as `tell` does.

        `target` narrows it to a place, a transition, a composite, or `#tag`: all that carries this tag.
        """
        return self.tell(Pause(target=target, by=by, why=why, request_id=request_id), timeout_s)

    def resume(
        self, *, by: str, why: str = "", target: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Undo a pause of the same `target`. Raises as `tell` does."""
        return self.tell(Resume(target=target, by=by, why=why, request_id=request_id), timeout_s)

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
        """Count a failed firing as done. Raises as `tell` does, and `ValueNotEncodable` for values that are not plain.

        `outputs` is the value of its only output, or `Outputs({place: [values]})`.
        """
        given = encoded_outputs(outputs)
        message = SkipIncident(incident=incident, outputs=given, by=by, why=why, request_id=request_id)
        return self.tell(message, timeout_s)

    def fail(
        self, incident: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Give up: the instance ends as `failed`. Raises as `tell` does."""
        return self.tell(FailIncident(incident=incident, by=by, why=why, request_id=request_id), timeout_s)


def _values(view: InstanceView) -> dict[str, list[object]]:
    return {place: [decode(value) for value in values] for place, values in view.marking.items()}
