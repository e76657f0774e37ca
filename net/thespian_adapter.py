"""Thespian, sealed and tamed: this module and `sealed_transport.py` alone touch it.

Thespian carries no annotations, so that here everything of its is `Any`, and its classes are subclassed as they come.
What is overridden is pinned by tests/net/test_thespian.py; why is told in docs/decisions, at "first node".
"""
# pyright: basic, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# Strict would report every single use of a package that has no types. `Any` below stands for what is Thespian's.

import errno
import importlib
import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from multiprocessing import get_context
from typing import Any, Final, Protocol

from thespian.actors import (  # type: ignore[import-untyped]  # it has no types
    Actor,
    ActorExitRequest,
    ActorSystemMessage,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)
from thespian.system.messages.admin import PendingActor  # type: ignore[import-untyped]  # it has no types
from thespian.system.multiprocCommon import MultiProcAdmin  # type: ignore[import-untyped]  # it has no types
from thespian.system.transport import (  # type: ignore[import-untyped]  # it has no types
    ReceiveEnvelope,
    TransmitIntent,
)
from thespian.system.utilis import thesplog_control  # type: ignore[import-untyped]  # it has no types

from placet.net.address import NetAddress
from placet.net.errors import AddressTaken, BadAddress
from placet.net.keyring import Keyring
from placet.net.messages import Begin, EngineConfig, Peer
from placet.net.outbox import Done
from placet.net.sealed_transport import SealedEndpoint, SealedTransport, address_of, peer_from

PINNED: Final = "4.0.1"  # the version that tests/net/test_thespian.py has looked into
TICK_S: Final = 1.0
BEAT_S: Final = 0.25  # between two ticks of a node
GOODBYE_S: Final = 2.0
_OWN_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def quiet() -> None:
    """Keep Thespian's own log from `/tmp/thespian.log`, unless THESPLOG_FILE names a file for it."""
    if "THESPLOG_FILE" not in os.environ:
        thesplog_control(logging.WARNING, False, 0)


def peer_at(address: NetAddress) -> Peer:
    """Return the peer that listens at an address."""
    return Peer(address.host, address.port)


def peer_of(address: str) -> Peer:
    """Return the peer that listens at HOST:PORT, both as numbers."""
    host, _, port = address.rpartition(":")
    return peer_at(NetAddress(host=host, port=int(port)))


# -- the node's own process ----------------------------------------------------------------------------------------


class Supervisor(Protocol):
    """Decides what a node does; called on the thread of `AdminProcess.run`, and must not raise."""

    def actor_started(self, number: int, peer: Peer) -> None:
        """The process of an actor, by the number it was started with, is there and can be sent to."""
        ...

    def actor_ended(self, number: int, exit_code: int | None) -> None:
        """The process of an actor has ended, not asked to."""
        ...

    def tick(self) -> None:
        """A moment has passed, or `wake` was called."""
        ...

    def receive(self, sender: Peer, message: object) -> None:
        """A message came from an actor or a client: from a peer without the cluster key only a `FromClient`."""
        ...


class AdminProcess:
    """An actor system whose admin is this very process; it listens from the moment it is made.

    Raises `AddressTaken`, and `BadAddress` for an address that is not this machine's.
    """

    def __init__(self, at: NetAddress, keyring: Keyring, supervisor: Supervisor) -> None:
        quiet()
        self._is_closed = False
        try:
            transport = SealedTransport(SealedEndpoint(None, None, None, at, keyring))
        except PermissionError as error:
            raise BadAddress(str(at), "this user may not listen there", "use a port from 1024 on") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadAddress(str(at), error.strerror or str(error), "use an address of this host") from error
            raise AddressTaken(str(at)) from error
        transport._adminAddr = transport.myAddress
        self._transport = transport
        self._admin = _Admin(transport, supervisor)
        signal.signal(signal.SIGCHLD, self._admin.signalChildDied)
        self._alarm = Alarm(BEAT_S)
        transport.set_watch([self._alarm.descriptor])
        self._admin.alarm = self._alarm

    @property
    def listens_at(self) -> NetAddress:
        """The address it got."""
        at: NetAddress = self._transport.listens_at
        return at

    def start_actor(self, number: int) -> None:
        """Start a process with a `HostActor`; the supervisor is told, by this number, when it is there."""
        asked = PendingActor(f"{__name__}.{HostActor.__name__}", None, number, None, globalName=None, sourceHash=None)
        known = {child.childProc.pid for child in getattr(self._admin, "_child_procs", [])}
        self._admin.h_PendingActor(ReceiveEnvelope(self._transport.myAddress, asked))
        for child in getattr(self._admin, "_child_procs", []):
            if child.childProc.pid not in known:
                self._admin.numbers[child.childProc.pid] = number

    def send(self, peer: Peer, message: object, done: Done | None = None, within_s: float | None = None) -> None:
        """Send a message; it may be lost when the peer ends. `done` is called later, with whether it got through.

        After `close` it does nothing.
        """
        if self._is_closed:
            return
        self._admin._send_intent(order_to_send(peer, message, done or _ignore, within_s))

    def wake(self) -> None:
        """Have the supervisor's `tick` called soon; from any thread."""
        self._alarm.ring()

    def run(self) -> None:
        """Work until `stop`, and until all actors have ended; raise what the supervisor has raised."""
        self._transport.enableRXPauseFlowControl(False)
        try:
            self._admin.run()
        finally:
            self.close()
        if self._admin.failure is not None:
            raise self._admin.failure

    def close(self) -> None:
        """Stop listening, where `run` was never called, or has returned."""
        self._is_closed = True
        self._alarm.close()
        self._transport.close()

    def stop(self) -> None:
        """End all actors, then `run`; may be called from a signal handler."""
        self._transport.interrupt_wait(signal_shutdown=True)

    def kill(self) -> None:
        """See to the end of the actors' processes: who has said goodbye has a moment to go."""
        for child in getattr(self._admin, "_child_procs", []):
            child.childProc.join(GOODBYE_S)
            child.childProc.kill()
            child.childProc.join(GOODBYE_S)


