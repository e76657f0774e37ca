"""The lock on a state directory: one owner at a time, gone with its process however that ends."""

import fcntl
import os
from pathlib import Path
from weakref import WeakSet

from placet.persistence.directory import LOCK
from placet.persistence.errors import StateUnusable, StoreInUse

_ATTEMPTS = 1000  # yields of the processor, about a millisecond, while an owner has yet to write its pid


class StateLock:
    """Holds the flock on `DIR/lock` from `acquire` to `release` or the end of the process; the file names the pid.

    A second `acquire` is refused within the same process too. Children made by fork do not inherit it: a handler
    that outlives its engine must not keep the next engine out.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, directory: Path) -> "StateLock":
        """Take the lock. Raises `StoreInUse` with the owner's pid, and `StateUnusable`."""
        try:
            descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnusable(str(directory), f"{error.strerror}; change its permissions") from error
        try:
            _lock(descriptor, directory)
            _write_pid(descriptor, directory)
        except BaseException:  # whatever it is, it goes on; only the handle must not stay open
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let the next owner in; releasing twice is harmless."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            self.forget()

    def forget(self) -> None:
        """Close this process's handle only: what a forked child does with its parent's lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def owner(directory: Path) -> int | None:
    """Return the pid of the process that owns the state, or None if nobody does.

    Looks at the pid in the file, and does not touch the lock: asking must never keep an engine out.
    """
    try:
        pid = _written_pid((directory / LOCK).read_bytes())
    except OSError:
        return None
    return pid if pid and _is_alive(pid) else None


def _lock(descriptor: int, directory: Path) -> None:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pid = _written_pid(os.pread(descriptor, 32, 0))
            if pid and _is_alive(pid):
                raise StoreInUse(str(directory), pid) from None
            os.sched_yield()  # it is starting or ending this very moment
        except OSError as error:
            raise StateUnusable(str(directory), f"its file system has no locks ({error.strerror})") from error
    raise StoreInUse(str(directory), _written_pid(os.pread(descriptor, 32, 0)))


def _write_pid(descriptor: int, directory: Path) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise StateUnusable(str(directory), f"{error.strerror}; free space or choose another path") from error


def _written_pid(content: bytes) -> int:
    text = content.strip()
    return int(text) if text.isdigit() else 0


def _is_alive(pid: int) -> bool:
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
