"""Backups are whole, intact and of one moment, or not there; restoring checks first and keeps what was there."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from placet.persistence.backup import back_up
from placet.persistence.copy_errors import BadCopy, CopyExists, CopyFailed, StateOccupied
from placet.persistence.errors import StoreDamaged, StoreError, StoreInUse
from placet.persistence.format import FORMAT_KEY
from placet.persistence.keys import history_key
from placet.persistence.last_backup import last_backup, note_backup
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.lock import StateLock
from placet.persistence.restore import restore
from placet.persistence.state import State, open_state
from placet.persistence.store import Store


def leave(_store: Store) -> None:
    """Change nothing in a copy."""


def fill(state: State, begin: int = 0, size: int = 90) -> None:
    state.store.commit([(history_key(number), b"v" * size) for number in range(begin, begin + 500)])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(tmp_path / "state")
    fill(opened)
    yield opened
    opened.close()


def made(state: State, target: Path) -> Path:
    size_bytes = back_up(state.store, state.path, target, leave)
    assert target.stat().st_size == size_bytes
    return target


def content(path: Path) -> dict[bytes, bytes]:
    opened = open_state(path)
    try:
        return dict(opened.store.scan(b""))
    finally:
        opened.close()


def test_a_backup_is_restored_as_it_was(state: State, tmp_path: Path) -> None:
    expected = dict(state.store.scan(b""))
    target = made(state, tmp_path / "backup.mdb")
    fill(state, 500)
    assert target.stat().st_mode & 0o777 == 0o600
    assert restore(target, tmp_path / "other") is None
    assert content(tmp_path / "other") == expected
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in (tmp_path / "other").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700


def test_a_backup_made_while_somebody_writes_is_of_one_moment(state: State, tmp_path: Path) -> None:
    begun, over = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            state.store.commit([(b"Aleft", str(number).encode()), (b"Nright", str(number).encode())])
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(30)
        for number in range(3):
            restore(made(state, tmp_path / f"{number}"), tmp_path / f"state {number}")
    finally:
        over.set()
        writer.join()
    for number in range(3):
        found = content(tmp_path / f"state {number}")
        assert found[b"Aleft"] == found[b"Nright"]
        assert len(found) == 503


def test_the_copy_is_compact(state: State, tmp_path: Path) -> None:
    for _ in range(5):
        fill(state, 500, size=9_000)
        state.store.commit([(history_key(number), None) for number in range(500, 1_000)])
    target = made(state, tmp_path / "backup.mdb")
    assert target.stat().st_size < (state.path / "data.mdb").stat().st_size / 10


def test_a_state_whose_pages_got_lost_is_copied_all_the_same(tmp_path: Path) -> None:
    opened = open_state(tmp_path / "state")
    fill(opened)
    opened.close()
    data = bytearray((tmp_path / "state" / "data.mdb").read_bytes())
    for offset in (136, 4096 + 136):  # last page number of both meta pages
        data[offset : offset + 8] = (int.from_bytes(data[offset : offset + 8], "little") + 3).to_bytes(8, "little")
    (tmp_path / "state" / "data.mdb").write_bytes(data)
    again = open_state(tmp_path / "state")
    expected = dict(again.store.scan(b""))
    restore(made(again, tmp_path / "backup.mdb"), tmp_path / "other")
    again.close()
    assert content(tmp_path / "other") == expected


def test_a_file_that_is_there_is_left_alone(state: State, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CopyExists):
        made(state, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_progress_is_told(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    seen: list[tuple[int, int]] = []

    class Slow:
        """Copies once somebody has been told how far it is."""

        def copy_whole(self, descriptor: int) -> None:
            assert goes_on.wait(30)
            state.store.copy_whole(descriptor)

        def used_bytes(self) -> int:
            return state.store.used_bytes()

    def note(copied_bytes: int, all_bytes: int) -> None:
        seen.append((copied_bytes, all_bytes))
        goes_on.set()

    monkeypatch.setattr("placet.persistence.backup.LOOK_S", 0.01)
    back_up(Slow(), state.path, tmp_path / "backup.mdb", leave, note)
    assert seen[0] == (0, state.store.used_bytes())


def test_damage_in_the_state_is_found_and_no_backup_made(state: State, tmp_path: Path) -> None:
    state.store.commit([(b"Along", b"x" * 90)])
    data = (state.path / "data.mdb").read_bytes()
    with (state.path / "data.mdb").open("r+b") as file:  # behind LMDB's back, in the page it reads
        for place in occurrences(data, b"x" * 90):
            file.seek(place + 7)
            file.write(b"y")
    with pytest.raises(StoreDamaged, match=r"cannot be copied, something in it is damaged: .*checksum") as caught:
        made(state, tmp_path / "backup.mdb")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "backup.mdb").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]
    assert last_backup(state.path) == ""


def occurrences(data: bytes, what: bytes) -> list[int]:
    found: list[int] = []
    while (place := data.find(what, found[-1] + 1 if found else 0)) >= 0:
        found.append(place)
    return found


def test_no_room_is_told_in_one_line(state: State, tmp_path: Path) -> None:
    class Full:
        """A store whose copy finds no room."""

        def copy_whole(self, descriptor: int) -> None:
            with open("/dev/full", "wb", buffering=0) as full:
                os.dup2(full.fileno(), descriptor)
            state.store.copy_whole(descriptor)

        def used_bytes(self) -> int:
            return 0

    with pytest.raises(CopyFailed, match=r"was not written: .*No space left.*; make room"):
        back_up(Full(), state.path, tmp_path / "backup.mdb", leave)
    assert not (tmp_path / "backup.mdb").exists()


# -- where the last one went ------------------------------------------------------------------------------------------


def test_a_damaged_state_names_the_last_backup_wherever_it_went(state: State, tmp_path: Path) -> None:
    target = made(state, tmp_path / "backup.mdb")
    state.close()
    (state.path / "data.mdb").write_bytes(b"garbage")
    with pytest.raises(StoreDamaged) as caught:
        open_state(state.path)
    assert str(caught.value).endswith(f"the newest backup is {target}")
    assert restore(target, state.path, replace=True) == state.path / "replaced-1.mdb"
    assert (state.path / "replaced-1.mdb").read_bytes() == b"garbage"
    assert len(content(state.path)) == 501


def test_a_value_that_is_damaged_names_it_too(state: State, tmp_path: Path) -> None:
    target = made(state, tmp_path / "backup.mdb")
    state.close()
    data = (state.path / "data.mdb").read_bytes()
    (state.path / "data.mdb").write_bytes(data.replace(b"v" * 90, b"v" * 89 + b"w"))
    opened = open_state(state.path)
    with pytest.raises(StoreDamaged, match=f"checksum; the newest backup is {target}$"):
        opened.store.get(history_key(7))
    opened.close()


def test_a_backup_that_is_gone_is_not_named(state: State, tmp_path: Path) -> None:
    made(state, tmp_path / "backup.mdb").unlink()
    assert last_backup(state.path) == ""
    made(state, state.path / "backup" / "monday.mdb")
    assert last_backup(state.path) == "backup/monday.mdb"
    note_backup(tmp_path / "no state", tmp_path)  # harmless
    assert not (tmp_path / "no state").exists()


# -- restoring --------------------------------------------------------------------------------------------------------


def test_a_state_that_is_there_is_kept_or_moved_aside(state: State, tmp_path: Path) -> None:
    target = made(state, tmp_path / "backup.mdb")
    fill(state, 500)
    with pytest.raises(StoreInUse):
        restore(target, state.path, replace=True)
    state.close()
    with pytest.raises(StateOccupied, match="--force-replace"):
        restore(target, state.path)
    (state.path / "running").write_bytes(b"old")
    aside = restore(target, state.path, replace=True)
    assert aside is not None
    assert not (state.path / "running").exists()
    assert len(content(state.path)) == 501
    assert restore(aside, state.path, replace=True) == state.path / "replaced-2.mdb"
    assert len(content(state.path)) == 1_001


def test_an_empty_directory_will_do_and_a_strange_one_will_not(state: State, tmp_path: Path) -> None:
    target = made(state, tmp_path / "backup.mdb")
    (tmp_path / "empty").mkdir()
    restore(target, tmp_path / "empty")
    assert len(content(tmp_path / "empty")) == 501
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.tex").touch()
    with pytest.raises(StoreError, match="it holds other files"):
        restore(target, tmp_path / "strange")
    assert [entry.name for entry in (tmp_path / "strange").iterdir()] == ["thesis.tex"]


def test_what_is_no_backup_changes_nothing(state: State, tmp_path: Path) -> None:
    whole = made(state, tmp_path / "backup.mdb").read_bytes()
    state.close()
    before = content(state.path)
    flipped = whole.replace(b"v" * 90, b"v" * 89 + b"w")
    for number, data in enumerate((b"", b"garbage" * 999, whole[: len(whole) // 2], flipped)):
        file = tmp_path / f"bad {number}"
        file.write_bytes(data)
        with pytest.raises(BadCopy) as caught:
            restore(file, state.path, replace=True)
        assert str(caught.value).startswith(f"{file} cannot be used: ")
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(BadCopy, match="no such file"):
        restore(tmp_path / "none", state.path, replace=True)
    with pytest.raises(BadCopy, match="it is a folder"):
        restore(tmp_path, state.path, replace=True)
    assert content(state.path) == before
    assert not [entry for entry in state.path.iterdir() if entry.name.startswith((".", "replaced"))]


def test_a_store_of_another_program_or_a_newer_placet_is_refused(tmp_path: Path) -> None:
    environment = lmdb.open(str(tmp_path / "foreign"))
    with environment.begin(write=True) as transaction:
        transaction.put(b"key", b"their value")
    environment.close()
    with pytest.raises(BadCopy):
        restore(tmp_path / "foreign" / "data.mdb", tmp_path / "other")
    store = LmdbStore.open(tmp_path / "newer")
    store.commit([(FORMAT_KEY, b"99")])
    store.close()
    with pytest.raises(BadCopy, match="upgrade Placet"):
        restore(tmp_path / "newer" / "data.mdb", tmp_path / "other")
    store = LmdbStore.open(tmp_path / "unmarked")
    store.commit([(b"key", b"value")])
    store.close()
    with pytest.raises(BadCopy, match="not a state of Placet"):
        restore(tmp_path / "unmarked" / "data.mdb", tmp_path / "other")


def test_what_a_killed_restore_left_is_removed_by_the_next(state: State, tmp_path: Path) -> None:
    target = made(state, tmp_path / "backup.mdb")
    left = tmp_path / "other" / ".restoring-abc"
    left.mkdir(parents=True)
    (left / "data.mdb").write_bytes(b"half")
    restore(target, tmp_path / "other")
    assert not left.exists()
    lock = StateLock.acquire(tmp_path / "other")
    lock.release()


# -- one moment for many looks ----------------------------------------------------------------------------------------


def test_a_frozen_reader_sees_one_state_in_all_its_looks(state: State) -> None:
    state.store.commit([(b"Aleft", b"1"), (b"Nright", b"1")])
    with state.store.frozen() as view:
        assert view.get(b"Aleft") == b"1"
        state.store.commit([(b"Aleft", b"2"), (b"Nright", b"2"), (b"Anew", b"2")])
        assert view.get(b"Nright") == b"1"
        assert [value for _, value in view.scan(b"A")] == [b"1"]
        assert state.store.get(b"Nright") == b"2"
    with state.store.frozen() as view:
        assert [value for _, value in view.scan(b"A")] == [b"2", b"2"]
