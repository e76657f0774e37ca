"""`placet run` killed with SIGKILL, the whole process group, again and again: every task counts exactly once."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from placet.traces.generator import generate_file
from placet.traces.reader import load_trace
from placet.traces.trace import TraceTask
from tests.endtoend.killing import TraceRun, check, check_kills

FOLDER = os.environ.get("PLACET_TRACES")
RECORDED = (
    "helloworld-forkjoin-10-chameleon.json",
    "montage-chameleon-dss-05d-001.json",
    "rnaseq-dirt02-001.json",
    "epigenomics-chameleon-hep-7seq-100k-001.json",
    "bwa-chameleon-medium-005.json",
)
USUAL_S = 0.04  # what a task of a trace takes on the average, once scaled


def killed(trace: Path, folder: Path, kills: int, seed: int, threads: int = 4) -> TraceRun:
    """Run a trace, kill it `kills` times, let it end, and check all there is to check."""
    tasks = load_trace(trace).tasks
    chance = random.Random(seed)
    run = TraceRun(trace=trace, folder=folder, time_scale=scale(tasks), threads=threads)
    most_news = max(1, len(tasks) // (3 * kills))
    for _ in range(2 * kills):
        if len(run.kills) < kills:
            run.kill_after_news(chance.randint(1, most_news))
    assert len(run.kills) == kills, "it ended too soon to be killed as often as wanted"
    finish(run, tasks)
    check_kills(run)
    return run


def scale(tasks: Sequence[TraceTask]) -> float:
    return USUAL_S * len(tasks) / sum(task.runtime_s for task in tasks)


def finish(run: TraceRun, tasks: Sequence[TraceTask]) -> None:
    face = run.finish()
    assert (face["state"], face["firings"]) == ("completed", len(tasks))
    check(run)


def generated(shape: str, tasks: int, folder: Path) -> Path:
    file = folder / f"{shape}.json"
    generate_file(shape, tasks, file, seed=7)
    return file


def test_a_generated_trace_killed_a_few_times(tmp_path: Path) -> None:
    killed(generated("montage", 58, tmp_path), tmp_path, kills=5, seed=1)


def test_a_run_killed_at_any_moment_at_its_start_too(tmp_path: Path) -> None:
    trace = generated("epigenomics", 40, tmp_path)
    tasks = load_trace(trace).tasks
    run = TraceRun(trace=trace, folder=tmp_path, time_scale=scale(tasks))
    chance = random.Random(4)
    for _ in range(5):  # fewer than make an incident, even if all hit one firing
        run.kill_after(chance.uniform(0.1, 1.0))
    finish(run, tasks)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["montage", "epigenomics", "forkjoin"])
def test_a_generated_trace_killed_twenty_times(tmp_path: Path, shape: str) -> None:
    killed(generated(shape, 80, tmp_path), tmp_path, kills=20, seed=2)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="PLACET_TRACES names no folder of recorded WfFormat traces")
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_trace_killed_twenty_times(tmp_path: Path, name: str) -> None:
    trace = Path(FOLDER or "") / name
    few = len(load_trace(trace).tasks) < 20  # a result between two kills is wanted, and ten tasks have ten results
    killed(trace, tmp_path, kills=5 if few else 20, seed=3, threads=2 if few else 4)
