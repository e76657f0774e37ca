"""What the kernel offers its actors while they handle a message."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from placet.actors.credit import Credit
from placet.actors.eras import Eras
from placet.actors.marker import Marker
from placet.actors.records import Header
from placet.actors.slots import Slots
from placet.actors.suspects import Suspects
from placet.petri.plan import Plan


class Room(NamedTuple):
    """What a place keeps of its tokens in memory, beside their ids."""

    values: int = 1_000  # of so many tokens, whatever their size
    small_bytes: int = 64  # and all values up to this size: what a token itself takes is more


class Services(Protocol):
    """The kernel, as its actors see it."""

    room: Room
    history: int  # sequence number of the last history record of turns that counted
    slots: Slots
    credit: Credit  # of the shards of other engines
    eras: Eras  # of the shards of this one
    marker: Marker  # names the user code that is about to run in the kernel
    suspects: Suspects  # user code during which the process ended: twice, and it must not run again
    visiting: bool  # this process has no handlers, and an engine that has them comes later

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries below `prefix`, from `start` on if given.

        Committed ones are overlaid by those of this batch, but not of this turn.
        """
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return one entry, read in the same way as `scan` does."""
        ...


class WakingServices(Services, Protocol):
    """What an actor needs, beyond `Services`, to be brought back from its entries."""

    def plan(self, header: Header) -> Plan:
        """Return the plan of the net an instance runs on."""
        ...
