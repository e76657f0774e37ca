"""The moves between the phases of a firing: one table, and any other move is an error.

A firing is born `RUNNING`, and ends in any phase: its result is counted, or its tokens are put back.
"""

from collections.abc import Mapping

from placet.actors.records import Phase
from placet.petri.errors import PlacetError

_P = Phase

PHASE_MOVES: Mapping[Phase, frozenset[Phase]] = {
    # The next two: an inline handler failed at once. The last: a suspect that was held up by a full shard goes on.
    _P.READY: frozenset({_P.RUNNING, _P.BACKOFF, _P.INCIDENT, _P.SUSPECT}),
    _P.RUNNING: frozenset({_P.READY, _P.BACKOFF, _P.INCIDENT, _P.SUSPECT, _P.CALLED}),
    _P.BACKOFF: frozenset({_P.READY, _P.SUSPECT}),
    _P.INCIDENT: frozenset({_P.READY}),
    _P.CALLED: frozenset({_P.READY, _P.BACKOFF, _P.INCIDENT}),  # the first: in a copy, which nobody answers
    _P.SUSPECT: frozenset({_P.RUNNING, _P.BACKOFF, _P.INCIDENT}),  # the last two: likewise
}


class IllegalPhase(PlacetError):
    """A firing was about to leave a phase by a way the table does not have: a bug, never a user's mistake."""

    code = "illegal_phase"

    def __init__(self, old: str, new: str) -> None:
        super().__init__(old, new)
        self.old = old
        self.new = new

    def __str__(self) -> str:
        return f"a firing cannot go from {self.old} to {self.new}; please report this as a bug"


def check_phase(old: Phase, new: Phase) -> None:
    """Raise `IllegalPhase` unless `new` may follow `old`."""
    if new not in PHASE_MOVES[old]:
        raise IllegalPhase(old.name.lower(), new.name.lower())
