"""What a command shows of a cluster some of whose engines are away: all else first, and then what is missing."""

from collections.abc import Iterable
from typing import TypeVar

from placet.cli.errors import COMPLETED
from placet.net.errors import ShardsMissing

T = TypeVar("T")


def all_there_are(found: Iterable[T]) -> tuple[list[T], ShardsMissing | None]:
    """Return what comes, and what is said to be missing in the end."""
    known: list[T] = []
    try:
        known.extend(found)  # what comes before an error stays
    except ShardsMissing as error:
        return known, error
    return known, None


def ended(missing: ShardsMissing | None) -> int:
    """Return the exit code of a command that has shown what there is, or raise what is missing."""
    if missing is not None:
        raise missing
    return COMPLETED
