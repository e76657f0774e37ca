"""A hundred thousand sleeping instances: what they cost in memory, and how long a start takes over them."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from benchmarks.finish import Finish
from benchmarks.fresh import in_fresh_process
from benchmarks.setting import Setting
from benchmarks.sleepers import LACKING, SOON, TOMORROW, WORKFLOWS
from placet import Instance, InstanceState, Pause, Receipt, Runtime

AT_ONCE = 5_000  # requests on their way
AWAKEN = "benchmarks.awaken"


def sleeping(setting: Setting) -> list[Figure]:
    """Measure fresh processes over an empty state and over a full one."""
    state, count, starts = setting.fresh(), setting.pick(100_000, 2_000), setting.pick(3, 1)
    populate(state, count, starts)
    empty_mb = in_fresh_process(AWAKEN, setting.fresh(), "empty")["anonymous_mb"]
    full = [in_fresh_process(AWAKEN, state, start) for start in range(starts)]
    return figures(count, empty_mb, full)


def figures(count: int, empty_mb: float, full: Sequence[Mapping[str, float]]) -> list[Figure]:
    """Return what processes over an empty and over a full state have found."""
    beyond_mb = median(run["anonymous_mb"] for run in full) - empty_mb
    opened_s = median(run["opened_s"] for run in full)
    return [
        Figure(
            name="sleeping.anonymous_mb",
            value=max(0.001, beyond_mb),
            unit="MB",
            note=f"{count} instances; an empty engine has {empty_mb:.1f} MB",
        ),
        Figure(
            name="sleeping.restart_s",
            value=median(run["restart_s"] for run in full),
            unit="s",
            note=f"the state was opened after {opened_s:.2f} s",
        ),
    ]


def populate(state: Path, count: int, starts: int) -> None:
    """Spawn `count` instances with a token each: a tenth waits for tomorrow, a tenth is paused, the rest is stuck.

    For each of the `starts` to come there is one more, which is tried again all the time.
    """
    tenth = count // 10
    with Runtime(state, WORKFLOWS) as runtime:
        waiting = Finish(runtime, InstanceState.WAITING, tenth)
        for number in range(tenth):
            waiting.expect(f"tomorrow-{number}")
        _in_turn(tenth, lambda n: runtime.spawn_later(TOMORROW, {"start": [n]}, id=f"tomorrow-{n}"))
        _in_turn(count - tenth, lambda n: runtime.spawn_later(LACKING, {"first": [n]}, id=f"lacking-{n}"))
        _in_turn(tenth, lambda n: _pause(runtime, f"lacking-{n}"))
        waiting.wait()
        for start in range(starts):
            runtime.spawn(SOON, {"start": [start]}, id=f"soon-{start}")


def _pause(runtime: Runtime, instance: str) -> "Future[Receipt]":
    return runtime.tell_later(instance, Pause(instance=instance, by="benchmark", why="to sleep"))


def _in_turn(count: int, ask: "Callable[[int], Future[Instance]] | Callable[[int], Future[Receipt]]") -> None:
    """Make many requests, so many at once as an engine takes."""
    numbers = iter(range(count))
    while futures := [ask(number) for number in islice(numbers, AT_ONCE)]:
        for future in futures:
            future.result()
