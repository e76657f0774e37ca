"""The examples run, say what a person understands, and say the same when they are run again."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.sources import ROOT

SAID = {
    "auction": ["bob bids 40: too low", "bob bids 60: leading", "lamp is completed: ('bob', 60)", "bob pays 60"],
    "approval": ["no terminal to ask at: placet approve order-17/manager.4 --by you"],
    "orders": ["order-17 shipped: worth 1800, from shelf B2, insured, at attempt 2", "order-18 shipped: worth 900"],
    "greenhouse": ["tomatoes: 6.0 l", "basil: 3.5 l", "cacti: 0.5 l"],
    "render": [
        "@@@@",
        "render: attempt_failed at attempt 1",
        "render: fired at attempt 2",
        "publish: fired at attempt 1",
    ],
    "booking": ["booked flight to Lisbon", "hotel to Lisbon", "gave back flight to Oslo", "no hotel left"],
    "parcels": ["sent: Lisbon: by post, 3 kg, at ", "sent: Oslo: by lorry, 40 kg", "given back after 2 attempts"],
    "trips": ["delivered: {'to': 'Bob', 'trip': 'monday/bring.5.2'}", "back at the depot after 2 trips (WrongResult)"],
    "shelves": ["A1: 114 boxes, counted at attempt 1", "B1: 115 boxes, counted at attempt 2", "460 boxes on 4 shelves"],
    "training": ["the model says 2.50", "it waited: no host has gpu=1"],
    "science": ["level 2: 18 × mDiffFit", "4 pictures: mViewer", "58 of 58 tasks counted, none more often than 1 time"],
}


def run(name: str, state: Path) -> str:
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py"), str(state)],
        env=os.environ | {"PYTHONUTF8": "1", "TMPDIR": str(state.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def without_paths(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("wrote ")]


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_a_second_run_finds_its_instances(name: str, tmp_path: Path) -> None:
    first = run(name, tmp_path / "state")
    assert [part for part in SAID[name] if part not in first] == []
    assert without_paths(run(name, tmp_path / "state")) == without_paths(first)


def test_without_a_terminal_the_approval_is_left_to_others(tmp_path: Path) -> None:
    said = run("approval", tmp_path / "state")
    words = shlex.split(said.partition(": ")[2].partition(",")[0])
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL, timeout=120)
    assert run("approval", tmp_path / "state") == "order-17: shipped: 2 lamps to Ann, parcel .6\n"


def test_every_example_is_tested_and_short() -> None:
    files = {path.stem: path for path in (ROOT / "examples").glob("*.py")}
    assert set(files) == {*SAID, "demo"}
    for name in SAID:
        assert len([line for line in files[name].read_text(encoding="utf-8").splitlines() if line.strip()]) <= 60
