"""Where the last backup of a state went: noted beside the store, since it is wanted when the store is damaged."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from placet.persistence.directory import BACKUP, LAST_BACKUP, sync_directory


def note_backup(state: Path, backup: Path) -> None:
    """Note, durably, that `backup` is the last one of a state; a state that cannot be written to has no note."""
    draft = state / f".{LAST_BACKUP}-{secrets.token_hex(4)}"
    with suppress(OSError):
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(os.fsencode(backup.absolute()) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(state / LAST_BACKUP)
            sync_directory(state)
        finally:
            draft.unlink(missing_ok=True)


def last_backup(state: Path) -> str:
    """Return the newest backup there is: the one that was noted, or a file in `backup/`; "" is none."""
    newest = max(_candidates(state), default=None)
    return "" if newest is None else newest[1]


def remedy(state: Path) -> str:
    """Return what to do about a damaged state, in the words of an error."""
    backup = last_backup(state)
    if not backup:
        return f"there is no backup in {BACKUP}/, and none is noted"
    return f"the newest backup is {backup}"


def _candidates(state: Path) -> list[tuple[int, str]]:
    """Return (time of last change, name) of every backup that is there."""
    found: list[tuple[int, str]] = []
    with suppress(OSError):
        for entry in (state / BACKUP).iterdir():
            if not entry.name.startswith("."):
                found.append((entry.stat().st_mtime_ns, f"{BACKUP}/{entry.name}"))
    with suppress(OSError):
        noted = Path(os.fsdecode((state / LAST_BACKUP).read_bytes().rstrip(b"\n")))
        if noted.parent != (state / BACKUP).absolute():
            found.append((noted.stat().st_mtime_ns, str(noted)))
    return found
