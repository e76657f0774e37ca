"""The wall clock jumps, and the machine is rebooted: timers neither fire early nor freeze."""

import time
from pathlib import Path

import pytest

from placet import Context, InstanceState, Retry, Runtime, Workflow
from placet.actors import clock
from placet.actors.records import Phase
from placet.actors.runtime import client_of
from tests.endtoend.processes import PATIENCE_S, until

HOUR_S, DAY_S = 3_600.0, 86_400.0


class Machine:
    """The clocks of a machine on which a test turns the wall clock, and which it reboots."""

    def __init__(self) -> None:
        self.turned_s = 0.0
        self._booted_s = 0.0

    def time(self) -> float:
        return time.clock_gettime(time.CLOCK_REALTIME) + self.turned_s

    def monotonic(self) -> float:
        return time.monotonic() - self._booted_s

    def reboot(self, away_s: float) -> None:
        """Let `away_s` pass while nothing runs; the monotonic clock begins again near 0."""
        self.turned_s += away_s
        self._booted_s = time.monotonic() - 5.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clock, "time", machine)
    return machine


def failing_once(delay_s: float, attempts: list[float]) -> Workflow:
    """Return a workflow whose only step fails at first, and is tried again after `delay_s`."""
    workflow = Workflow("again")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done, retry=Retry(attempts=9, first_s=delay_s, most_s=delay_s, jitter=0.0))
    def work(value: int, context: Context) -> int:
        attempts.append(time.monotonic())
        if context.attempt == 1:
            raise ConnectionError("not yet")
        return value

    return workflow


def wait_for_back_off(runtime: Runtime) -> None:
    """Return once the instance waits for its second attempt."""
    runtime.instance("one").wait_until([InstanceState.WAITING], PATIENCE_S)


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_jump_while_it_runs_neither_fires_nor_freezes_a_timer(
    tmp_path: Path, machine: Machine, jump_s: float
) -> None:
    attempts: list[float] = []
    workflow = failing_once(0.5, attempts)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [1]}, id="one")
        wait_for_back_off(runtime)
        machine.turned_s += jump_s
        assert instance.result(timeout_s=PATIENCE_S) == {"done": [1]}
    assert 0.5 <= attempts[1] - attempts[0] < 0.5 + PATIENCE_S / 2


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_jump_between_runs_moves_nothing_back(tmp_path: Path, machine: Machine, jump_s: float) -> None:
    attempts: list[float] = []
    workflow = failing_once(2 * HOUR_S, attempts)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        runtime.spawn(workflow, {"start": [1]}, id="one")
        wait_for_back_off(runtime)
        (before,) = runtime.instance("one").view().firings
        left_s = before.due - client_of(runtime).engine.clock.now()
    machine.turned_s += jump_s
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert client_of(runtime).engine.clock.start.went_back_s == pytest.approx(max(0.0, -jump_s), abs=PATIENCE_S)
        assert client_of(runtime).engine.clock.start.away_s == pytest.approx(max(0.0, jump_s), abs=PATIENCE_S)
        (after,) = runtime.instance("one").view().firings
        assert (after.phase, after.due) == (Phase.BACKOFF, before.due)
        still_s = after.due - client_of(runtime).engine.clock.now()
        assert still_s == pytest.approx(left_s - max(0.0, jump_s), abs=PATIENCE_S)
        history = [record.at for _, record in runtime.instance("one").history()]
    assert history == sorted(history)
    assert len(attempts) == 1


def test_after_a_day_and_a_reboot_what_is_due_fires_at_once_and_the_rest_waits(
    tmp_path: Path, machine: Machine
) -> None:
    attempts: list[float] = []
    soon, later = failing_once(HOUR_S, attempts), Workflow("later")
    start, done = later.places("start done")
    later.transition(start >> done, "fail", handler=_refuse, retry=Retry(first_s=3 * DAY_S, most_s=9 * DAY_S))
    with Runtime(tmp_path / "state", [soon, later]) as runtime:
        runtime.spawn(soon, {"start": [1]}, id="one")
        runtime.spawn(later, {start: [1]}, id="two")
        wait_for_back_off(runtime)
        runtime.instance("two").wait_until([InstanceState.WAITING], PATIENCE_S)
    machine.reboot(away_s=DAY_S)
    with Runtime(tmp_path / "state", [soon, later]) as runtime:
        assert runtime.instance("one").result(timeout_s=PATIENCE_S) == {"done": [1]}
        (waiting,) = runtime.instance("two").view().firings
        left_s = waiting.due - client_of(runtime).engine.clock.now()
        assert waiting.phase is Phase.BACKOFF
        assert DAY_S < left_s < 2 * DAY_S + PATIENCE_S
    assert len(attempts) == 2


def test_a_deadline_is_not_moved_by_a_jump(tmp_path: Path, machine: Machine) -> None:
    workflow = Workflow("hanging")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done, timeout_s=0.3, retry=Retry(attempts=2, first_s=0.01))
    def work(value: int, context: Context) -> int:
        if context.attempt == 1:
            machine.turned_s -= HOUR_S
            until(lambda: client_of(runtime).engine.executors["thread"].load().abandoned, "it is abandoned")
        return value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: [1]}, id="one")
        assert instance.result(timeout_s=PATIENCE_S) == {"done": [1]}


def _refuse(value: int) -> int:
    raise ConnectionError(value)
