"""What the machine refuses is said in one line, and is no error of Placet's own."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from placet.cli.text import moment
from tests.cli.commands import DEADLINE_S, command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /dev/full are those of Linux")


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("version",)])
def test_output_that_finds_no_room_is_told(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*words), stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("placet: the output could not be written (No space left on device)")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("most", [6, 8, 10])
def test_too_few_descriptors_are_told(quick: Path, tmp_path: Path, most: int) -> None:
    """Whatever it is that finds none left."""
    done = subprocess.run(
        command("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)),
    )
    assert done.returncode in (1, 2)
    assert "this process may open no more files; raise the limit (ulimit -n)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_moments_that_no_calendar_has_are_told_in_seconds() -> None:
    assert moment(1e12) == "1000000000000 s after 1970"
    assert moment(-1e15) == "-1000000000000000 s after 1970"
    assert moment(0.0) == "-"
