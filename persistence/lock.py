"""The lock on a state directory: one owner at a time, gone with its process however that ends.

Two files are locked: `data.mdb` itself, and `lock`, which names the owner, so that the one who deletes the second lets
nobody in. LMDB locks no part of `data.mdb` (its own locks are on `lock.mdb`), and readers lock neither. Another kind of
directory says which of its files are locked, the one that names the owner last.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from weakref import WeakSet

from placet.persistence.directory import DATA, LOCK
from placet.persistence.errors import StateUnusable, StoreInUse
from placet.persistence.shortage import shortage

STATE_NAMES = (DATA, LOCK)  # the last one names the owner's pid
_ATTEMPTS = 1000  # yields of the processor, about a millisecond, while an owner has yet to write its pid


class StateLock:
    """Holds the flocks on files of a directory from `acquire` to `release` or the end of the process.

    A second `acquire` is refused within the same process too. Children made by fork do not inherit it: a handler
    that outlives its engine must not keep the next engine out.
    """

    def __init__(self, descriptors: tuple[int, ...], *, was_left: bool) -> None:
        self._descriptors = descriptors  # the last is that of the file that names the owner's pid
        self.was_left = was_left  # the owner before did not release it: it was killed, or its machine stopped
        _held.add(self)

    @classmethod
    def acquire(cls, directory: Path, names: Sequence[str] = STATE_NAMES) -> "StateLock":
        """Take the lock; an empty file is made of each name where there is none.

        Raises `StoreInUse` with the owner's pid (0 where the file that names it was deleted), and `StateUnusable`.
        """
        with ExitStack() as undo:
            descriptors: list[int] = []
            for name in names:
                descriptors.append(_open(directory, name))
                undo.callback(os.close, descriptors[-1])
                _lock(descriptors[-1], directory, names)
            was_left = os.fstat(descriptors[-1]).st_size > 0
            _write_pid(descriptors[-1], directory)
            undo.pop_all()
        return cls(tuple(descriptors), was_left=was_left)

    def release(self) -> None:
        """Let the next owner in; releasing twice is harmless."""
        if self._descriptors:
            os.ftruncate(self._descriptors[-1], 0)
            self.forget()

    def forget(self) -> None:
        """Close this process's handles only: what a forked child does with its parent's lock."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = ()


def owner(directory: Path, names: Sequence[str] = STATE_NAMES) -> int | None:
    """Return the pid of the process that owns the directory, 0 where it is not known, or None if nobody does.

    The lock itself is asked: the pid that a killed owner has left may be another process's by now.
    """
    try:
        pid = _written_pid((directory / names[-1]).read_bytes())
    except OSError:
        pid = 0
    if not any(_is_locked(directory / name) for name in reversed(names)):
        return None
    return pid if pid and is_alive(pid) else 0


def was_left(directory: Path) -> bool:
    """Return whether the last owner of a state that nobody owns did not release it."""
    try:
        return (directory / LOCK).stat().st_size > 0
    except OSError:
        return False


def _is_locked(path: Path) -> bool:
    """Return whether somebody holds the flock on a file.

    It is taken for a moment, shared with others who ask: an engine that comes just then tries again.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks, where no engine starts
        return False
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # by name: a child forked meanwhile has the same description open
        return False
    finally:
        os.close(descriptor)


def _open(directory: Path, name: str) -> int:
    try:
        return os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        lacking = shortage(error)
        reason = f"{lacking.what}; {lacking.remedy}" if lacking else f"{error.strerror}; change its permissions"
        raise StateUnusable(str(directory), reason) from error


def _lock(descriptor: int, directory: Path, names: Sequence[str]) -> None:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pid = owner(directory, names)
            if pid:
                raise StoreInUse(str(directory), pid) from None
            os.sched_yield()  # it is starting or ending this very moment
        except OSError as error:
            raise StateUnusable(str(directory), f"its file system has no locks ({error.strerror})") from error
    raise StoreInUse(str(directory), 0)


def _write_pid(descriptor: int, directory: Path) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise StateUnusable(str(directory), f"{error.strerror}; free space or choose another path") from error


def _written_pid(content: bytes) -> int:
    text = content.strip()
    return int(text) if text.isdigit() else 0


def is_alive(pid: int) -> bool:
    """Return whether there is a process of this id, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_held: "WeakSet[StateLock]" = WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
