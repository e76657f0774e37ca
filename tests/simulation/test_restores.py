"""Engines that lose their disk and go on with a backup, beside others that have gone on: nothing waits for ever."""

import pytest

from placet.testing.coverage import OF_RESTORES, CrashPoint
from tests.simulation.restored import check

pytestmark = pytest.mark.simulation

FEW = range(60)
MANY = range(1_000)
PARTS = 4  # so that the few are spread over processes


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_restored_goes_on_with_all_others(part: int) -> None:
    assert sum(check(seed).restores for seed in FEW[part::PARTS]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_restored_goes_on_for_many_seeds_and_its_messages_meet_crashes(part: int) -> None:
    met = {one for seed in MANY[part::PARTS] for one in check(seed).met}
    points = (CrashPoint.QUEUED, CrashPoint.HANDLED, CrashPoint.COMMITTED)
    assert not [(kind.__name__, point) for kind in OF_RESTORES for point in points if (kind.__name__, point) not in met]
