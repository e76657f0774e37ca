"""The directory of a node: one process at a time, a name for good, and what it refuses."""

import os
from itertools import count
from pathlib import Path

import pytest

import placet.net.node_state
from placet.net.node_state import NodeState, is_node_state, node_of
from placet.persistence.errors import StateUnusable, StoreInUse


def opened(path: Path, name: str = "a", *, keeps: bool = True) -> NodeState:
    return NodeState.open(path, name, keeps_coordinator=keeps)


def test_it_counts_starts_and_keeps_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "state"
    first = opened(path)
    record = first.record
    assert (record.name, first.keeps_coordinator) == ("a", True)
    assert record.cluster
    first.close()
    again = opened(path, keeps=False)
    assert (again.record.starts, again.record.cluster, again.keeps_coordinator) == (
        record.starts + 1,
        record.cluster,
        True,
    )
    again.close()


def test_a_node_whose_directory_was_lost_is_newer_than_its_processes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = count(1_800_000_000)
    monkeypatch.setattr(placet.net.node_state, "wall_s", lambda: float(next(times)))  # no two starts within a second
    before = opened(tmp_path / "lost")
    before.close()
    before = opened(tmp_path / "lost")
    before.close()
    after = opened(tmp_path / "new")
    assert after.record.starts > before.record.starts
    after.close()


def test_only_one_process_has_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert node_of(path) is None
    first = opened(path)
    assert node_of(path) == os.getpid()
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        opened(path)
    first.close()
    first.close()
    assert node_of(path) is None
    opened(path).close()


def test_its_name_and_its_cluster_are_for_good(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state = opened(path, keeps=False)
    assert not state.keeps_coordinator
    state.join("one")
    state.join("one")
    with pytest.raises(StateUnusable, match="it belongs to cluster one, and two was joined; check --join"):
        state.join("two")
    state.close()
    with pytest.raises(StateUnusable, match="it is the state of node a, not of b; start it with --name a"):
        opened(path, "b")
    assert opened(path).record.cluster == "one"


def test_what_lies_there_already_is_refused_with_what_to_do(tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "data.mdb").touch()
    with pytest.raises(StateUnusable, match="it is the state of an engine, not of a node; make it that of a node's"):
        opened(engine)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(StateUnusable, match=r"it holds other files \(letter.txt\)"):
        opened(other)
    with pytest.raises(StateUnusable, match="does not exist; create it first"):
        opened(tmp_path / "no" / "where")
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusable, match="it is no directory"):
        opened(tmp_path / "file")


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state"
    opened(path).close()
    assert is_node_state(path)
    (path / "node.json").write_text("{", encoding="utf-8")
    with pytest.raises(StateUnusable, match=r"node.json cannot be read .*; restore it"):
        opened(path)
    (path / "node.json").write_text('{"format": 9, "name": "a", "cluster": "", "starts": 1}', encoding="utf-8")
    with pytest.raises(StateUnusable, match="format 9; use a newer Placet"):
        opened(path)


def test_it_knows_how_many_engines_have_a_state(tmp_path: Path) -> None:
    state = opened(tmp_path / "state")
    assert state.engines() == 0
    for number in (0, 3):
        state.engine(number).mkdir()
    assert state.engines() == 4
    state.close()
