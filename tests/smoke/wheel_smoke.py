"""Smoke test of an installed wheel; run it outside a checkout: `python -I wheel_smoke.py`.

It is no pytest module: it has to run where only Placet and its dependencies are installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import placet
from placet import Runtime, Workflow

doubling = Workflow("doubling")
start, doubled, done = doubling.places("start doubled done")


@doubling.transition(start >> doubled)
def double(number: int) -> int:
    """Double the number, on a thread."""
    return 2 * number


@doubling.transition(doubled >> done, run="inline")
def increment(number: int) -> int:
    """Add one, inside the kernel."""
    return number + 1


def check_origin() -> None:
    """The package comes from the wheel, with its types, and not from a checkout."""
    folder = Path(placet.__file__).parent
    assert folder.is_relative_to(sys.prefix), f"placet was imported from {folder}, not from the wheel"
    assert (folder / "py.typed").exists()


def check_command() -> None:
    """The command `placet` is installed and answers."""
    command = Path(sys.executable).with_name("placet")
    answer = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert "run" in answer.stdout


def check_workflow() -> None:
    """Two steps run to the end, and a second runtime finds their result on disk."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            with Runtime(folder, workflows=[doubling]) as runtime:
                instance = runtime.spawn(doubling, {start: [20]}, id="smoke")
                assert instance.result(timeout_s=30) == {"done": [41]}


if __name__ == "__main__":
    checks = (check_origin, check_command, check_workflow)
    for check in checks:
        check()
    print(f"{len(checks)} passed, 0 failed")
