"""Values of classes that a script defines itself, when the script is run again."""

from pathlib import Path

import pytest

from tests.endtoend.processes import finished

SCRIPT = """
import enum, os
from dataclasses import dataclass
from pathlib import Path
from placet import Runtime, Workflow

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Plain:
    def __init__(self, number):
        self.number = number

    class Inner:
        __slots__ = ("held",)

@dataclass(frozen=True)
class Data:
    number: int

def inner(held):
    made = Plain.Inner()
    made.held = held
    return made

workflow = Workflow("w")
start, end = workflow.places("start end")

@workflow.transition(start >> end)
def work(value):
    if not Path("go").exists():
        os._exit(9)
    return isinstance(value, type({value})) and (value is Colour.RED) == isinstance(value, Colour)

with Runtime("state", [workflow]) as runtime:
    print(runtime.spawn(workflow, {{start: [{value}]}}, id="i").result(timeout_s=20)["end"])
"""


@pytest.mark.parametrize(
    "value", ["Colour.RED", "Plain(1)", "Data(2)", "inner([Plain(Colour.RED), Data])", "{Data(1): Plain({Data(2)})}"]
)
def test_a_script_that_is_run_again_has_its_own_classes_back(tmp_path: Path, value: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(value=value))
    assert finished(["script.py"], cwd=tmp_path)[0] == 9
    (tmp_path / "go").touch()
    assert finished(["script.py"], cwd=tmp_path) == (0, "[True]\n", "")
    assert finished(["script.py"], cwd=tmp_path) == (0, "[True]\n", "")
    (tmp_path / "script.py").write_text(SCRIPT.format(value=value.replace("1", "3").replace("RED", "BLUE")))
    if value != "Data(2)":
        assert "SpawnConflict" in finished(["script.py"], cwd=tmp_path)[2]


STORES = """
import sys
from placet.persistence.values import decode, encode
class Price:
    def total(self): return {rate}
if len(sys.argv) > 1:
    price = decode(bytes.fromhex(sys.argv[1]))
    print(price.total(), isinstance(price, Price))
else:
    print(encode(Price()).hex())
"""


def test_a_class_of_another_script_is_built_from_its_stored_copy(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(STORES.format(rate=100))
    (tmp_path / "two.py").write_text(STORES.format(rate=1))
    stored = finished(["one.py"], cwd=tmp_path)[1].strip()
    assert finished(["one.py", stored], cwd=tmp_path)[1] == "100 True\n"
    assert finished(["two.py", stored], cwd=tmp_path)[1] == "100 False\n"
