"""What simulations and rehearsals raise: a promise found broken, or a test that asks for what cannot be."""

from typing import TypeVar

from placet.actors.errors import UnknownWorkflow
from placet.petri.errors import PlacetError

T = TypeVar("T")


class Violation(PlacetError):
    """A promise of the engine was found broken. `invariant` names which, `detail` says by what."""

    code = "violation"

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(invariant, detail)
        self.invariant = invariant
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}; the same seed shows it again"


def require(condition: object, invariant: str, detail: object) -> None:
    """Raise `Violation` unless `condition` holds."""
    if not condition:
        raise Violation(invariant, str(detail))


def required(value: T | None, invariant: str, detail: object) -> T:
    """Return `value`. Raises `Violation` if it is None."""
    if value is None:
        raise Violation(invariant, str(detail))
    return value


class InsideHandler(PlacetError):
    """A handler tried to move the rehearsal that is calling it; nothing was done."""

    code = "inside_handler"

    def __str__(self) -> str:
        return "a handler cannot move the rehearsal that calls it; let the test do so"


class NotRehearsed(UnknownWorkflow):
    """A workflow was spawned that the rehearsal was not given; `workflow` is its name."""

    def __str__(self) -> str:
        return f"workflow {self.workflow!r} is not rehearsed; pass it to Rehearsal(…)"


class UnknownTransition(PlacetError, LookupError):
    """No rehearsed workflow has a transition of that path; `known` are those there are."""

    code = "unknown_transition"

    def __init__(self, transition: str, known: tuple[str, ...]) -> None:
        super().__init__(transition, known)
        self.transition = transition
        self.known = known

    def __str__(self) -> str:
        return f"there is no transition {self.transition!r}; name one of {', '.join(self.known) or 'none'}"


class Restless(PlacetError):
    """A run does not come to rest: something goes round without ever waiting. What happened is committed."""

    code = "restless"

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self.steps = steps

    def __str__(self) -> str:
        return f"no rest after {self.steps} steps; look for a loop of transitions that never waits"