class _Admin(MultiProcAdmin):  # type: ignore[misc]  # its base is of no known type
    """Thespian's admin, without a process and a logger of its own."""

    def __init__(self, transport: SealedTransport, supervisor: Supervisor) -> None:
        capabilities = {"Admin Port": transport.at.port, "Process Startup Method": "spawn"}
        super().__init__(transport, transport.myAddress, capabilities, None, get_context("spawn"))
        self._supervisor = supervisor
        self.alarm: Alarm | None = None
        self.failure: Exception | None = None  # of the supervisor
        self.numbers: dict[int, int] = {}  # of actors, by the pid of their processes
        self.asLogger = transport.myAddress  # it would hold messages back until there is a logger
        self._activate()

    def handleIncoming(self, envelope: Any) -> Any:  # noqa: N802
        """Handle a message of ours or of Thespian's."""
        try:
            return self._handle(envelope)
        except Exception as error:  # whatever it is: Thespian would end its loop without a word
            self.failure = error
            raise

    def _handle(self, envelope: Any) -> Any:
        if isinstance(envelope.message, WatchMessage):
            if self.alarm is not None and not self.isShuttingDown():
                self.alarm.reset()
                self._supervisor.tick()
            return True
        if isinstance(envelope.message, ActorSystemMessage | logging.LogRecord):
            return super().handleIncoming(envelope)
        self._supervisor.receive(peer_from(envelope.sender), envelope.message)
        return True

    def h_LogRecord(self, envelope: Any) -> bool:  # noqa: N802
        """Hand a record to this process's logging."""
        logging.getLogger(envelope.message.name).handle(envelope.message)
        return True

    def h_PendingActorResponse(self, envelope: Any) -> bool:  # noqa: N802
        """An actor that was asked for is there; where it is not, its process has ended, which is noticed as well."""
        if envelope.message.actualAddress is not None:
            peer = peer_from(envelope.message.actualAddress)
            self._supervisor.actor_started(envelope.message.instanceNum, peer)
        return True

    def h_ActorExitRequest(self, envelope: Any) -> Any:  # noqa: N802
        """A signal asked for the end."""
        return self.h_SystemShutdown(envelope) if not self.isShuttingDown() else True

    def childDied(self) -> Any:  # noqa: N802
        """Tell which process has ended, when nobody asked it to."""
        before = list(getattr(self, "_child_procs", []))
        goes_on = super().childDied()
        for child in before:
            if child not in self._child_procs and not self.isShuttingDown():
                self._supervisor.actor_ended(self.numbers.pop(child.childProc.pid), child.childProc.exitcode)
        return goes_on

    def _childExited(self, childAddr: Any) -> None:  # noqa: N802, N803
        """Leave the looking at processes to `childDied`, which tells of them."""


class Alarm:
    """A descriptor that becomes readable about every `period_s`, and when `ring` is called."""

    def __init__(self, period_s: float) -> None:
        self.descriptor, self._bell = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._bell, False)
        self._lock = threading.RLock()  # a signal handler may ring while this very thread rings, or closes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._main, args=(period_s,), name="placet-alarm", daemon=True)
        self._thread.start()

    def _main(self, period_s: float) -> None:
        while not self._closed.wait(period_s):
            self.ring()

    def ring(self) -> None:
        """Make it readable; from any thread."""
        with self._lock, suppress(BlockingIOError):  # it rings already
            if not self._closed.is_set():
                os.write(self._bell, b"\0")

    def reset(self) -> None:
        """Make it silent."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 1 << 16)

    def close(self) -> None:
        """Ring no more; closing twice is harmless."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        with self._lock:
            os.close(self._bell)
            os.close(self.descriptor)


