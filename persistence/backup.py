"""Copying a whole state while an engine runs, so that the copy is whole and intact, or not there at all.

LMDB copies one committed state in one read transaction, without holding up whoever writes, and leaves free pages out.
The copy is looked over, every page and value of it, before it gets its name.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import Protocol, TypeAlias

from placet.persistence.copy_errors import BadCopy, CopyFailed
from placet.persistence.directory import BACKUP, DATA
from placet.persistence.errors import StoreDamaged, StoreFailed
from placet.persistence.last_backup import note_backup
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.probe import probe
from placet.persistence.store import Store
from placet.persistence.workshop import publish, workshop

Progress: TypeAlias = Callable[[int, int], None]  # (bytes copied, bytes to copy, roughly)

LOOK_S = 0.2


class Copyable(Protocol):
    """A store that can be copied while it is written to."""

    def copy_whole(self, descriptor: int) -> None:
        """Write one committed state to an empty file."""
        ...

    def used_bytes(self) -> int:
        """Return about how many bytes that will be."""
        ...


def back_up(
    source: Copyable, state: Path, target: Path, amend: Callable[[Store], None], progress: Progress | None = None
) -> int:
    """Copy a state to the file `target`, which only its user may read, and return the size in bytes.

    `amend` may change the copy before it is looked over. Where it went is noted beside the state, for the day on which
    that is damaged. Raises `CopyExists`, `CopyFailed`, and `StoreDamaged` where the state itself is found damaged.
    """
    if target.parent == state / BACKUP and state.is_dir():
        target.parent.mkdir(mode=0o700, exist_ok=True)
    with workshop(target) as folder:
        _copy(source, folder / DATA, target, progress)
        amended(folder, amend)
        try:
            probe(folder, full=True)
        except StoreDamaged as error:
            what = f"{state} cannot be copied, something in it is damaged: {error.what}"
            remedy = f"check {state} (Runtime(…, check=True)), and keep the backups there are"
            raise StoreDamaged(what, remedy) from error
        size_bytes = (folder / DATA).stat().st_size
        publish(folder / DATA, target)
    note_backup(state, target)
    return size_bytes


def _copy(source: Copyable, data: Path, target: Path, progress: Progress | None) -> None:
    """Copy on a thread of its own, so that this one can tell how far it is."""
    descriptor = os.open(data, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="placet-backup") as pool:
            copied = pool.submit(source.copy_whole, descriptor)
            while progress is not None and not _is_over(copied):
                progress(os.fstat(descriptor).st_size, source.used_bytes())
            copied.result()
    except StoreFailed as error:
        raise CopyFailed(str(target), error.what, "make room, or choose another place") from error
    finally:
        os.close(descriptor)


def _is_over(future: "Future[None]") -> bool:
    return bool(wait_for((future,), timeout=LOOK_S).done)


def amended(folder: Path, amend: Callable[[Store], None]) -> None:
    """Change the copy in `folder` before it gets its name. Raises as `LmdbStore.open` and `amend` do."""
    store = LmdbStore.open(folder)
    try:
        amend(store)
    finally:
        store.close()


def check_backup(folder: Path, name: Path) -> None:
    """Look over the copy in `folder`, every page and value. Raises `BadCopy`, which calls it `name`."""
    try:
        probe(folder, full=True)
    except StoreDamaged as error:
        raise BadCopy(str(name), error.what) from error
