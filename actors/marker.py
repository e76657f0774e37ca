"""A mark left while user code runs inside the kernel, so that what killed or hung the process has a name."""

from typing import Protocol


class Marker(Protocol):
    """Where the mark is left; it outlives the process, not a power cut."""

    def enter(self, mark: bytes, path: str) -> None:
        """Name what is about to run."""
        ...

    def leave(self) -> None:
        """It came back."""
        ...


class NoMarker:
    """Leaves no mark: for simulations, and for commands that run no user code."""

    def enter(self, mark: bytes, path: str) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""
