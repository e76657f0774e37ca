"""The time scale of a trace: what a run was given is what every later run of the same state goes on at."""

from pathlib import Path

import pytest

from placet.actors.reader import StateReader
from placet.cli.opened import opened
from placet.cli.source import as_recorded, load
from placet.traces.generator import generate_file
from placet.traces.task import LOG_VARIABLE, TaskHandler
from tests.cli.commands import ended, placet, running, until
from tests.cli.conftest import Call


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Write a trace whose tasks took about a hundred seconds each."""
    file = tmp_path / "fork.json"
    generate_file("forkjoin", 4, file)
    return file


def recorded(state: Path, id: str) -> str:
    """Return what a state says of how the workflow of an instance is loaded."""
    with opened(state) as store:
        reader = StateReader(store)
        header = reader.header(id)
        assert header is not None
        return reader.stored_net(header).source.options


def slept_s(trace: Path, state: Path) -> float:
    """Return how long all tasks would wait in a run without the option."""
    behaviours = as_recorded(load(str(trace), 0.0), str(trace), state).workflow.definition().behaviours
    handlers = [one.handler for one in behaviours.values()]
    return sum(handler.sleep_s for handler in handlers if isinstance(handler, TaskHandler))


def test_the_scale_given_last_is_the_one_a_state_keeps(call: Call, trace: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert slept_s(trace, state) == 0.0
    for id, option, kept in (
        ("one", (), ""),
        ("two", ("--time-scale", "1e-6"), "1e-06"),
        ("three", (), "1e-06"),  # another instance of the trace
        ("one", (), "1e-06"),  # its workflow is the same
        ("two", ("--time-scale", "2e-6"), "2e-06"),
        ("four", ("--time-scale", "0"), ""),
    ):
        assert call("run", trace, "--state", state, "--id", id, *option).code == 0
        assert recorded(state, id) == kept
        assert slept_s(trace, state) == pytest.approx(float(kept or 0) * slept_s_as_recorded(trace))


def slept_s_as_recorded(trace: Path) -> float:
    behaviours = load(str(trace), 1.0).workflow.definition().behaviours
    return sum(one.handler.sleep_s for one in behaviours.values() if isinstance(one.handler, TaskHandler))


def test_a_killed_run_goes_on_at_its_scale(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    state = tmp_path / "state"

    def begun(times: int) -> bool:
        return log.exists() and len(log.read_text().splitlines()) >= times

    with running("run", trace, "--state", state, "--id", "one", "--time-scale", 1) as process:
        until(lambda: begun(1), "the first task begins")
        process.kill()
        ended(process)
    with running("serve", "--state", state) as process:
        until(lambda: begun(2), "it begins again")
        until(lambda: placet("status", "--state", state, "--json").face["running"], "it takes its time")
        process.kill()
        ended(process)
    assert placet("run", trace, "--state", state, "--id", "one", "--timeout", 1).code == 124
