"""A state directory, opened for an engine: locked, looked over, of the current format."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from placet.persistence.directory import is_initialised, mark_initialised, prepare_directory
from placet.persistence.format import ensure_format
from placet.persistence.lmdb_store import LIMIT_BYTES, MAP_BYTES, LmdbStore
from placet.persistence.lock import StateLock
from placet.persistence.probe import probe


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Holds an open store and the lock on its directory; the only way an engine should come by a store."""

    path: Path
    store: LmdbStore
    lock: StateLock
    created: bool  # it was empty before

    def close(self) -> None:
        """Close the store, then let the next owner in; closing twice is harmless."""
        self.store.close()
        self.lock.release()


def open_state(
    path: str | os.PathLike[str],
    *,
    limit_bytes: int = LIMIT_BYTES,
    map_bytes: int = MAP_BYTES,
    full: bool = False,
) -> State:
    """Open the state at `path` as its only owner, making it where there is none.

    Takes the lock, probes for damage (`full=True`: reads every page, see `probe`), opens the store and brings it
    to the current format. Raises `StateUnusable`, `StoreInUse`, `StoreDamaged`, `FormatTooNew`, `FormatTooOld`,
    `StoreFull` and `StoreFailed`; the directory is unlocked again then.
    """
    directory = Path(path)
    prepare_directory(directory)
    with ExitStack() as undo:
        lock = StateLock.acquire(directory)
        undo.callback(lock.release)
        created = not is_initialised(directory)
        probe(directory, full=full, unclean=lock.was_left)
        store = LmdbStore.open(directory, limit_bytes=limit_bytes, map_bytes=map_bytes)
        undo.callback(store.close)
        ensure_format(store, str(directory))
        if created:
            mark_initialised(directory)
        undo.pop_all()
    return State(path=directory, store=store, lock=lock, created=created)
