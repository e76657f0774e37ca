"""The file an instance, or one actor of it, is exported to: a head, its net, its entries, its history, a digest.

Layout: `PLACET EXPORT`, a newline, the version of this format (2 bytes); then frames: length (4 bytes), kind (1 byte)
        and content. All numbers are big-endian.
        `h`  head: msgpack of `ExportHead`, once, first
        `n`  net: as it is stored
        `e`  entry: the key below the instance's root (11 bytes: actor, kind, id), then the value as it is stored
        `z`  history record as it is stored, newest first
        `.`  end: blake2b (32 bytes) of all that comes before this frame
Promise: nothing of a file is used before its whole digest was found right. Values stay the bytes they are stored as.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from placet.persistence.copy_errors import BadCopy
from placet.persistence.format import FORMAT

MAGIC = b"PLACET EXPORT\n"
VERSION = 1
KEY_BYTES = 11  # actor, kind and id, as in `keys.py`
DIGEST_BYTES = 32

_HEAD, _NET, _ENTRY, _RECORD, _END = b"h", b"n", b"e", b"z", b"."
_frame = struct.Struct(">Ic")
_version = struct.Struct(">H")


class ExportHead(msgspec.Struct, frozen=True, kw_only=True):
    """What an export says of itself."""

    instance: str  # the id it had
    path: str = ""  # of the one actor that was exported; "" is the whole instance
    workflow: str
    version: str  # of the workflow
    net: bytes  # digest
    state: str  # as it was
    format: int = FORMAT  # of its entries
    engine_s: float  # engine time of the last commit before it, and …
    wall_s: float  # … the wall clock at the same moment, seconds since 1970
    has_history: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export that was read and found intact."""

    head: ExportHead
    net: bytes  # as it is stored
    entries: tuple[tuple[bytes, bytes], ...]  # (key below the root, value), in the order of keys
    records: tuple[bytes, ...]  # history, oldest first


class ExportWriter:
    """Writes an export from its head to `end`."""

    def __init__(self, file: BinaryIO, head: ExportHead) -> None:
        self._file = file
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self.entries = self.records = 0
        self._put(MAGIC + _version.pack(VERSION))
        self._frame(_HEAD, _encode(head))

    def net(self, data: bytes) -> None:
        """Write the net."""
        self._frame(_NET, data)

    def entry(self, key: bytes, value: bytes) -> None:
        """Write an entry; in the order of keys."""
        self._frame(_ENTRY, key + value)
        self.entries += 1

    def record(self, data: bytes) -> None:
        """Write a history record; the newest first."""
        self._frame(_RECORD, data)
        self.records += 1

    def end(self) -> None:
        """Write the digest: without it the file is worth nothing."""
        digest = self._digest.digest()
        self._frame(_END, digest)

    def _frame(self, kind: bytes, content: bytes) -> None:
        self._put(_frame.pack(len(content), kind))
        self._put(content)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def read_export(path: Path) -> Export:
    """Return what is in a file, once all of it is found intact. Raises `BadCopy`."""
    try:
        with path.open("rb") as file:
            return read_export_from(file, path.stat().st_size, path)
    except FileNotFoundError as error:
        raise BadCopy(str(path), "there is no such file", "check the path") from error
    except OSError as error:
        raise BadCopy(str(path), error.strerror or str(error), "check the path and its permissions") from error
    except ValueError as error:  # NUL in it
        raise BadCopy(repr(str(path)), "it is no path", "check the path") from error


def read_export_from(file: BinaryIO, size_bytes: int, path: Path) -> Export:
    """Return what an open file of that size holds; errors call it `path`. Raises `BadCopy`."""
    return _Reader(path, file, size_bytes).read()


@dataclass(slots=True)
class _Reader:
    """Reads one file."""

    path: Path
    file: BinaryIO
    left_bytes: int
    _heads: list[bytes] = field(default_factory=list[bytes])
    _nets: list[bytes] = field(default_factory=list[bytes])
    _entries: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    _records: list[bytes] = field(default_factory=list[bytes])

    def read(self) -> Export:
        """Return the whole export. Raises `BadCopy`."""
        for kind, content in self._frames(self._read_begin()):
            match kind:
                case b"h":
                    self._heads.append(content)
                case b"n":
                    self._nets.append(content)
                case b"e" if len(content) >= KEY_BYTES:
                    self._entries.append((content[:KEY_BYTES], content[KEY_BYTES:]))
                case b"z":
                    self._records.append(content)
                case _:
                    raise self._bad(f"it has a part of a kind that is not known ({kind!r})")
        if (len(self._heads), len(self._nets)) != (1, 1):
            raise self._bad(f"it has {len(self._heads)} heads and {len(self._nets)} nets")
        return Export(
            head=self._head(self._heads[0]),
            net=self._nets[0],
            entries=tuple(self._entries),
            records=tuple(reversed(self._records)),
        )

    def _read_begin(self) -> "hashlib.blake2b":
        begin = self._take(min(self.left_bytes, len(MAGIC) + _version.size))
        if begin[: len(MAGIC)] != MAGIC or len(begin) < len(MAGIC) + _version.size:
            raise self._bad("it is no export of Placet")
        (found,) = _version.unpack(begin[len(MAGIC) :])
        if found > VERSION:
            raise self._newer(f"it has version {found}, this Placet reads up to {VERSION}")
        return hashlib.blake2b(begin, digest_size=DIGEST_BYTES)

    def _head(self, content: bytes) -> ExportHead:
        try:
            head = _decode_head(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._bad(f"its head cannot be read ({error})") from error
        if head.format > FORMAT:
            raise self._newer(f"its entries have format {head.format}, this Placet reads up to {FORMAT}")
        if head.format < FORMAT:
            reason = f"its entries have the older format {head.format}, and only whole states are upgraded"
            raise BadCopy(str(self.path), reason, "import it with the Placet that wrote it")
        return head

    def _frames(self, digest: "hashlib.blake2b") -> Iterator[tuple[bytes, bytes]]:
        """Yield what comes before the end; there, check the digest."""
        while True:
            found = digest.digest()
            kind, content = self._next(digest)
            if kind != _END:
                yield kind, content
                continue
            if content != found:
                raise self._bad("its checksum is wrong: it was altered or damaged")
            if self.left_bytes:
                raise self._bad("something follows its end")
            return

    def _next(self, digest: "hashlib.blake2b") -> tuple[bytes, bytes]:
        header = self._take(_frame.size)
        size, kind = _frame.unpack(header)
        content = self._take(size)
        digest.update(header)
        digest.update(content)
        return kind, content

    def _take(self, size: int) -> bytes:
        """Return the next bytes; no more is read for a length that is announced than there is."""
        if size > self.left_bytes:
            raise self._bad("it is cut off or damaged")
        taken = self.file.read(size)
        self.left_bytes -= size
        if len(taken) != size:
            raise self._bad("it is cut off")
        return taken

    def _bad(self, reason: str) -> BadCopy:
        return BadCopy(str(self.path), reason)

    def _newer(self, reason: str) -> BadCopy:
        return BadCopy(str(self.path), reason, "upgrade Placet")


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(ExportHead).decode
