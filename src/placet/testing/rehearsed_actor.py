"""One actor of a rehearsal: what a test tells and asks it."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from placet.actors.answers import Receipt
from placet.actors.errors import WaitTimeout
from placet.actors.messages import Cancel, Put
from placet.actors.own.actor import Actor
from placet.actors.own.answering import HOPELESS
from placet.actors.own.errors import NotAnswered
from placet.actors.own.letter import Letter
from placet.actors.own.taking import check_message
from placet.actors.own.work import INBOX
from placet.actors.reader import StateReader
from placet.actors.report import explain
from placet.actors.state import ANSWER
from placet.persistence.values import decode, encode
from placet.testing.rehearsed_instance import RehearsedInstance

if TYPE_CHECKING:
    from placet.testing.rehearsal import Rehearsal

M = TypeVar("M")


class RehearsedActor(Generic[M]):
    """One actor, by its id; good for the whole rehearsal. `instance` is the same as an instance of a workflow."""

    def __init__(self, rehearsal: "Rehearsal", id: str, kind: type[Actor[M]]) -> None:
        self._rehearsal = rehearsal
        self._kind = kind
        self.id = id

    def __repr__(self) -> str:
        return f"RehearsedActor({self.id!r}, {self._kind.__name__})"

    @property
    def instance(self) -> RehearsedInstance:
        """The instance that it is."""
        return RehearsedInstance(self._rehearsal, self.id)

    def state_values(self) -> dict[str, object]:
        """Return what it keeps, by name."""
        return self.instance.state_values()

    def tell(self, message: M) -> Receipt:
        """Put a message into its inbox; it is handled in the next `run`. Raises as `ActorInstance.tell` does."""
        check_message(self._kind, message)
        return self._put(message)

    def ask(self, message: M, *, request_id: str = "") -> Any:  # `Any`: your answers
        """Put a message into its inbox, run on without letting time pass, and return what it returned for it.

        Raises as `ActorInstance.ask` does, and `WaitTimeout` when only time or a person can move it on.
        """
        check_message(self._kind, message)
        request = request_id or f"{self.id} is asked {self._rehearsal.next_request()}"
        if self._answer(request) is None and self.instance.state not in HOPELESS:
            self._put(Letter(message=message, request=request))
            self._rehearsal.run()
        answer = self._answer(request)
        if answer is not None:
            return decode(answer)
        reason = explain(StateReader(self._rehearsal.store), self.id)
        if self.instance.state in HOPELESS:
            raise NotAnswered(self.id, reason)
        raise WaitTimeout(self.id, f"{reason} at {self._rehearsal.now_s} s; let time pass with `advance`")

    def stop(self, *, by: str, why: str = "") -> Receipt:
        """End it, as `cancelled`, once the message it handles has been."""
        return self._rehearsal.tell(self.id, Cancel(by=by, why=why))

    def _put(self, message: object) -> Receipt:
        return self._rehearsal.tell(self.id, Put(place=INBOX, value=encode(message)))

    def _answer(self, request: str) -> bytes | None:
        return StateReader(self._rehearsal.store).kept(self.id, ANSWER + request)
