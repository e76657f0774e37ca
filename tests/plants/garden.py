"""A copy of the code with a bug planted in it, and the simulation run over that copy."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.plants.plants import Plant

ROOT = Path(__file__).resolve().parents[2]
CODE = ("petri", "persistence", "supervision", "actors", "net", "src")


def planted(plant: Plant, folder: Path) -> Path:
    """Copy the code to `folder` and plant a bug there; return the folder to import from."""
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in plant.edits:
        file = folder / edit.file
        text = file.read_text(encoding="utf-8")
        assert text.count(edit.old) == 1, f"{plant.name}: {edit.old!r} is {text.count(edit.old)} times in {edit.file}"
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return folder / "src"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """How a bug was found."""

    seed: int
    invariant: str
    text: str


def hunt(source: Path, *, seeds: int, jobs: int = 1) -> Catch | None:
    """Run seeds over the code in `source` until one fails; None: all passed."""
    command = [sys.executable, "-m", "placet.testing.simulate", "--seeds", f"0:{seeds}", "--jobs", str(jobs)]
    done = _run(command, source, source)
    catch = _catch(done.stderr)
    assert catch or done.returncode == 0 or "crash points" in done.stderr, done.stderr[-2_000:]
    return catch


RESTORES = """
import sys
from tests.simulation.restored import check
for seed in range(int(sys.argv[1])):
    try:
        check(seed)
    except Exception as error:
        sys.exit(f"seed {seed} breaks {type(error).__name__}: {error}")
"""


def hunt_restores(source: Path, *, seeds: int) -> Catch | None:
    """Do what `hunt` does with simulations that lose disks."""
    shutil.copytree(ROOT / "tests", source.parent / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", RESTORES, str(seeds)]
    done = _run(command, source, source, source.parent)
    catch = _catch(done.stderr)
    assert catch or done.returncode == 0, done.stderr[-2_000:]
    return catch


def _run(command: list[str], folder: Path, *importable: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder to its end, with code from others."""
    path = os.pathsep.join(map(str, importable))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _catch(said: str) -> Catch | None:
    """Return what was said of the seed that fails; None: all passed."""
    found = re.search(r"seed (\d+) breaks (.*?): (.*)", said)
    return Catch(seed=int(found[1]), invariant=found[2], text=found[3]) if found else None


UNIT_TESTS = ("tests/petri", "tests/persistence", "tests/actors", "tests/runtime")


def unit_tests(folder: Path) -> str:
    """Run the unit tests over the code in `folder`; return what failed first, or ""."""
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *UNIT_TESTS]
    done = _run(command, folder, folder / "src")
    failed = re.findall(r"^(?:FAILED|ERROR) .*$", done.stdout, re.MULTILINE)
    return "" if done.returncode == 0 else (failed or [done.stdout[-2_000:] + done.stderr[-2_000:]])[0]
