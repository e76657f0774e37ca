"""The shared keys of a cluster: three kinds, each in a file of its own, one key a line; the first seals, all open.

    # a comment
    client 1f0c…        kind (`cluster`, `deploy` or `client`) and 32 bytes in hexadecimal
    1f0c…               without a kind it is a cluster key

A node has all three kinds: beside its cluster key, `X.key`, lie `X.deploy.key` and `X.client.key`, independent of it. A
client has one file. Rotation takes three steps on every host, each with a restart of what has the file, and for each
kind by itself: add the new key as a second line; move it to the first; take the old one out.
"""

import hashlib
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final

from placet.net.errors import KeyUnusable

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
MOST_FILE_BYTES: Final = 64 << 10
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyKind(IntEnum):
    """What a key allows who holds it; a higher one allows more."""

    CLIENT = 1  # to spawn what is deployed, with plain values, and to intervene
    DEPLOY = 2  # to send code as well
    CLUSTER = 3  # everything: to be a node

    @property
    def word(self) -> str:
        """Its name in a key file."""
        return self.name.lower()


_KINDS: Final = {kind.word: kind for kind in KeyKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One shared key, and the id it goes by on the wire, which tells nothing about it."""

    secret: bytes = field(repr=False)
    id: bytes
    kind: KeyKind

    @classmethod
    def of(cls, secret: bytes, kind: KeyKind = KeyKind.CLUSTER) -> "Key":
        """Return the key of 32 secret bytes. Raises `ValueError`."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        person = f"placet {kind.word}".encode()  # taken for one of another kind, it is an unknown key
        id = hashlib.blake2b(secret, digest_size=KEY_ID_BYTES, person=person).digest()
        return cls(secret=secret, id=id, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of one process: of each kind the first seals what it sends, and each of them opens what comes."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        """Refuse to have no key, or one that is of two kinds: who has the lower would have the higher."""
        if not self.keys:
            raise ValueError("a keyring needs a key")
        if len({key.secret for key in self.keys}) < len({(key.secret, key.kind) for key in self.keys}):
            raise ValueError("a key is there as one of two kinds")

    @classmethod
    def of(cls, *secrets_: bytes, kind: KeyKind = KeyKind.CLUSTER) -> "Keyring":
        """Return a keyring of one or more keys of 32 bytes. Raises `ValueError`."""
        return cls(keys=tuple(Key.of(secret, kind) for secret in secrets_))

    @property
    def kind(self) -> KeyKind:
        """The highest kind there is a key of: what this process is to its peers."""
        return max(key.kind for key in self.keys)

    @property
    def first(self) -> Key:
        """The first key of the highest kind."""
        return next(key for key in self.keys if key.kind is self.kind)

    def first_of(self, kind: KeyKind) -> Key | None:
        """Return the key that seals for peers of a kind; None: there are no such peers."""
        return next((key for key in self.keys if key.kind is kind), None)

    def find(self, id: bytes) -> Key | None:
        """Return the key of that id, or None."""
        return next((key for key in self.keys if key.id == id), None)

    def joined(self, other: "Keyring") -> "Keyring":
        """Return a keyring with the keys of both. Raises `ValueError` where one is there as one of two kinds."""
        return Keyring(keys=self.keys + other.keys)


def parse_keys(text: str) -> Keyring:
    """Return the keys in the text of a key file, all of one kind. Raises `ValueError`."""
    lines = [line.split() for line in text.split("\n") if line.strip() and line[0] != "#"]
    if not lines:
        raise ValueError("it holds no key")
    keys = tuple(_parsed_line(words) for words in lines)
    if len({key.kind for key in keys}) > 1:
        raise ValueError("it holds keys of two kinds")
    return Keyring(keys=keys)


def _parsed_line(words: list[str]) -> Key:
    try:
        match words:
            case [digits]:
                return Key.of(bytes.fromhex(digits))
            case [word, digits] if word in _KINDS:
                return Key.of(bytes.fromhex(digits), _KINDS[word])
            case _:
                raise ValueError("of another form")
    except ValueError:
        raise ValueError(f"a line of it is no kind of key and {2 * KEY_BYTES} hexadecimal digits") from None


# -- files ---------------------------------------------------------------------------------------------------------


def load_keyring(path: str | os.PathLike[str]) -> Keyring:
    """Return the keys in a file. Raises `KeyUnusable` for one that is missing, open to others, or no key file."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyUnusable(str(file), "it is no file", "give the path of a key file")
            if mode & _OTHERS:
                raise KeyUnusable(str(file), "others may read or write it", f"chmod 600 {file}, and make a new key")
            content = stream.read(MOST_FILE_BYTES)
    except FileNotFoundError:
        raise KeyUnusable(str(file), "there is no such file", "copy it from the node's host") from None
    except OSError as error:
        raise KeyUnusable(str(file), error.strerror or str(error), "check its path and permissions") from error
    try:
        return parse_keys(content.decode("ascii", "replace"))
    except ValueError as error:
        raise KeyUnusable(str(file), str(error), "copy it again, or remove it to have a new one made") from None


def make_key_file(path: str | os.PathLike[str], kind: KeyKind = KeyKind.CLUSTER) -> bool:
    """Make a file with a new key, mode 0600, unless there is one; return whether it was made. Raises `KeyUnusable`.

    It appears with its content or not at all, so that two nodes that start together agree.
    """
    file = Path(path)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        if file.exists():
            return False
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"# placet: the first key seals, all open\n{kind.word} {secrets.token_hex(KEY_BYTES)}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)
    except FileExistsError:
        return False
    except OSError as error:
        raise KeyUnusable(str(file), error.strerror or str(error), "choose another path") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return True


# -- the three files of a node -------------------------------------------------------------------------------------


def key_file_beside(path: str | os.PathLike[str], kind: KeyKind) -> Path:
    """Return the key file of a kind that belongs to a cluster key's: `X.key` has `X.client.key`, and `X` `X.client`."""
    file = Path(path)
    return file if kind is KeyKind.CLUSTER else file.with_name(f"{file.stem}.{kind.word}{file.suffix}")


def make_key_files(path: str | os.PathLike[str]) -> Mapping[KeyKind, Path]:
    """Make what a node has not got of its three key files, and return those made. Raises `KeyUnusable`.

    Where there is a cluster key and nothing can be made beside it, the node goes without the others.
    """
    made: dict[KeyKind, Path] = {}
    for kind in sorted(KeyKind, reverse=True):
        file = key_file_beside(path, kind)
        try:
            if make_key_file(file, kind):
                made[kind] = file
        except KeyUnusable as error:
            if kind is KeyKind.CLUSTER:
                raise
            logging.getLogger("placet").warning("%s; nobody with a %s key is let in", error, kind.word)
    return made


def load_keyring_of_node(path: str | os.PathLike[str]) -> Keyring:
    """Return the keys of a node, by the path of its cluster key. Raises `KeyUnusable`, for a wrong kind too."""
    keyring = _load_kind(path, KeyKind.CLUSTER)
    for kind in (KeyKind.DEPLOY, KeyKind.CLIENT):
        file = key_file_beside(path, kind)
        if not file.exists():
            continue
        try:
            keyring = keyring.joined(_load_kind(file, kind))
        except ValueError as error:
            raise KeyUnusable(str(file), f"{error}", "remove it to have a new one made") from None
    return keyring


def _load_kind(path: str | os.PathLike[str], kind: KeyKind) -> Keyring:
    keyring = load_keyring(path)
    if keyring.kind is not kind:
        problem = f"it holds a {keyring.kind.word} key where a node has its {kind.word} key"
        raise KeyUnusable(os.fspath(path), problem, "copy the right one, or remove it to have a new one made")
    return keyring
