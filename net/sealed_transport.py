"""Thespian's TCP transport, sealed: it listens where it is told to, and opens nothing that comes without a known key.

A peer without the cluster key has an address of another class (`KeyedAddress`), unequal to any other: so neither a kept
connection nor a queue ever mixes kinds. What it sends is read by `client_frame.py`; Thespian gets a pickle of what that
made of it.

Everything of Thespian's is `Any` here, as in `thespian_adapter.py`, and its classes are subclassed as they come. What
is overridden is pinned by tests/net/test_thespian.py; why is told in docs/decisions, at "first node".
"""
# pyright: basic, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# Strict would report every single use of a package that has no types. `Any` below stands for what is Thespian's.

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from thespian.actors import (  # type: ignore[import-untyped]  # it has no types
    ActorAddress,
    ActorSystemMessage,
)
from thespian.system.timing import ExpirationTimer  # type: ignore[import-untyped]  # it has no types
from thespian.system.transport import SendStatus  # type: ignore[import-untyped]  # it has no types
from thespian.system.transport.IPBase import TCPv4ActorAddress  # type: ignore[import-untyped]  # it has no types
from thespian.system.transport.streamBuffer import (  # type: ignore[import-untyped]  # it has no types
    ackDataErrMsg,
    ackMsg,
    toSendBuffer,
)
from thespian.system.transport.TCPTransport import (  # type: ignore[import-untyped]  # it has no types
    TCPEndpoint,
    TCPTransport,
)

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress
from placet.net.client_frame import FROM_CLIENT, TO_CLIENT, decode_frame, encode_frame
from placet.net.keyring import KeyKind, Keyring
from placet.net.messages import Peer
from placet.net.refusals import Refusals
from placet.net.seal import Kind
from placet.net.sealed_socket import SealedSocket, Speech

MOST_STRANGERS: Final = 64  # connections that have not shown a key, in one process
MOST_STRANGERS_A_HOST: Final = 32
STRANGER_S: Final = 5  # a connection has so long to show a key
MESSAGE_S: Final = 60  # and a peer has so long for one message
RETRY_S: Final = 1.0  # between attempts to send; Thespian itself waits 35 s, then 70, …
MOST_SENDING: Final = 2_000  # messages of one process under way; Thespian itself stops at 20, whoever they are for
_ACKNOWLEDGEMENTS = {ackMsg: Kind.TAKEN, ackDataErrMsg: Kind.NOT_TAKEN}
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


class BoundAddress(TCPv4ActorAddress):  # type: ignore[misc]  # its base is of no known type
    """An address to listen at, and nowhere else: Thespian's own listen on every interface."""

    @property
    def bindArgs(self) -> tuple[Any]:  # noqa: N802 - Thespian's name
        """What `bind` is called with."""
        return (self.sockname,)


class KeyedAddress(TCPv4ActorAddress):  # type: ignore[misc]  # its base is of no known type
    """The address of a peer that has not the cluster key."""

    def __init__(self, host: str, port: int, kind: KeyKind) -> None:
        super().__init__(host, port, external=True)
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyedAddress) and other.kind is self.kind and bool(super().__eq__(other))

    def __hash__(self) -> int:
        return hash((super().__hash__(), self.kind))

    def _str_suffix(self) -> str:
        return f"/{self.kind.word}"


@lru_cache(maxsize=4_096)
def address_of(peer: Peer) -> Any:
    """Return a peer's address as Thespian has it."""
    if peer.kind is KeyKind.CLUSTER:
        return ActorAddress(TCPv4ActorAddress(peer.host, peer.port, external=True))
    return ActorAddress(KeyedAddress(peer.host, peer.port, peer.kind))


def peer_from(address: Any) -> Peer:
    """Return the peer that has an address of Thespian's."""
    host, port = address.addressDetails.sockname
    return Peer(host, port, _kind_of(address))


def _kind_of(address: Any) -> KeyKind:
    kind: KeyKind = getattr(address.addressDetails, "kind", KeyKind.CLUSTER)
    return kind


class SealedEndpoint(TCPEndpoint):  # type: ignore[misc]  # its base is of no known type
    """What a transport starts from, sent to a child process through the pipe that starts it."""

    def __init__(self, number: int | None, parent: Any, admin: Any, at: NetAddress, keyring: Keyring) -> None:
        super().__init__(number, None, parent, admin, False, False)
        self.at = at
        self.keyring = keyring
        self.parent_pid = 0 if parent is None else os.getpid()


