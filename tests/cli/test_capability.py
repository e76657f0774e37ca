"""What this host has, at the command line: an instance that needs more waits with the reason."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call

FLOW = """
from placet import Requires, Workflow

training = Workflow("training")
data, model = training.places("data model")
training.transition(data >> model, "train", handler=str, run="thread", requires=Requires(gpu=1, region="eu"))
"""
REASON = "no host has gpu=1, region=eu"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "training.py"
    found.write_text(FLOW, encoding="utf-8")
    return found


def test_it_waits_with_the_reason_and_goes_on_where_the_host_has_what_it_needs(
    call: Call, file: Path, tmp_path: Path
) -> None:
    state = ("--state", tmp_path / "state")
    asked = ("run", file, "--id", "one", *state, "--json")
    assert call(*asked, "--input", "1", "--timeout", "1", "--capability", "gpu=0.5").code
    assert f"waiting: {REASON}" in call("show", "one", *state).out
    assert json.loads(call("show", "one", *state, "--json").out)["reason"] == REASON
    answer = call(*asked, "--capability", "gpu=2", "--capability", "region=eu")
    assert answer.code == 0, answer.err
    assert "reason" not in json.loads(call("show", "one", *state, "--json").out)


@pytest.mark.parametrize("text", ["gpu", "=1", "gpu="])
def test_what_is_no_capability_is_refused_in_one_line(call: Call, file: Path, tmp_path: Path, text: str) -> None:
    answer = call("run", file, "--id", "one", "--state", tmp_path / "state", "--capability", text)
    assert answer.code
    assert answer.err.strip() == f"placet: {text!r} is no capability; write one such as --capability gpu=1"
