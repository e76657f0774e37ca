"""Actors at the command line: a class is named as a workflow is."""

from pathlib import Path

import pytest

from placet.cli.errors import WrongUsage
from placet.cli.net import net
from placet.cli.source import load

PROGRAM = """
from placet import Actor


class {name}(Actor[str]):
    def receive(self, message):
        return message
"""


def test_a_class_of_an_actor_can_be_run_and_is_no_net_in_json(tmp_path: Path) -> None:
    file = tmp_path / "an_echo.py"
    file.write_text(PROGRAM.format(name="Echo"), encoding="utf-8")
    definition = load(f"{file}:Echo", 0.0).workflow.definition()
    assert (definition.name, dict(definition.first)) == ("Echo", {"born": [{}]})
    with pytest.raises(WrongUsage, match="class of an actor"):
        net(f"{file}:Echo", schema=False, is_json=False)
