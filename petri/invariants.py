"""Place invariants: weighted sums of tokens that no firing changes.

With the incidence matrix C (a row a place, a column an effect of a transition: a choice has one a branch,
a fork one in all) an invariant is a vector y with yC = 0. The rows of [C | 1] are combined, column by column,
until C is gone; what is left on the right is a basis. This is Gaussian elimination without fractions: each
row is divided by the greatest common divisor of its entries, so numbers stay small and exact. Source:
J. Martinez and M. Silva, "A simple and fast algorithm to obtain all invariants of a generalised Petri net"
(1982), without their restriction to semi-positive combinations; T. Murata, "Petri nets: properties, analysis
and applications", Proc. IEEE 77 (1989), section V.
"""

from math import gcd
from typing import TypeAlias

from placet.petri.enabling import Counts, Effect, effects
from placet.petri.net import MANY
from placet.petri.plan import Plan, TransitionPlan

Invariant: TypeAlias = dict[int, int]  # weight by index of the place; never 0
_Row: TypeAlias = dict[int, int]  # sparse; columns of C first, then one a place


def place_invariants(plan: Plan) -> list[Invariant]:
    """Return a basis of the place invariants, as whole numbers without a common factor.

    Every other invariant is a rational combination of these. The first weight of each is above 0.
    """
    columns = [effect for transition in plan.transitions for effect in effects(transition)]
    columns += [{place: 1} for transition in plan.transitions for place in _variable(transition)]
    matrix = _Matrix(columns, len(plan.places))
    for column in range(len(columns)):
        matrix.eliminate(column)
    for row in matrix.rows.values():
        _reduce(row)
    vectors = [{key - len(columns): value for key, value in sorted(row.items())} for row in matrix.rows.values()]
    return sorted((_positive(vector) for vector in vectors), key=lambda vector: list(vector.items()))


def _variable(transition: TransitionPlan) -> list[int]:
    """Return the places of which a firing takes, or to which it gives, any number of tokens."""
    taken = [arc.place for arc in transition.inputs if arc.weight == MANY]
    return [*transition.resets, *taken, *(place for place, weight in transition.outputs if weight == MANY)]


def weigh(invariant: Invariant, counts: Counts) -> int:
    """Return the weighted sum of `counts`; tokens that a firing has taken still count where they were taken."""
    return sum(weight * counts.get(place, 0) for place, weight in invariant.items())


class _Matrix:
    """Sparse rows of [C | 1], with the rows that hold each column of C."""

    def __init__(self, columns: list[Effect], places: int) -> None:
        self.rows: dict[int, _Row] = {place: {len(columns) + place: 1} for place in range(places)}
        self._holders: list[set[int]] = [set() for _ in columns]
        for column, effect in enumerate(columns):
            for place, change in effect.items():
                if change:
                    self.rows[place][column] = change
                    self._holders[column].add(place)

    def eliminate(self, column: int) -> None:
        """Spend the sparsest row that holds `column` to clear it from all others."""
        holders = self._holders[column]
        if not holders:
            return
        spent = min(holders, key=lambda number: (len(self.rows[number]), number))
        pivot = self.rows.pop(spent)
        for key in pivot:
            self._hold(key, spent, 0)
        for number in sorted(holders):  # a copy: the set shrinks
            self._combine(number, pivot, column)

    def _combine(self, number: int, pivot: _Row, column: int) -> None:
        """Take a multiple of `pivot` from a row, in place: where the row needs no factor, only these entries change."""
        row = self.rows[number]
        common = gcd(row[column], pivot[column])
        scale, times = abs(pivot[column]) // common, row[column] // common
        times = times if pivot[column] > 0 else -times
        if scale > 1:
            for key in row:
                row[key] *= scale
        for key, value in pivot.items():
            changed = row.get(key, 0) - value * times
            self._hold(key, number, changed)
            if changed:
                row[key] = changed
            else:
                row.pop(key, None)
        if scale > 1:
            _reduce(row)

    def _hold(self, key: int, number: int, value: int) -> None:
        """Keep in mind which rows hold which column of C."""
        if key < len(self._holders):
            if value:
                self._holders[key].add(number)
            else:
                self._holders[key].discard(number)


def _reduce(row: _Row) -> None:
    divisor = gcd(*row.values())
    if divisor > 1:
        for key in row:
            row[key] //= divisor


def _positive(vector: Invariant) -> Invariant:
    first = next(iter(vector.values()))
    return vector if first > 0 else {place: -weight for place, weight in vector.items()}
