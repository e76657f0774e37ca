"""The mark of `marker.py`, in a memory-mapped file: it outlives `kill -9`, at the price of two memory writes."""

import mmap
import os
from pathlib import Path
from typing import NamedTuple

from placet.actors.marker import MARK_BYTES, marked_path
from placet.persistence.directory import RUNNING
from placet.persistence.errors import StateUnusable

SIZE_BYTES = 2 + MARK_BYTES
ACCOMPANIED = 1 << 15


class Mark(NamedTuple):
    """User code in the kernel."""

    instance: str
    path: str  # of its transition, as `marked_path` has it
    accompanied: bool  # handlers ran, or may have run, beside it


class MarkerFile:
    """One page in the state directory that names the user code now running in the kernel. Raises `StateUnusable`.

    Layout: length of the text (2 bytes, big-endian; 0 is none; the first bit says that handlers ran beside it) |
    instance id, NUL, transition path, utf-8. A path for which there is no room is shortened by `marked_path`.
    """

    def __init__(self, directory: Path) -> None:
        try:
            descriptor = os.open(directory / RUNNING, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            # Written, not only lengthened: a page that has no block yet ends the process with SIGBUS on a full disk.
            os.pwrite(descriptor, os.pread(descriptor, SIZE_BYTES, 0).ljust(SIZE_BYTES, b"\0"), 0)
            self._page = mmap.mmap(descriptor, SIZE_BYTES)
        except OSError as error:
            raise _unusable(directory, error) from error
        finally:
            os.close(descriptor)
        self._mark, self._path = b"", ""  # what the page names, or would
        self._lone = self._beside = b""  # the length of that, as it is written

    def found(self) -> Mark | None:
        """Return what ran when the last process died, or None."""
        return _read(self._page[:])

    def enter(self, mark: bytes, path: str, accompanied: bool) -> None:
        """Name what is about to run: an instance's id and NUL, then a transition."""
        if mark != self._mark or path != self._path:  # else it is still there
            self._write(mark, path)
        self._page[:2] = self._beside if accompanied else self._lone

    def _write(self, mark: bytes, path: str) -> None:
        """Write what is named, before the length that makes it count."""
        text = mark + path.encode()
        if len(text) > MARK_BYTES:
            text = mark + marked_path(mark[:-1].decode(), path).encode()
        self.leave()  # no name is half there
        self._page[2 : 2 + len(text)] = text
        self._lone, self._beside = len(text).to_bytes(2, "big"), (len(text) | ACCOMPANIED).to_bytes(2, "big")
        self._mark, self._path = mark, path

    def leave(self) -> None:
        """It came back."""
        self._page[:2] = b"\0\0"

    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        self._page.close()


def _unusable(directory: Path, error: OSError) -> StateUnusable:
    return StateUnusable(str(directory), f"{RUNNING}: {error.strerror}; free space, or change its permissions")


def marked(directory: Path) -> Mark | None:
    """Return the user code that runs in the kernel now, or ran when its process died, or None.

    Only reads the file: for a look from another process.
    """
    try:
        return _read((directory / RUNNING).read_bytes())
    except OSError:
        return None


def _read(page: bytes) -> Mark | None:
    head = int.from_bytes(page[:2], "big")
    length = head & ~ACCOMPANIED
    if not 0 < length <= MARK_BYTES:
        return None
    instance, _, path = page[2 : 2 + length].decode(errors="replace").partition("\0")
    return Mark(instance, path, accompanied=head != length)
