"""What lives in the process of an engine's actor: a runtime over the state, and the desk that answers for it."""

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import cast

from placet.actors.engine import Health
from placet.actors.errors import Busy
from placet.actors.runtime import Runtime
from placet.actors.spawning import Definable
from placet.net.answer import encode_error
from placet.net.desk import NetDesk
from placet.net.messages import Answers, Ask, Asks, Begun, EngineConfig, NotBegun, Peer, Told
from placet.net.outbox import Done, Outbox
from placet.petri.errors import PlacetError

MOST_ASKED = 2_000  # requests of one client that are not answered yet
ENDED = 4  # exit code of an engine that ended by an error: a fresh process recovers

Send = Callable[[Peer, object, Done], None]
Loader = Callable[[tuple[str, ...]], Iterable[Definable]]


class EngineHost:
    """Opens the state of a node and answers requests; what it cannot do it tells `owner`."""

    def __init__(self, config: EngineConfig, send: Send, owner: Peer) -> None:
        self._send = send
        self._outbox: Outbox[Told] = Outbox(self._transmit, _forget)
        self._owner = owner
        self.wake_descriptor, self._wake = os.pipe()
        os.set_blocking(self.wake_descriptor, False)
        os.set_blocking(self._wake, False)
        self._answers: SimpleQueue[tuple[Peer, Told]] = SimpleQueue()
        self._asked: Counter[str] = Counter()  # requests under way, by client
        self._runtime: Runtime | None = None
        self._desk: NetDesk | None = None
        try:
            workflows = _loader(config.loader)(config.targets)
            self._runtime = Runtime(config.state, workflows, threads=config.threads, grace_s=config.grace_s)
        except PlacetError as error:
            send(owner, NotBegun(error=error), _ignore)
            return
        self._desk = NetDesk(self._runtime)
        send(owner, Begun(pid=os.getpid(), unknown=dict(self._runtime.unknown)), _ignore)

    def receive(self, sender: Peer, message: object) -> None:
        """Take requests; their answers go out when the descriptor wakes this process."""
        if isinstance(message, Asks) and self._desk is not None:
            for ask in message.asks:
                self._take(self._desk, sender, ask)

    def _take(self, desk: NetDesk, client: Peer, ask: Ask) -> None:
        self._asked[str(client)] += 1
        if self._asked[str(client)] > MOST_ASKED:
            self._post(client, Told(number=ask.number, line=encode_error(Busy(MOST_ASKED, MOST_ASKED))))
            return
        desk.take(ask.line, lambda line: self._post(client, Told(number=ask.number, line=line)))

    def _post(self, client: Peer, told: Told) -> None:
        self._answers.put((client, told))
        with suppress(BlockingIOError):  # the pipe is full: it is awake
            os.write(self._wake, b"\0")

    def woken(self) -> None:
        """Send the answers there are."""
        with suppress(BlockingIOError):
            os.read(self.wake_descriptor, 1 << 16)
        with suppress(Empty):
            while True:
                client, told = self._answers.get_nowait()
                self._asked[str(client)] -= 1
                if not self._asked[str(client)]:
                    del self._asked[str(client)]
                self._outbox.put(client, told, len(told.line))

    def _transmit(self, client: Peer, told: tuple[Told, ...], done: Done) -> None:
        self._send(client, Answers(told=told), done)

    def tick(self) -> None:
        """Look after those who wait, and end this process with its engine."""
        if self._desk is not None:
            self._desk.tick()
        if self._runtime is not None and self._runtime.health is Health.FAILED:
            sys.stderr.write(f"placet: {self._runtime.problem}\n")
            os._exit(ENDED)

    def close(self) -> None:
        """Stop the engine cleanly."""
        if self._desk is not None:
            self._desk.close()
        if self._runtime is not None:
            self._runtime.close()


def _ignore(_is_through: bool) -> None:
    """A node that is not there any more has taken this process with it."""


def _forget(_told: tuple[Told, ...]) -> None:
    """A client that is not there any more waits for nothing."""


def _loader(name: str) -> Loader:
    module, _, attribute = name.partition(":")
    return cast("Loader", getattr(importlib.import_module(module), attribute))
