"""A mark left while user code runs inside the kernel, so that what killed or hung the process has a name."""

import hashlib
from typing import Protocol

MARK_BYTES = 4_094  # room for a mark: a page, less two bytes for its length


class Marker(Protocol):
    """Where the mark is left; it outlives the process, not a power cut."""

    def enter(self, mark: bytes, path: str, accompanied: bool) -> None:
        """Name what is about to run; `accompanied`: handlers may run beside it, and end the process too."""
        ...

    def leave(self) -> None:
        """It came back."""
        ...


def marked_path(instance: str, path: str) -> str:
    """Return what a mark has for a path: the path itself, or its beginning and a digest where there is no room."""
    encoded = path.encode()
    if len(instance.encode()) + 1 + len(encoded) <= MARK_BYTES:
        return path
    return f"{path[:10]}…{hashlib.blake2b(encoded, digest_size=16).hexdigest()}"


class NoMarker:
    """Leaves no mark: for simulations, and for commands that run no user code."""

    def enter(self, mark: bytes, path: str, accompanied: bool) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""
