"""A client's thread: carries requests to the engines of a cluster and answers back, through the death of one too.

Answers are matched by number. A request is sent to the engine that owns the shard it is about, or to one by name; when
that engine is another than the one it was sent to, it is sent again: every request may be, see `request.py`.
"""

import itertools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeAlias

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress
from placet.net.errors import NodeUnreachable
from placet.net.keyring import Keyring
from placet.net.messages import Answers, Ask, Asks, EngineAt, FindEngines, Peer, Told, Whereabouts
from placet.net.outbox import Done, Outbox
from placet.net.thespian_adapter import ClientPort

LOOK_AGAIN_S = 1.0  # how often a node is asked where the engines are, while answers are due
FIND_AGAIN_S = 0.1  # and while one that is needed is missing
SEND_S = 60.0  # an attempt to send a request ends after so long
QUIET_S = 3_600.0
NODE = ""
Target: TypeAlias = int | str  # the engine that owns a shard, the one with a name, or any `NODE`
Sent: TypeAlias = tuple[str, Ask]  # the incarnation of the engine it is sent to, and what


@dataclass(slots=True, kw_only=True)
class Pending:
    """A request that is not answered."""

    ask: Ask
    target: Target
    answer: Future[bytes]
    sent_to: str = ""  # incarnation of the engine it is on its way to, or lies with
    may_have_arrived: bool = False  # while False, nothing can have come of it


class Courier:
    """Carries requests of any thread; call `close` in the end. `nodes` are asked in turn until one answers."""

    def __init__(self, at: NetAddress, nodes: Sequence[NetAddress], keyring: Keyring) -> None:
        self._name = ", ".join(str(node) for node in nodes)
        self._pid = os.getpid()
        self._numbers = itertools.count(1)
        self._submitted: SimpleQueue[Pending] = SimpleQueue()
        self._pending: dict[int, Pending] = {}  # by number; of the thread alone
        self._outbox: Outbox[Sent] = Outbox(self._transmit, self._lost)
        self._where: Whereabouts | None = None
        self._doubted: set[str] = set()  # incarnations that something did not reach
        self._is_missing = True  # an engine that is needed has no place that is known
        self._looked_s = -QUIET_S  # when a node was asked last
        self._closing = threading.Event()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        try:
            self._port = ClientPort(at, nodes, keyring, self._woken)
        except OSError as error:
            self._close_pipe()
            raise NodeUnreachable(self._name, f"this host cannot listen at {at}: {error.strerror}") from error
        self._nodes: list[Peer] = list(self._port.nodes)
        self._thread = threading.Thread(target=self._main, name="placet-client", daemon=True)
        self._thread.start()

    # -- from other threads ----------------------------------------------------------------------------------------

    def ask(self, line: bytes, target: Target) -> Pending:
        """Send a request; `answer` of what is returned gets the line of the answer. Raises `NodeUnreachable`."""
        pending = Pending(ask=Ask(number=next(self._numbers), line=line), target=target, answer=Future())
        if os.getpid() != self._pid:
            raise NodeUnreachable(self._name, "this process was forked from the one that connected; connect here")
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
        return FIND_AGAIN_S if self._is_missing else LOOK_AGAIN_S

    def _take_over(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 1 << 16)
        with suppress(Empty):
            while True:
                asked = self._submitted.get_nowait()
                self._pending[asked.ask.number] = asked
                self._send(asked)

    def _look(self) -> None:
        """Ask a node for the engines when there is a reason to."""
        for pending in [one for one in self._pending.values() if one.answer.done()]:  # nobody waits any more
            del self._pending[pending.ask.number]
        if self._pending and monotonic_s() >= self._looked_s + self._pause_s():
            self._looked_s = monotonic_s()
            node = self._nodes[0]
            self._port.send(node, FindEngines(), lambda is_through: self._node_asked(node, is_through), LOOK_AGAIN_S)

    def _node_asked(self, node: Peer, is_through: bool) -> None:
        if not is_through:
            self._is_missing = True
            if self._nodes[0] is node:  # the next one is asked; this one again when it is its turn
                self._nodes.append(self._nodes.pop(0))

    def _engine_for(self, target: Target) -> EngineAt | None:
        if self._where is None:
            return None
        if target == NODE:
            return EngineAt(peer=self._nodes[0], incarnation=f"node {self._nodes[0]}")
        name = target if isinstance(target, str) else self._where.owners[target]
        at = self._where.engines.get(name)
        return None if at is None or at.incarnation in self._doubted else at

    def _send(self, pending: Pending) -> None:
        at = self._engine_for(pending.target)
        if at is None:
            self._is_missing = True
        elif pending.sent_to != at.incarnation:
            pending.sent_to = at.incarnation
            pending.may_have_arrived = True
            self._outbox.put(at.peer, (at.incarnation, pending.ask), len(pending.ask.line))

    def _transmit(self, engine: Peer, sent: tuple[Sent, ...], done: Done) -> None:
        self._port.send(engine, Asks(asks=tuple(ask for _, ask in sent)), done, SEND_S)

    def _lost(self, sent: tuple[Sent, ...]) -> None:
        """They did not get through: send them again once a node has said where to."""
        for incarnation, ask in sent:
            pending = self._pending.get(ask.number)
            if pending is not None and pending.sent_to == incarnation:
                self._doubted.add(incarnation)
                self._send_anew(pending)

    def _send_anew(self, pending: Pending) -> None:
        """Send it once a node has said where to."""
        pending.sent_to = ""
        self._is_missing = True

    def _handle(self, message: object | None) -> None:
        match message:
            case Answers():
                for told in message.told:
                    self._answered(told)
            case Whereabouts():
                self._found(message)
            case _:
                pass

    def _found(self, where: Whereabouts) -> None:
        self._where = where
        self._doubted.clear()
        self._is_missing = False
        for node in where.nodes:
            if str(node) not in {str(known) for known in self._nodes}:
                self._nodes.append(node)
        for pending in self._pending.values():
            self._send(pending)

    def _answered(self, told: Told) -> None:
        pending = self._pending.get(told.number)
        if pending is None:
            return
        if told.is_elsewhere:
            self._send_anew(pending)
            return
        del self._pending[told.number]
        with suppress(InvalidStateError):  # who asked has given up
            pending.answer.set_result(told.line)

    def _refuse_all(self) -> None:
        error = NodeUnreachable(self._name, "the client is closed")
        waiting = [*self._pending.values()]
        with suppress(Empty):
            while True:
                waiting.append(self._submitted.get_nowait())
        for one in waiting:
            with suppress(InvalidStateError):
                one.answer.set_exception(error)
