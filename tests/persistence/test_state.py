"""Opening a state directory: what is accepted, what is refused, and with which words."""

from pathlib import Path

import lmdb
import pytest

from placet.persistence.errors import FormatTooNew, StateUnusable, StoreDamaged, StoreError, StoreInUse
from placet.persistence.format import FORMAT_KEY
from placet.persistence.keys import history_key
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.lock import StateLock, owner
from placet.persistence.probe import read_meta
from placet.persistence.state import open_state
from tests.persistence.test_lmdb_store import read_only_directory

__all__ = ["read_only_directory"]


def test_a_state_is_made_and_opened_again(tmp_path: Path) -> None:
    first = open_state(tmp_path / "state")
    assert first.created
    first.store.commit([(b"Lkey", b"1")])
    first.close()
    first.close()
    second = open_state(tmp_path / "state")
    assert not second.created
    assert second.store.get(b"Lkey") == b"1"
    second.close()


def test_an_empty_directory_can_become_a_state(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").touch()
    state = open_state(tmp_path)
    assert state.created
    state.close()


def test_a_state_in_use_is_refused(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    with pytest.raises(StoreInUse):
        open_state(tmp_path)
    state.store.commit([(b"Lkey", b"1")])
    state.close()
    assert owner(tmp_path) is None


def refusal(path: Path) -> str:
    """The words with which a path is refused."""
    with pytest.raises(StoreError) as caught:
        open_state(path)
    text = str(caught.value)
    assert "\n" not in text
    assert "; " in text, "it says what to do"
    return text


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in refusal(tmp_path / "file")
    assert "is not a directory" in refusal(tmp_path / "file" / "state")


def test_a_missing_parent_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path}/a does not exist" in refusal(tmp_path / "a" / "state")
    assert not (tmp_path / "a").exists()


def test_a_directory_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert "it holds other files (photo.jpg)" in refusal(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]


def test_an_environment_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    environment = lmdb.open(str(tmp_path))
    with environment.begin(write=True) as transaction:
        transaction.put(b"theirs", b"value")
    environment.close()
    assert "its data.mdb is not Placet's" in refusal(tmp_path)
    assert not (tmp_path / "about.txt").exists()


def test_a_read_only_directory_is_refused(read_only_directory: Path) -> None:
    assert "cannot be used as a state" in refusal(read_only_directory)


def test_a_newer_format_is_refused_and_unlocked(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    state.store.commit([(FORMAT_KEY, b"99")])
    state.close()
    with pytest.raises(FormatTooNew):
        open_state(tmp_path)
    StateLock.acquire(tmp_path).release()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A state of about 1 MB."""
    path = tmp_path / "state"
    state = open_state(path)
    for batch in range(10):
        state.store.commit([(history_key(number), b"v" * 90) for number in range(batch * 500, batch * 500 + 500)])
    state.store.commit([(b"Along", bytes(200_000))])
    state.close()
    return path


def test_an_intact_state_passes_the_full_check(filled: Path) -> None:
    open_state(filled, full=True).close()


def test_a_lost_file_is_not_taken_for_a_new_state(filled: Path) -> None:
    (filled / "data.mdb").unlink()
    assert "data.mdb is missing or empty, although this state was in use" in refusal(filled)
    (filled / "data.mdb").touch()
    assert "missing or empty" in refusal(filled)


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(filled: Path, share: float) -> None:
    data = filled / "data.mdb"
    content = data.read_bytes()
    data.write_bytes(content[: int(len(content) * share) + 1])
    text = refusal(filled)
    assert "truncated" in text or "header" in text
    assert "there is no backup in backup/" in text


def test_pages_that_were_never_written_are_no_damage(filled: Path) -> None:
    data = bytearray((filled / "data.mdb").read_bytes())
    for offset in (136, 4096 + 136):  # last page number of both meta pages
        data[offset : offset + 8] = (int.from_bytes(data[offset : offset + 8], "little") + 3).to_bytes(8, "little")
    (filled / "data.mdb").write_bytes(data)
    state = open_state(filled)
    assert state.store.get(b"Along") == bytes(200_000)
    state.close()


@pytest.mark.parametrize("offset", [16, 20, 10, 40, 4096 + 16])
def test_a_bad_header_is_refused(filled: Path, offset: int) -> None:
    data = bytearray((filled / "data.mdb").read_bytes())
    data[offset] ^= 0xFF
    (filled / "data.mdb").write_bytes(data)
    assert "header of data.mdb" in refusal(filled)


@pytest.mark.parametrize("offset", [88 + 40, 40 + 40])
def test_a_root_out_of_bounds_is_refused(filled: Path, offset: int) -> None:
    data = bytearray((filled / "data.mdb").read_bytes())
    for meta in (0, 4096):
        data[meta + offset : meta + offset + 8] = (1 << 40).to_bytes(8, "little")
    (filled / "data.mdb").write_bytes(data)
    assert "beyond its last page" in refusal(filled)


def test_the_newest_backup_is_named(filled: Path) -> None:
    (filled / "backup").mkdir()
    for name in ("monday.mdb", "tuesday.mdb"):
        (filled / "backup" / name).touch()
    (filled / "data.mdb").write_bytes(b"garbage")
    assert refusal(filled).endswith("the newest backup is backup/tuesday.mdb")


def test_a_flipped_bit_is_found_by_the_full_check_and_named(filled: Path) -> None:
    data = (filled / "data.mdb").read_bytes()
    (filled / "data.mdb").write_bytes(data.replace(b"v" * 90, b"v" * 7 + b"w" + b"v" * 82))
    with pytest.raises(StoreDamaged, match=r"history .* does not match its checksum"):
        open_state(filled, full=True)
    open_state(filled).close()  # by default it is found when the value is read


def test_garbage_in_a_branch_does_not_end_this_process(filled: Path) -> None:
    data = bytearray((filled / "data.mdb").read_bytes())
    meta = max((read_meta(bytes(data[at:])) for at in (0, 4096)), key=lambda found: found.transaction if found else -1)
    assert meta is not None
    root = meta.main_root * meta.page_size
    data[root + 16 : root + meta.page_size] = b"\xa5" * (meta.page_size - 16)
    (filled / "data.mdb").write_bytes(data)
    with pytest.raises(StoreDamaged):
        open_state(filled, full=True)


def test_a_damaged_state_is_unlocked_again(filled: Path) -> None:
    (filled / "data.mdb").write_bytes(b"garbage")
    refusal(filled)
    assert owner(filled) is None


def test_opening_does_not_read_the_store(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("subprocess.run", refuse)
    open_state(filled).close()


def test_a_state_needs_no_other_opener(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path)
    store.close()
    state = open_state(tmp_path)
    assert state.created
    state.close()


def test_an_unusable_path_is_a_store_error() -> None:
    error = StateUnusable("here", "because")
    assert error.args == ("here", "because")
    assert isinstance(error, StoreError)
