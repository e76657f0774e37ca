"""What a simulation reports: a promise that was broken."""

from placet.petri.errors import PlacetError


class Violation(PlacetError):
    """A promise of the engine was found broken. `invariant` names which, `detail` says by what."""

    code = "violation"

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(invariant, detail)
        self.invariant = invariant
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


def require(condition: object, invariant: str, detail: object) -> None:
    """Raise `Violation` unless `condition` holds."""
    if not condition:
        raise Violation(invariant, str(detail))
