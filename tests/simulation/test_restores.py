"""Engines that lose their disk and go on with a backup, beside others that have gone on: nothing waits for ever."""

import pytest

from tests.simulation.restored import check
from tests.simulation.restoring import OF_RESTORES

pytestmark = pytest.mark.simulation

FEW = range(60)
MANY = range(1_000)
PARTS = 4  # so that the few are spread over processes


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_restored_goes_on_with_all_others(part: int) -> None:
    assert sum(check(seed).restores for seed in FEW[part::PARTS]) > 0


@pytest.mark.slow(seconds=200)
def test_what_was_restored_goes_on_for_many_seeds_and_its_messages_meet_crashes() -> None:
    met = {one for seed in MANY for one in check(seed).met}
    assert not OF_RESTORES - met