# -- an actor's process --------------------------------------------------------------------------------------------


class Guest(Protocol):
    """What lives in an actor's process; called on its main thread. What it raises ends the process."""

    wake_descriptor: int  # readable: `woken` is called

    def receive(self, sender: Peer, message: object) -> None:
        """A message came; from a peer without the cluster key only a `FromClient`."""
        ...

    def woken(self) -> None:
        """The descriptor is readable."""
        ...

    def tick(self) -> None:
        """A second or so has passed."""
        ...

    def close(self) -> None:
        """End in good order: the process ends afterwards."""
        ...


Send = Callable[[Peer, object, Done], None]
GuestFactory = Callable[[EngineConfig, Send, Peer], Guest]  # its last argument: who asked for it


class HostActor(Actor):  # type: ignore[misc]  # its base is of no known type
    """An actor with a guest, which `Begin` names. It lets nothing through that Thespian would deliver twice."""

    def __init__(self) -> None:
        super().__init__()
        self._guest: Guest | None = None
        logging.root = logging.RootLogger(logging.WARNING)  # Thespian's sends records, from whichever thread logs
        logging.Logger.root = logging.root
        logging.Logger.manager = logging.Manager(logging.root)
        quiet()
        for fault in _OWN_FAULTS:  # Thespian's handlers would return to the fault, for ever
            signal.signal(fault, signal.SIG_DFL)

    def receiveMessage(self, msg: Any, sender: Any) -> Any:  # noqa: N802
        """Handle one message, and go on watching."""
        try:
            self._handle(msg, sender)
        except Exception:  # whatever it is: a fresh process knows where it stands, this one no longer does
            traceback.print_exc()
            os._exit(70)
        return ThespianWatch([self._guest.wake_descriptor]) if self._guest is not None else None

    def _handle(self, message: Any, sender: Any) -> None:
        match message:
            case Begin():
                factory: GuestFactory = named(message.factory)
                self._guest = factory(message.config, self._send_and_tell, peer_from(sender))
                self.wakeupAfter(timedelta(seconds=TICK_S))
            case _ if self._guest is None:
                pass
            case WatchMessage():
                self._guest.woken()
            case WakeupMessage():
                self._guest.tick()
                self.wakeupAfter(timedelta(seconds=TICK_S))
            case ActorExitRequest():
                self._guest.close()
            case ActorSystemMessage():
                pass
            case _:
                self._guest.receive(peer_from(sender), message)

    def _send_and_tell(self, peer: Peer, message: object, done: Done) -> None:
        self._myRef._send_intent(order_to_send(peer, message, done))


def _ignore(_is_through: bool) -> None:
    """Who sends without asking does not want to know."""


def order_to_send(peer: Peer, message: object, done: Done, within_s: float | None = None) -> Any:
    """Return an order to send, which tells whether it got through: what did not may have arrived all the same."""
    limit = None if within_s is None else timedelta(seconds=within_s)
    return TransmitIntent(
        address_of(peer), message, onSuccess=lambda *_: done(True), onError=lambda *_: done(False), maxPeriod=limit
    )


def named(name: str) -> Any:
    """Return what `module:attribute` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


# -- a client's thread ---------------------------------------------------------------------------------------------


class ClientPort:
    """A client's end of the transport, for the one thread that uses it."""

    def __init__(self, at: NetAddress, nodes: Sequence[NetAddress], keyring: Keyring, wake_descriptor: int) -> None:
        quiet()
        self._kind = keyring.kind
        self.nodes = [peer_at(node) for node in nodes]
        first = address_of(self._as_seen_here(self.nodes[0]))
        self._transport = SealedTransport(SealedEndpoint(None, None, first, at, keyring))
        self._transport.set_watch([wake_descriptor])

    def send(self, peer: Peer, message: object, done: Done, within_s: float) -> None:
        """Send a message and call `done` later on this thread; a message that failed may still have arrived."""
        self._transport.scheduleTransmit(None, order_to_send(self._as_seen_here(peer), message, done, within_s))

    def _as_seen_here(self, peer: Peer) -> Peer:
        """Return a peer as this process can send to it: with the kind of key that it has."""
        return Peer(peer.host, peer.port, self._kind)

    def receive(self, timeout_s: float) -> object | None:
        """Return the next message; None when the descriptor is readable, or nothing came in time."""
        came = self._transport.run_for(timeout_s)
        if not isinstance(came, ReceiveEnvelope) or isinstance(came.message, ActorSystemMessage):
            return None
        message: object = came.message
        return message

    def close(self) -> None:
        """Close every socket."""
        self._transport.close()
