"""The switch interval is short inside, and as before after."""

import sys
from collections.abc import Iterator

import pytest

from placet.persistence.switching import INTERVAL_S, QuickSwitching


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_the_interval_is_short_inside_only() -> None:
    sys.setswitchinterval(0.004)
    with QuickSwitching():
        assert sys.getswitchinterval() == pytest.approx(INTERVAL_S)
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_overlapping_uses_leave_the_normal_interval_behind() -> None:
    sys.setswitchinterval(0.004)
    first = QuickSwitching()
    first.__enter__()
    second = QuickSwitching()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_a_shorter_interval_is_left_alone() -> None:
    sys.setswitchinterval(0.000001)
    with QuickSwitching():
        assert sys.getswitchinterval() == pytest.approx(0.000001)
    assert sys.getswitchinterval() == pytest.approx(0.000001)
