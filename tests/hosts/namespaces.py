"""Network namespaces: made, entered, emptied and removed; those that killed test runs have left behind, too."""

import ctypes
import errno
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.endtoend.processes import until

FOLDER = Path("/var/run/netns")  # where `ip netns` has them
PREFIX = "placet"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)  # `os.setns` came with Python 3.12


class IpFailed(Exception):
    """The command `ip` failed; the text is what it wrote."""


def ip(*arguments: str, lines: list[str] | None = None) -> None:
    """Run `ip`, or with `lines` all of them as one batch. Raises `IpFailed`."""
    command = ["ip", *arguments, *(["-batch", "-"] if lines is not None else [])]
    text = "".join(f"{line}\n" for line in lines or ())
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise IpFailed(f"{' '.join(command)}: {done.stderr.strip()}\n{text}")


@contextmanager
def entered(path: str | os.PathLike[str]) -> Generator[None]:
    """Run the block with this thread in the network namespace at `path`.

    Sockets that are made in the block, and processes and threads that are started, stay there for good.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def started_at(pid: int) -> int | None:
    """Return when a process was started, in ticks since the machine's start, or None if there is none."""
    fields = _stat(f"/proc/{pid}/stat")
    return int(fields[19]) if fields else None


def own_prefix() -> str:
    """Return what the names of all namespaces of this process begin with; no other process will ever have it."""
    return f"{PREFIX}-{os.getpid()}-{started_at(os.getpid())}"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace, by name."""

    name: str

    @property
    def path(self) -> Path:
        """The file it is entered by."""
        return FOLDER / self.name

    @classmethod
    def make(cls, name: str) -> "Namespace":
        """Make a new one, with nothing in it but a loopback that is down."""
        ip("netns", "add", name)
        return cls(name)

    def remove(self) -> None:
        """Kill what runs in it and remove it; harmless if it is gone."""
        if self.path.exists():
            self.kill()
            try:
                ip("netns", "delete", self.name)
            except IpFailed:
                if self.path.exists():  # else another run has swept it meanwhile
                    raise

    def pids(self) -> list[int]:
        """Return the processes in it, this one never among them."""
        try:
            mark = self.path.stat()
        except FileNotFoundError:
            return []
        own = os.getpid()
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
        return [pid for pid in found if any(_is_same(f"{path}/ns/net", mark) for path in _threads(pid))]

    def kill(self) -> int:
        """Kill every process in it with SIGKILL; return how many there were, once none is left.

        A process counts until its last thread has ended: only then its ports are free and its locks open.
        """
        killed: set[int] = set()

        def is_empty() -> bool:
            pids = self.pids()
            for pid in pids:
                _send(pid, signal.SIGKILL)
            killed.update(pids)
            return not pids

        until(is_empty, f"no process is left in {self.name}")
        return len(killed)

    def stop(self) -> None:
        """Stop every process in it with SIGSTOP; return once all stand still, those they started meanwhile too."""

        def is_still() -> bool:
            moving = [pid for pid in self.pids() if not _stands_still(pid)]
            for pid in moving:
                _send(pid, signal.SIGSTOP)
            return not moving

        until(is_still, f"all processes in {self.name} are stopped")

    def go_on(self) -> None:
        """Let every process in it go on."""
        for pid in self.pids():
            _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _threads(pid: int) -> list[str]:
    folder = f"/proc/{pid}/task"
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has just ended


def _is_same(path: str, mark: os.stat_result) -> bool:
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH, errno.EACCES):  # it has ended, or is no process of ours
            return False
        raise
    return (found.st_dev, found.st_ino) == (mark.st_dev, mark.st_ino)


def _stands_still(pid: int) -> bool:
    """Return whether every thread of a process is stopped, or has ended."""
    return all(fields[0] in "TtZXx" for path in _threads(pid) if (fields := _stat(f"{path}/stat")))


def _stat(path: str) -> list[str]:
    """Return the fields of a process or thread from its state on, or none if it is gone."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def sweep() -> list[str]:
    """Remove the namespaces of test runs that have ended without removing them; return their names."""
    removed: list[str] = []
    for path in FOLDER.glob(f"{PREFIX}-*-*-*") if FOLDER.is_dir() else ():
        pid, ticks = path.name.split("-")[1:3]
        if pid.isdigit() and ticks.isdigit() and started_at(int(pid)) != int(ticks):
            Namespace(path.name).remove()
            removed.append(path.name)
    return removed