class SealedTransport(TCPTransport):  # type: ignore[misc]  # its base is of no known type
    """TCP on one address, in which nothing is unpickled that does not come sealed with a known key."""

    def __init__(self, endpoint: SealedEndpoint, *_args: Any) -> None:
        if endpoint.parent_pid:
            die_with_parent(endpoint.parent_pid)
        self.keyring = endpoint.keyring
        self.at = endpoint.at
        self.refusals = Refusals(frozenset({self.at.host}))
        self._to_connect = self.keyring.kind  # the kind of key for the next connection to be made
        self._speech = Speech(acknowledgements=_ACKNOWLEDGEMENTS, admit=self._admit)
        number, _, parent, admin, *_ = endpoint.args
        bound = ActorAddress(BoundAddress(self.at.host, self.at.port, external=True))
        super().__init__(TCPEndpoint(number, bound, parent, admin or bound, False, False))
        self._aTB_interrupted = True  # who sends is the thread that runs it: nobody needs to be interrupted

    @property
    def listens_at(self) -> NetAddress:
        """The address it got."""
        host, port = self.socket.getsockname()
        return NetAddress(host=host, port=port)

    @property
    def strangers(self) -> int:
        """How many connections have not shown a key yet."""
        return sum(1 for one in self._incomingSockets.values() if not one.socket.is_authenticated)

    def run_for(self, timeout_s: float) -> Any:
        """Work until a message has come, which is returned in its envelope, or for a time."""
        return self.run(None, timedelta(seconds=timeout_s))

    def prepEndpoint(self, assignedLocalAddr: Any, capabilities: Any) -> SealedEndpoint:  # noqa: N802, N803
        """Return what a child process starts its transport from."""
        del capabilities
        number = assignedLocalAddr.addressDetails.addressInstanceNum
        at = NetAddress(host=self.at.host, port=0)
        return SealedEndpoint(number, self.myAddress, self._adminAddr, at, self.keyring)

    def childResetFileNumList(self) -> list[int]:  # noqa: N802
        """Name no descriptor to close: a spawned process has none of its parent's."""
        return []

    def external_transport_clone(self) -> "SealedTransport":
        """Return another transport to the same admin; the inherited one would not be sealed."""
        return SealedTransport(SealedEndpoint(None, None, self._adminAddr, self.at, self.keyring))

    def close(self) -> None:
        """Close every socket now, idle ones too, and not once it is collected as garbage."""
        idle = getattr(self, "_openSockets", {}).values()
        incoming = getattr(self, "_incomingSockets", {}).values()
        outgoing = getattr(self, "_transmitIntents", {}).values()
        for owner in [*idle, *incoming, *outgoing]:
            if getattr(owner, "socket", None) is not None:
                owner.socket.close()
        if hasattr(self, "socket"):
            self.socket.close()
        super().close()

    def _canSendNow(self) -> bool:  # noqa: N802
        return bool(self._aTB_numPendingTransmits < MOST_SENDING)

    # -- peers without the cluster key -----------------------------------------------------------------------------

    def serializer(self, intent: Any) -> bytes:
        """Return a message as bytes: a pickle for peers with the cluster key alone; b"" is not sent."""
        if _kind_of(intent.targetAddr) is KeyKind.CLUSTER:
            pickled: bytes = super().serializer(intent)
            return pickled
        if isinstance(intent.message, ActorSystemMessage):
            return b""  # Thespian would tell a sender what came of its message
        return encode_frame(self.listens_at, intent.message)

    def _admit(self, body: bytes, kind: KeyKind) -> bytes:
        """Return what Thespian reads of a message that came sealed with a key of that kind. Raises `SealBroken`."""
        known = FROM_CLIENT if self.keyring.kind is KeyKind.CLUSTER else TO_CLIENT
        sender, message = decode_frame(body, kind, known)
        admitted: bytes = toSendBuffer((address_of(sender), message))  # pickled here, by this process
        return admitted

    # -- sockets ---------------------------------------------------------------------------------------------------

    def new_socket(self, op: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Make or accept a socket, and let it seal."""
        made = super().new_socket(op, *args, **kw)
        if isinstance(made, tuple):
            raw, address = made
            greets = not self.refusals.is_barred(address[0], monotonic_s())
            return SealedSocket.accepted(raw, address[0], self.keyring, self._speech, greets=greets), address
        return SealedSocket.connecting(made, self.keyring, self._speech, self._to_connect)

    def _acceptNewIncoming(self) -> None:  # noqa: N802
        """Accept one; it has a few seconds to show a key, and where there are too many like it, the oldest goes."""
        before = set(self._incomingSockets)
        super()._acceptNewIncoming()
        for number in set(self._incomingSockets) - before:
            host = self._incomingSockets[number].socket.peer
            if self.refusals.is_barred(host, monotonic_s()):
                self._incomingSockets.pop(number).close()
                continue
            self._incomingSockets[number]._expires = ExpirationTimer(timedelta(seconds=STRANGER_S))
            self._limit_strangers(host)

    def _limit_strangers(self, host: str) -> None:
        strangers = [(n, one) for n, one in self._incomingSockets.items() if not one.socket.is_authenticated]
        of_host = [(n, one) for n, one in strangers if one.socket.peer == host]
        too_many = of_host[:-MOST_STRANGERS_A_HOST] or strangers[:-MOST_STRANGERS]
        for number, one in too_many:
            self._refuse(one.socket, "too many connections that have shown no key")
            one.close()
            del self._incomingSockets[number]

    def _refuse(self, sealed: SealedSocket, reason: str) -> None:
        """Write down who was refused, and why, unless that was written a moment ago."""
        line = self.refusals.note(sealed.peer, reason, monotonic_s())
        if line:
            logging.getLogger("placet").warning("%s", line)

    def _filled(self, sealed: SealedSocket) -> bool:
        """Read what is there; return whether there is something to receive, be it the end."""
        has_come = sealed.fill()
        if sealed.refusal:
            self._refuse(sealed, sealed.refusal)
        return has_come

    def _handlePossibleIncoming(  # noqa: N802
        self,
        incomingSocket: Any,  # noqa: N803
        fileno: int,
        closed: bool = False,
        has_exclusive_flag: bool = False,
    ) -> Any:
        """Close what took too long: Thespian itself would go on reading."""
        if closed or fileno != -1:
            return super()._handlePossibleIncoming(incomingSocket, fileno, closed, has_exclusive_flag)
        if not incomingSocket._expires.view().expired():
            return incomingSocket
        if not incomingSocket.socket.is_authenticated:
            self._refuse(incomingSocket.socket, f"it has shown no key within {STRANGER_S} s")
        incomingSocket.close()
        return None

    def _handleReadableIncoming(self, inc: Any, has_exclusive_flag: bool = False) -> Any:  # noqa: N802
        """Go on once a whole message is there, opened."""
        was_stranger = not inc.socket.is_authenticated
        has_come = self._filled(inc.socket)
        if was_stranger and inc.socket.is_authenticated:
            inc._expires = ExpirationTimer(timedelta(seconds=MESSAGE_S))
            if inc.socket.kind is KeyKind.CLUSTER:
                self.refusals.welcome(inc.socket.peer, monotonic_s())
        return super()._handleReadableIncoming(inc, has_exclusive_flag) if has_come else inc

    # -- sending: one method a stage -------------------------------------------------------------------------------

    def _next_XMIT_1(self, intent: Any) -> Any:  # noqa: N802
        """Connect; then wait for the greeting, in the stage that waits for something to read."""
        kind = _kind_of(intent.targetAddr)
        if self.keyring.first_of(kind) is None:
            nobody: Any = SendStatus.DeadTarget
            return self._finishIntent(intent, nobody)
        self._to_connect = kind
        goes_on = super()._next_XMIT_1(intent)
        connecting = goes_on and intent.stage == self._XMITStepSendData and hasattr(intent, "socket")
        if connecting and intent.socket.awaits_greeting:
            intent.stage = self._XMITStepWaitForAck
        return goes_on

    def _next_XMIT_2(self, intent: Any) -> Any:  # noqa: N802
        """Send, but never over a connection of another kind: its end would be read as what it is not."""
        if hasattr(intent, "socket") and intent.socket.kind is not _kind_of(intent.targetAddr):
            intent.stage = self._XMITStepRetry
            return self._nextTransmitStep(intent)
        return super()._next_XMIT_2(intent)

    def _next_XMIT_4(self, intent: Any) -> Any:  # noqa: N802
        """Read the greeting, or a whole acknowledgement."""
        came = self._filled(intent.socket)
        is_greeted = not intent.socket.awaits_greeting and not intent.socket.has_failed
        if is_greeted and not hasattr(intent, "ackbuf"):
            intent.stage = self._XMITStepSendData
            return self._nextTransmitStep(intent)
        if not came:
            return True
        if intent.socket.was_refused:
            dead: Any = SendStatus.DeadTarget
            return self._finishIntent(intent, dead)
        if not hasattr(intent, "ackbuf"):  # it hung up before it greeted
            intent.stage = self._XMITStepRetry
            return self._nextTransmitStep(intent)
        return super()._next_XMIT_4(intent)

    def _next_XMIT_6(self, intent: Any) -> Any:  # noqa: N802
        """Try again soon: Thespian's pause grows with each attempt."""
        intent.transmit_retry_period = timedelta(seconds=RETRY_S) / (intent._attempts + 1)
        return super()._next_XMIT_6(intent)


def die_with_parent(parent_pid: int) -> None:
    """Let the system kill this process when its parent ends, however that ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it was quicker
        os._exit(1)
