"""What one direction does with packets: chance from a seed, time from the test."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts.link import MOST_HELD, Air, Faults, Link


def spoiled(faults: Faults, seed: int = 1) -> Link:
    link = Link(Random(seed))
    link.faults = faults
    return link


def test_a_link_without_faults_is_plain() -> None:
    link = spoiled(Faults())
    assert link.is_plain
    assert link.hold_s() == 0.0
    link.faults = Faults(delay_s=0.1)
    assert not link.is_plain
    link.faults = Faults()
    assert link.is_plain


def test_a_cut_link_loses_everything() -> None:
    link = spoiled(Faults(is_cut=True))
    assert [link.hold_s() for _ in range(10)] == [None] * 10
    assert link.lost == 10


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_as_much_is_lost_as_asked_for(share: float) -> None:
    link = spoiled(Faults(loss=share))
    lost = [link.hold_s() is None for _ in range(10_000)].count(True)
    assert lost == link.lost
    assert lost == pytest.approx(10_000 * share, rel=0.2)


def test_the_same_seed_loses_the_same_packets() -> None:
    def fates(seed: int) -> list[float | None]:
        link = spoiled(Faults(loss=0.3, jitter_s=1.0), seed)
        return [link.hold_s() for _ in range(100)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)


@given(st.floats(0, 10), st.floats(0, 10))
def test_a_packet_takes_its_delay_and_at_most_the_jitter_longer(delay_s: float, jitter_s: float) -> None:
    link = spoiled(Faults(delay_s=delay_s, jitter_s=jitter_s))
    for _ in range(10):
        held_s = link.hold_s()
        assert held_s is not None
        assert delay_s <= held_s <= delay_s + jitter_s


@pytest.mark.parametrize("field", [("loss", -0.1), ("loss", 1.1), ("delay_s", -1.0), ("jitter_s", -1.0)])
def test_faults_that_cannot_be_are_refused(field: tuple[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        msgspec.structs.replace(Faults(), **dict([field]))


@given(st.lists(st.floats(0, 100), max_size=50), st.floats(0, 100))
def test_what_is_held_arrives_when_due_in_order_and_once(dues_s: list[float], now_s: float) -> None:
    air, link = Air(), spoiled(Faults(delay_s=1.0))
    for number, due_s in enumerate(dues_s):
        air.hold(due_s, 1, link, bytes([number]))
    assert air.wait_s(0.0) == min(dues_s, default=-1.0)
    arrived = [*air.arrived(now_s), *air.arrived(now_s)]
    assert [held.packet[0] for held in arrived] == [
        number for due_s, number in sorted((due_s, number) for number, due_s in enumerate(dues_s)) if due_s <= now_s
    ]
    assert len(air) == len(dues_s) - len(arrived)


def test_what_is_on_its_way_over_a_link_that_is_cut_is_lost() -> None:
    air, cut, whole = Air(), spoiled(Faults(delay_s=1.0)), spoiled(Faults(delay_s=1.0))
    air.hold(1.0, 1, cut, b"lost")
    air.hold(1.0, 2, whole, b"kept")
    cut.faults = Faults(is_cut=True)
    assert [held.packet for held in air.arrived(2.0)] == [b"kept"]
    assert (cut.lost, whole.lost) == (1, 0)


def test_there_is_room_for_so_many_and_no_more() -> None:
    air, link = Air(), spoiled(Faults(delay_s=1.0))
    for _ in range(MOST_HELD + 3):
        air.hold(1.0, 1, link, b"")
    assert len(air) == MOST_HELD
    assert link.lost == 3
