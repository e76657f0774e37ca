"""Copies through a runtime: instances exported and imported, states backed up, while everything goes on."""

from collections.abc import Generator
from pathlib import Path

import pytest

from placet import (
    EngineStopped,
    InstanceState,
    InvalidId,
    NotFound,
    PlacetError,
    RequestRefused,
    Runtime,
    SpawnConflict,
    WaitTimeout,
    Workflow,
)
from placet.actors.actor_handle import ActorHandle
from placet.persistence.copy_errors import BadCopy, CopyExists, CopyFailed
from placet.persistence.errors import StoreDamaged
from placet.persistence.export_file import read_export
from placet.persistence.restore import restore
from tests.runtime.workflows import WAIT_S, Gate, doubling, gated


@pytest.fixture
def gate() -> Generator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def test_an_instance_moves_to_another_state(tmp_path: Path, gate: Gate) -> None:
    workflow = gated(gate)
    with Runtime(tmp_path / "here", [workflow]) as here:
        original = here.spawn(workflow, {"start": ["v"]}, id="one")
        gate.wait_reached()
        done = original.export_to(tmp_path / "file")
        assert (done.instance, done.entries, done.size_bytes) == ("one", 2, (tmp_path / "file").stat().st_size)
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
        original.cancel(by="eva")
        gate.open()
    with Runtime(tmp_path / "there", [workflow]) as there:
        copy = there.import_from(tmp_path / "file", by="eva", why="moved")
        assert (copy.id, copy.state) == ("one", InstanceState.PAUSED)
        copy.resume(by="eva")
        assert copy.result(WAIT_S) == {"done": ["v"]}
        kinds = [record.kind for _, record in copy.history()]
        assert kinds == ["spawned", "imported", "resumed", "fired", "fired", "completed"]


def test_a_copy_beside_its_original_has_another_id_and_ends_by_itself(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        original = runtime.spawn("doubling", {"start": [1]}, id="one")
        original.result(WAIT_S)
        original.export_to(tmp_path / "file")
        with pytest.raises(SpawnConflict, match="an instance one exists already"):
            runtime.import_from(tmp_path / "file", by="eva")
        copy = runtime.import_from(tmp_path / "file", by="eva", id="two")
        assert copy.result(WAIT_S) == original.result(WAIT_S)
        assert {one.instance for one in runtime.list()} == {"one", "two"}


def test_one_place_is_exported_to_be_looked_at(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        runtime.spawn("doubling", {"start": [1, 2, 3]}, id="one").result(WAIT_S)
        place = runtime.find("one/done")
        assert isinstance(place, ActorHandle)
        assert place.export_to(tmp_path / "file").entries == 3
        export = read_export(tmp_path / "file")
        assert (export.head.path, len(export.entries), export.records) == ("done", 3, ())
        with pytest.raises(BadCopy, match="one actor"):
            runtime.import_from(tmp_path / "file", by="eva")
        with pytest.raises(NotFound):
            runtime.export("one", tmp_path / "other", actor="nowhere")
        with pytest.raises(NotFound):
            runtime.export("nobody", tmp_path / "other")
        assert not (tmp_path / "other").exists()


def test_a_place_is_put_into_an_instance(tmp_path: Path) -> None:
    keeping = Workflow("keeping")
    kept, done = keeping.place("kept", type=int), keeping.place("done")
    keeping.task(kept >> done, "look")
    with Runtime(tmp_path / "state", [keeping, doubling()]) as runtime:
        one, two = (runtime.spawn(keeping, {kept: [n]}, id=id) for n, id in ((1, "one"), (2, "two")))
        runtime.export("one", tmp_path / "file", actor="kept")
        assert not two.import_place(tmp_path / "file", by="eva", why="merged", request_id="r").already
        assert two.import_place(tmp_path / "file", by="eva", request_id="r").already
        assert (two.marking(), one.marking()) == ({"kept": [2, 1]}, {"kept": [1]})
        for task in list(two.tasks()):
            two.complete(task.id, by="eva")
        assert two.result(WAIT_S) == {"done": [2, 1]}
        with pytest.raises(RequestRefused, match="two is completed"):
            two.import_place(tmp_path / "file", by="eva")
        other = runtime.spawn("doubling", {"start": [1]}, id="other")
        with pytest.raises(RequestRefused, match="other has no place 'kept'"):
            other.import_place(tmp_path / "file", by="eva")
        with pytest.raises(PlacetError, match="by whom"):
            one.import_place(tmp_path / "file", by="")
        with pytest.raises(BadCopy, match="no such file"):
            one.import_place(tmp_path / "none", by="eva")


def test_what_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        instance = runtime.spawn("doubling", {"start": [1]}, id="one")
        instance.result(WAIT_S)
        instance.export_to(tmp_path / "file")
        with pytest.raises(CopyExists):
            instance.export_to(tmp_path / "file")
        with pytest.raises(CopyFailed, match="create it first"):
            instance.export_to(tmp_path / "none" / "file")
        with pytest.raises(InvalidId):
            runtime.import_from(tmp_path / "file", by="eva", id="a/b")
        with pytest.raises(PlacetError, match="by whom"):
            runtime.import_from(tmp_path / "file", by="", id="two")
        with pytest.raises(BadCopy, match="no such file"):
            runtime.import_from(tmp_path / "none", by="eva")
        with pytest.raises(WaitTimeout):
            runtime.import_from(tmp_path / "file", by="eva", id="two", timeout_s=0.0)
    for late in (lambda: instance.export_to(tmp_path / "late"), lambda: runtime.backup(tmp_path / "late")):
        with pytest.raises(EngineStopped):
            late()


def test_a_backup_is_made_while_instances_go_on_and_counts_nothing_as_lost(tmp_path: Path, gate: Gate) -> None:
    workflow = gated(gate)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": ["v"]}, id="one")
        gate.wait_reached()
        done = runtime.backup(tmp_path / "backup.mdb")
        assert done.size_bytes == (tmp_path / "backup.mdb").stat().st_size
        gate.open()
        assert instance.result(WAIT_S) == {"done": ["v"]}
        ids = {record.firing for _, record in instance.history() if record.firing}
    restore(tmp_path / "backup.mdb", tmp_path / "other")
    with Runtime(tmp_path / "other", [workflow]) as runtime:
        again = runtime.instance("one")
        assert again.result(WAIT_S) == {"done": ["v"]}
        kinds = [record.kind for _, record in again.history()]
        assert kinds == ["spawned", "fired", "fired", "completed"]
        assert {record.firing for _, record in again.history() if record.firing} == ids, "another life of the same"


def test_a_damaged_state_names_the_last_backup(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        runtime.backup(tmp_path / "backup.mdb")
    (tmp_path / "state" / "data.mdb").write_bytes(b"garbage")
    with pytest.raises(StoreDamaged, match=f"the newest backup is {tmp_path / 'backup.mdb'}$"):
        Runtime(tmp_path / "state")
