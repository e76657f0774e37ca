"""What people do to an instance, as methods: the same for one in this process, on a node, and in a rehearsal."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import UNSET

from placet.actors.answers import Receipt
from placet.actors.messages import (
    Cancel,
    DropToken,
    EditToken,
    FailIncident,
    FreezeToken,
    Inject,
    MoveToken,
    Pause,
    Put,
    Resume,
    RetryIncident,
    SkipIncident,
    ThawToken,
)
from placet.actors.outputs import encoded_outputs
from placet.actors.task_request import Approve, Claim, Complete, Intervention, Reject, Unclaim
from placet.actors.token_request import GivingRequest, to_giving_message
from placet.petri.expression import PlaceRef, place_name

Giving: TypeAlias = Put | Inject | EditToken  # an intervention with a value in it, which a verb encodes


class PartVerbs(ABC):
    """The interventions into what is in an instance or a part of it, named by its id or number.

    Each is a message that is told. Who derives from it says how a message gets there, and how a value is encoded for
    the way.
    """

    # -- the way there -------------------------------------------------------------------------------------

    @abstractmethod
    def _tell(self, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        """Send a message and return its receipt."""

    @abstractmethod
    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:
        """Return a value for a place, or for the token of this number."""

    def _outputs(self, incident: int, outputs: object) -> tuple[tuple[str, bytes], ...]:  # noqa: ARG002  for others
        """Return what is given for the outputs of the firing of an incident."""
        return encoded_outputs(outputs)

    def tell(self, message: Intervention | GivingRequest, timeout_s: float | None = None) -> Receipt:
        """Send an intervention, a `Put` or an `EditToken` and return its receipt once it is on disk.

        Raises `RequestRefused` with the reason when it no longer applies; `WaitTimeout` leaves open whether it
        has happened: send it again with the same `request_id` to find out.
        """
        if isinstance(message, GivingRequest):
            return self._tell(to_giving_message(message, self._encoded), timeout_s)
        return self._tell(message, timeout_s)

    # -- tasks ---------------------------------------------------------------------------------------------

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

    # -- tokens --------------------------------------------------------------------------------------------

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
        told = EditToken(token=token, value=self._encoded(token, value), by=by, why=why, request_id=request_id)
        return self._tell(told, timeout_s)

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

    # -- what failed ---------------------------------------------------------------------------------------

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
        given = self._outputs(incident, outputs)
        message = SkipIncident(incident=incident, outputs=given, by=by, why=why, request_id=request_id)
        return self.tell(message, timeout_s)

    def fail(
        self, incident: int, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Give up: the whole instance ends as `failed`. Raises as `tell` does."""
        return self.tell(FailIncident(incident=incident, by=by, why=why, request_id=request_id), timeout_s)


class Verbs(PartVerbs):
    """The interventions into one instance: `PartVerbs`, and those that name a part of it or concern all of it."""

    # -- tokens --------------------------------------------------------------------------------------------

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
        told = Put(place=place_name(place), value=self._encoded(place, value), by=by, why=why, request_id=request_id)
        return self._tell(told, timeout_s)

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
        """Put a token into any place. Raises as `tell` does, `WrongType` and `ValueNotEncodable`."""
        told = Inject(place=place_name(place), value=self._encoded(place, value), by=by, why=why, request_id=request_id)
        return self._tell(told, timeout_s)

    # -- all of it -----------------------------------------------------------------------------------------

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
        """End it, and all instances below it, once what is in flight has answered. Raises as `tell` does."""
        return self.tell(Cancel(by=by, why=why, request_id=request_id), timeout_s)
