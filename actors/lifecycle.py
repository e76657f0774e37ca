"""The states of an instance and the moves between them: one table, and any other move is an error."""

from collections.abc import Mapping
from enum import StrEnum

from placet.petri.errors import PlacetError


class InstanceState(StrEnum):
    """Where an instance stands, as people see it."""

    RUNNING = "running"  # something is enabled or in flight
    WAITING = "waiting"  # only timers, or a handler this process does not know, can move it on
    PAUSED = "paused"  # a person stopped it: results are counted, nothing new is chosen
    INCIDENT = "incident"  # a firing or actor failed for good and waits for a person; others may go on
    STUCK = "stuck"  # nothing can ever move, and not every token is in an exit
    CANCELLING = "cancelling"  # nothing new is chosen; what is in flight is waited for
    CANCELLED = "cancelled"
    FAILED = "failed"  # a person failed an incident
    COMPLETED = "completed"  # nothing can move and every token is in an exit


class Intent(StrEnum):
    """What people asked of an instance; its state follows from this and its marking."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"
    FAIL = "fail"


_S = InstanceState
TERMINAL = frozenset({_S.CANCELLED, _S.FAILED, _S.COMPLETED})
TROUBLE = frozenset({_S.INCIDENT, _S.STUCK})  # a person has to do something
ENDING = frozenset({Intent.CANCEL, Intent.FAIL})  # nothing more is chosen, and idle firings are put back

# Where only a person's message can have led, the state before says whether anything was in flight: an instance that
# waits or is stuck has nothing to be waited for, and only an open incident can be failed.
MOVES: Mapping[InstanceState, frozenset[InstanceState]] = {
    _S.RUNNING: frozenset(_S) - {_S.RUNNING},
    _S.WAITING: frozenset(_S) - {_S.WAITING, _S.CANCELLING},
    _S.PAUSED: frozenset(_S) - {_S.PAUSED},
    _S.INCIDENT: frozenset(_S) - {_S.INCIDENT},
    _S.STUCK: frozenset(_S) - {_S.STUCK, _S.CANCELLING},
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.FAILED}),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
    _S.COMPLETED: frozenset(),
}


class IllegalMove(PlacetError):
    """An instance was about to leave a state by a way the table does not have: a bug, never a user's mistake."""

    code = "illegal_move"

    def __init__(self, old: str, new: str) -> None:
        super().__init__(old, new)
        self.old = old
        self.new = new

    def __str__(self) -> str:
        return f"an instance cannot go from {self.old} to {self.new}; please report this as a bug"


def check_move(old: InstanceState, new: InstanceState) -> None:
    """Raise `IllegalMove` unless `new` may follow `old`."""
    if new not in MOVES[old]:
        raise IllegalMove(old, new)
