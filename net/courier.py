"""A client's thread: carries requests to the engine of a node and answers back, through the death of an engine too.

Answers are matched by number. When the node has another engine than the one a request was sent to, the request is
sent again: every request may be, see `request.py`.
"""

import itertools
import os
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress
from placet.net.errors import NodeUnreachable
from placet.net.keyring import Keyring
from placet.net.messages import Answers, Ask, Asks, EngineAt, FindEngine, Peer, Told
from placet.net.outbox import Done, Outbox
from placet.net.thespian_adapter import ClientPort

LOOK_AGAIN_S = 1.0  # how often the node is asked whether its engine is still the same, while answers are due
FIND_AGAIN_S = 0.1  # and while it has none
SEND_S = 60.0  # an attempt to send a request ends after so long
QUIET_S = 3_600.0


@dataclass(slots=True, kw_only=True)
class Pending:
    """A request that is not answered."""

    ask: Ask
    answer: Future[bytes]
    sent_to: str = ""  # the engine it is on its way to, or lies with
    may_have_arrived: bool = False  # while False, nothing can have come of it


class Courier:
    """Carries requests of any thread; call `close` in the end."""

    def __init__(self, at: NetAddress, node: NetAddress, keyring: Keyring) -> None:
        self._node = node
        self._pid = os.getpid()
        self._numbers = itertools.count(1)
        self._submitted: SimpleQueue[Pending] = SimpleQueue()
        self._pending: dict[int, Pending] = {}  # by number; of the thread alone
        self._outbox: Outbox[Ask] = Outbox(self._transmit, self._lost)
        self._engine: Peer | None = None
        self._incarnation = ""  # of the engine
        self._looked_s = -QUIET_S  # when the node was asked last
        self._closing = threading.Event()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        try:
            self._port = ClientPort(at, node, keyring, self._woken)
        except OSError as error:
            self._close_pipe()
            raise NodeUnreachable(str(node), f"this host cannot listen at {at}: {error.strerror}") from error
        self._thread = threading.Thread(target=self._main, name="placet-client", daemon=True)
        self._thread.start()

    # -- from other threads ----------------------------------------------------------------------------------------

    def ask(self, line: bytes) -> Pending:
        """Send a request; `answer` of what is returned gets the line of the answer. Raises `NodeUnreachable`."""
        if os.getpid() != self._pid:
            raise NodeUnreachable(str(self._node), "this process was forked from the one that connected; connect here")
        pending = Pending(ask=Ask(number=next(self._numbers), line=line), answer=Future())
        self._submitted.put(pending)
        self._rouse()
        if self._closing.is_set():
            self._refuse_all()
        return pending

    def close(self) -> None:
        """End the thread; requests that are not answered get an error. Closing twice is harmless."""
        if not self._closing.is_set():
            self._closing.set()
            self._rouse()
            self._thread.join()
            self._close_pipe()

    def _rouse(self) -> None:
        with suppress(OSError):  # it is full, so that the thread is awake; or closed
            os.write(self._wake, b"\0")

    def _close_pipe(self) -> None:
        os.close(self._woken)
        os.close(self._wake)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._closing.is_set():
                self._handle(self._port.receive(self._patience_s()))
                self._take_over()
                self._look()
        finally:
            self._closing.set()
            self._port.close()
            self._refuse_all()

    def _patience_s(self) -> float:
        return max(0.01, self._looked_s + self._pause_s() - monotonic_s()) if self._pending else QUIET_S

    def _pause_s(self) -> float:
        return FIND_AGAIN_S if self._engine is None else LOOK_AGAIN_S

    def _take_over(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 1 << 16)
        with suppress(Empty):
            while True:
                pending = self._submitted.get_nowait()
                self._pending[pending.ask.number] = pending
                self._send(pending)

    def _look(self) -> None:
        """Ask the node for its engine when there is a reason to."""
        for pending in [one for one in self._pending.values() if one.answer.done()]:  # nobody waits any more
            del self._pending[pending.ask.number]
        if self._pending and monotonic_s() >= self._looked_s + self._pause_s():
            self._looked_s = monotonic_s()
            self._port.send(self._port.node, FindEngine(), self._node_asked, LOOK_AGAIN_S)

    def _node_asked(self, is_through: bool) -> None:
        if not is_through:
            self._engine = None

    def _send(self, pending: Pending) -> None:
        if self._engine is not None and pending.sent_to != self._incarnation:
            pending.sent_to = self._incarnation
            pending.may_have_arrived = True
            self._outbox.put(self._engine, pending.ask, len(pending.ask.line))

    def _transmit(self, engine: Peer, asks: tuple[Ask, ...], done: Done) -> None:
        self._port.send(engine, Asks(asks=asks), done, SEND_S)

    def _lost(self, asks: tuple[Ask, ...]) -> None:
        """They did not get through: send them again once the node has said where to."""
        for ask in asks:
            pending = self._pending.get(ask.number)
            if pending is not None and pending.sent_to == self._incarnation:
                pending.sent_to = ""
                self._engine = None

    def _handle(self, message: object | None) -> None:
        match message:
            case Answers():
                for told in message.told:
                    self._answered(told)
            case EngineAt():
                self._engine = message.engine
                if message.engine is not None:
                    self._incarnation = message.incarnation
                    for pending in self._pending.values():
                        self._send(pending)
            case _:
                pass

    def _answered(self, told: Told) -> None:
        pending = self._pending.pop(told.number, None)
        if pending is not None:
            with suppress(InvalidStateError):  # who asked has given up
                pending.answer.set_result(told.line)

    def _refuse_all(self) -> None:
        waiting = list(self._pending.values())
        with suppress(Empty):
            while True:
                waiting.append(self._submitted.get_nowait())
        for pending in waiting:
            with suppress(InvalidStateError):
                pending.answer.set_exception(NodeUnreachable(str(self._node), "the client is closed"))
