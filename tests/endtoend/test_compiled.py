"""The compiled kernel that wheels bring does what the source says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.compiling import CompilingFailed, compiled_placet, environment
from tests.endtoend.processes import finished
from tests.project.sources import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here"),
]
SEEDS = "0:150"
UNIT_TESTS = ("tests/actors", "tests/executors", "tests/own", "tests/petri", "tests/runtime")


@pytest.fixture(scope="module")
def compiled() -> Mapping[str, str]:
    """Return the environment of a process that imports the compiled Placet."""
    return environment(compiled_placet())


def run(*arguments: str, env: Mapping[str, str], cwd: Path = ROOT) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    return done.stdout


def kernel_file(env: Mapping[str, str]) -> str:
    return run("-c", "import placet.actors.kernel as kernel; print(kernel.__file__)", env=env).strip()


def test_it_is_another_file_than_the_source(compiled: Mapping[str, str]) -> None:
    assert kernel_file(compiled).endswith(".so")
    assert kernel_file(os.environ).endswith("kernel.py")


def test_the_command_says_which_it_is(compiled: Mapping[str, str]) -> None:
    command = ("-m", "placet", "version", "--json")
    assert json.loads(run(*command, env=compiled))["kernel"] == "compiled"
    assert json.loads(run(*command, env=os.environ))["kernel"] == "source"


def test_the_same_seeds_leave_the_same_traces_byte_for_byte(compiled: Mapping[str, str]) -> None:
    command = ("-m", "placet.testing.simulate", "--seeds", SEEDS, "--no-faults", "--digest")
    assert run(*command, env=compiled) == run(*command, env=os.environ)


def test_a_simulation_that_lets_actors_raise_is_refused(compiled: Mapping[str, str]) -> None:
    code, _, err = finished(["-m", "placet.testing.simulate", "--seed", "1"], cwd=ROOT, env=compiled)
    assert code == 2
    assert "compiled, and cannot be made to raise" in err


@pytest.mark.slow(seconds=180)
def test_the_unit_tests_pass_on_it(compiled: Mapping[str, str]) -> None:
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *UNIT_TESTS, env=compiled)


def test_without_a_compiler_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.compiling.FOLDER", tmp_path / "compiled")
    monkeypatch.setattr("benchmarks.compiling._DIGEST", tmp_path / "digest")
    monkeypatch.setattr("benchmarks.compiling._LOCK", tmp_path / "lock")
    monkeypatch.setenv("CC", "/nowhere/cc")
    with pytest.raises(CompilingFailed, match="error: "):
        compiled_placet()
    assert not (tmp_path / "compiled").exists()
