"""Files of one name in two folders: stored values name their classes by it, so one process loads one of them."""

import sys
from pathlib import Path

import pytest

from placet.actors.loading import load_file
from tests.endtoend.processes import finished

FLOW = """
import os
from dataclasses import dataclass
from pathlib import Path
from placet import Workflow

@dataclass
class Price:
    amount: int

    def total(self):
        return self.amount * RATE

RATE = {rate}
flow = Workflow("flow-{rate}")
start, priced, end = flow.places("start priced end")

@flow.transition(start >> priced)
def price(amount):
    return Price(amount)

@flow.transition(priced >> end)
def use(price):
    if not Path("go").exists():
        os._exit(9)
    return price.total()
"""


def test_an_instance_waits_while_a_file_of_the_same_name_is_loaded(tmp_path: Path) -> None:
    for folder, rate in (("a", 100), ("b", 1)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "flow.py").write_text(FLOW.format(rate=rate))

    def run(folder: str, id: str) -> tuple[int, str, str]:
        command = ["-m", "placet", "run", f"{folder}/flow.py", "--id", id, "--state", "state", "--input", "7"]
        return finished(command, cwd=tmp_path)

    assert run("a", "of-a")[0] == 9
    (tmp_path / "go").touch()
    code, out, err = run("b", "of-b")
    assert (code, out.split()[-1]) == (0, "7")
    assert "a module called flow is there already" in err
    code, out, _ = run("a", "of-a")
    assert (code, out.split()[-1]) == (0, "700")
    _, shown, _ = finished(["-m", "placet", "history", "of-a", "--state", "state", "--json"], cwd=tmp_path)
    assert shown.count('"lost"') == 1, "the process of its neighbour did not try it"


def test_a_file_is_loaded_once_a_process_under_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    paths = [tmp_path / "a" / "twin_flow.py", tmp_path / "b" / "twin_flow.py", tmp_path / "a" / "statistics.py"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("class Price: ...\n")
    first = load_file(paths[0])
    assert load_file(paths[0]) is first
    with pytest.raises(LookupError, match=r"a module called twin_flow is there already, from .*a/twin_flow\.py"):
        load_file(paths[1])
    shadow = load_file(paths[2])
    assert shadow.__name__ == "placet_file_statistics"  # whether the library's own has been imported or not
    assert load_file(paths[2]) is shadow
