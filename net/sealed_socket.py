"""A non-blocking socket that seals what it sends and opens what it receives: a drop-in for a plain one.

It never reads beyond the frame that comes, so that `select` on its descriptor tells the truth, and it raises only
`OSError`, as a plain socket does. One `recv` returns one whole message. Acknowledgements cross as frames of their own
kind, and a message of a peer without the cluster key comes out only as what `Speech.admit` makes of it: so nothing that
such a peer has written is ever read by the layer above.
"""

import errno
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from placet.net.keyring import KeyKind, Keyring
from placet.net.seal import GREETING_BYTES, RANDOM_BYTES, Kind, SealBroken, Session

MOST_READ: Final = 1 << 20  # bytes of one read; more is read by the next
UNANSWERED_S: Final = 8  # data without an answer of the peer's system for so long: the connection is cut
IDLE_S: Final = 30  # after so long the peer's system is asked whether it is still there


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How the layer above speaks."""

    acknowledgements: Mapping[bytes, Kind]  # messages that are sent once and never asked about again
    admit: Callable[[bytes, KeyKind], bytes]  # what it reads of a peer without the cluster key; may raise `SealBroken`


class SealedSocket:
    """One end of a connection; see the module."""

    def __init__(self, raw: socket.socket, session: Session, speech: Speech) -> None:
        self._raw = raw
        self._session = session
        self._speech = speech
        self._unsent = memoryview(b"")
        self._is_sending = False  # a message has been sealed whose sender has not been told that it is out
        self._came: bytes | None = None
        self._error: OSError | None = None
        self.peer = ""  # host of the other end
        self.refusal = ""  # why this end has broken off, where the other one is to blame

    @classmethod
    def connecting(
        cls, raw: socket.socket, keyring: Keyring, speech: Speech, kind: KeyKind | None = None
    ) -> "SealedSocket":
        """Return the end that is about to connect, with a key of that kind. Raises `ValueError` without such a key."""
        _watch_over(raw)
        return cls(raw, Session.connecting(keyring, secrets.token_bytes(RANDOM_BYTES), kind), speech)

    @classmethod
    def accepted(
        cls, raw: socket.socket, host: str, keyring: Keyring, speech: Speech, *, greets: bool = True
    ) -> "SealedSocket":
        """Return the end that was connected to, its greeting sent unless it is to be closed at once."""
        _watch_over(raw)
        raw.setblocking(False)
        session = Session.accepting(keyring, secrets.token_bytes(RANDOM_BYTES))
        sealed = cls(raw, session, speech)
        sealed.peer = host
        if not greets:
            return sealed
        try:
            if raw.send(session.greeting) != GREETING_BYTES:
                raise ConnectionResetError(errno.ECONNRESET, "it takes no greeting")
        except OSError as error:  # it has gone: the next read says so
            sealed._error = _as_reset(error)
        return sealed

    # -- as of a plain socket --------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor, or -1 once closed."""
        return self._raw.fileno()

    def setblocking(self, flag: object) -> None:
        """Accept what is so already: it never blocks."""
        del flag
        self._raw.setblocking(False)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the plain socket."""
        self._raw.setsockopt(level, option, value)

    def connect(self, address: Any) -> None:  # `Any`: of whatever form the family of the socket has
        """Begin to connect. Raises `BlockingIOError`, as a plain socket does."""
        self.peer = address[0]
        self._raw.connect(address)

    def getsockname(self) -> Any:  # `Any`: as above
        """Return the address of this end."""
        return self._raw.getsockname()

    def shutdown(self, how: int) -> None:
        """Shut down the plain socket."""
        self._raw.shutdown(how)

    def close(self) -> None:
        """Close it; closing twice is harmless."""
        self._raw.close()

    # -- connecting ------------------------------------------------------------------------------------------------

    @property
    def awaits_greeting(self) -> bool:
        """True until frames can be sealed: until then it waits for something to read."""
        return not self._session.is_ready and self._error is None

    @property
    def has_failed(self) -> bool:
        """True once an error has ended it."""
        return self._error is not None

    @property
    def was_refused(self) -> bool:
        """True when nobody listens where it was to connect to."""
        return isinstance(self._error, ConnectionRefusedError)

    @property
    def is_authenticated(self) -> bool:
        """True once the peer has shown that it holds the key."""
        return self._session.is_authenticated

    @property
    def kind(self) -> KeyKind | None:
        """The kind of the key it seals with; None: the peer has named none yet."""
        return self._session.peer_kind

    # -- reading ---------------------------------------------------------------------------------------------------

    def fill(self) -> bool:
        """Read what is there; return whether `recv` has something to say: a message, the end, or an error."""
        while self._came is None and self._error is None:
            try:
                data = self._raw.recv(min(self._session.wanted, MOST_READ))
                if not data:
                    self._came = b""  # the end; of a message too that was under way
                elif not self._take(data):
                    return False
            except BlockingIOError:
                return False
            except SealBroken as error:
                self.refusal = error.reason
                self._error = _as_reset(error)
            except OSError as error:
                self._error = _as_reset(error)
        return True

    def _take(self, data: bytes) -> bool:
        """Take what was read; return False when nothing more should be read for now."""
        was_waiting = self.awaits_greeting
        frame = self._session.feed(data)
        if frame is None:
            return not (was_waiting and self._session.is_ready)
        match frame.kind:
            case Kind.DATA:
                self._came = self._admitted(frame.body)
                return True
            case Kind.TAKEN | Kind.NOT_TAKEN:
                self._came = next(one for one, kind in self._speech.acknowledgements.items() if kind is frame.kind)
                return True
            case Kind.KNOCK:
                self._append(self._session.seal(b"", Kind.KNOCK))
                self._flush()
                return False
            case _:
                assert_never(frame.kind)

    def _admitted(self, body: bytes) -> bytes:
        kind = self._session.peer_kind
        assert kind is not None, "a frame has been opened with the key"
        return body if kind is KeyKind.CLUSTER else self._speech.admit(body, kind)

    def recv(self, _size: int) -> bytes:
        """Return one whole message whatever the size asked for, or `b""` at the end. Raises `OSError`."""
        if not self.fill():
            raise BlockingIOError(errno.EAGAIN, "no whole message is there")
        if self._came is None:
            assert self._error is not None
            raise self._error
        came = self._came
        self._came = None if came else came
        return came

    # -- writing ---------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> int:
        """Return `len(data)` once all of it is out, sealed, and 0 before: call again with the same data then.

        An acknowledgement counts as out at once, and no error is raised for it. Raises `OSError`.
        """
        try:
            return self._send(bytes(data))
        except (OSError, SealBroken, ValueError) as error:
            self._error = _as_reset(error)
            if data in self._speech.acknowledgements:
                return len(data)
            raise self._error from error

    def _send(self, data: bytes) -> int:
        acknowledgement = self._speech.acknowledgements.get(data)
        if acknowledgement is not None:
            self._append(self._session.seal(b"", acknowledgement))
            self._flush()
            return len(data)
        if not self._is_sending:
            self._append(self._session.seal(data))
            self._is_sending = True
        if not self._flush():
            return 0
        self._is_sending = False
        return len(data)

    def _append(self, sealed: bytes) -> None:
        self._unsent = memoryview(bytes(self._unsent) + sealed if self._unsent else sealed)

    def _flush(self) -> bool:
        while self._unsent:
            try:
                self._unsent = self._unsent[self._raw.send(self._unsent) :]
            except BlockingIOError:
                return False
        return True


def _as_reset(error: OSError | SealBroken | ValueError) -> OSError:
    """Return what the layers above take as: the connection has ended, make another."""
    if isinstance(error, ConnectionRefusedError):
        return error
    return ConnectionResetError(errno.ECONNRESET, str(error))


def _watch_over(raw: socket.socket) -> None:
    """Let the system notice a peer that has gone without a word."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_USER_TIMEOUT", UNANSWERED_S * 1000), ("TCP_KEEPIDLE", IDLE_S), ("TCP_KEEPINTVL", 2)):
        option: int | None = getattr(socket, name, None)  # macOS lacks some
        if option is not None:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
