"""Handlers for which it matters on which host they run: here where that will do, else on other hosts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from placet.actors.effects import Expire, Start
from placet.actors.executors.base import Executor, Load, Post, RunningHandler
from placet.petri.behaviour import Behaviour
from placet.petri.requirement import Capability, Requires


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The handlers of one workflow that may run on the same hosts, in the same way."""

    name: str  # of their executor
    workflow: str
    version: str
    run: str  # what they run on there, such as "thread"
    requires: Requires
    remote: bool

    @classmethod
    def of(cls, workflow: str, version: str, behaviour: Behaviour) -> "Placed":
        """Return those that a handler belongs to."""
        return cls(
            name=behaviour.executor(workflow),
            workflow=workflow,
            version=version,
            run=behaviour.run,
            requires=behaviour.requires or Requires(),
            remote=behaviour.remote,
        )


class RemoteExecutor(Executor, Protocol):
    """Has handlers run on other hosts. A start may also be answered by `Lost`."""

    def lack(self) -> str:
        """Return why no host that is known of will do, or ""."""
        ...


class Elsewhere(Protocol):
    """Knows other hosts."""

    def executor(self, placed: Placed, post: Post) -> RemoteExecutor:
        """Return what has handlers run on those of them that will do."""
        ...


class PlacedExecutor:
    """Runs handlers `here`, on a pool of their own, or `elsewhere`, whichever has more room.

    Where neither is given it takes nothing, and says why.
    """

    def __init__(self, placed: Placed, here: Executor | None, elsewhere: RemoteExecutor | None) -> None:
        self.name = placed.name
        self._requires = placed.requires
        self._here = here
        self._elsewhere = elsewhere
        self._pools = [pool for pool in (here, elsewhere) if pool is not None]

    def lack(self) -> str:
        """Return why nobody can run what it is given, or "": then somebody can, if not at once."""
        if self._here is not None:
            return ""
        return self._elsewhere.lack() if self._elsewhere is not None else f"no host has {self._requires}"

    def capacity(self) -> int:
        """Return how many firings it takes at once, here and elsewhere."""
        return sum(pool.capacity() for pool in self._pools)

    def load(self) -> Load:
        """Return how busy it is, here and elsewhere."""
        loads = [pool.load() for pool in self._pools]
        return Load(
            at_once=sum(load.at_once for load in loads),
            capacity=sum(load.capacity for load in loads),
            running=sum(load.running for load in loads),
            queued=sum(load.queued for load in loads),
            abandoned=sum(load.abandoned for load in loads),
        )

    def is_behind(self) -> bool:
        """Return whether something is queued here that has not begun."""
        return any(pool.is_behind() for pool in self._pools)

    def running(self) -> list[RunningHandler]:
        """Return the handlers that run now, longest first."""
        return sorted((one for pool in self._pools for one in pool.running()), key=lambda one: -one.since_s)

    def submit(self, starts: Sequence[Start]) -> None:
        """Take firings."""
        if self._here is None or self._elsewhere is None:
            for pool in self._pools:
                pool.submit(starts)
            return
        room, other = _room(self._here.load()), _room(self._elsewhere.load())
        kept: list[Start] = []
        given: list[Start] = []
        for start in starts:
            if other - len(given) > max(0, room - len(kept)):
                given.append(start)
            else:
                kept.append(start)
        if kept:
            self._here.submit(kept)
        if given:
            self._elsewhere.submit(given)

    def expire(self, expire: Expire) -> None:
        """Have whoever has a firing answer for it."""
        for pool in self._pools:
            pool.expire(expire)

    def tend(self) -> None:
        """Look after the pools."""
        for pool in self._pools:
            pool.tend()

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun."""
        for pool in self._pools:
            pool.drain()

    def close(self) -> int:
        """Stop what can be stopped; return how many still ran."""
        return sum(pool.close() for pool in self._pools)


def _room(load: Load) -> int:
    return load.capacity - load.running - load.queued


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """What is known of this host and of others: where placed handlers may run."""

    capabilities: Mapping[str, Capability]
    elsewhere: Elsewhere | None = None

    def executor(self, placed: Placed, make_pool: Callable[[], Executor], post: Post) -> PlacedExecutor:
        """Return what runs handlers where they may be; `make_pool` makes a pool for them on this host."""
        here = make_pool() if placed.requires.is_met_by(self.capabilities) else None
        others = self.elsewhere if placed.remote or here is None else None
        return PlacedExecutor(placed, here, others.executor(placed, post) if others is not None else None)


NO_HOSTING: Final = Hosting(capabilities={})  # of a host without capabilities that knows no others
