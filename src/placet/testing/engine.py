"""One engine of a simulation: a kernel whose every step is taken by hand, and can be the last."""

from collections.abc import Set
from enum import Enum
from typing import TypeAlias

from placet.actors.catalog import Catalog
from placet.actors.effects import Batch, Expire, Reply, Start
from placet.actors.messages import Acknowledged, Parcel
from placet.actors.shards.messages import BetweenEngines, Confirm, Forward
from placet.persistence.errors import StoreFull
from placet.testing.probes import ProbedKernel
from placet.testing.setting import Setting
from placet.testing.windows import full_of, waiting_in


class Stage(Enum):
    """Between which steps an engine is."""

    IDLE = "idle"
    RAN = "ran"  # a batch waits for its commit
    COMMITTED = "committed"  # effects wait to be released


Effect: TypeAlias = Start | Expire | Reply | Parcel | Acknowledged | tuple[str, BetweenEngines] | Forward | Confirm


class SimulatedEngine:
    """A kernel from its start to its crash."""

    def __init__(self, catalog: Catalog, setting: Setting, capacity: int) -> None:
        self._setting = setting
        self.kernel = ProbedKernel(setting.store, catalog, engine=setting.engine)
        self.kernel.portion = setting.portion
        self.kernel.credit.limit = setting.window
        if self.kernel.shards is not None:  # so small that moves take many steps, and read again what has changed
            departures, arrivals = self.kernel.shards.departures, self.kernel.shards.arrivals
            departures.chunk_bytes, departures.few_changes = setting.unrest.chunk_bytes, 2
            arrivals.portion = 7
            departures.patience_s = arrivals.patience_s = setting.unrest.patience_s
        self.kernel.begin_batch()
        self.found = self.kernel.recover()
        self.stage = Stage.IDLE
        self.batch = Batch()
        self.effects: list[Effect] = []
        self.released = 0
        self.batch_at = 0.0  # engine time the last batch was made at
        self.faulted = False  # an actor raised in the last batch
        self.is_last = False  # the batch is that of a clean stop
        self.set_capacity(capacity)

    def runs(self, shard: int) -> bool:
        """Return whether the instances of a shard may run in this engine now."""
        return self.kernel.shards is None or shard in self.kernel.shards.here

    def _opened(self) -> Set[int]:
        """Return the shards whose channels the engine knows: those that run, and those that are frozen."""
        shards = self.kernel.shards
        if shards is None:
            return frozenset()
        return shards.here | {shard for shard, leaving in shards.departures.leaving.items() if leaving.is_frozen}

    def full(self) -> frozenset[int]:
        """Return the shards that take no more, as the store shows it."""
        return full_of(waiting_in(self._setting.checks.view, self._opened()), self._setting.window)

    def set_capacity(self, slots: int, lack: str = "") -> None:
        """Give the executor another number of slots; `lack` says why there will be none."""
        self.capacity = slots
        self.kernel.set_capacity("thread", slots)
        self.kernel.set_lack("thread", lack)
        self._setting.checks.look_for_hosts(lack)

    def run(self, budget: int) -> Batch:
        """Handle messages. Raises `Crashed` before the message that `kernel.ends_at` says."""
        self.kernel.begin_batch()
        self.batch_at = self._setting.clock.now()
        faults = self._setting.probe.raised
        self.batch = self.kernel.run(self.batch_at, budget, wall=self.batch_at)
        self.faulted = self._setting.probe.raised > faults
        self.stage = Stage.IDLE if self.batch.is_empty else Stage.RAN
        return self.batch

    def stop(self) -> Batch:
        """Make the batch of a clean stop."""
        self.kernel.begin_batch()
        self.batch = self.kernel.stop(self._setting.clock.now())
        self.stage, self.is_last = Stage.RAN, True
        return self.batch

    def commit(self) -> bool:
        """Commit the batch; False: there is no room, and it is kept. Raises `StoreFailed` or `Crashed`."""
        batch, checks = self.batch, self._setting.checks
        if batch.writes:
            checks.windows.look(checks.view, batch.writes, self._opened(), self._setting.window)
            try:
                self._setting.store.commit(batch.writes)
            except StoreFull:
                return False
        self.kernel.committed()
        self._setting.checks.broken |= self.kernel.broken()
        self.effects = [
            *(start for starts in batch.starts.values() for start in starts),
            *batch.expires,
            *batch.replies,
            *batch.parcels,
            *batch.acknowledgements.values(),
            *batch.between,
            *batch.forwards,
            *batch.confirms,
        ]
        self.released = 0
        self.stage = Stage.COMMITTED if self.effects or self.is_last else Stage.IDLE
        self._setting.releases.changed(batch.changes)
        return True

    def release(self, count: int) -> None:
        """Let go of the next `count` effects."""
        now = self._setting.clock.now()
        for effect in self.effects[self.released : self.released + count]:
            self._release(effect, now)
        self.released += count
        if self.released >= len(self.effects) and not self.is_last:
            self.stage = Stage.IDLE

    def _release(self, effect: Effect, now: float) -> None:
        setting = self._setting
        match effect:
            case Start():
                setting.releases.start(effect, now, self.capacity)
                setting.executor.submit(effect, now)
            case Expire():
                setting.releases.expire(effect, now)
                setting.executor.expire(effect, now)
            case tuple():
                setting.network.send(setting.number, effect[1], effect[0])
            case Reply():
                setting.people.answered(effect, alone=len(self.kernel.handled) == 1 and not self.batch.writes)
            case _:
                setting.network.send(setting.number, effect)
