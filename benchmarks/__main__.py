"""`python -m benchmarks [NAME …] [--json] [--list] [--quick] [--kernel compiled|source] [--dir DIR]`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.catalogue import GROUPS, NAMES, Group, chosen
from benchmarks.compiling import CompilingFailed, compiled_placet, environment
from benchmarks.figure import Figure
from benchmarks.measure import MeasureFailed, measure
from benchmarks.peer import Unavailable
from benchmarks.table import show


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and write it; return the exit code: 1 when something could not be measured."""
    given = _parser().parse_args(arguments)
    if given.list:
        print("\n".join(NAMES))
        return 0
    try:
        wanted = chosen(given.name)
    except LookupError as error:
        print(f"benchmarks: {error.args[0]}", file=sys.stderr)
        return 2
    measured = _environment(given.kernel)
    figures: dict[str, Figure] = {}
    failed = False
    for group in (group for group in GROUPS if set(group.names) & set(wanted)):
        try:
            found = _measured(group, given.dir, measured, is_quick=given.quick, is_silent=given.json)
        except MeasureFailed as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            failed = True
            continue
        for figure in (figure for figure in found if figure.name in wanted):
            figures[figure.name] = figure
            if given.json:
                print(figure.to_json(), flush=True)
    if not given.json:
        show(figures)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Figures of Placet on this machine.")
    parser.add_argument("name", nargs="*", help="a figure, or what several begin with, such as L3; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    parser.add_argument("--list", action="store_true", help="the names of all figures")
    parser.add_argument("--quick", action="store_true", help="see that all can be had; poor figures")
    parser.add_argument(
        "--kernel",
        choices=("compiled", "source"),
        default="compiled",
        help="as in wheels (the default), or as it is",
    )
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="a folder on the disk to measure; default: here")
    return parser


def _environment(kernel: str) -> Mapping[str, str]:
    """Return the environment of processes that import what is to be measured."""
    if kernel == "source":
        return os.environ
    print("benchmarks: with the kernel compiled; the first time that takes a minute", file=sys.stderr)
    try:
        return environment(compiled_placet())
    except CompilingFailed as error:
        print(f"benchmarks: it cannot be compiled here, and is measured as it is: {error}", file=sys.stderr)
        return os.environ


def _measured(
    group: Group, directory: Path, measured: Mapping[str, str], *, is_quick: bool, is_silent: bool
) -> list[Figure]:
    """Measure one group; what cannot be had on this machine is left out with its reason."""
    if not is_silent:
        print(f"measuring {', '.join(group.names)}", file=sys.stderr)
    try:
        return measure(group, directory, measured, is_quick=is_quick)
    except Unavailable as error:
        print(f"benchmarks: {group.name} is left out: {error}", file=sys.stderr)
        return []


if __name__ == "__main__":
    sys.exit(main())
