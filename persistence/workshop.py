"""Making a file so that it is there whole under its name, or not at all, whenever the process is killed.

It is made in a folder of its own beside the place where it is to be, synced, and then given its name with a hard link,
which never replaces a file that is there. What a killed process leaves is such a folder, `.NAME.partial-PID-…`; the
next one to make the same file removes it.
"""

import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from placet.persistence.copy_errors import CopyExists, CopyFailed
from placet.persistence.directory import sync_directory
from placet.persistence.lock import is_alive

_NO_LINKS = "its file system has no hard links"


@contextmanager
def workshop(target: Path) -> Generator[Path]:
    """Yield an empty folder (mode 0700) in which to make `target`; it is gone at the end, whatever happens.

    Raises `CopyExists` where `target` is there already, and `CopyFailed` where it cannot be made.
    """
    if os.path.lexists(target):
        raise CopyExists(str(target))
    prefix = f".{target.name}.partial-"
    try:
        _sweep(target.parent, prefix)
        folder = target.parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise not_written(target, error) from error
    try:
        yield folder
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(made: Path, target: Path) -> None:
    """Give a finished file its name, durably; only its user may read it. Raises `CopyExists` and `CopyFailed`."""
    try:
        made.chmod(0o600)
        sync_file(made)
        os.link(made, target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise CopyExists(str(target)) from error
    except PermissionError as error:
        raise CopyFailed(str(target), _NO_LINKS, "choose a place on another one") from error
    except OSError as error:
        raise not_written(target, error) from error


def sync_file(path: Path) -> None:
    """Make what was written to a file survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def not_written(target: Path, error: OSError) -> CopyFailed:
    """Return the error for a file that the system would not let be written."""
    if isinstance(error, FileNotFoundError) and not target.parent.exists():
        return CopyFailed(str(target), f"there is no folder {target.parent}", "create it first")
    return CopyFailed(str(target), error.strerror or str(error), "make room, or choose another place")


def _sweep(parent: Path, prefix: str) -> None:
    """Remove what processes that were killed have left of the same file."""
    for left in [entry for entry in parent.iterdir() if entry.name.startswith(prefix)]:
        pid = left.name.removeprefix(prefix).partition("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
