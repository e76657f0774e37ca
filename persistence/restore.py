"""Putting a backup in place of a state: looked over first, and exchanged in one step."""

import os
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from placet.persistence.backup import amended, check_backup
from placet.persistence.copy_errors import BadCopy, StateOccupied
from placet.persistence.directory import (
    DATA,
    LMDB_LOCK,
    RUNNING,
    is_initialised,
    mark_initialised,
    prepare_directory,
    sync_directory,
)
from placet.persistence.errors import StoreDamaged
from placet.persistence.format import FORMAT, read_format
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.lock import StateLock
from placet.persistence.store import Store
from placet.persistence.workshop import not_written, sync_file

_DRAFT = ".restoring-"


def restore(
    backup: Path, state: Path, amend: Callable[[Store], None] | None = None, *, replace: bool = False
) -> Path | None:
    """Make `state` what it was when `backup` was made; return where its data went before, if there was any.

    The backup is copied into the directory and looked over there, every page and value, and `amend` may change the
    copy; only then does it become `data.mdb`, in one step: whenever the process is killed, the old state is there or
    the new one. With `replace`, what was there is kept as `replaced-N.mdb`. Raises `StateOccupied` without it,
    `StoreInUse` while an engine has the state, `BadCopy`, `StateUnusable` and `CopyFailed`.
    """
    if not backup.is_file():
        problem = "it is a folder" if backup.is_dir() else "there is no such file"
        raise BadCopy(str(backup), problem, "name a file that placet backup wrote")
    if _is_occupied(state) and not replace:
        raise StateOccupied(str(state))
    prepare_directory(state)
    lock = StateLock.acquire(state)
    try:
        if _is_occupied(state) and not replace:  # somebody was quicker
            raise StateOccupied(str(state))
        with _draft(state) as folder:
            _bring(backup, folder, state)
            if amend is not None:
                amended(folder, amend)
            return _exchange(folder / DATA, state)
    finally:
        lock.release()


def _is_occupied(state: Path) -> bool:
    data = state / DATA
    return is_initialised(state) or (data.exists() and data.stat().st_size > 0)


@contextmanager
def _draft(state: Path) -> Generator[Path]:
    """Yield an empty folder in a state that we own; those of processes that were killed are removed."""
    try:
        for left in [entry for entry in state.iterdir() if entry.name.startswith(_DRAFT)]:
            shutil.rmtree(left, ignore_errors=True)
        folder = state / f"{_DRAFT}{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise not_written(state / DATA, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring(backup: Path, folder: Path, state: Path) -> None:
    """Copy the backup into the folder, and find it intact and of a format that can be read."""
    try:
        shutil.copyfile(backup, folder / DATA)
        (folder / DATA).chmod(0o600)
        sync_file(folder / DATA)
    except OSError as error:
        raise not_written(state / DATA, error) from error
    if not (folder / DATA).stat().st_size:
        raise BadCopy(str(backup), "it is empty")
    check_backup(folder, backup)
    reader = LmdbReader.open(folder)
    try:
        found = read_format(reader)
    except StoreDamaged as error:
        raise BadCopy(str(backup), "it is not a state of Placet") from error
    finally:
        reader.close()
    if found is None:
        raise BadCopy(str(backup), "it is not a state of Placet")
    if found > FORMAT:
        raise BadCopy(str(backup), f"it has format {found}, this Placet reads up to {FORMAT}", "upgrade Placet")


def _exchange(data: Path, state: Path) -> Path | None:
    """Let `data` take the place of the state's own, which stays under another name."""
    current = state / DATA
    try:
        aside = _set_aside(current, state) if current.stat().st_size else None
        data.replace(current)
        sync_directory(state)
        mark_initialised(state)
        for name in (LMDB_LOCK, RUNNING):  # of the old one: its readers, and user code it was ended by
            (state / name).unlink(missing_ok=True)
        sync_directory(state)
    except OSError as error:
        raise not_written(current, error) from error
    return aside


def _set_aside(current: Path, state: Path) -> Path:
    """Give the state's data a second name, durably, and return that."""
    taken = {entry.name for entry in state.iterdir()}
    number = next(number for number in range(1, len(taken) + 2) if f"replaced-{number}.mdb" not in taken)
    aside = state / f"replaced-{number}.mdb"
    os.link(current, aside)
    sync_directory(state)
    return aside
