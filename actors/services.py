"""What the kernel offers its actors while they handle a message."""

from collections.abc import Iterator
from typing import Protocol

from placet.actors.records import Header
from placet.actors.slots import Slots
from placet.petri.plan import Plan


class Services(Protocol):
    """The kernel, as its actors see it."""

    history: int  # sequence number of the last history record of turns that counted
    slots: Slots

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries below `prefix`: committed ones overlaid by those of this batch, but not of this turn."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return one entry, read in the same way as `scan` does."""
        ...

    def enter_user_code(self, mark: bytes, path: str) -> bool:
        """Leave a mark that survives a crash, naming what is about to run: an instance's mark and a transition.

        False, and no mark, when it was found there twice after a crash: it must not run again.
        """
        ...

    def leave_user_code(self) -> None:
        """Remove the mark."""
        ...


class Waking(Services, Protocol):
    """What an actor needs, beyond `Services`, to be brought back from its entries."""

    def plan(self, header: Header) -> Plan:
        """Return the plan of the net an instance runs on."""
        ...
