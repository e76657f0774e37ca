"""Handlers on threads or in worker processes, whichever suits them: decided by how their calls turn out."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from placet.actors.clock import monotonic_s, process_cpu_s, thread_cpu_s, thread_queued_s
from placet.actors.durations import Durations
from placet.actors.effects import Expire, Start
from placet.actors.executors.answer import answered
from placet.actors.executors.base import Load, Post, RunningHandler
from placet.actors.executors.errand import Outcome
from placet.actors.executors.placement import (
    Call,
    Place,
    Standing,
    call_of,
    fixed,
    observed,
)
from placet.actors.executors.portable import NotPortable, packed
from placet.actors.executors.pulse import Pulse
from placet.actors.executors.thread import ThreadExecutor
from placet.actors.messages import ExecutorMessage
from placet.actors.notes import unheard
from placet.petri.behaviour import HYBRID
from placet.petri.plan import TransitionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the handler of one transition runs now, and why."""

    transition: str  # path
    place: str  # "thread" or "process"
    reason: str
    calls: int  # seen since it runs there
    cpu_s: float  # processor time a call, of the latest ones
    share: float  # which part of its own time it computes


class _Measured:
    """Calls handlers in the thread itself and tells what each took."""

    def __init__(self, note: Callable[[Start, Call], object]) -> None:
        self._note = note

    def open(self) -> None:
        """There is nothing to get ready."""

    def answer(self, start: Start, pulse: Pulse | None) -> ExecutorMessage:
        """Call the handler, and measure it."""
        begin_s, cpu_s, all_cpu_s, queued_s = monotonic_s(), thread_cpu_s(), process_cpu_s(), thread_queued_s()
        answer = answered(start, unheard if pulse is None else pulse.beat)
        call = call_of(
            took_s=monotonic_s() - begin_s,
            cpu_s=thread_cpu_s() - cpu_s,
            all_cpu_s=process_cpu_s() - all_cpu_s,
            queued_s=thread_queued_s() - queued_s,
        )
        self._note(start, call)
        return answer

    def stop(self) -> None:
        """Nothing can stop a function of this process."""

    def close(self) -> None:
        """There is nothing to let go of."""


class HybridExecutor:
    """Runs each transition on threads at first, and in worker processes once it is known to compute most of its time.

    `processes` returns the pool of workers, which is started when the first transition moves there. One that cannot
    be sent to another process stays on threads.
    """

    name = HYBRID

    def __init__(
        self,
        post: Post,
        processes: Callable[[], ThreadExecutor],
        *,
        threads: int = 64,
        durations: Durations | None = None,
    ) -> None:
        self._threads = ThreadExecutor(
            post, threads=threads, durations=durations, name=HYBRID, workplace=partial(_Measured, self._note)
        )
        self._most_threads = threads
        self._make_processes = processes
        self._processes: ThreadExecutor | None = None
        self._lock = threading.Lock()
        self._standings: dict[int, tuple[TransitionPlan, Standing]] = {}  # by id of the plan, which is kept for its id

    # -- deciding ------------------------------------------------------------------------------------------

    def placements(self) -> list[Placement]:
        """Return where each transition runs that has run, by path."""
        with self._lock:
            known = list(self._standings.values())
        return sorted(
            (
                Placement(
                    transition=transition.path,
                    place=standing.place.value,
                    reason=standing.reason,
                    calls=standing.calls,
                    cpu_s=standing.cpu_s,
                    share=standing.share,
                )
                for transition, standing in known
            ),
            key=lambda placement: placement.transition,
        )

    def note_outcome(self, start: Start, outcome: Outcome) -> None:
        """Learn from a handler that ran in a worker process, if it is one of this executor."""
        if start.transition.executor == HYBRID:
            self._note(start, call_of(outcome.took_s, outcome.cpu_s, outcome.cpu_s, outcome.queued_s))

    def _note(self, start: Start, call: Call) -> None:
        transition = start.transition
        with self._lock:
            _, before = self._standings.get(id(transition), (transition, Standing()))
            after = observed(before, call)
            if after.place is Place.PROCESS and before.place is Place.THREAD:
                after = _checked(transition, before, after)
            self._standings[id(transition)] = transition, after
        if after.place is not before.place:
            text = "the handler of %s runs in a %s from now on: %s"
            logging.getLogger("placet").info(text, transition.path, after.place.value, after.reason)

    def _is_elsewhere(self, start: Start) -> bool:
        known = self._standings.get(id(start.transition))
        return known is not None and known[1].place is Place.PROCESS

    # -- running -------------------------------------------------------------------------------------------

    def submit(self, starts: Sequence[Start]) -> None:
        """Give firings to the pool their transitions belong to now."""
        here: list[Start] = []
        away: list[Start] = []
        for start in starts:
            (away if self._is_elsewhere(start) else here).append(start)
        if here:
            self._threads.submit(here)
        if away:
            if self._processes is None:
                self._processes = self._make_processes()
            self._processes.submit(away)

    def expire(self, expire: Expire) -> None:
        """Answer for a firing past its deadline: whichever pool has it."""
        for pool in self._pools():
            pool.expire(expire)

    def _pools(self) -> list[ThreadExecutor]:
        return [self._threads] if self._processes is None else [self._threads, self._processes]

    def capacity(self) -> int:
        """Return how many firings it takes at once: the kernel does not say for which of the pools the next one is."""
        if self._processes is None:
            return self._threads.capacity()
        return self._most_threads + self._processes.capacity()

    def load(self) -> Load:
        """Return how busy its pools are, the workers with what they do for others included."""
        loads = [pool.load() for pool in self._pools()]
        return Load(
            at_once=sum(load.at_once for load in loads),
            capacity=self.capacity(),
            running=sum(load.running for load in loads),
            queued=sum(load.queued for load in loads),
            abandoned=sum(load.abandoned for load in loads),
        )

    def is_behind(self) -> bool:
        """Return whether firings are queued that nothing has taken."""
        return any(pool.is_behind() for pool in self._pools())

    def running(self) -> list[RunningHandler]:
        """Return the handlers that run now, longest first."""
        found = [handler for pool in self._pools() for handler in pool.running_of(HYBRID)]
        return sorted(found, key=lambda handler: -handler.since_s)

    def tend(self) -> None:
        """Look after the pools."""
        for pool in self._pools():
            pool.tend()

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun."""
        self._threads.drain()
        if self._processes is not None:
            self._processes.forget(HYBRID)

    def close(self) -> int:
        """Stop what can be stopped, without waiting; return how many handlers still run at first."""
        return sum(pool.close() for pool in self._pools())


def _checked(transition: TransitionPlan, before: Standing, after: Standing) -> Standing:
    """Return the standing after a move to a worker process, if the handler can be sent there."""
    try:
        packed(transition)
    except NotPortable as error:
        return fixed(before, f"it cannot be sent to another process: {error.reason}")
    return after
