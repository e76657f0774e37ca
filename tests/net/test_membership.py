"""Who is there: silence is counted, our own absence is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.net.membership import STEPS, Membership, MemberState, StateChanged

ALIVE, SUSPECT, DOWN = MemberState.ALIVE, MemberState.SUSPECT, MemberState.DOWN


def told(changes: list[StateChanged]) -> list[tuple[str, MemberState | None, MemberState]]:
    return [(one.name, one.old, one.new) for one in changes]


def pass_time(membership: Membership, start_s: float, end_s: float) -> list[tuple[float, StateChanged]]:
    """Ask ten times a second."""
    seen: list[tuple[float, StateChanged]] = []
    for tenth in range(round(start_s * 10) + 1, round(end_s * 10) + 1):
        seen += [(tenth / 10, change) for change in membership.changes(tenth / 10)]
    return seen


def test_silence_makes_a_node_suspect_and_then_down() -> None:
    membership = Membership()
    membership.heard("a", 1, 0.0)
    assert told(membership.changes(0.0)) == [("a", None, ALIVE)]
    seen = pass_time(membership, 0.0, 20.0)
    assert told([change for _, change in seen]) == [("a", ALIVE, SUSPECT), ("a", SUSPECT, DOWN)]
    assert [at_s for at_s, _ in seen] == [pytest.approx(3.0, abs=0.11), pytest.approx(10.0, abs=0.11)]
    assert membership.state("a", 20.0) is DOWN
    assert membership.state("b", 20.0) is None


def test_what_is_told_once_is_not_told_again() -> None:
    membership = Membership()
    membership.heard("a", 1, 0.0)
    assert membership.changes(0.0)
    assert membership.changes(0.0) == []
    membership.heard("a", 1, 0.5)
    assert membership.changes(0.5) == []


def test_a_node_that_was_cut_off_is_told_from_one_that_was_started_anew() -> None:
    for incarnation, is_new in ((1, False), (2, True)):
        membership = Membership()
        membership.heard("a", 1, 0.0)
        pass_time(membership, -0.1, 15.0)
        assert membership.heard("a", incarnation, 15.0)
        assert membership.changes(15.0) == [
            StateChanged(name="a", old=DOWN, new=ALIVE, incarnation=incarnation, is_new=is_new)
        ]


def test_a_quick_restart_is_told_although_nothing_was_missed() -> None:
    membership = Membership()
    membership.heard("a", 1, 0.0)
    membership.changes(0.0)
    membership.heard("a", 5, 0.1)
    assert membership.changes(0.1) == [StateChanged(name="a", old=ALIVE, new=ALIVE, incarnation=5, is_new=True)]


def test_a_late_sign_of_life_of_an_earlier_process_counts_for_nothing() -> None:
    membership = Membership()
    membership.heard("a", 2, 0.0)
    pass_time(membership, -0.1, 5.0)
    assert not membership.heard("a", 1, 5.0)
    assert membership.state("a", 5.0) is SUSPECT


def test_a_process_that_was_stopped_suspects_nobody() -> None:
    membership = Membership()
    membership.heard("a", 1, 0.0)
    membership.changes(0.5)
    assert membership.changes(600.0) == []
    membership.heard("a", 1, 600.0)
    assert pass_time(membership, 600.0, 602.0) == []


def test_a_slow_loop_still_finds_who_is_dead() -> None:
    membership = Membership()
    membership.heard("a", 1, 0.0)
    seen = [change.new for at_s in range(0, 70, 5) for change in membership.changes(float(at_s))]
    assert seen == [ALIVE, SUSPECT, DOWN]


@pytest.mark.parametrize(("suspect_s", "down_s"), [(0.0, 1.0), (3.0, 3.0), (4.0, 3.0), (-1.0, 3.0)])
def test_times_that_make_no_sense_are_refused(suspect_s: float, down_s: float) -> None:
    with pytest.raises(ValueError, match="suspect before it is down"):
        Membership(suspect_s=suspect_s, down_s=down_s)


naps = st.floats(0.0, 1_000.0)


@given(suspect_s=st.floats(0.5, 10.0), steps=st.lists(naps, min_size=1, max_size=60), data=st.data())
def test_who_sends_often_enough_is_never_suspect_however_we_nap(
    suspect_s: float, steps: list[float], data: st.DataObject
) -> None:
    """The peer sends all the time; what came while we were away is heard after the first look at the states."""
    membership = Membership(suspect_s=suspect_s, down_s=suspect_s * 3)
    every_s = suspect_s / STEPS * 0.99
    now_s, sent_s = 0.0, 0.0
    membership.heard("a", 1, now_s)
    for step in steps:
        now_s += step
        if data.draw(st.booleans()):
            assert membership.state("a", now_s) in {ALIVE, None}
        while sent_s + every_s <= now_s:
            sent_s += every_s
            if sent_s + every_s > now_s:
                membership.heard("a", 1, now_s)
        assert all(change.new is ALIVE for change in membership.changes(now_s))


@given(
    events=st.lists(
        st.tuples(st.floats(0.0, 20.0), st.sampled_from("abc"), st.sampled_from(["heard", "heard anew", "ask"])),
        max_size=80,
    )
)
def test_what_is_told_follows_from_what_was_told_before(events: list[tuple[float, str, str]]) -> None:
    membership = Membership()
    known: dict[str, MemberState] = {}
    now_s = 0.0
    incarnations = dict.fromkeys("abc", 1)
    for step, name, what in events:
        now_s += step
        if what != "ask":
            incarnations[name] += what == "heard anew"
            membership.heard(name, incarnations[name], now_s)
        for change in membership.changes(now_s):
            assert known.get(change.name) is change.old
            assert change.new is not change.old or change.is_new
            known[change.name] = change.new
        assert known == {one: membership.state(one, now_s) for one in membership.names()}


def test_a_clock_that_goes_back_is_waited_for() -> None:
    membership = Membership()
    membership.heard("a", 1, 100.0)
    membership.changes(50.0)
    assert pass_time(membership, 50.0, 99.0) == []
    assert [change.new for _, change in pass_time(membership, 99.0, 104.0)] == [SUSPECT]
