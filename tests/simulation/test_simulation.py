"""Seeds of the simulated engine: each one must keep every promise, and be the same wherever it runs."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable

import pytest

from placet.testing.coverage import MESSAGES, Coverage, CrashPoint
from placet.testing.simulate import main, reproduction, run
from placet.testing.simulation import simulate

pytestmark = pytest.mark.simulation

FEW = range(60)
MANY = range(2_000)
PARTS = 6  # so that the few are spread over processes


def check(seeds: Iterable[int], jobs: int = 1) -> Coverage:
    """Run seeds and fail with the first that breaks a promise."""
    summary = run(seeds, jobs=jobs)
    if summary.failed is not None:
        pytest.fail(f"seed {summary.failed.seed} breaks {summary.failed.violation}\n{reproduction(summary.failed)}")
    assert summary.fired > 0
    return summary.coverage


@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_holds(part: int) -> None:
    check(FEW[part::PARTS])


@pytest.mark.slow(seconds=300)
def test_every_promise_holds_for_many_seeds_and_every_message_meets_every_crash_point() -> None:
    assert not check(MANY, jobs=os.cpu_count() or 1).missing()


def fingerprint(seed: int, steps: int = 300) -> str:
    """Return a digest of the trace of a seed."""
    return hashlib.sha256("\n".join(simulate(seed, steps).trace).encode()).hexdigest()


def test_the_same_seed_gives_the_same_trace() -> None:
    for seed in (3, 11):
        first, second = simulate(seed, 300), simulate(seed, 300)
        assert first.trace == second.trace
        assert len(first.trace) > 100


def test_another_process_with_another_hash_seed_gives_the_same_trace() -> None:
    code = f"from {__name__} import fingerprint; print(fingerprint(5), fingerprint(6))"
    seen = {fingerprint(5) + " " + fingerprint(6)}
    for salt in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": "."}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        seen.add(done.stdout.strip())
    assert len(seen) == 1


def test_one_seed_is_shown_by_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--steps", "100", "--trace"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == simulate(7, 100).trace


def test_a_run_that_missed_a_crash_point_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "0:1", "--steps", "10"]) == 1
    assert "crash points were not met" in capsys.readouterr().err


def test_coverage_knows_every_message_and_crash_point() -> None:
    coverage = Coverage()
    assert len(coverage.missing()) == len(MESSAGES) * len(CrashPoint)
    assert {"Spawn", "Done", "Park", "RunAlone", "SkipIncident"} <= set(MESSAGES)
    for point in CrashPoint:
        coverage.note(MESSAGES, point)
    assert not coverage.missing()
