"""One instance alone: how long its ten steps take, held against eleven commits in the same minute."""

import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles

import lmdb

from benchmarks.figure import Figure
from benchmarks.setting import PATIENCE_S, Setting
from benchmarks.steps import ten_steps
from placet import InstanceState, Runtime
from placet.actors.runtime import client_of

COMMITS = 11  # what ten steps need: the spawn with the first choice, nine results with the next, the last result
MAP_BYTES = 1 << 40


class Committer:
    """Makes the least commit there is: one entry, into an LMDB environment of its own, made durable."""

    def __init__(self, path: Path) -> None:
        self._environment = lmdb.open(str(path), map_size=MAP_BYTES)
        self._number = 0

    def commit(self) -> None:
        """Put one entry of a hundred bytes and make it durable."""
        self._number += 1
        with self._environment.begin(write=True) as transaction:
            transaction.put(self._number.to_bytes(8, "big"), bytes(100))

    def close(self) -> None:
        """Let go of the file."""
        self._environment.close()


def l3(setting: Setting) -> list[Figure]:
    """Measure instances one after the other, each followed by as many bare commits as it needs."""
    workflow = ten_steps("alone", "thread", is_guarded=False)
    taken_s: list[float] = []
    bare_s: list[float] = []
    commits: set[int] = set()
    count = setting.pick(60, 12)
    with closing(Committer(setting.fresh())) as committer, Runtime(setting.fresh(), [workflow]) as runtime:
        for number in range(-2, count):  # two to warm up
            taken = _one(runtime, f"alone-{number}")
            begin_s = time.perf_counter()
            for _ in range(COMMITS):
                committer.commit()
            if number >= 0:
                taken_s.append(taken[0])
                commits.add(taken[1])
                bare_s.append(time.perf_counter() - begin_s)
    return _figures(taken_s, bare_s, commits)


def _one(runtime: Runtime, name: str) -> tuple[float, int]:
    """Run one instance; return the seconds until a client knew its result, and the commits it took."""
    before = client_of(runtime).engine.commits
    begin_s = time.perf_counter()
    instance = runtime.spawn("alone", {"p0": [1]}, id=name)
    instance.wait_until([InstanceState.COMPLETED], PATIENCE_S)
    elapsed_s = time.perf_counter() - begin_s
    return elapsed_s, client_of(runtime).engine.commits - before


def _figures(taken_s: list[float], bare_s: list[float], commits: set[int]) -> list[Figure]:
    p50_s, p99_s = median(taken_s), quantiles(taken_s, n=100, method="inclusive")[98]
    note = "" if len(commits) == 1 else f"not always the same: {sorted(commits)}"
    return [
        Figure(name="limit.commit", value=median(bare_s) / COMMITS * 1e3, unit="ms"),
        Figure(name="L3.p50", value=p50_s * 1e3, unit="ms"),
        Figure(name="L3.p99", value=p99_s * 1e3, unit="ms", note=f"of {len(taken_s)} instances"),
        Figure(name="L3.commits", value=max(commits), unit="commits", note=note),
        Figure(name="L3.p50_over_11_commits", value=p50_s / median(bare_s), unit="ratio"),
    ]
