"""One instance of a rehearsal: what a test looks at, and what a person would do to it."""

from typing import TYPE_CHECKING

from placet.actors.answers import Receipt
from placet.actors.errors import NotCompleted, NotFound, WaitTimeout
from placet.actors.instance import SETTLED, encoded_outputs
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, FailIncident, Pause, Resume, RetryIncident, SkipIncident
from placet.actors.reader import Incident, InstanceView, StateReader
from placet.actors.report import explain
from placet.persistence.values import decode

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
            raise NotFound(self.id, f"there is no instance {self.id}")
        return found

    @property
    def state(self) -> InstanceState:
        """Its state, as committed."""
        return self._view().header.state

    def marking(self) -> dict[str, list[object]]:
        """Return the values of the free tokens by place path, oldest first."""
        return {place: [decode(value) for value in values] for place, values in self._view().marking.items()}

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

    def pause(self, *, by: str, why: str = "") -> Receipt:
        """Choose nothing new in it; results of what is in flight are counted."""
        return self._rehearsal.tell(self.id, Pause(by=by, why=why))

    def resume(self, *, by: str, why: str = "") -> Receipt:
        """Undo a pause."""
        return self._rehearsal.tell(self.id, Resume(by=by, why=why))

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
