"""The handle of an instance on a node: the verbs of `Instance`, from another process."""

from collections.abc import Iterable

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state
from placet.actors.clock import monotonic_s
from placet.actors.errors import NotCompleted, WaitTimeout
from placet.actors.instance import SETTLED
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    Cancel,
    FailIncident,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
)
from placet.actors.outputs import encoded_outputs
from placet.actors.reader import InstanceView
from placet.actors.task_request import Intervention
from placet.net.answer import Shown, StateSeen, Told
from placet.net.node_client import NodeClient
from placet.net.request import HistoryRequest, ShowRequest, WaitRequest
from placet.persistence.history import Record
from placet.persistence.values import decode

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

    def _show(self, timeout_s: float | None) -> Shown:
        return self._client.ask(ShowRequest(instance=self.id), Shown, self.id, timeout_s)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait_until(self, states: Iterable[InstanceState | str], timeout_s: float | None = None) -> InstanceState:
        """Wait until its state is one of `states`, or it has ended, and return its state.

        Without `timeout_s` it waits as long as the node answers.
        """
        wanted = frozenset(check_state(state) for state in ([states] if isinstance(states, str) else states))
        end_s = None if timeout_s is None else monotonic_s() + timeout_s
        while True:
            left_s = None if end_s is None else max(0.0, end_s - monotonic_s())
            try:
                seen = self._wait_round(wanted, ROUND_S if left_s is None else min(ROUND_S, left_s), left_s)
            except WaitTimeout as error:
                if timeout_s is None:  # the node is silent
                    raise
                raise self._not_seen(timeout_s) from error
            if seen is not None:
                return seen
            if timeout_s is not None and left_s is not None and left_s <= ROUND_S:
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

    # -- interventions ---------------------------------------------------------------------------------------------

    def tell(self, message: Intervention, timeout_s: float | None = None) -> Receipt:
        """Send an intervention and return its receipt once it is on disk; see `Client.tell`."""
        return self._client.tell(self.id, message, timeout_s)

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
