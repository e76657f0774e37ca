"""What a firing comes to whose engine dies under it again and again."""

import pytest

from placet.supervision.losses import Verdict, after_loss


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        (1, Verdict.AGAIN),
        (2, Verdict.AGAIN),
        (3, Verdict.ALONE),
        (5, Verdict.ALONE),
        (6, Verdict.INCIDENT),
        (7, Verdict.INCIDENT),
    ],
)
def test_from_the_third_loss_it_runs_alone_and_three_losses_alone_are_an_incident(
    losses: int, verdict: Verdict
) -> None:
    assert after_loss(losses) is verdict
