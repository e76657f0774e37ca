"""What lives in the process of an engine's actor: a runtime over its state, and the desk that answers for it."""

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import cast

from placet.actors.carrier import Seat
from placet.actors.engine import Health
from placet.actors.errors import Busy
from placet.actors.runtime import Runtime, client_of, seated
from placet.actors.spawning import Definable
from placet.net.answer import encode_error
from placet.net.desk import NetDesk
from placet.net.exchange import Exchange
from placet.net.messages import Answers, Ask, Asks, Begun, EngineConfig, Letters, NotBegun, Peer, Told, Whereabouts
from placet.net.outbox import Done, Outbox
from placet.persistence.keys import shard_of
from placet.petri.errors import PlacetError

MOST_ASKED = 2_000  # requests of one client that are not answered yet
ENDED = 4  # exit code of an engine that ended by an error: a fresh process recovers

Send = Callable[[Peer, object, Done], None]
Loader = Callable[[tuple[str, ...]], Iterable[Definable]]


class EngineHost:
    """Opens the state of an engine and answers requests; what it cannot do it tells `owner`, its node."""

    def __init__(self, config: EngineConfig, send: Send, owner: Peer) -> None:
        self._name = config.name
        self._send = send
        self._outbox: Outbox[Told] = Outbox(self._transmit, _forget)
        self._owner = owner
        self.wake_descriptor, self._wake = os.pipe()
        os.set_blocking(self.wake_descriptor, False)
        os.set_blocking(self._wake, False)
        self._answers: SimpleQueue[tuple[Peer, Told]] = SimpleQueue()
        self._asked: Counter[str] = Counter()  # requests under way, by client
        self._shards: set[int] = set()  # those it owns
        self._exchange = Exchange(config.name, send, self._rouse)
        self._runtime: Runtime | None = None
        self._desk: NetDesk | None = None
        try:
            workflows = _loader(config.loader)(config.targets)
            seat = Seat(shards=self._shards, carrier=self._exchange)
            self._runtime = seated(config.state, workflows, seat, threads=config.threads, grace_s=config.grace_s)
        except PlacetError as error:
            send(owner, NotBegun(error=error), _ignore)
            return
        self._exchange.order = client_of(self._runtime).engine.order
        self._desk = NetDesk(self._runtime, self._owns)
        send(owner, Begun(name=config.name, pid=os.getpid(), unknown=dict(self._runtime.unknown)), _ignore)

    def _owns(self, instance: str) -> bool:
        return shard_of(instance) in self._shards

    def receive(self, sender: Peer, message: object) -> None:
        """Take requests, letters and news; answers to requests go out when the descriptor wakes this process."""
        match message:
            case Letters():
                self._exchange.receive(sender, message)
            case Asks() if self._desk is not None:
                for ask in message.asks:
                    self._take(self._desk, sender, ask)
            case Whereabouts():
                self._look(message)
            case _:
                pass  # of another version of Placet

    def _look(self, where: Whereabouts) -> None:
        self._exchange.look(where)
        mine = {shard for shard, owner in enumerate(where.owners) if owner == self._name}
        self._shards |= mine
        self._shards &= mine

    def _take(self, desk: NetDesk, client: Peer, ask: Ask) -> None:
        self._asked[str(client)] += 1
        if self._asked[str(client)] > MOST_ASKED:
            self._post(client, Told(number=ask.number, line=encode_error(Busy(MOST_ASKED, MOST_ASKED))))
            return
        desk.take(ask.line, lambda line: self._post(client, _told(ask, line)), client.kind)

    def _post(self, client: Peer, told: Told) -> None:
        self._answers.put((client, told))
        self._rouse()

    def _rouse(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full: it is awake
            os.write(self._wake, b"\0")

    def woken(self) -> None:
        """Send the answers and the letters there are."""
        with suppress(BlockingIOError):
            os.read(self.wake_descriptor, 1 << 16)
        self._exchange.woken()
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
        self._exchange.tick()
        if self._runtime is not None and self._runtime.health is Health.FAILED:
            sys.stderr.write(f"placet: {self._runtime.problem}\n")
            os._exit(ENDED)

    def close(self) -> None:
        """Stop the engine cleanly."""
        if self._desk is not None:
            self._desk.close()
        if self._runtime is not None:
            self._runtime.close()


def _told(ask: Ask, line: bytes | None) -> Told:
    return Told(number=ask.number, line=line or b"", is_elsewhere=line is None)


def _ignore(_is_through: bool) -> None:
    """A node that is not there any more has taken this process with it."""


def _forget(_told: tuple[Told, ...]) -> None:
    """A client that is not there any more waits for nothing."""


def _loader(name: str) -> Loader:
    module, _, attribute = name.partition(":")
    return cast("Loader", getattr(importlib.import_module(module), attribute))
