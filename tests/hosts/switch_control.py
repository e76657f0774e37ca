"""The switch as a test sees it: a process of its own, told over a socket what to attach and what to spoil."""

import socket
import subprocess
import sys
from threading import Lock
from typing import TypeAlias

import msgspec

from tests.endtoend.processes import PATIENCE_S
from tests.hosts.link import Faults
from tests.project.sources import ROOT

MOST_BYTES = 1 << 16  # of a message


class Attach(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Make a device in a network namespace, and carry what is sent to its address to it."""

    namespace: str  # path
    device: str
    address: str


class Shape(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From now on, treat packets from one address to another like this."""

    source: str
    destination: str
    faults: Faults


class AskCounts(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Say what was carried from one address to another."""

    source: str
    destination: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to each of them."""

    error: str = ""
    carried: int = 0  # packets
    lost: int = 0


Command: TypeAlias = Attach | Shape | AskCounts


class SwitchFailed(Exception):
    """The switch could not do what it was told, or has ended."""


class Switch:
    """A running switch. It ends with `close`, and by itself when this process has ended in whatever way."""

    def __init__(self, seed: int) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE_S)
        self._lock = Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hosts.switch", str(theirs.fileno()), str(seed)],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the tests, which close it
            )

    @property
    def pid(self) -> int:
        """The switch's process."""
        return self._process.pid

    def tell(self, command: Command) -> Answer:
        """Have it do something, and return once that is done. Raises `SwitchFailed`."""
        with self._lock:
            try:
                self._socket.send(msgspec.json.encode(command))
                data = self._socket.recv(MOST_BYTES)
            except OSError as error:
                raise SwitchFailed(f"no answer to {command}: {error}") from error
        if not data:
            raise SwitchFailed(f"it has ended, with code {self._process.wait(PATIENCE_S)}")
        answer = msgspec.json.decode(data, type=Answer)
        if answer.error:
            raise SwitchFailed(f"{command}: {answer.error}")
        return answer

    def close(self) -> None:
        """End it; its devices go with it."""
        with self._lock:
            self._socket.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)
