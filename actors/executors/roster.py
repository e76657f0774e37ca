"""Which executors an engine gets: that of threads always, each other one only where a workflow names it."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from placet.actors.durations import Durations
from placet.actors.effects import Start
from placet.actors.executors.asynchronous import AsyncExecutor
from placet.actors.executors.base import Executor, Post
from placet.actors.executors.errand import Outcome
from placet.actors.executors.hybrid import HybridExecutor
from placet.actors.executors.parallel import ParallelExecutor, Pieces
from placet.actors.executors.placed import NO_HOSTING, Hosting, Placed
from placet.actors.executors.process import process_executor
from placet.actors.executors.thread import ThreadExecutor
from placet.petri.behaviour import ASYNC, HYBRID, PARALLEL, PARALLEL_THREADS, PROCESS, THREAD, Definition


def processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many handlers may run at once, by what they run on. Raises `ValueError` for a number below 1."""

    threads: int = 64
    processes: int = 0  # 0: as many as there are processors
    concurrency: int = 1_000  # of `async def` handlers

    def __post_init__(self) -> None:
        for name in ("threads", "concurrency"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.processes < 0:
            raise ValueError(f"processes must be >= 1, got {self.processes}")

    @property
    def workers(self) -> int:
        """The most worker processes there may be."""
        return self.processes or processors()


class Roster:
    """Makes executors. Those that run handlers in worker processes have the workers in common."""

    def __init__(self, post: Post, bounds: Bounds, durations: Durations, hosting: Hosting = NO_HOSTING) -> None:
        self._post = post
        self._bounds = bounds
        self._durations = durations
        self._hosting = hosting
        self._pieces: Pieces | None = None
        self._hybrid: HybridExecutor | None = None
        self._made: set[str] = set()

    def missing(self, definitions: Iterable[Definition]) -> list[Executor]:
        """Return the executors that workflows name and that there are not yet."""
        named = {THREAD}
        placed: dict[str, Placed] = {}
        for definition in definitions:
            for behaviour in definition.behaviours.values():
                if behaviour.is_placed:
                    one = Placed.of(definition.name, definition.version, behaviour)
                    placed[one.name] = one
                else:
                    named.add(behaviour.run)
        wanted = [name for name in self._makers() if name in named and name not in self._made]
        news = [one for name, one in placed.items() if name not in self._made]
        self._made.update(wanted, (one.name for one in news))
        return [*map(self.pool, wanted), *map(self._placed, news)]

    def pool(self, name: str) -> Executor:
        """Return a new executor by its name, such as "thread"; those in worker processes have the workers in common."""
        return self._makers()[name]()

    def _placed(self, placed: Placed) -> Executor:
        """Return what runs placed handlers; here they have a pool of their own, of the same size as that of others."""
        own = Roster(self._post, self._bounds, self._durations)
        return self._hosting.executor(placed, lambda: own.pool(placed.run), self._post)

    def _makers(self) -> dict[str, Callable[[], Executor]]:
        return {
            THREAD: self.threads,
            ASYNC: self.asynchronous,
            PROCESS: self.processes,
            PARALLEL: self.parallel,
            PARALLEL_THREADS: self.parallel_threads,
            HYBRID: self.hybrid,
        }

    def threads(self) -> ThreadExecutor:
        """Return the pool of threads."""
        return ThreadExecutor(self._post, threads=self._bounds.threads, durations=self._durations)

    def asynchronous(self) -> Executor:
        """Return the event loop for coroutines."""
        return AsyncExecutor(self._post, concurrency=self._bounds.concurrency, durations=self._durations)

    def processes(self) -> ThreadExecutor:
        """Return the pool of worker processes, the one that all share."""
        return self._workers().pool

    def _workers(self) -> Pieces:
        if self._pieces is None:
            workers = self._bounds.workers
            make = partial(process_executor, processes=workers, durations=self._durations, note=self._note)
            self._pieces = Pieces(self._post, make)
        return self._pieces

    def _note(self, start: Start, outcome: Outcome) -> None:
        if self._hybrid is not None:
            self._hybrid.note_outcome(start, outcome)

    def parallel(self) -> Executor:
        """Return what spreads a list over the worker processes."""
        return ParallelExecutor(self._post, self._workers(), width=self._bounds.workers, durations=self._durations)

    def parallel_threads(self) -> Executor:
        """Return what spreads a list over threads of its own."""
        threads = self._bounds.threads
        pieces = Pieces(self._post, partial(ThreadExecutor, threads=threads, name="items"))
        return ParallelExecutor(self._post, pieces, width=threads, durations=self._durations, name=PARALLEL_THREADS)

    def hybrid(self) -> Executor:
        """Return what moves handlers between threads and worker processes."""
        self._hybrid = HybridExecutor(
            self._post, self.processes, threads=self._bounds.threads, durations=self._durations
        )
        return self._hybrid
