"""What a firing comes to whose engine dies under it again and again."""

import pytest

from placet.supervision.losses import LossVerdict, after_loss


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        (1, LossVerdict.AGAIN),
        (2, LossVerdict.AGAIN),
        (3, LossVerdict.ALONE),
        (5, LossVerdict.ALONE),
        (6, LossVerdict.INCIDENT),
        (7, LossVerdict.INCIDENT),
    ],
)
def test_from_the_third_loss_it_runs_alone_and_three_losses_alone_are_an_incident(
    losses: int, verdict: LossVerdict
) -> None:
    assert after_loss(losses) is verdict
