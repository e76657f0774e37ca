"""One instance of a rehearsal: what a test looks at, and what a person would do to it."""

from typing import TYPE_CHECKING

from placet.actors.answers import Receipt
from placet.actors.errors import NotCompleted, WaitTimeout, no_instance
from placet.actors.instance import SETTLED
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import InterventionMessage
from placet.actors.reader import FiringView, Incident, InstanceView, StateReader
from placet.actors.report import explain
from placet.actors.task_request import TaskRequests
from placet.actors.task_view import TaskView
from placet.actors.token_request import GivingRequest
from placet.actors.verbs import Verbs
from placet.persistence.values import decode
from placet.petri.expression import PlaceRef

if TYPE_CHECKING:
    from placet.testing.rehearsal import Rehearsal


class RehearsedInstance(Verbs):
    """One instance, by its id; good for the whole rehearsal, crashes and restarts included.

    What people do to it is answered at once, and what follows from that happens in the next `Rehearsal.run`. The verbs
    for it are those of `Instance`.
    """

    def __init__(self, rehearsal: "Rehearsal", id: str) -> None:
        self._rehearsal = rehearsal
        self.id = id

    def __repr__(self) -> str:
        return f"RehearsedInstance({self.id!r})"

    # -- looking -------------------------------------------------------------------------------------------

    def _view(self) -> InstanceView:
        found = StateReader(self._rehearsal.store).instance(self.id)
        if found is None:
            raise no_instance(self.id)
        return found

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        return self._view().header.state

    def explain(self) -> str:
        """Return in a few words why it has not completed, or what it waits for."""
        return explain(StateReader(self._rehearsal.store), self.id)

    def marking(self) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return {place: [decode(value) for value in values] for place, values in self._view().marking.items()}

    def state_values(self) -> dict[str, object]:
        """Return what handlers keep with it through their context, by name; `state` is how it is."""
        return {name: decode(value) for name, value in self._view().state_values.items()}

    def tasks(self) -> tuple[TaskView, ...]:
        """Return what it offers to people, oldest first."""
        return self._view().tasks

    def tokens(self) -> dict[str, list[int]]:
        """Return the numbers of the free tokens by place path, as `marking` has their values."""
        return self._view().tokens

    def history(self) -> list[str]:
        """Return the kinds of what happened to it, such as `spawned` and `fired`, oldest first."""
        return [record.kind for _, record in StateReader(self._rehearsal.store).history(self.id)]

    def incidents(self) -> tuple[Incident, ...]:
        """Return what failed for good and waits for a person, oldest first."""
        return self._view().incidents

    def firings(self) -> tuple[FiringView, ...]:
        """Return what goes on in it: for each firing its phase, attempt, and what its handler has told of itself."""
        return self._view().firings

    def result(self) -> dict[str, list[object]]:
        """Run on without letting time pass, and return the values in its exit places.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident, and `WaitTimeout`
        when only time or a person can move it on.
        """
        self._rehearsal.run()
        state = self.state
        if state is InstanceState.COMPLETED:
            return self.marking()
        reason = self.explain()
        if state in SETTLED:
            raise NotCompleted(self.id, reason, state.value)
        raise WaitTimeout(self.id, f"{reason} at {self._rehearsal.now_s} s; let time pass with `advance`")

    # -- interventions, besides those of `Verbs` -----------------------------------------------------------

    def tell(
        self, message: InterventionMessage | TaskRequests | GivingRequest, timeout_s: float | None = None
    ) -> Receipt:
        """Send an intervention, such as `Approve`; see `Rehearsal.tell`. It is answered at once, not by `timeout_s`."""
        return self._tell(message, timeout_s)

    def _tell(self, message: InterventionMessage | TaskRequests | GivingRequest, timeout_s: float | None) -> Receipt:  # noqa: ARG002
        return self._rehearsal.tell(self.id, message)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:
        return self._rehearsal.addressee(self.id).encoded_for(target, value, StateReader(self._rehearsal.store))
