"""A fresh process that measures one group of figures: none is coloured by what was measured before it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.catalogue import GROUPS, Group
from benchmarks.figure import Figure, from_json
from benchmarks.peer import Unavailable
from benchmarks.setting import Setting
from placet.actors.compiled import KERNEL

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 240.0
UNAVAILABLE = 3  # exit code


class MeasureFailed(Exception):
    """A group could not be measured; the text holds what its process wrote."""


def measure(group: Group, directory: Path, environment: Mapping[str, str], *, is_quick: bool) -> list[Figure]:
    """Return the figures of a group, measured in a fresh process with its files below `directory`.

    Its environment says which Placet it imports.

    Raises `Unavailable` where it cannot be measured here, and `MeasureFailed`.
    """
    with TemporaryDirectory(dir=directory, prefix="placet-benchmark-") as folder:
        command = [sys.executable, "-m", "benchmarks.measure", group.name, folder, json.dumps(is_quick)]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    if ended.returncode == UNAVAILABLE:
        raise Unavailable(ended.stderr.strip())
    if ended.returncode:
        raise MeasureFailed(f"{group.name} could not be measured:\n{ended.stderr.strip()}")
    return [from_json(line) for line in ended.stdout.splitlines()]


def main(name: str, directory: str, is_quick: str) -> int:
    """Measure one group and write its figures."""
    group = next(group for group in GROUPS if group.name == name)
    try:
        figures = group.measure(Setting(directory=Path(directory), is_quick=bool(json.loads(is_quick))))
    except Unavailable as error:
        print(error, file=sys.stderr)
        return UNAVAILABLE
    for figure in figures:
        print(replace(figure, kernel=KERNEL).to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
