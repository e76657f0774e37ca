"""Ctrl-C while the command still starts: real processes, interrupted after one import or another."""

import signal
import sys
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen

import pytest

from placet.cli import interrupt
from tests.cli.commands import DEADLINE_S, command

GUARDED = "placet.persistence."  # imported once the command is on its guard
IMPORTED = "import time:"


def words(file: Path, state: Path) -> list[str]:
    """Return a command whose standard error tells of every import."""
    python, *rest = command("run", file, "--state", state, "--id", "one", "--input", "5")
    return [python, "-X", "importtime", *rest]


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many imports there are after the first of ours, until the command has begun to run."""
    folder = tmp_path_factory.mktemp("imports")
    with Popen([*words(folder / "none.py", folder / "state")], stderr=PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
    first = next(index for index, line in enumerate(lines) if GUARDED in line)
    return len(lines) - first - 1


@pytest.mark.parametrize("seed", range(8))
def test_ctrl_c_while_it_starts_ends_with_one_line(slow: Path, tmp_path: Path, imports: int, seed: int) -> None:
    (tmp_path / "hold").touch()
    after = Random(seed).randrange(imports)
    with Popen(words(slow, tmp_path / "state"), stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if GUARDED in line:
                break
        for _ in range(after):
            process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    told = [line for line in err.splitlines() if not line.startswith(IMPORTED)]
    assert process.returncode == 128 + signal.SIGINT, told
    assert out == ""
    assert len(told) == 1, told
    assert told[0].startswith("placet: stopped by SIGINT; ")


@pytest.mark.parametrize(
    ("argv", "original", "is_command"),
    [
        (["-m"], ["python", "-m", "placet", "list"], True),
        (["-m"], ["python", "-X", "dev", "-mplacet"], True),
        (["/usr/bin/placet", "list"], ["python", "/usr/bin/placet", "list"], True),
        (["-m"], ["python", "-m", "shop"], False),
        (["shop.py", "-m", "placet"], ["python", "shop.py", "-m", "placet"], False),
        ([], ["python"], False),
        ([""], ["python"], False),
    ],
)
def test_only_the_command_is_on_its_guard(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], original: list[str], is_command: bool
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert interrupt.is_command() is is_command
