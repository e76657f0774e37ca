"""The control socket: how commands of the same user reach a running engine.

`DIR/control.sock`, mode 0600. One JSON object a line in, one a line out, as many as the client likes. Each
connection has a thread of its own and bounds on time and size, so that none holds up another, or the engine.
"""

import os
import selectors
import socket
import stat
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from weakref import WeakSet

from placet.actors.control.line import LineTooLong, read_line
from placet.actors.control.socket_path import short_path
from placet.persistence.directory import CONTROL

LINE_S = 10.0  # a client has so long for its whole line, and for taking the answer
MOST_CONNECTIONS = 32
_CREDENTIALS = struct.Struct("3i")  # pid, user, group

Answerer: TypeAlias = Callable[[bytes], bytes]  # request line -> answer line, both without the newline


class ControlServer:
    """Serves the control socket of one state directory from `start` to `close`.

    The caller holds the lock on the directory: a socket file that is there belongs to an engine that is gone.
    `problem` says why there is no socket where none could be made; an engine runs without it.
    """

    def __init__(self, directory: Path, answerer: Answerer) -> None:
        self._directory = directory
        self._answerer = answerer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._waker, self._woken = socket.socketpair()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="placet-control", daemon=True)
        self.problem = ""
        _open.add(self)

    def start(self) -> None:
        """Bind the socket and answer from now on; sets `problem` instead where that is not possible."""
        try:
            self._bind()
        except OSError as error:
            self.problem = f"no control socket: {error.strerror or error}"
            return
        self._thread.start()

    def _bind(self) -> None:
        path = self._directory / CONTROL
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise FileExistsError(0, f"{path} is no socket")
            path.unlink()
        os.fchmod(self._listener.fileno(), 0o600)  # on Linux the file gets this mode: at no time it is open to others
        with short_path(self._directory) as short:
            self._listener.bind(short)
            os.chmod(short, 0o600)
        self._listener.listen(MOST_CONNECTIONS)

    def close(self) -> None:
        """Answer nobody any more and remove the socket; closing twice is harmless."""
        if self._thread.ident is not None and self._thread.is_alive():
            self._waker.send(b"\0")
            self._thread.join()
            with suppress(FileNotFoundError):
                (self._directory / CONTROL).unlink()
        self.forget()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # it has gone by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close this process's handles only: what a forked child does with its parent's socket."""
        for one in (self._listener, self._waker, self._woken):
            one.close()

    # -- one thread accepts ----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in selector.select()):
                with suppress(OSError):  # the client has gone, or there are no descriptors left: the next may do
                    self._welcome(self._listener.accept()[0])

    def _welcome(self, connection: socket.socket) -> None:
        with self._lock:
            refused = "" if is_trusted(connection) else "only the engine's own user may ask"
            if not refused and len(self._connections) >= MOST_CONNECTIONS:
                refused = "too many connections; try again later"
            if not refused:
                self._connections.add(connection)
        if refused:
            _turn_away(connection, refused)
            return
        try:
            threading.Thread(target=self._serve, args=(connection,), name="placet-control-client", daemon=True).start()
        except RuntimeError:  # the system has no thread left for it; the next may do
            with self._lock:
                self._connections.discard(connection)
            _turn_away(connection, "no thread can be started; try again later")

    # -- one thread a connection -----------------------------------------------------------------------------------

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):  # it has gone, or took too long
                rest = b""
                while (received := read_line(connection, rest, LINE_S)) is not None:
                    line, rest = received
                    connection.settimeout(LINE_S)
                    connection.sendall(self._answerer(line) + b"\n")
        except LineTooLong:
            return
        finally:
            with self._lock:
                self._connections.discard(connection)


def _turn_away(connection: socket.socket, why: str) -> None:
    connection.setblocking(False)
    with connection, suppress(OSError):
        connection.send(b'{"error": {"code": "unwelcome", "message": "%s"}}\n' % why.encode())


def is_trusted(connection: socket.socket) -> bool:
    """True for a peer that runs as the same user, or as root; elsewhere than on Linux the file's mode decides."""
    if sys.platform != "linux":
        return True
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(packed)
    return user in (0, os.geteuid())


_open: "WeakSet[ControlServer]" = WeakSet()


def _forget_all() -> None:
    for server in list(_open):
        server.forget()


os.register_at_fork(after_in_child=_forget_all)
