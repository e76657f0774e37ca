"""A truncated or damaged file: one clear line, never a crash by signal, and the restored copy goes on."""

import random
import shutil
from pathlib import Path

import pytest

from placet import Runtime, Workflow
from placet.persistence.directory import DATA
from placet.persistence.errors import StoreDamaged
from placet.persistence.probe import probe
from tests.endtoend.processes import finished

PROGRAM = """
import sys

from placet import PlacetError, Runtime, Workflow

workflow = Workflow("steps")
start, middle, done = workflow.places("start middle done")
workflow.transition(start >> middle, "first", handler=lambda value: value)
workflow.transition(middle >> done, "second", handler=lambda value: value)

try:
    with Runtime("state", [workflow], control=False) as runtime:
        results = [runtime.instance(f"i{number}").result(timeout_s=20) for number in range(200)]
        records = sum(len(runtime.instance(f"i{number}").history()) for number in range(200))
        print(len(results), records)
except PlacetError as error:
    print(error.code)
    print(error, file=sys.stderr)
    sys.exit(1)
"""
INTACT = "200 800\n"  # instances; records: spawned, two fired, completed


def same(value: str) -> str:
    return value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a program and the state of 200 finished instances, and a copy of its file."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    workflow = Workflow("steps")
    start, middle, done = workflow.places("start middle done")
    workflow.transition(start >> middle, "first", handler=same)
    workflow.transition(middle >> done, "second", handler=same)
    with Runtime(tmp_path / "state", [workflow], control=False) as runtime:
        spawned = [runtime.spawn_later(workflow, {start: ["x" * 300]}, id=f"i{n}") for n in range(200)]
        for future in spawned:
            future.result().result(timeout_s=20)
    shutil.copy(tmp_path / "state" / DATA, tmp_path / "copy")
    return tmp_path


def is_damaged(state: Path) -> bool:
    """Return what a full check says."""
    try:
        probe(state, full=True)
    except StoreDamaged:
        return True
    return False


def restored(folder: Path) -> tuple[int, str, str]:
    shutil.copy(folder / "copy", folder / "state" / DATA)
    return finished(["program.py"], cwd=folder)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_and_its_copy_goes_on(folder: Path, part: float) -> None:
    data = folder / "state" / DATA
    with data.open("r+b") as file:
        file.truncate(int(data.stat().st_size * part))
    code, out, err = finished(["program.py"], cwd=folder)
    assert (code, out) == (1, "store_damaged\n"), err
    assert len(err.splitlines()) == 1
    assert "backup" in err
    assert restored(folder) == (0, INTACT, "")


def test_damaged_pages_are_harmless_or_found_by_a_full_check(folder: Path) -> None:
    data = folder / "state" / DATA
    chance = random.Random(11)
    for places in (1, 1, 1, 1, 200):
        shutil.copy(folder / "copy", data)
        with data.open("r+b") as file:
            for _ in range(places):
                file.seek(chance.randrange(8192, data.stat().st_size - 64))
                file.write(chance.randbytes(64))
        if not is_damaged(folder / "state"):
            assert places == 1, "some of so many hit what is in use"
            assert finished(["program.py"], cwd=folder) == (0, INTACT, ""), "damage that a full check does not find"
    assert restored(folder) == (0, INTACT, "")


def test_a_damaged_header_is_refused(folder: Path) -> None:
    with (folder / "state" / DATA).open("r+b") as file:
        file.write(bytes(8192))
    code, out, err = finished(["program.py"], cwd=folder)
    assert (code, out) == (1, "store_damaged\n"), err
    assert len(err.splitlines()) == 1
