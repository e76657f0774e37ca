"""The shared keys of a cluster, and the file they lie in: one key a line, the first seals, all open.

Rotation takes three steps on every host, each with a restart of its nodes: add the new key as a second line; move it
to the first; take the old one out.
"""

import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from placet.net.errors import KeyUnusable

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
MOST_FILE_BYTES: Final = 64 << 10
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One shared key, and the id it goes by on the wire, which tells nothing about it."""

    secret: bytes = field(repr=False)
    id: bytes

    @classmethod
    def of(cls, secret: bytes) -> "Key":
        """Return the key of 32 secret bytes. Raises `ValueError`."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        return cls(
            secret=secret, id=hashlib.blake2b(secret, digest_size=KEY_ID_BYTES, person=b"placet key id").digest()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of one process: `first` seals what it sends, each of them opens what comes."""

    keys: tuple[Key, ...]

    @classmethod
    def of(cls, *secrets_: bytes) -> "Keyring":
        """Return a keyring of one or more keys of 32 bytes."""
        if not secrets_:
            raise ValueError("a keyring needs a key")
        return cls(keys=tuple(Key.of(secret) for secret in secrets_))

    @property
    def first(self) -> Key:
        """The key that seals."""
        return self.keys[0]

    def find(self, id: bytes) -> Key | None:
        """Return the key of that id, or None."""
        return next((key for key in self.keys if key.id == id), None)


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
    return _parsed(file, content)


def _parsed(file: Path, content: bytes) -> Keyring:
    lines = [line for line in content.decode("ascii", "replace").split("\n") if line.strip() and line[0] != "#"]
    try:
        found = [bytes.fromhex(line) for line in lines]
        return Keyring.of(*found)
    except ValueError:
        problem = "it holds no key" if not lines else f"a line of it is not {2 * KEY_BYTES} hexadecimal digits"
        raise KeyUnusable(str(file), problem, "copy it again, or remove it to have a new one made") from None


def make_key_file(path: str | os.PathLike[str]) -> bool:
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
            stream.write(f"# placet: the first key seals, all open\n{secrets.token_hex(KEY_BYTES)}\n")
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
