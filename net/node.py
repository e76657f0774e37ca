"""A node: one actor system on one host, in this process, with an engine in a process of its own."""

import os
import secrets
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress, check_listen
from placet.net.errors import NodeFailed
from placet.net.keyring import load_keyring, make_key_file
from placet.net.messages import Begin, Begun, EngineAt, EngineConfig, FindEngine, NotBegun, Peer
from placet.net.thespian_adapter import AdminProcess
from placet.petri.errors import PlacetError
from placet.supervision.budget import RestartBudget

STOP_S = 10.0  # beyond the grace: then what has not ended is killed
ENGINE = "placet.net.engine_host:EngineHost"
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What a node is started with."""

    listen: NetAddress
    key_file: Path
    has_chosen_key: bool  # the key file was named, so that other hosts can have it too
    engine: EngineConfig
    budget: RestartBudget = field(default_factory=lambda: RestartBudget(limit=5, window_s=30.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An engine runs."""

    listens_at: NetAddress
    pid: int
    number: int  # 1 is the first engine of this node
    unknown: Mapping[str, str]  # workflow to the reason why it could not be loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An engine's process has ended, and another is started."""

    number: int
    exit_code: int | None  # negative: the signal that ended it


NodeEvent = Started | Lost


class Node:
    """Runs until a signal comes or its engine cannot go on; `tell` hears what happens, and must not raise."""

    def __init__(self, config: NodeConfig, tell: Callable[[NodeEvent], None]) -> None:
        """Listen. Raises `KeyUnusable`, `BadAddress` and `AddressTaken`."""
        check_listen(config.listen, has_key=config.has_chosen_key)
        self.made_key = make_key_file(config.key_file)
        self._config = config
        self._tell = tell
        self._admin = AdminProcess(config.listen, load_keyring(config.key_file), self)
        self._name = secrets.token_hex(8)
        self._number = 0  # engines started
        self._engine: Peer | None = None  # where the engine is, once it can be asked
        self._restarts: tuple[float, ...] = ()
        self._error: PlacetError | None = None
        self._signal = 0

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
        self._start_engine()
        try:
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
        self._stop()

    def _stop(self) -> None:
        limit = threading.Timer(self._config.engine.grace_s + STOP_S, self._admin.kill)
        limit.daemon = True
        limit.start()
        self._admin.stop()

    def _fail(self, error: PlacetError) -> None:
        if self._error is None:
            self._error = error
            self._stop()

    def _start_engine(self) -> None:
        self._engine = None
        self._number += 1
        self._admin.start_actor()

    # -- as a supervisor -------------------------------------------------------------------------------------------

    def actor_started(self, peer: Peer) -> None:
        """The process of an engine is there: tell it what to open."""
        self._admin.send(peer, Begin(factory=ENGINE, config=self._config.engine))

    def actor_ended(self, exit_code: int | None) -> None:
        """The process of an engine has ended: start another, unless that happens too often."""
        if self._error is not None:
            return
        recent = self._config.budget.spend(self._restarts, monotonic_s())
        if recent is None:
            self._fail(NodeFailed(f"its engine ended {len(self._restarts) + 1} times within a short time"))
            return
        self._restarts = recent
        self._tell(Lost(number=self._number, exit_code=exit_code))
        self._start_engine()

    def receive(self, sender: Peer, message: object) -> None:
        """Hear of the engine, or tell a client where it is."""
        match message:
            case Begun():
                self._engine = sender
                self._tell(
                    Started(listens_at=self.listens_at, pid=message.pid, number=self._number, unknown=message.unknown)
                )
            case NotBegun():
                self._fail(message.error)
            case FindEngine():
                self._admin.send(sender, EngineAt(engine=self._engine, incarnation=f"{self._name}.{self._number}"))
            case _:
                pass  # of another version of Placet
