"""The key file: made with mode 0600, refused when others may read it, and several keys for rotation."""

import os
import threading
from pathlib import Path

import pytest

from placet.net.errors import KeyUnusable
from placet.net.keyring import Keyring, load_keyring, make_key_file

KEY = bytes(range(32))


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_key_file_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    before = os.umask(0)
    try:
        assert make_key_file(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    made = load_keyring(file)
    assert not make_key_file(file)
    assert load_keyring(file) == made
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_two_key_files_hold_different_keys(tmp_path: Path) -> None:
    for name in "ab":
        make_key_file(tmp_path / name)
    assert load_keyring(tmp_path / "a") != load_keyring(tmp_path / "b")


def test_many_that_make_one_key_file_at_once_get_the_same_key(tmp_path: Path) -> None:
    file, seen = tmp_path / "key", list[Keyring]()
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        make_key_file(file)
        seen.append(load_keyring(file))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(ring == seen[0] for ring in seen)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o601])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyUnusable, match="others may read or write it; chmod 600"):
        load_keyring(write(tmp_path / "key", KEY.hex(), mode))


@pytest.mark.parametrize("text", ["", "# nothing\n", KEY.hex()[:-2], KEY.hex() + "00", "not hexadecimal", "é" * 64])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyUnusable, match="cannot be used"):
        load_keyring(write(tmp_path / "key", text))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="no such file"):
        load_keyring(tmp_path / "none")
    with pytest.raises(KeyUnusable):
        load_keyring(tmp_path)
    with pytest.raises(KeyUnusable):
        make_key_file(tmp_path / "no" / "folder")


def test_the_first_key_seals_and_all_open(tmp_path: Path) -> None:
    other = bytes(32)
    ring = load_keyring(write(tmp_path / "key", f"# new\n{other.hex()}\n\n# old\n{KEY.hex()}\n"))
    assert ring.first.secret == other
    old = ring.find(Keyring.of(KEY).first.id)
    assert old is not None
    assert old.secret == KEY
    assert ring.find(b"12345678") is None


def test_a_key_is_not_shown() -> None:
    assert KEY.hex() not in repr(Keyring.of(KEY))
    assert repr(KEY) not in repr(Keyring.of(KEY))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring.of(b"short")
    with pytest.raises(ValueError, match="needs a key"):
        Keyring.of()
