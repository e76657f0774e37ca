"""One instance of a rehearsal: what a test looks at, and what a person would do to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET

from placet.actors.answers import Receipt
from placet.actors.errors import NotCompleted, WaitTimeout, no_instance
from placet.actors.instance import SETTLED
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    Cancel,
    FailIncident,
    InterventionMessage,
    Pause,
    Put,
    Resume,
    RetryIncident,
    SkipIncident,
)
from placet.actors.outputs import encoded_outputs
from placet.actors.reader import Incident, InstanceView, StateReader
from placet.actors.report import explain
from placet.actors.task_request import Approve, Complete, Reject, TaskRequests
from placet.actors.task_view import TaskView
from placet.persistence.values import decode
from placet.petri.expression import PlaceRef, place_name

if TYPE_CHECKING:
    from placet.testing.rehearsal import Rehearsal


class RehearsedInstance:
    """One instance, by its id; good for the whole rehearsal, crashes and restarts included.

    What people do to it is answered at once, and what follows from that happens in the next `Rehearsal.run`.
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

    def result(self) -> dict[str, list[object]]:
        """Run on without letting time pass, and return the values in its exit places.

        Raises `NotCompleted` when it failed, was cancelled, is stuck or has an open incident, and `WaitTimeout`
        when only time or a person can move it on.
        """
        self._rehearsal.run()
        state = self.state
        if state is InstanceState.COMPLETED:
            return self.marking()
        reason = explain(StateReader(self._rehearsal.store), self.id)
        if state in SETTLED:
            raise NotCompleted(self.id, reason, state.value)
        raise WaitTimeout(self.id, f"{reason} at {self._rehearsal.now_s} s; let time pass with `advance`")

    # -- interventions -------------------------------------------------------------------------------------

    def tell(self, message: InterventionMessage | TaskRequests) -> Receipt:
        """Send an intervention, such as `Approve`; see `Rehearsal.tell`."""
        return self._rehearsal.tell(self.id, message)

    def approve(
        self, task: str, *, by: str, why: str = "", value: object = UNSET, roles: Sequence[str] = ()
    ) -> Receipt:
        """Say yes to the task with this id."""
        return self.tell(Approve(task, by=by, why=why, value=value, roles=roles))

    def reject(self, task: str, *, by: str, why: str = "", value: object = UNSET, roles: Sequence[str] = ()) -> Receipt:
        """Say no to the task with this id."""
        return self.tell(Reject(task, by=by, why=why, value=value, roles=roles))

    def complete(
        self,
        task: str,
        outputs: object = UNSET,
        *,
        by: str,
        output: PlaceRef | str = "",
        why: str = "",
        roles: Sequence[str] = (),
    ) -> Receipt:
        """Finish the task with this id; `outputs` and `output` are as in `Complete`."""
        return self.tell(Complete(task, by=by, outputs=outputs, output=output, why=why, roles=roles))

    def put(self, place: PlaceRef | str, value: object, *, by: str = "", why: str = "") -> Receipt:
        """Put a token into a place that is fed from outside. Raises `WrongType`."""
        encoded = self._rehearsal.addressee(self.id).encoded(place_name(place), value)
        return self.tell(Put(place=place_name(place), value=encoded, by=by, why=why))

    def pause(self, *, by: str, why: str = "", target: str = "") -> Receipt:
        """Choose nothing new in it, or in the part `target`; results of what is in flight are counted."""
        return self._rehearsal.tell(self.id, Pause(target=target, by=by, why=why))

    def resume(self, *, by: str, why: str = "", target: str = "") -> Receipt:
        """Undo a pause of the same `target`."""
        return self._rehearsal.tell(self.id, Resume(target=target, by=by, why=why))

    def cancel(self, *, by: str, why: str = "") -> Receipt:
        """End it once what is in flight has answered."""
        return self._rehearsal.tell(self.id, Cancel(by=by, why=why))

    def retry(self, incident: int, *, by: str, why: str = "") -> Receipt:
        """Try a failed firing again; `incident` is the number of the incident."""
        return self._rehearsal.tell(self.id, RetryIncident(incident=incident, by=by, why=why))

    def skip(self, incident: int, outputs: object, *, by: str, why: str = "") -> Receipt:
        """Count a failed firing as done.

        `outputs` is the value of its only output, or `Outputs({place: [values]})`.
        """
        given = encoded_outputs(outputs)
        return self._rehearsal.tell(self.id, SkipIncident(incident=incident, outputs=given, by=by, why=why))

    def fail(self, incident: int, *, by: str, why: str = "") -> Receipt:
        """Give up: the instance ends as `failed`."""
        return self._rehearsal.tell(self.id, FailIncident(incident=incident, by=by, why=why))
