"""What lives in the process of an engine's actor: a runtime over its state, and the desk that answers for it."""

import importlib
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import cast

from placet.actors.bundle import Bundle
from placet.actors.carrier import Seat
from placet.actors.clock import monotonic_s
from placet.actors.control.desk import ANSWER_S
from placet.actors.engine import Health
from placet.actors.errors import Busy
from placet.actors.executors.placed import Hosting
from placet.actors.kernel import Kernel
from placet.actors.runtime import Runtime, client_of, engine_of, seated
from placet.actors.shards.messages import Assigned, Row
from placet.actors.shards.records import Owned, read_owner, read_owners
from placet.actors.spawning import Definable
from placet.net.answer import encode_error
from placet.net.desk import NetDesk
from placet.net.errands import ErrandOffice
from placet.net.exchange import Exchange
from placet.net.lost_shards import said_of_lost
from placet.net.messages import (
    NEVER_RESTORED,
    Answers,
    Ask,
    Asks,
    Begun,
    BundleSent,
    EngineConfig,
    Errands,
    Letters,
    MoveShard,
    NotBegun,
    OpenShards,
    Peer,
    Shelf,
    Told,
    WantBundle,
    Whereabouts,
)
from placet.net.outbox import Done, Outbox
from placet.net.spreading import Spreading
from placet.persistence.keys import shard_of
from placet.petri.errors import PlacetError

