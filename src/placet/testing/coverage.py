"""Which messages met which crash points, over many simulations."""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeAlias, get_args

from placet.actors.messages import (
    Acknowledged,
    Call,
    CallAgain,
    CalledAgain,
    KernelMessage,
    Parcel,
    Sent,
    decode_delivery,
)


class CrashPoint(StrEnum):
    """Between which two steps an engine ended."""

    QUEUED = "before it was handled"
    HANDLED = "handled, before the commit"
    COMMITTING = "within the commit"
    COMMITTED = "committed, before its effects were released"
    RELEASING = "while effects were being released"


OF_RESTORES = (CallAgain, CalledAgain)  # no disk is lost here
MESSAGES: tuple[str, ...] = tuple(
    kind.__name__ for kind in (*get_args(KernelMessage), Call, Parcel, Acknowledged) if kind not in OF_RESTORES
)
Handled: TypeAlias = KernelMessage | Parcel | Acknowledged


def kinds(message: Handled) -> Iterator[str]:
    """Yield the type of a message, and that of what it carries from another instance."""
    yield type(message).__name__
    if isinstance(message, Sent):
        yield type(decode_delivery(message.message)).__name__


class Coverage:
    """Counts pairs of a message's type and the crash point it met."""

    def __init__(self, counts: Iterable[tuple[tuple[str, str], int]] = ()) -> None:
        self.counts = Counter[tuple[str, str]](dict(counts))

    def note(self, messages: Iterable[str], point: CrashPoint) -> None:
        """Count a crash at `point`, for each of the messages that it concerned."""
        self.counts.update((message, point.value) for message in messages)

    def add(self, other: "Coverage") -> None:
        """Add the counts of another run."""
        self.counts.update(other.counts)

    def missing(self) -> list[str]:
        """Return what has not happened yet, one line a pair."""
        return [
            f"{message}: {point.value}"
            for message in MESSAGES
            for point in CrashPoint
            if not self.counts[message, point.value]
        ]
