"""Key files: made with mode 0600, refused when others may read them; three kinds, and several keys for rotation."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.net.errors import KeyUnusable
from placet.net.keyring import (
    Key,
    KeyKind,
    Keyring,
    key_file_beside,
    load_keyring,
    load_keyring_of_node,
    make_key_file,
    make_key_files,
    parse_keys,
)

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
UNREADABLE = ("client", f"guest {KEY.hex()}", f"Client {KEY.hex()}", f"client {KEY.hex()} x", f"client{KEY.hex()}")


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


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", KEY.hex()[:-2], KEY.hex() + "00", "not hexadecimal", "é" * 64, *UNREADABLE]
)
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


# -- three kinds ----------------------------------------------------------------------------------------------------


def test_kinds_are_ordered_by_what_they_allow() -> None:
    assert KeyKind.CLUSTER > KeyKind.DEPLOY > KeyKind.CLIENT
    assert max(KeyKind) is KeyKind.CLUSTER


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_file_says_its_kind(tmp_path: Path, kind: KeyKind) -> None:
    assert make_key_file(tmp_path / "key", kind)
    ring = load_keyring(tmp_path / "key")
    assert ring.kind is kind
    assert ring.first_of(kind) == ring.first
    assert all(ring.first_of(other) is None for other in KeyKind if other is not kind)


def test_a_key_without_a_kind_is_a_cluster_key() -> None:
    assert parse_keys(KEY.hex()) == Keyring.of(KEY) == parse_keys(f"cluster {KEY.hex()}")


def test_the_same_bytes_have_another_id_as_a_key_of_another_kind() -> None:
    assert len({Key.of(KEY, kind).id for kind in KeyKind}) == len(KeyKind)


def test_one_file_has_keys_of_one_kind(tmp_path: Path) -> None:
    text = f"client {KEY.hex()}\ndeploy {OTHER.hex()}\n"
    with pytest.raises(KeyUnusable, match="it holds keys of two kinds"):
        load_keyring(write(tmp_path / "key", text))


def test_a_key_that_is_there_as_two_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="one of two kinds"):
        Keyring.of(KEY).joined(Keyring.of(KEY, kind=KeyKind.CLIENT))
    assert Keyring.of(KEY).joined(Keyring.of(KEY)).first.secret == KEY


@given(secrets=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4), kind=st.sampled_from(KeyKind))
def test_what_is_written_is_read(secrets: list[bytes], kind: KeyKind) -> None:
    text = "# one\n\n" + "\n".join(f"{kind.word} {secret.hex()}" for secret in secrets)
    ring = parse_keys(text)
    assert ring == Keyring.of(*secrets, kind=kind)
    assert ring.first.secret == secrets[0]
    assert all(ring.find(Key.of(secret, kind).id) == Key.of(secret, kind) for secret in secrets)


@given(text=st.text(st.sampled_from("0123456789abcdef \n#clientdeploy\t\u00e9"), max_size=150) | st.text(max_size=150))
def test_any_other_text_is_refused_with_a_reason_that_shows_nothing_of_it(text: str) -> None:
    try:
        ring = parse_keys(text)
    except ValueError as error:
        reason = str(error)
    else:
        assert ring.first.secret.hex() in text.lower()
        return
    assert reason in {
        "it holds no key",
        "it holds keys of two kinds",
        "a line of it is no kind of key and 64 hexadecimal digits",
    }


@pytest.mark.parametrize(
    ("name", "deploy", "client"),
    [
        ("node.key", "node.deploy.key", "node.client.key"),
        (".node.key", ".node.deploy.key", ".node.client.key"),
        ("key", "key.deploy", "key.client"),
    ],
)
def test_the_files_of_a_node_lie_beside_each_other(tmp_path: Path, name: str, deploy: str, client: str) -> None:
    made = make_key_files(tmp_path / name)
    assert made == {
        KeyKind.CLUSTER: tmp_path / name,
        KeyKind.DEPLOY: tmp_path / deploy,
        KeyKind.CLIENT: tmp_path / client,
    }
    assert {path.name for path in tmp_path.iterdir()} == {name, deploy, client}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    ring = load_keyring_of_node(tmp_path / name)
    for kind, file in made.items():
        assert file == key_file_beside(tmp_path / name, kind)
        assert ring.first_of(kind) == load_keyring(file).first
    assert len({key.secret for key in ring.keys}) == len(KeyKind)
    assert ring.kind is KeyKind.CLUSTER
    assert make_key_files(tmp_path / name) == {}
    assert load_keyring_of_node(tmp_path / name) == ring


def test_a_node_gets_what_it_has_not_got_and_keeps_what_it_has(tmp_path: Path) -> None:
    write(tmp_path / "key", KEY.hex())  # as an earlier version made it
    assert set(make_key_files(tmp_path / "key")) == {KeyKind.DEPLOY, KeyKind.CLIENT}
    assert load_keyring_of_node(tmp_path / "key").first.secret == KEY


def test_a_node_whose_keys_lie_where_nothing_can_be_made_goes_without_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "key", KEY.hex())

    def refuse(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    assert make_key_files(tmp_path / "key") == {}
    assert "Read-only file system" in caplog.text
    assert "nobody with a client key is let in" in caplog.text
    monkeypatch.undo()
    ring = load_keyring_of_node(tmp_path / "key")
    assert (ring.first_of(KeyKind.CLIENT), ring.first_of(KeyKind.DEPLOY)) == (None, None)


def test_a_node_refuses_a_key_of_another_kind_than_its_file_should_have(tmp_path: Path) -> None:
    make_key_files(tmp_path / "key")
    with pytest.raises(KeyUnusable, match="holds a client key where a node has its cluster key"):
        load_keyring_of_node(tmp_path / "key.client")
    write(tmp_path / "key.client", (tmp_path / "key").read_text(encoding="ascii"))
    with pytest.raises(KeyUnusable, match="holds a cluster key where a node has its client key"):
        load_keyring_of_node(tmp_path / "key")
    (secret,) = (key.secret for key in load_keyring(tmp_path / "key").keys)
    write(tmp_path / "key.client", f"client {secret.hex()}")
    with pytest.raises(KeyUnusable, match="one of two kinds"):
        load_keyring_of_node(tmp_path / "key")
    (tmp_path / "key.client").chmod(0o644)
    with pytest.raises(KeyUnusable, match="others may read"):
        load_keyring_of_node(tmp_path / "key")
