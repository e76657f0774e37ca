"""Coordinators to be put to the same tests: in memory, on disk, and far away over a bad network; and their model."""

import heapq
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

from placet.net.coordinator import Change, Changed, Compacted, Condition, Coordinator, Entry, Outcome, Snapshot
from placet.net.coordinator_desk import CoordinatorDesk
from placet.net.coordinator_messages import (
    CoordinatorAnswer,
    CoordinatorRequest,
    decode_answer,
    decode_request,
    encode_coordination,
)
from placet.net.local_coordinator import LocalCoordinator
from placet.net.remote_coordinator import RemoteCoordinator
from placet.persistence.memory_store import MemoryStore

T = TypeVar("T")
STEP_S = 0.25


class Place(Protocol):
    """A coordinator, and what keeps it going."""

    @property
    def coordinator(self) -> Coordinator: ...

    def result(self, future: Future[T]) -> T:
        """Return what a future tells, letting messages pass, but no time of leases."""
        ...

    def pass_s(self, seconds: int) -> None:
        """Let time pass for leases."""
        ...

    def restart(self) -> None:
        """End the process of the coordinator without a warning, and start it again."""
        ...

    def settle(self) -> None:
        """Let all arrive that is on its way."""
        ...

    def close(self) -> None: ...


class MemoryPlace:
    """A local coordinator over a store in memory."""

    watches_survive = False

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._now_s = 1_000.0
        self.local = self.open()
        self.local.tick(self._now_s)

    def open(self) -> LocalCoordinator:
        self._store = self._store.snapshot()
        return LocalCoordinator(self._store)

    @property
    def coordinator(self) -> Coordinator:
        return self.local

    def result(self, future: Future[T]) -> T:
        assert future.done()
        return future.result()

    def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            self._now_s += 1.0
            self.local.tick(self._now_s)

    def restart(self) -> None:
        self.abandon()
        self.local = self.open()
        self._now_s = 5.0  # another clock
        self.local.tick(self._now_s)

    def abandon(self) -> None:
        """What a killed process leaves: a snapshot in memory."""

    def settle(self) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        self.local.close()


