"""An engine within this process, over a state directory: opened, with all it needs, and stopped cleanly."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from placet.actors.bundle import Bundle
from placet.actors.carrier import Seat
from placet.actors.catalog import Catalog, is_same
from placet.actors.control.desk import ControlDesk
from placet.actors.control.server import ControlServer
from placet.actors.deployment import Deployment
from placet.actors.engine import Engine
from placet.actors.engine_client import EngineClient
from placet.actors.error_places import check_error_places
from placet.actors.executors.placed import Hosting
from placet.actors.executors.portable import check_portable
from placet.actors.executors.roster import Bounds, Roster
from placet.actors.kernel import Kernel
from placet.actors.loading import load_stored, record_options
from placet.actors.loading_guard import LoadingGuard
from placet.actors.marker_file import MarkerFile
from placet.actors.messages import Inspect, Restart
from placet.actors.outbox import spawns_of
from placet.actors.spawning import Definable
from placet.persistence.state import open_state
from placet.persistence.store import Store
from placet.petri.behaviour import Definition
from placet.petri.errors import DefinitionError
from placet.petri.requirement import Capability, checked_capabilities

NO_CAPABILITIES: Final[Mapping[str, Capability]] = {}


class EmbeddedEngine:
    """Runs from the moment it is made until `close`; whoever asks it for something does so through `client`.

    `digests` are those of the nets of the workflows that it was given or sent, by name. Raises as `Runtime` does.
    """

    def __init__(
        self,
        path: Path,
        workflows: Iterable[Definable],
        bounds: Bounds,
        *,
        grace_s: float,
        limit_bytes: int,
        control: bool,
        check: bool,
        seat: Seat | None = None,
        capabilities: Mapping[str, Capability] = NO_CAPABILITIES,
    ) -> None:
        if limit_bytes <= 0:
            raise ValueError(f"limit_bytes must be > 0, got {limit_bytes}")
        self._hosting = seat.hosting if seat else Hosting(capabilities=checked_capabilities(capabilities))
        self._grace_s = grace_s
        self._pid = os.getpid()
        self._closing = threading.Lock()
        self._engine: Engine | None = None
        self._catalog = Catalog()
        self.digests: dict[str, bytes] = {}
        for workflow in workflows:
            definition = workflow.definition()
            for one in (*definition.callees, definition):
                self._register(one)
        with ExitStack() as undo:
            state = open_state(path, limit_bytes=limit_bytes, full=check)
            undo.callback(self._let_go, state.close)
            marker = MarkerFile(path)
            undo.callback(self._let_go, marker.close)
            guard = LoadingGuard(path)
            self.deployment = Deployment(path, guard, self._catalog, self.digests)
            unsent = self.deployment.load(self._enter)
            record_options(state.store, self._catalog, self.digests.values())
            unknown = {**load_stored(state.store, self._catalog, guard), **unsent}
            engine = self._engine = self._make_engine(state.store, marker, bounds, seat)
            self.client = EngineClient(engine, state.store, self._catalog.definitions, unknown)
            undo.callback(self.client.close)
            self._control = ControlServer(path, ControlDesk(self.client).answer) if control else None
            engine.start()
            undo.callback(self._end_engine)
            if self._control is not None:
                self._control.start()
                undo.callback(self._control.close)
            self._undo = undo.pop_all()

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """All workflows that are known here: those it was given, and those of stored instances."""
        return self._catalog.definitions

    @property
    def control_problem(self) -> str:
        """Why commands cannot reach it; "" where they can, or need not."""
        return self._control.problem if self._control is not None else ""

    def close(self) -> None:
        """Stop cleanly. Closing twice is harmless; who comes second waits."""
        if os.getpid() == self._pid:  # a forked child has neither the engine's thread nor a right to its files
            with self._closing:
                self._undo.close()

    def _make_engine(self, store: Store, marker: MarkerFile, bounds: Bounds, seat: Seat | None) -> Engine:
        engine = Engine(store, self._catalog, marker, seat=seat)
        found = marker.found()
        if found is not None:
            suspects = engine.kernel.suspects
            suspects.add(
                found.instance, found.path, accompanied=found.accompanied
            )  # the engine clears the mark once this is on disk
        self._roster = Roster(engine.post, bounds, engine.durations, self._hosting)
        for executor in self._roster.missing(self._catalog.definitions.values()):
            engine.add(executor)
        return engine

    def _register(self, definition: Definition) -> None:
        known = self._catalog.definitions.get(definition.name)
        if known is not None and not is_same(known, definition):
            raise DefinitionError(f"there are two workflows called {definition.name}", "give one of them another name")
        check_portable(definition)
        check_error_places(definition)
        self._enter(definition)

    def _enter(self, definition: Definition) -> None:
        self.digests[definition.name] = self._catalog.register(definition)

    def take_in(self, bundle: Bundle, timeout_s: float) -> None:
        """Run a workflow that a client has sent, from now on and at each start. Raises as `Deployment.take_in` does."""
        self.deployment.take_in(bundle, self._enter_while_running, timeout_s)

    def follow(self, bundle: Bundle, replaced: Mapping[str, str], timeout_s: float) -> None:
        """Run what another engine was sent, where it is wanted here. Raises as `Deployment.follow` does."""
        self.deployment.follow(bundle, replaced, self._enter_while_running, timeout_s)

    def _enter_while_running(self, definition: Definition) -> "Future[None]":
        """Have the engine's own thread register a definition; its instances that are in memory get its handlers."""
        check_portable(definition)
        engine, done = self.client.engine, Future[None]()
        executors = self._roster.missing([definition])
        check_error_places(definition)  # which takes a while for a large net, as making its plan does

        def enter(kernel: Kernel) -> None:
            """Register it, between two batches."""
            engine.executors = {**engine.executors, **{one.name: one for one in executors}}
            is_new = definition.name not in self._catalog.definitions
            self._enter(definition)
            for sent in spawns_of(self.client.store, definition.name) if is_new else ():  # they have waited for it
                kernel.deliver(sent)
            for live in kernel.memory.instances_of(definition.name):
                for kind in (Restart, Inspect):  # it is dropped, and read again with what it can do now
                    kernel.deliver(kind(instance=live, path=""))
            with suppress(InvalidStateError):  # who waited for it has given up
                done.set_result(None)

        engine.order(enter)
        return engine.outlive(done)

    def _end_engine(self) -> None:
        """Stop the engine. The store is let go of after it, never beneath it: an interrupt only ends the grace."""
        try:
            self.client.engine.stop(self._grace_s)
        except BaseException:  # Ctrl-C once more
            self.client.engine.stop(0.0)
            raise

    def _let_go(self, close: Callable[[], None]) -> None:
        """Close what the engine uses, unless it goes on: a second interrupt leaves it to the end of the process."""
        if self._engine is None or self._engine.is_over:
            close()
