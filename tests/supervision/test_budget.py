"""How many restarts in how much time: within the window each is allowed, the one too many escalates."""

import pytest

from placet.supervision.budget import RestartBudget

BUDGET = RestartBudget(limit=3, window_s=5.0)


def restarts(gap_s: float, *, most: int = 100) -> int:
    """Return how many faults in a row are answered by a restart, one every `gap_s`."""
    past: tuple[float, ...] = ()
    for number in range(most):
        spent = BUDGET.spend(past, number * gap_s)
        if spent is None:
            return number
        past = spent
    return most


@pytest.mark.parametrize(
    ("gap_s", "expected"),
    [(0.0, 3), (1.0, 3), (1.6, 3), (1.7, 100), (60.0, 100)],  # three gaps of 1.7 s leave the window
)
def test_faults_that_come_too_fast_escalate(gap_s: float, expected: int) -> None:
    assert restarts(gap_s) == expected


def test_what_is_outside_the_window_is_forgotten() -> None:
    assert BUDGET.spend((0.0, 4.0, 6.0), 9.0) == (4.0, 6.0, 9.0)


def test_a_budget_of_none_escalates_at_once() -> None:
    assert RestartBudget(limit=0).spend((), 0.0) is None
