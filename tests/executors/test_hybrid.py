"""Where the hybrid executor runs handlers: a pure decision, and what it does with it."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from placet import Runtime
from placet.actors.executors.hybrid import HybridExecutor, Placement
from placet.actors.executors.placement import (
    LEAST_CALLS,
    MOST_CALLS,
    Call,
    Place,
    Standing,
    call_of,
    fixed,
    observed,
)
from placet.actors.runtime import client_of
from tests.executors.flows import PATIENCE_S, one_step
from tests.executors.handlers import burn, echo

COMPUTES = Call(cpu_s=0.05, waited_s=0.001)
WAITS = Call(cpu_s=0.002, waited_s=0.5)
ENOUGH = 100  # calls, on however busy a machine
QUICK = Call(cpu_s=0.0001, waited_s=0.0)


def after(calls: Iterable[Call], standing: Standing | None = None) -> Standing:
    standing = standing or Standing()
    for call in calls:
        standing = observed(standing, call)
    return standing


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (COMPUTES, Place.PROCESS),
        (WAITS, Place.THREAD),
        (QUICK, Place.THREAD),
        (Call(cpu_s=0.05, waited_s=0.5), Place.THREAD),  # it computes, but a tenth of its time
        (Call(cpu_s=0.0, waited_s=0.0), Place.THREAD),
    ],
)
def test_a_handler_runs_where_it_belongs(call: Call, place: Place) -> None:
    assert after([call] * 20).place is place


def test_nothing_is_decided_before_some_calls_were_seen() -> None:
    assert after([COMPUTES] * (LEAST_CALLS - 1)).place is Place.THREAD
    assert after([COMPUTES] * LEAST_CALLS).place is Place.PROCESS


def test_one_that_waits_after_all_comes_back() -> None:
    there = after([COMPUTES] * LEAST_CALLS)
    assert after([WAITS] * there.needed, there).place is Place.THREAD
    assert after([QUICK] * 20, there).place is Place.THREAD


def test_one_in_between_stays_where_it_is() -> None:
    between = Call(cpu_s=0.05, waited_s=0.1)
    assert after([between] * 50).place is Place.THREAD
    assert after([between] * 50, Standing(place=Place.PROCESS)).place is Place.PROCESS


def test_one_that_has_never_moved_says_what_was_measured() -> None:
    assert after([WAITS]).reason.startswith("as it began: it computed for ")
    there = after([COMPUTES] * LEAST_CALLS)
    assert there.reason.startswith("it computed for ")
    assert after([COMPUTES] * 5, there).reason == there.reason


def test_each_change_takes_twice_the_calls_of_the_one_before() -> None:
    standing, changes, needed = Standing(), 0, LEAST_CALLS
    for _ in range(6):
        call = COMPUTES if standing.place is Place.THREAD else WAITS
        before = standing.place
        standing = after([call] * (needed - 1), standing)
        assert standing.place is before
        standing = observed(standing, call)
        assert standing.place is not before
        needed = min(MOST_CALLS, 2 * needed)
        changes += 1
    assert changes == 6


def test_a_fixed_one_stays() -> None:
    standing = after([COMPUTES] * 100, fixed(Standing(), "it cannot be sent"))
    assert (standing.place, standing.reason) == (Place.THREAD, "it cannot be sent")


def test_a_wait_for_others_is_none_of_the_handlers_own() -> None:
    # Four handlers compute at once on one interpreter: each gets a quarter of the time, and none is idle.
    assert call_of(took_s=0.2, cpu_s=0.05, all_cpu_s=0.2, queued_s=0.0) == Call(cpu_s=0.05, waited_s=0.0)
    # Nobody computed for most of the time: it waited for something else.
    assert call_of(took_s=1.0, cpu_s=0.05, all_cpu_s=0.1, queued_s=0.0).waited_s == pytest.approx(0.9)
    # Another program had the processor.
    assert call_of(took_s=1.0, cpu_s=0.25, all_cpu_s=0.25, queued_s=0.75) == Call(cpu_s=0.25, waited_s=0.0)


def run(runtime: Runtime, number: int) -> object:
    return runtime.spawn("one_step", {"start": [number]}).result(PATIENCE_S)["done"][0]


def placements(runtime: Runtime) -> list[Placement]:
    executor = client_of(runtime).engine.executors["hybrid"]
    assert isinstance(executor, HybridExecutor)
    return executor.placements()


def test_one_that_computes_moves_to_worker_processes_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workflow = one_step(burn, "hybrid")
    with caplog.at_level("INFO", "placet"), Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        pids = [run(runtime, 0)]
        while pids[-1] == os.getpid() and len(pids) < ENOUGH:
            pids.append(run(runtime, len(pids)))
        assert pids[:LEAST_CALLS] == [os.getpid()] * LEAST_CALLS
        assert pids[-1] != os.getpid()
        [placement] = placements(runtime)
        assert (placement.transition, placement.place) == ("step", "process")
        assert "computed for" in placement.reason
        assert runtime.placements() == [placement]
    assert "the handler of step runs in a process from now on: it computed for" in caplog.text


def test_one_that_cannot_be_sent_stays_on_threads(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(value: int) -> int:
        with lock:
            return burn(value)

    workflow = one_step(locked, "hybrid")
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        for number in range(ENOUGH):
            assert run(runtime, number) == os.getpid()
            if "cannot be sent" in placements(runtime)[0].reason:
                break
        assert "cannot be sent to another process" in placements(runtime)[0].reason


def test_without_a_hybrid_transition_there_are_no_placements(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [one_step(echo)]) as runtime:
        assert runtime.placements() == []
