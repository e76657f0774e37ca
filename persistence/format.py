"""The version of what is on disk, and the way from an older one to today's, step by step."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from placet.persistence.errors import FormatTooNew, FormatTooOld, StateUnusable, StoreDamaged
from placet.persistence.keys import ENGINE
from placet.persistence.store import Store, View, Write

FORMAT = 1
FORMAT_KEY = ENGINE + b"format"  # value: the version in decimal digits

Upgrade: TypeAlias = Callable[[View], Iterable[Write]]
"""One step: reads a state of version n and returns the writes that make it version n + 1. Pure."""

UPGRADES: Mapping[int, Upgrade] = {}
"""Steps by the version they start from."""


def read_format(view: View) -> int | None:
    """Return the format version of a state, or None if it has none. Raises `StoreDamaged`."""
    stored = view.get(FORMAT_KEY)
    if stored is None:
        return None
    if not stored.isdigit():
        raise StoreDamaged(f"the format record is {stored!r}, not a number")
    return int(stored)


def ensure_format(
    store: Store, path: str, *, current: int = FORMAT, upgrades: Mapping[int, Upgrade] = UPGRADES
) -> None:
    """Bring a state to the current format: initialise an empty one, upgrade an older one.

    Each step is one commit together with its new version, so a crash between steps leaves a state that the next
    start upgrades further. Raises `FormatTooNew`, `FormatTooOld`, and `StateUnusable` for entries of another
    program; nothing was written then.
    """
    found = read_format(store)
    if found is None:
        _refuse_foreign(store, path)
        store.commit([_record(current)])
        return
    if found > current:
        raise FormatTooNew(path, found, current)
    for version in range(found, current):
        if version not in upgrades:
            raise FormatTooOld(path, found, current)
    for version in range(found, current):
        store.commit([*upgrades[version](store), _record(version + 1)])


def _record(version: int) -> Write:
    return FORMAT_KEY, str(version).encode()


def _refuse_foreign(store: Store, path: str) -> None:
    try:
        is_empty = next(iter(store.scan(b"")), None) is None
    except StoreDamaged:
        is_empty = False  # without our checksums, so surely not ours
    if not is_empty:
        raise StateUnusable(path, "its data.mdb is not Placet's; choose another path")