MOST_ASKED = 2_000  # requests of one client that are not answered yet
LOST_S = 10.0  # shards that are this engine's by the table, and not open for so long, are looked for on its disk
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
        self._here: Set[int] = frozenset()  # the shards it has open
        self._heard: Whereabouts | None = None  # where all engines are, as its node said last
        self._where: Whereabouts | None = None  # what the engine was told of that last
        self._missing_s: float | None = None  # since when shards are missing that the table gives it
        self._has_said_lost = False
        self._told: tuple[int, ...] = ()  # the shards its node knows it has opened
        self._exchange = Exchange(config.name, send, self._rouse, lambda message, done: send(owner, message, done))
        self._errands = ErrandOffice(
            config.name, send, self._rouse, capabilities=config.capabilities, threads=config.threads
        )
        self._spreading: Spreading | None = None
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="placet-bundles")
        self._runtime: Runtime | None = None
        self._desk: NetDesk | None = None
        try:
            workflows = _loader(config.loader)(config.targets)
            hosting = Hosting(capabilities=config.capabilities, elsewhere=self._errands)
            seat = Seat(engine=config.name, carrier=self._exchange, hosting=hosting)
            self._runtime = seated(config.state, workflows, seat, threads=config.threads, grace_s=config.grace_s)
        except PlacetError as error:
            send(owner, NotBegun(error=error), _ignore)
            return
        engine = client_of(self._runtime).engine
        assert engine.kernel.shards is not None, "it has a seat"
        self._here = engine.kernel.shards.here
        self._exchange.order = engine.order
        self._errands.definitions = client_of(self._runtime).definitions
        self._errands.look_again = lambda: engine.order(_look_again)
        self._desk = NetDesk(self._runtime, self._owns, self._covers)
        self._spreading = Spreading(config.name, engine_of(self._runtime).deployment, send, self._follow)
        send(owner, Begun(name=config.name, pid=os.getpid(), unknown=dict(self._runtime.unknown)), _ignore)

    def _owns(self, instance: str) -> bool:
        """Return whether an instance runs here, and is to be seen: a shard that comes is open before its commit."""
        shard = shard_of(instance)
        if shard not in self._here or self._runtime is None:
            return False
        return isinstance(read_owner(client_of(self._runtime).store, shard), Owned)

    def _covers(self) -> frozenset[tuple[int, int]]:
        """Return the shards that run here, and are to be seen, with their epochs."""
        if self._runtime is None:
            return frozenset()
        owners = read_owners(client_of(self._runtime).store)
        return frozenset((shard, one.epoch) for shard, one in owners if shard in self._here and isinstance(one, Owned))

    def _follow(self, bundle: Bundle, replaced: Mapping[str, str]) -> "Future[None]":
        """Take in what another engine was sent, on a thread that may wait for the engine."""
        assert self._runtime is not None, "it has bundles"
        taken = self._loading.submit(engine_of(self._runtime).follow, bundle, replaced, ANSWER_S)
        taken.add_done_callback(lambda _: self._rouse())
        return taken

    def receive(self, sender: Peer, message: object) -> None:
        """Take requests, letters and news; answers to requests go out when the descriptor wakes this process."""
        match message:
            case Letters():
                self._exchange.receive(sender, message)
            case Errands():
                self._errands.receive(sender, message)
            case Asks() if self._desk is not None:
                for ask in message.asks:
                    self._take(self._desk, sender, ask)
            case Shelf() | WantBundle() | BundleSent() if self._spreading is not None:
                self._spreading.receive(sender, message, monotonic_s())
                self._look_once_caught_up()
            case Whereabouts():
                self._hear(message)
            case MoveShard():
                self._move(message)
            case _:
                pass  # of another version of Placet

    def _hear(self, where: Whereabouts) -> None:
        self._heard = where
        self._exchange.look(where)
        self._errands.look(where)
        if self._spreading is not None:
            self._spreading.look(where, monotonic_s())
        self._look_once_caught_up()

    def _look_once_caught_up(self) -> None:
        """Open shards once there is the code that others have: a call that finds none fails, and does not wait."""
        is_ready = self._spreading is not None and self._spreading.is_caught_up(monotonic_s())
        if is_ready and self._heard is not None and self._heard is not self._where:
            self._look(self._heard)

    def _look(self, where: Whereabouts) -> None:
        """Tell the engine what the table says: of its own shards, and of those that are another's now."""
        before, self._where = self._where, where
        rows: dict[bool, list[Row]] = {True: [], False: []}  # by whether nobody has had the shard before
        for shard, (owner, epoch) in enumerate(zip(where.owners, where.epochs, strict=True)):
            is_known = before is not None and (before.owners[shard], before.epochs[shard]) == (owner, epoch)
            if epoch and not is_known:
                restore = where.restored.get(shard, NEVER_RESTORED)
                row = Row(shard=shard, epoch=epoch, engine=owner, era=restore.era, restore=restore.name)
                rows[shard in where.new and owner == self._name].append(row)
        order = self._exchange.order
        for is_new, found in rows.items():
            if found and order is not None:
                order(_receiving(Assigned(rows=tuple(found), is_new=is_new)))

    def _move(self, message: MoveShard) -> None:
        def begin(kernel: Kernel) -> None:
            """Begin the move, unless it has begun, or the shard is not open here."""
            shards = kernel.shards
            if shards is not None and message.shard in shards.here and message.shard not in shards.departures.leaving:
                shards.move(message.shard, message.to, secrets.token_hex(8))

        if self._exchange.order is not None and message.to != self._name:
            self._exchange.order(begin)

    def _tell_opened(self) -> None:
        """Tell the node which shards are open, and are said to be so on disk, when that has changed."""
        here = tuple(sorted(self._here))
        if here != self._told and self._where is not None and self._runtime is not None:
            owners = dict(read_owners(client_of(self._runtime).store))
            opened = tuple(shard for shard in here if isinstance(owners.get(shard), Owned))
            self._told = opened  # the next look finds the others, once they are committed
            epochs = {shard: self._where.epochs[shard] for shard in opened}
            self._send(self._owner, OpenShards(name=self._name, epochs=epochs), _ignore)

    def _look_for_lost(self, now_s: float) -> None:
        """Say once that the table gives this engine shards that its state does not let it open: nobody can run them."""
        if self._where is None or self._runtime is None:
            return
        where, mine = self._where, {shard for shard, owner in enumerate(self._where.owners) if owner == self._name}
        missing = mine - self._here - where.new
        if not missing:
            self._missing_s = None
        elif self._missing_s is None:
            self._missing_s = now_s
        elif now_s >= self._missing_s + LOST_S and not self._has_said_lost:
            known = dict(read_owners(client_of(self._runtime).store))
            for line in said_of_lost(self._name, missing, known, where.epochs):
                self._has_said_lost = True
                sys.stderr.write(f"placet: {line}\n")

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
        self._errands.woken()
        if self._spreading is not None and self._spreading.has_taken:
            self._spread()
        with suppress(Empty):
            while True:
                client, told = self._answers.get_nowait()
                self._asked[str(client)] -= 1
                if not self._asked[str(client)]:
                    del self._asked[str(client)]
                self._outbox.put(client, told, len(told.line))

    def _spread(self) -> None:
        if self._spreading is not None:
            self._spreading.tick(monotonic_s())
            self._look_once_caught_up()

    def _transmit(self, client: Peer, told: tuple[Told, ...], done: Done) -> None:
        self._send(client, Answers(told=told), done)

    def tick(self) -> None:
        """Look after those who wait, and end this process with its engine."""
        if self._desk is not None:
            self._desk.tick()
        self._exchange.tick()
        self._spread()
        self._tell_opened()
        self._look_for_lost(monotonic_s())
        self._errands.tick()
        if self._runtime is not None and self._runtime.health is Health.FAILED:
            sys.stderr.write(f"placet: {self._runtime.problem}\n")
            os._exit(ENDED)

    def close(self) -> None:
        """Stop the engine cleanly."""
        self._errands.close()
        self._loading.shutdown(wait=False, cancel_futures=True)
        if self._desk is not None:
            self._desk.close()
        if self._runtime is not None:
            self._runtime.close()


def _receiving(message: Assigned) -> Callable[[Kernel], None]:
    return lambda kernel: kernel.receive(message)


def _told(ask: Ask, line: bytes | None) -> Told:
    return Told(number=ask.number, line=line or b"", is_elsewhere=line is None)


def _look_again(_kernel: Kernel) -> None:
    """Nothing is to be done but what the engine does before each batch."""


def _ignore(_is_through: bool) -> None:
    """A node that is not there any more has taken this process with it."""


def _forget(_told: tuple[Told, ...]) -> None:
    """A client that is not there any more waits for nothing."""


def _loader(name: str) -> Loader:
    module, _, attribute = name.partition(":")
    return cast("Loader", getattr(importlib.import_module(module), attribute))
