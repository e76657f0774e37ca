"""A node: one actor system on one host, in this process, with engines in processes of their own."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress, check_listen
from placet.net.cluster import Cluster
from placet.net.cluster_table import Member
from placet.net.errors import NodeFailed
from placet.net.keyring import load_keyring_of_node, make_key_files
from placet.net.messages import (
    Answers,
    Asks,
    Begin,
    Begun,
    EngineAt,
    EngineConfig,
    FindEngines,
    NotBegun,
    Peer,
    SetDraining,
    StopNode,
    Told,
    Whereabouts,
)
from placet.net.node_desk import NodeDesk
from placet.net.node_state import NodeState, prepare_node_directory
from placet.net.preflight import knock_at_one
from placet.net.thespian_adapter import AdminProcess, peer_of
from placet.net.wire import WIRE_VERSION
from placet.persistence.errors import StoreError
from placet.petri.errors import PlacetError
from placet.supervision.budget import RestartBudget

SAID_S = 5.0  # an attempt to send what is said again ends after so long
STOP_S = 10.0  # beyond the grace: then what has not ended is killed
ENGINE = "placet.net.engine_host:EngineHost"
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What a node is started with."""

    name: str
    version: str  # of Placet
    listen: NetAddress
    join: tuple[NetAddress, ...]  # nodes of the cluster to join; none: this node keeps its coordinator
    state: Path
    engines: int
    capabilities: Mapping[str, float | str]
    key_file: Path
    has_chosen_key: bool  # the key file was named, so that other hosts can have it too
    engine: EngineConfig  # of each, but for its name and state
    budget: RestartBudget = field(default_factory=lambda: RestartBudget(limit=5, window_s=30.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An engine runs."""

    listens_at: NetAddress
    engine: str
    state: Path
    pid: int
    number: int  # of its processes so far, with this one
    unknown: Mapping[str, str]  # workflow to the reason why it could not be loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An engine's process has ended, and another is started."""

    engine: str
    number: int
    exit_code: int | None  # negative: the signal that ended it


NodeEvent = Started | Lost


@dataclass(slots=True, kw_only=True)
class _Seat:
    """An engine of this node, whichever process it has."""

    config: EngineConfig
    number: int = 0  # processes started
    restarts: tuple[float, ...] = ()


class Node:
    """Runs until a signal comes or it cannot go on; `tell` hears what happens, and must not raise."""

    def __init__(self, config: NodeConfig, tell: Callable[[NodeEvent], None]) -> None:
        """Listen.

        Raises `KeyUnusable`, `BadAddress`, `AddressTaken`, `StateUnusable`, `StoreInUse`, and of the nodes to join
        `WrongKey` and `OtherVersion`.
        """
        check_listen(config.listen, has_key=config.has_chosen_key)
        if not config.has_chosen_key:
            prepare_node_directory(config.state)  # its key lies there
        self.made_keys = make_key_files(config.key_file)
        self._config = config
        self._tell = tell
        self._error: PlacetError | None = None
        self._signal = 0
        self._is_stopping = False
        keyring = load_keyring_of_node(config.key_file)
        with ExitStack() as undo:
            self._admin = AdminProcess(config.listen, keyring, self)
            undo.callback(self._admin.close)
            self._state = NodeState.open(config.state, config.name, keeps_coordinator=not config.join)
            undo.callback(self._state.close)
            if not self._state.keeps_coordinator:
                others = (one for one in config.join if one != self.listens_at)
                knock_at_one(others, keyring, str(config.key_file))
            count = max(config.engines, self._state.engines())  # what lies on this disk nobody else can run
            self._seats = [_Seat(config=self._engine_config(number)) for number in range(count)]
            self._cluster = Cluster(
                self._member(),
                self._state,
                config.join,
                send=self._say,
                moved=self._whereabouts_changed,
                failed=self._fail,
            )
            undo.callback(self._cluster.close)
            self._undo = undo.pop_all()
        self._desk = NodeDesk(self._cluster, self._tell_node)
        self._engines: dict[str, Peer] = {}  # those that can be asked, by name
        self._being_told: dict[str, bool] = {}  # where all are, by peer; whether that has changed since
        self._untold: set[str] = set()  # peers to be told again

    def _engine_config(self, number: int) -> EngineConfig:
        name = f"{self._config.name}/{number}"
        return replace(self._config.engine, name=name, state=self._state.engine(number))

    def _member(self) -> Member:
        return Member(
            name=self._config.name,
            address=str(self.listens_at),
            engines=tuple(seat.config.name for seat in self._seats),
            incarnation=self._state.record.starts,
            id=self._state.record.id,
            capabilities=dict(self._config.capabilities),
            version=self._config.version,
            wire_version=WIRE_VERSION,
            is_draining=self._state.record.is_draining,
        )

    @property
    def listens_at(self) -> NetAddress:
        """Where it listens."""
        return self._admin.listens_at

    def run(self) -> int:
        """Run to the end and return the signal that asked for it.

        Raises `NodeFailed`, and what an engine raises that cannot open its state, such as `StoreInUse`.
        """
        for number in _STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`: leave it ignored
                signal.signal(number, self._asked_to_stop)
        with self._undo:
            try:
                for seat in range(len(self._seats)):
                    self._start_engine(seat)
                self._admin.run()
            finally:
                self._admin.kill()
        if self._error is not None:
            raise self._error
        if not self._signal:
            raise NodeFailed("a peer with the key told it to")
        return self._signal

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self._signal:
            os._exit(128 + number)  # patience is over; engines end with this process
        self._signal = number
        self._admin.wake()  # this is the middle of anything: what is done about it has to wait for `tick`

    def _stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._cluster.leave()
        limit = threading.Timer(self._config.engine.grace_s + STOP_S, self._admin.kill)
        limit.daemon = True
        limit.start()
        self._admin.stop()

    def _fail(self, error: PlacetError) -> None:
        if self._error is None:
            self._error = error
            self._stop()

    # -- engines ---------------------------------------------------------------------------------------------------

    def _start_engine(self, number: int) -> None:
        seat = self._seats[number]
        seat.number += 1
        self._engines.pop(seat.config.name, None)
        self._cluster.engine_ended(seat.config.name)
        self._admin.start_actor(number)

    def actor_started(self, number: int, peer: Peer) -> None:
        """The process of an engine is there: tell it what to open."""
        self._admin.send(peer, Begin(factory=ENGINE, config=self._seats[number].config))

    def actor_ended(self, number: int, exit_code: int | None) -> None:
        """The process of an engine has ended: start another, unless that happens too often."""
        if self._error is not None:
            return
        seat = self._seats[number]
        recent = self._config.budget.spend(seat.restarts, monotonic_s())
        if recent is None:
            self._fail(NodeFailed(f"its engine ended {len(seat.restarts) + 1} times within a short time"))
            return
        seat.restarts = recent
        self._tell(Lost(engine=seat.config.name, number=seat.number, exit_code=exit_code))
        self._start_engine(number)

    def _begun(self, peer: Peer, begun: Begun) -> None:
        seat = next(one for one in self._seats if one.config.name == begun.name)
        self._tell(
            Started(
                listens_at=self.listens_at,
                engine=begun.name,
                state=seat.config.state,
                pid=begun.pid,
                number=seat.number,
                unknown=begun.unknown,
            )
        )
        self._engines[begun.name] = peer
        incarnation = f"{begun.name}.{self._state.record.starts}.{seat.number}"
        self._cluster.engine_started(begun.name, EngineAt(peer=peer, incarnation=incarnation))
        self._being_told.pop(str(peer), None)  # of a process before it, at the same address
        self._tell_where(peer)

    def _tell_node(self, address: str, message: object) -> None:
        self._admin.send(peer_of(address), message)

    def _say(self, peer: Peer, message: object) -> None:
        """Send what is said again where it gets lost: to one that is away it must not pile up."""
        self._admin.send(peer, message, within_s=SAID_S)

    def _whereabouts_changed(self, _where: Whereabouts) -> None:
        for peer in self._engines.values():
            self._tell_where(peer)

    def _tell_where(self, peer: Peer) -> None:
        """Tell an engine where all are; what changes while it is being told is told afterwards, at once."""
        if str(peer) in self._being_told:
            self._being_told[str(peer)] = True
        else:
            self._being_told[str(peer)] = False
            self._admin.send(peer, self._cluster.where, lambda is_through: self._was_told(peer, is_through))

    def _was_told(self, peer: Peer, is_through: bool) -> None:
        if self._being_told.pop(str(peer), False) or not is_through:
            self._untold.add(str(peer))
            self._admin.wake()

    # -- messages --------------------------------------------------------------------------------------------------

    def receive(self, sender: Peer, message: object) -> None:
        """Hear of an engine or another node, or tell a client where the engines are."""
        match message:
            case Begun():
                self._begun(sender, message)
            case NotBegun():
                self._fail(message.error)
            case Asks():
                told = [
                    Told(number=ask.number, line=self._desk.answer(ask.line, sender.kind, monotonic_s()))
                    for ask in message.asks
                ]
                self._admin.send(sender, Answers(told=tuple(told)))
            case SetDraining() if message.name == self._config.name:
                self._cluster.drain(is_draining=message.is_draining)
            case StopNode() if message.name == self._config.name:
                self._signal = self._signal or signal.SIGTERM
            case FindEngines():
                self._admin.send(sender, self._cluster.where)
            case _:
                self._guarded(lambda: self._cluster.receive(sender, message, monotonic_s()))

    def tick(self) -> None:
        """Do what is due."""
        self._guarded(lambda: self._cluster.tick(monotonic_s()))
        untold, self._untold = self._untold, set()
        for peer in self._engines.values():
            if str(peer) in untold:
                self._tell_where(peer)
        if self._signal:
            self._stop()

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something with the coordinator; where its store fails, only a fresh process knows what is on disk."""
        try:
            act()
        except StoreError as error:
            self._fail(error)
