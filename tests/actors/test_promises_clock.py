"""Promises about time: what passes while an engine is off, and what jumps of the wall clock do."""

from math import inf, nan

import pytest

from placet.actors import clock
from placet.actors.clock import EngineClock
from placet.actors.stamp import Stamp
from placet.actors.timers import Timers


class Machine:
    """A machine's two clocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s = 1_700_000_000.0
        self.monotonic_s = 50.0
        monkeypatch.setattr(clock, "wall_s", lambda: self.wall_s)
        monkeypatch.setattr(clock, "monotonic_s", lambda: self.monotonic_s)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0])
def test_a_jump_of_the_wall_clock_does_not_move_engine_time(machine: Machine, jump_s: float) -> None:
    engine = EngineClock(Stamp())
    before = engine.now()
    machine.wall_s += jump_s
    machine.monotonic_s += 1.0
    assert engine.now() == pytest.approx(before + 1.0)


def test_what_passed_by_the_wall_clock_while_off_has_passed(machine: Machine) -> None:
    stamp = Stamp(engine_s=500.0, wall_s=machine.wall_s - 86_400.0)
    engine = EngineClock(stamp)
    assert engine.now() == pytest.approx(500.0 + 86_400.0)
    assert engine.start.away_s == pytest.approx(86_400.0)


def test_a_wall_clock_set_back_while_off_makes_no_time_pass(machine: Machine) -> None:
    stamp = Stamp(engine_s=500.0, wall_s=machine.wall_s + 3_600.0)
    engine = EngineClock(stamp)
    assert engine.now() == pytest.approx(500.0)
    assert engine.start.went_back_s == pytest.approx(3_600.0)


def test_no_timer_is_early_and_all_due_come_in_order() -> None:
    timers = Timers()
    for number, due in enumerate((5.03, 1.0, 5.01)):
        timers.set((b"root", number), due, 0)
    assert timers.pop_due(0.999) == []
    assert timers.pop_due(5.02) == [((b"root", 1), 0), ((b"root", 2), 0)]
    assert timers.pop_due(5.03) == [((b"root", 0), 0)]


@pytest.mark.parametrize("due", [inf, nan, 1e308])
def test_a_timer_that_never_comes_holds_up_no_other(due: float) -> None:
    timers = Timers()
    timers.set((b"root", 1), due, 0)
    timers.set((b"root", 2), 5.0, 0)
    assert timers.pop_due(1e9) == [((b"root", 2), 0)]
    assert (timers.next_due(1e9) or 0.0) > 1e11
    timers.clear((b"root", 1), due)
    assert timers.next_due(1e9) is None