class DiskPlace(MemoryPlace):
    """A local coordinator over a store on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__()

    def open(self) -> LocalCoordinator:
        return LocalCoordinator.open(self._path)

    def abandon(self) -> None:
        self.local.close()


class BadNetwork:
    """Drops, doubles, delays and reorders what is sent, by a seed."""

    def __init__(self, seed: int, *, drop: float = 0.2, double: float = 0.2, longest_s: float = 2.0) -> None:
        self._random = Random(seed)
        self._drop, self._double, self._longest_s = drop, double, longest_s
        self._under_way: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.now_s = 0.0
        self.is_calm = False

    def send(self, deliver: Callable[[], None]) -> None:
        """Have `deliver` called later, once, twice or never."""
        draw = self._random.random()
        copies = 1 if self.is_calm else 0 if draw < self._drop else 2 if draw < self._drop + self._double else 1
        for _ in range(copies):
            at_s = self.now_s + (0.0 if self.is_calm else self._random.random() * self._longest_s)
            heapq.heappush(self._under_way, (at_s, next(self._numbers), deliver))

    def advance(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self._under_way and self._under_way[0][0] <= end_s:
            self.now_s, _, deliver = heapq.heappop(self._under_way)
            deliver()
        self.now_s = end_s


class RemotePlace:
    """One coordinator in memory, and others that ask it over a bad network."""

    watches_survive = True

    def __init__(self, seed: int, clients: int = 1, **trouble: float) -> None:
        self.network = BadNetwork(seed, **trouble)
        self.inner = MemoryPlace()
        self.desk = CoordinatorDesk(self.inner.local)
        self.remotes = [self.connect(f"client-{number}") for number in range(clients)]

    def connect(self, name: str) -> RemoteCoordinator:
        def to_client(answer: CoordinatorAnswer) -> None:
            line = encode_coordination(answer)
            self.network.send(lambda: remote.receive(decode_answer(line)))

        def to_desk(request: CoordinatorRequest) -> None:
            line = encode_coordination(request)
            self.network.send(lambda: self.desk.receive(decode_request(line), to_client))

        remote = RemoteCoordinator(name, to_desk)
        return remote

    @property
    def coordinator(self) -> Coordinator:
        return self.remotes[0]

    def result(self, future: Future[T]) -> T:
        for _ in range(4_000):
            if future.done():
                return future.result()
            self.step()
        raise AssertionError("not answered within 1,000 s")

    def step(self) -> None:
        self.network.advance(STEP_S)
        self.desk.tick(self.network.now_s)
        for remote in self.remotes:
            remote.tick(self.network.now_s)

    def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            self.inner.pass_s(1)
            self.step()

    def restart(self) -> None:
        self.inner.restart()
        self.desk = CoordinatorDesk(self.inner.local)
        for remote in self.remotes:
            remote.lost()

    def settle(self) -> None:
        self.network.is_calm = True
        for _ in range(40):
            self.step()
        self.network.is_calm = False

    def close(self) -> None:
        for remote in self.remotes:
            remote.close()
        self.inner.close()


class Model:
    """What a coordinator should be, in the simplest way: all revisions are kept."""

    def __init__(self) -> None:
        self.states: list[dict[str, Entry]] = [{}]  # by revision
        self.ttl_s: dict[int, int] = {}  # lease to its time
        self.left_s: dict[int, int] = {}

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    @property
    def entries(self) -> dict[str, Entry]:
        return self.states[-1]

    def holds(self, conditions: list[Condition]) -> bool:
        return all(one.revision == self.revision_of(one.key) for one in conditions)

    def revision_of(self, key: str) -> int:
        return self.entries[key].revision if key in self.entries else 0

    def transact(self, conditions: list[Condition], changes: list[Change]) -> Outcome:
        if not self.holds(conditions):
            found = {one.key: self.entries[one.key] for one in conditions if one.key in self.entries}
            return Outcome(ok=False, revision=self.revision, entries=found)
        after = self.entries.copy()
        for change in changes:
            if change.value is None:
                after.pop(change.key, None)
            else:
                after[change.key] = Entry(value=change.value, revision=self.revision + 1, lease=change.lease)
        if after != self.entries:
            self.states.append(after)
        return Outcome(ok=True, revision=self.revision)

    def read(self, prefix: str) -> Snapshot:
        return Snapshot(
            revision=self.revision, entries={key: one for key, one in self.entries.items() if key.startswith(prefix)}
        )

    def grant(self, lease: int, ttl_s: int) -> None:
        self.ttl_s[lease] = self.left_s[lease] = ttl_s

    def keep_alive(self, lease: int) -> bool:
        if lease in self.ttl_s:
            self.left_s[lease] = self.ttl_s[lease]
        return lease in self.ttl_s

    def end_lease(self, lease: int) -> None:
        if self.ttl_s.pop(lease, None) is not None:
            del self.left_s[lease]
            after = {key: entry for key, entry in self.entries.items() if entry.lease != lease}
            if after != self.entries:
                self.states.append(after)

    def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            for lease in sorted(self.left_s):
                self.left_s[lease] -= 1
                if self.left_s[lease] == 0:
                    self.end_lease(lease)

    def restart(self) -> None:
        self.left_s = self.ttl_s.copy()

    def changes(self, prefix: str, after: int) -> list[Changed]:
        """Return what a watch has to hear."""
        found: list[Changed] = []
        for revision in range(after + 1, len(self.states)):
            old, new = self.states[revision - 1], self.states[revision]
            changed = {
                key: new.get(key) for key in old | new if old.get(key) != new.get(key) and key.startswith(prefix)
            }
            if changed:
                found.append(Changed(revision=revision, entries=changed))
        return found


class Heard:
    """What one watch has heard."""

    def __init__(self, prefix: str, after: int) -> None:
        self.prefix, self.after = prefix, after
        self.changes: list[Changed] = []
        self.compacted: list[Compacted] = []

    def __call__(self, event: Changed | Compacted) -> None:
        assert not self.compacted, "nothing comes after the end"
        if isinstance(event, Changed):
            self.changes.append(event)
        else:
            self.compacted.append(event)
