"""What can go wrong with actors of users' own."""

from placet.actors.errors import InstanceError
from placet.petri.errors import PlacetError


class NotAnswered(InstanceError):
    """An actor that was asked has ended, or has an open incident.

    Asked again with the same `request_id` once that is settled, it may answer.
    """

    code = "not_answered"


class StateTooNew(PlacetError):
    """An actor's state is of a later version than its class: run it with the program that wrote it, or a later one."""

    code = "state_too_new"

    def __init__(self, actor: str, found: int, known: int) -> None:
        super().__init__(actor, found, known)
        self.actor = actor
        self.found = found
        self.known = known

    def __str__(self) -> str:
        versions = f"of version {self.found}, and its class of {self.known}"
        return f"the state of {self.actor} is {versions}; run a later program"
