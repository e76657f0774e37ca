"""The state directory: what lies in it, and whether a path can be one.

data.mdb, lock.mdb   the LMDB environment
lock                 holds the pid of the engine that owns the state, which holds flocks on it and on data.mdb
about.txt            says what this is; its presence means that data.mdb has been initialised
control.sock         commands beside a running engine
backup/              copies of data.mdb, made by people or commands
last-backup          path of the last copy that was made by a command
loading              workflow files that were being loaded when a process ended
running              user code that runs in the kernel, or did when the process ended
bundles/             workflows that clients have sent, with their code
replaced-N.mdb       what was data.mdb before a copy was restored
"""

import os
from pathlib import Path

from placet.persistence.errors import StateUnusable

DATA, LMDB_LOCK, LOCK, ABOUT, BACKUP, LAST_BACKUP, CONTROL, RUNNING, LOADING, BUNDLES = (
    "data.mdb",
    "lock.mdb",
    "lock",
    "about.txt",
    "backup",
    "last-backup",
    "control.sock",
    "running",
    "loading",
    "bundles",
)
NODE = "node.json"  # in the state of a node, which has a directory for each of its engines
OWN_NAMES = frozenset((DATA, LMDB_LOCK, LOCK, ABOUT, BACKUP, LAST_BACKUP, CONTROL, RUNNING, LOADING, BUNDLES))

_ABOUT_TEXT = "The state of Placet workflows. Do not edit or move single files; copy only while no engine runs.\n"


def prepare_directory(path: Path) -> None:
    """Make sure that `path` is a directory a state can live in, making it (mode 0700) if it is not there.

    Raises `StateUnusable`.
    """
    try:
        path.mkdir(mode=0o700)
        sync_directory(path.parent)
    except FileExistsError:
        _refuse_strange(path)
    except FileNotFoundError as error:
        raise StateUnusable(str(path), f"{path.parent} does not exist; create it first") from error
    except NotADirectoryError as error:
        raise StateUnusable(str(path), f"{path.parent} is not a directory; choose another path") from error
    except OSError as error:
        raise StateUnusable(str(path), f"it cannot be created ({error.strerror}); choose another path") from error


def _refuse_strange(path: Path) -> None:
    if not path.is_dir():
        raise StateUnusable(str(path), "it is a file, not a directory; choose another path")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StateUnusable(str(path), "this user may not write there; change its permissions or choose another path")
    if (path / DATA).exists() or (path / ABOUT).exists():
        return
    refuse_node(path)
    strange = sorted(entry.name for entry in path.iterdir() if _is_strange(entry.name))
    if strange:
        raise StateUnusable(str(path), f"it holds other files ({', '.join(strange[:3])}); choose an empty directory")


def refuse_node(path: Path) -> None:
    """Raise `StateUnusable` where a directory is that of a node, whose engines have states of their own."""
    if (path / NODE).exists():
        remedy = f"name one of its engines', such as {path / 'engine-0'}, or ask the node with --connect"
        raise StateUnusable(str(path), f"it is the directory of a node; {remedy}")


def _is_strange(name: str) -> bool:
    return name not in OWN_NAMES and not name.startswith(".") and name != "lost+found"


def mark_initialised(path: Path) -> None:
    """Leave the durable note that tells a lost `data.mdb` from one that never was."""
    about = path / ABOUT
    descriptor = os.open(about, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, _ABOUT_TEXT.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path)


def is_initialised(path: Path) -> bool:
    """Return whether a state was once initialised in this directory."""
    return (path / ABOUT).exists()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file, mode 0600, that is there whole after a power cut, or as it was before. Raises `OSError`."""
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
