"""Handlers that are `async def`: many at once, on one event loop."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from placet.actors.clock import monotonic_s
from placet.actors.durations import Durations
from placet.actors.effects import UNFORCED, Expire, ExpireReason, Start
from placet.actors.executors.answer import awaited, failed, timed_out, withdrawn
from placet.actors.executors.base import Load, Post, RunningHandler, running_handler
from placet.actors.executors.event_loop import EventLoop
from placet.actors.executors.pulse import Pulse, is_overdue, pulse_of
from placet.actors.executors.thread import CLOSED, Key
from placet.actors.messages import Done, Failed
from placet.actors.usercode import failure_of
from placet.petri.behaviour import ASYNC

STUCK_S = 2.0  # a loop that has not come to a new firing by then is held up by a handler that does not await
MOST_LOOPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A handler that runs."""

    start: Start
    at: float
    task: "asyncio.Task[Done | Failed]"
    loop: EventLoop
    pulse: Pulse


class AsyncExecutor:
    """Runs up to `concurrency` handlers at once on one event loop, whose thread is started with the first of them.

    A handler past its deadline is cancelled; one that goes on all the same is abandoned, its result dropped. One
    that holds up the loop, since it computes or waits without `await`, holds up all others: after two seconds new
    firings get another loop, up to eight.
    """

    name = ASYNC

    def __init__(self, post: Post, *, concurrency: int = 1_000, durations: Durations | None = None) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be >= 1, got {concurrency}")
        self._post = post
        self._durations = durations or Durations()  # nobody may want to know
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._waiting: dict[Key, Start] = {}  # the loop has not come to them
        self._waiting_since = 0.0  # when the first of them came, or the loop last came to some
        self._begun: dict[Key, _Call] = {}
        self._abandoned = 0
        self._loops: list[EventLoop] = []  # the last one takes what is new
        self._closed = False

    def capacity(self) -> int:
        """Return how many handlers may run at once: fewer once more of them than that could not be cancelled."""
        return max(1, self._concurrency - max(0, self._abandoned - self._concurrency))

    def load(self) -> Load:
        """Return how busy the loop is."""
        return Load(
            at_once=self.capacity(),
            capacity=self.capacity(),
            running=len(self._begun),
            queued=len(self._waiting),
            abandoned=self._abandoned,
        )

    def is_behind(self) -> bool:
        """Return whether there are firings the loop has not come to."""
        return bool(self._waiting)

    def running(self) -> list[RunningHandler]:
        """Return the handlers that run now, longest first."""
        now = monotonic_s()
        with self._lock:
            begun = list(self._begun.values())
        return [running_handler(call.start, now - call.at) for call in sorted(begun, key=lambda call: call.at)]

    def submit(self, starts: Sequence[Start]) -> None:
        """Hand firings to the loop."""
        with self._lock:
            if not self._waiting:
                self._waiting_since = monotonic_s()
            self._waiting.update(((start.root, start.number, start.attempt), start) for start in starts)
            if not self._loops:
                self._loops.append(EventLoop())
            loop = self._loops[-1]
        loop.call(lambda: self._begin(loop))

    def _begin(self, loop: EventLoop) -> None:
        """Begin all that waits; called in the loop."""
        with self._lock:
            if self._closed or loop is not self._loops[-1]:
                return
            waiting, self._waiting = self._waiting, {}
            for key, start in waiting.items():
                pulse = pulse_of(start, self._post)
                task = asyncio.get_running_loop().create_task(awaited(start, pulse.beat))
                task.add_done_callback(partial(self._ended, key))
                self._begun[key] = _Call(start=start, at=monotonic_s(), task=task, loop=loop, pulse=pulse)

    def _ended(self, key: Key, task: "asyncio.Task[Done | Failed]") -> None:
        with self._lock:
            call = self._begun.pop(key, None)
            if call is None:  # it was too late: answered already
                self._abandoned -= 1
                return
        self._durations.note(call.start.transition.path, monotonic_s() - call.at)
        answer = task.result() if not task.cancelled() else None
        if not isinstance(answer, Done):
            call.pulse.flush()  # for the next attempt
        if answer is None:  # cancelled before its first step, by a handler that cancels all tasks there are
            answer = failed(call.start, failure_of(asyncio.CancelledError(), call.start.attempt))
        self._post(answer)

    def expire(self, expire: Expire) -> None:
        """Answer for a firing past its deadline, and cancel its handler if it runs."""
        key = (expire.root, expire.number, expire.attempt)
        with self._lock:
            call = self._begun.get(key)
            waiting = self._waiting.pop(key, None) if expire.reason is not ExpireReason.SILENCE else None
            if call is not None:
                if expire.reason is ExpireReason.CANCELLED:
                    call.pulse.end(expire.reason.value)
                if expire.reason in UNFORCED or not is_overdue(expire, call.start, call.at, call.pulse):
                    return  # it waited for the loop at first, or has given a sign of life: the engine asks again
                del self._begun[key]
                self._abandoned += 1
        if call is not None:
            call.pulse.end(expire.reason.value)
            call.loop.call(call.task.cancel)
            call.pulse.flush()
            self._post(timed_out(call.start, monotonic_s() - call.at, expire.reason))
        elif waiting is not None:
            self._post(withdrawn(waiting))

    def tend(self) -> None:
        """Give what waits another loop if the present one is held up."""
        with self._lock:
            held_up = self._waiting and monotonic_s() - self._waiting_since > STUCK_S
            if not held_up or self._closed or len(self._loops) >= MOST_LOOPS:
                return
            loop = EventLoop()
            self._loops.append(loop)
            self._waiting_since = monotonic_s()
        loop.call(lambda: self._begin(loop))

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def close(self) -> int:
        """Cancel what runs, without waiting; return how many handlers still run at first."""
        self.drain()
        for call in tuple(self._begun.values()):
            call.pulse.end(CLOSED)
        for loop in self._loops:
            loop.stop()
        return len(self._begun) + self._abandoned
