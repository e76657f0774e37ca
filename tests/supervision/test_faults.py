"""What becomes of an instance whose actors raise: what raised x how often x how fast."""

import pytest

from placet.supervision.budget import RestartBudget
from placet.supervision.faults import FaultVerdict, after_fault

RESTART, PARK, BREAK = FaultVerdict.RESTART, FaultVerdict.PARK, FaultVerdict.BREAK
BUDGET = RestartBudget(limit=2, window_s=5.0)


def verdicts(faults: int, *, gap_s: float, is_parking: bool, budget: RestartBudget = BUDGET) -> list[FaultVerdict]:
    """Return what becomes of each of so many faults in a row, one every `gap_s`."""
    past_s: tuple[float, ...] = ()
    found: list[FaultVerdict] = []
    for number in range(faults):
        verdict, past_s = after_fault(past_s, number * gap_s, is_parking=is_parking, budget=budget)
        found.append(verdict)
    return found


@pytest.mark.parametrize(
    ("is_parking", "gap_s", "limit", "expected"),
    [
        (False, 0.0, 2, [RESTART, RESTART, PARK]),
        (False, 2.4, 2, [RESTART, RESTART, PARK]),
        (False, 2.6, 2, [RESTART, RESTART, RESTART]),  # two gaps leave the window
        (False, 0.0, 0, [PARK, PARK, PARK]),
        (False, 0.0, 1, [RESTART, PARK, RESTART]),
        (True, 0.0, 2, [RESTART, RESTART, BREAK]),
        (True, 2.4, 2, [RESTART, RESTART, BREAK]),
        (True, 2.6, 2, [RESTART, RESTART, RESTART]),
        (True, 0.0, 0, [BREAK, BREAK, BREAK]),
        (True, 0.0, 1, [RESTART, BREAK, RESTART]),
    ],
)
def test_a_fault_is_answered_by_a_restart_until_the_budget_is_used_up(
    is_parking: bool, gap_s: float, limit: int, expected: list[FaultVerdict]
) -> None:
    budget = RestartBudget(limit=limit, window_s=5.0)
    assert verdicts(3, gap_s=gap_s, is_parking=is_parking, budget=budget) == expected


def test_a_message_that_always_raises_comes_to_an_end_within_one_window() -> None:
    """The whole ladder: tried again, set aside, and where that raises too, left alone."""
    past_s: tuple[float, ...] = ()
    ladder: list[FaultVerdict] = []
    for _ in range(6):
        verdict, past_s = after_fault(past_s, 0.0, is_parking=PARK in ladder)
        ladder.append(verdict)
    assert ladder == [RESTART, RESTART, PARK, RESTART, RESTART, BREAK]


@pytest.mark.parametrize("is_parking", [False, True])
def test_a_budget_that_is_used_up_begins_anew(is_parking: bool) -> None:
    assert after_fault((0.0, 0.0), 0.0, is_parking=is_parking)[1] == ()


def test_restarts_that_are_long_over_do_not_count() -> None:
    assert after_fault((0.0, 1.0), 60.0, is_parking=False) == (RESTART, (60.0,))
