"""What a runtime is opened over, and with: paths, limits, and workflows that share a name."""

from pathlib import Path

import pytest

from placet import DefinitionError, FailedFiring, Runtime, Workflow
from placet.testing import Rehearsal

PATIENCE_S = 30.0


def twin(places: str = "begin end", factor: int = 1) -> Workflow:
    """Return a workflow called `twin`; its handler is made anew each time."""
    workflow = Workflow("twin")
    begin, end = workflow.places(places)

    def work(value: int) -> int:
        return value * factor

    workflow.transition(begin >> end, handler=work)
    return workflow


def other_code() -> Workflow:
    workflow = Workflow("twin")
    begin, end = workflow.places("begin end")

    def work(value: int) -> int:
        return value + 1

    work.__qualname__ = "twin.<locals>.work"
    workflow.transition(begin >> end, handler=work)
    return workflow


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    workflow = twin()
    with Runtime("state", [workflow]) as runtime:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert runtime.spawn(workflow, {"begin": [1]}).result(PATIENCE_S) == {"end": [1]}
    assert not (tmp_path / "state" / "control.sock").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("limit_bytes", [0, -1])
def test_a_store_without_room_is_refused(tmp_path: Path, limit_bytes: int) -> None:
    with pytest.raises(ValueError, match="limit_bytes must be > 0"):
        Runtime(tmp_path / "state", [twin()], limit_bytes=limit_bytes)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("other", [twin("one two"), other_code()], ids=["net", "code"])
def test_two_workflows_of_one_name_are_refused(tmp_path: Path, other: Workflow) -> None:
    with pytest.raises(DefinitionError, match="two workflows called twin"):
        Runtime(tmp_path / "state", [twin(), other])
    with Runtime(tmp_path / "state", [twin(), twin()]) as runtime:
        with pytest.raises(DefinitionError, match="another workflow called twin is registered"):
            runtime.spawn(other, {"begin": [1]})
        assert runtime.spawn(twin(), {"begin": [1]}, timeout_s=PATIENCE_S).result(PATIENCE_S) == {"end": [1]}


def work(value: object) -> object:
    return value


def with_failures(type: object) -> Workflow:
    """Return a workflow whose place for what failed is of that type."""
    workflow = Workflow("with_failures")
    a, b = workflow.places("a b")
    failed = workflow.place("failed", type=type)
    workflow.transition(a >> b, "work", handler=work, error=failed)
    return workflow


def test_an_error_place_is_for_failures(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="transition `work`: its error place `failed` takes int; what"):
        Runtime(tmp_path, [with_failures(int)])
    with pytest.raises(DefinitionError, match="its error place `failed` takes int"):
        Rehearsal(with_failures(int))
    for fitting in (None, FailedFiring, FailedFiring | int, object):
        Rehearsal(with_failures(fitting))


def test_a_firing_without_outputs_is_skipped_with_nothing(tmp_path: Path) -> None:
    def fail(value: int) -> None:
        raise ValueError(value)

    workflow = Workflow("sink")
    (begin,) = workflow.places("begin")
    workflow.transition(begin.consumed(), handler=fail)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {begin: [1]}, timeout_s=PATIENCE_S)
        instance.wait_until(["incident"], PATIENCE_S)
        (incident,) = instance.view().incidents
        instance.skip(incident.number, None, by="eva", timeout_s=PATIENCE_S)
        assert instance.state == "completed"


def test_a_guard_that_changes_its_value_shows_it_to_the_next_one(tmp_path: Path) -> None:
    def adds(value: list[int]) -> bool:
        value.append(1)
        return False

    workflow = Workflow("changed")
    begin, first, second = workflow.places("begin first second")
    workflow.transition(begin >> first, name="one", guard=adds)
    workflow.transition(begin >> second, name="two", guard=len)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {begin: [[]]}, timeout_s=PATIENCE_S)
        assert instance.result(PATIENCE_S) == {"second": [[]]}, "the stored value is as it was"
