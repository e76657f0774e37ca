"""A pool of threads that see to firings: the default executor, and the frame of those that run handlers elsewhere.

Threads are started on demand. Quick handlers share few threads, since handing over costs more than they do;
as soon as handlers take their time, or none takes what is queued, the pool grows up to its bound.
What a thread does with a firing is its workplace's business: by default it calls the handler.
"""

import os
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeAlias

from placet.actors.clock import monotonic_s
from placet.actors.durations import Durations
from placet.actors.effects import UNFORCED, Expire, ExpireReason, Start
from placet.actors.executors.answer import answered, timed_out, withdrawn
from placet.actors.executors.base import Load, Post, RunningHandler, Workplace, running_handler
from placet.actors.executors.pulse import Pulse, is_overdue, pulse_of
from placet.actors.messages import ExecutorMessage, Failed
from placet.actors.notes import unheard
from placet.petri.behaviour import THREAD, pool_of

Key: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)

AHEAD_S = 0.05  # how much work may be queued ahead of the threads: bounds the wait of what is chosen
MOST_AHEAD = 2_000
SLOW_S = 0.001  # handlers that take longer get a thread each
LEAST_S = 1e-6  # no handler is taken to be quicker
IDLE_S = 10.0  # a thread without work ends after that
CLOSED = "its engine has ended"


class Begun(NamedTuple):
    """A handler that runs."""

    start: Start
    at_s: float  # monotonic
    workplace: Workplace
    pulse: Pulse | None


class InThread:
    """Calls handlers in the thread itself: one that hangs cannot be stopped."""

    def open(self) -> None:
        """There is nothing to get ready."""

    def answer(self, start: Start, pulse: Pulse | None) -> ExecutorMessage:
        """Call the handler."""
        return answered(start, unheard if pulse is None else pulse.beat)

    def stop(self) -> None:
        """Nothing can stop a function of this process."""

    def close(self) -> None:
        """There is nothing to let go of."""


class ThreadExecutor:
    """A pool of up to `threads` threads, each with a workplace of its own.

    `usual_s` is taken for how long handlers take until they have shown it, and nothing is queued ahead on the strength
    of it; a thread ends when it has had nothing to do for `idle_s`, but for the last one. Closing waits up to `end_s`
    for the ends of their workplaces.
    A handler past its deadline is stopped where its workplace can do that. Where not it is abandoned, its result
    dropped, and its thread replaced, up to as many abandoned ones as the pool has threads.
    """

    def __init__(
        self,
        post: Post,
        *,
        threads: int = 64,
        durations: Durations | None = None,
        name: str = THREAD,
        workplace: Callable[[], Workplace] = InThread,
        usual_s: float = SLOW_S / 2,
        idle_s: float = IDLE_S,
        end_s: float = 0.0,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads must be >= 1, got {threads}")
        self.name = name
        self._make_workplace = workplace
        self._idle_s = idle_s
        self._end_s = end_s
        self._members: set[threading.Thread] = set()
        self._post = post
        self._durations = durations or Durations()  # nobody may want to know
        self._pid = os.getpid()
        self._threads = threads
        self._waiting: dict[Key, Start] = {}  # not begun: who takes one out of here, by one step, has it
        self._queue: SimpleQueue[Key | None] = SimpleQueue()  # their order; some may be taken back meanwhile
        self._lock = threading.Lock()
        self._begun: dict[Key, Begun] = {}
        self._abandoned = 0
        self._alive = 0
        self._opening = 0  # of those alive: threads whose workplace is not ready yet
        self._usual_s = usual_s  # running estimate of how long most handlers take: about the 87th percentile
        self._ended = 0  # handlers; about, since threads count without a lock
        self._closed = False

    def capacity(self) -> int:
        """Return the threads still free to use, and as many firings ahead of them as take 50 ms.

        Quick handlers share one thread; the slower they are, the more threads take what is ahead. No more are ahead
        than have ended before: until then nobody knows how long they take.
        """
        workers = self._workers()
        sharing = min(workers, max(1.0, self._usual_s / SLOW_S))
        return workers + min(MOST_AHEAD, self._ended, int(AHEAD_S / self._usual_s * sharing))

    def _workers(self) -> int:
        return max(1, self._threads - max(0, self._abandoned - self._threads))

    def load(self) -> Load:
        """Return how busy the pool is."""
        return Load(
            at_once=self._workers(),
            capacity=self.capacity(),
            running=len(self._begun),
            queued=len(self._waiting),
            abandoned=self._abandoned,
        )

    def is_behind(self) -> bool:
        """Return whether firings are queued that no thread has taken."""
        return bool(self._waiting)

    def running(self) -> list[RunningHandler]:
        """Return the handlers that run now, longest first."""
        return self.running_of(self.name)

    def running_of(self, executor: str) -> list[RunningHandler]:
        """Return those of the handlers that run now whose transitions name `executor`, longest first."""
        now = monotonic_s()
        with self._lock:
            begun = list(self._begun.values())
        return [
            running_handler(one.start, now - one.at_s)
            for one in sorted(begun, key=lambda one: one.at_s)
            if pool_of(one.start.transition.executor) == executor
        ]

    def submit(self, starts: Sequence[Start]) -> None:
        """Queue firings, and start threads if there is reason to."""
        put, waiting = self._queue.put, self._waiting
        for start in starts:
            key = (start.root, start.number, start.attempt)
            waiting[key] = start
            put(key)
        if not self._alive:
            self._grow(1)
        if self._usual_s > SLOW_S:
            self._grow(len(self._waiting) - (self._alive - len(self._begun)))

    def expire(self, expire: Expire) -> None:
        """Answer for a firing past its deadline."""
        key = (expire.root, expire.number, expire.attempt)
        if expire.reason is not ExpireReason.SILENCE and self.withdraw(key):  # who waits for a thread is not silent
            return
        with self._lock:
            begun = self._begun.get(key)
            if expire.reason is ExpireReason.CANCELLED:
                _end(begun, expire.reason.value)
            if begun is None or expire.reason in UNFORCED:
                return
            if not is_overdue(expire, begun.start, begun.at_s, begun.pulse):
                return  # it waited for a thread at first, or has given a sign of life: the engine asks again
            if self._begun.pop(key, None) is None:  # it has just ended
                return
            self._abandoned += 1
            self._alive -= 1
        _end(begun, expire.reason.value)
        self._answer_late(begun, expire.reason)

    def _answer_late(self, begun: Begun, reason: ExpireReason) -> None:
        begun.workplace.stop()
        if self._abandoned <= self._threads:
            self._grow(1)
        if begun.pulse is not None:
            begun.pulse.flush()
        self._post(timed_out(begun.start, monotonic_s() - begun.at_s, reason))

    def withdraw(self, key: Key) -> bool:
        """Take a firing back and answer `Withdrawn`, if it has not begun; return whether that was so."""
        start = self._waiting.pop(key, None)
        if start is None:
            return False
        self._post(withdrawn(start))
        return True

    def tend(self) -> None:
        """Grow if firings are queued: every thread is held up, or they would have been answered."""
        self._grow(min(len(self._waiting) - self._opening, max(1, self._alive)))

    def _grow(self, wanted: int) -> None:
        with self._lock:
            more = min(wanted, self._threads - self._alive - max(0, self._abandoned - self._threads))
            for _ in range(0 if self._closed else more):
                member = threading.Thread(target=self._work, name="placet-handler", daemon=True)
                try:
                    member.start()
                except RuntimeError:  # the system gives no more threads: those there are go on, `tend` tries again
                    return
                self._members.add(member)
                self._alive += 1
                self._opening += 1

    def _work(self) -> None:
        workplace = self._make_workplace()
        try:
            workplace.open()
            with self._lock:
                self._opening -= 1
            self._serve(workplace)
        finally:
            workplace.close()
            with self._lock:
                self._members.discard(threading.current_thread())

    def _serve(self, workplace: Workplace) -> None:
        queue, waiting, begun = self._queue, self._waiting, self._begun
        while True:
            workplace.open()  # again, if its last handler has ended it
            try:
                key = queue.get(timeout=self._idle_s)
            except Empty:
                if self._retire():
                    return
                continue
            if key is None:
                with self._lock:
                    self._alive -= 1
                return
            start = waiting.pop(key, None)
            if start is None:  # it was taken back
                continue
            at = monotonic_s()
            behaviour = start.transition.behaviour
            pulse = pulse_of(start, self._post) if behaviour is not None and behaviour.takes_context else None
            begun[key] = Begun(start, at, workplace, pulse)
            if self._usual_s > SLOW_S and waiting:
                self._grow(1)
            answer = workplace.answer(start, pulse)
            if os.getpid() != self._pid:
                os._exit(0)  # a child that the handler forked, and that came back from it: it has no business here
            took_s, usual_s = monotonic_s() - at, self._usual_s
            self._durations.note(start.transition.path, took_s)
            self._ended += 1
            if begun.pop(key, None) is None:  # it was too late: answered already, and this thread replaced
                with self._lock:
                    self._abandoned -= 1
                return
            self._usual_s = min(took_s, usual_s * 2) if took_s > usual_s else max(took_s, usual_s * 0.9, LEAST_S)
            if pulse is not None and isinstance(answer, Failed):
                pulse.flush()  # for the next attempt
            self._post(answer)

    def _retire(self) -> bool:
        with self._lock:
            if self._alive <= 1:
                return False
            self._alive -= 1
            return True

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun."""
        with self._lock:
            self._closed = True
        self.forget(self.name)

    def forget(self, executor: str | None = None) -> None:
        """Forget what has not begun, of the transitions that name `executor`, or all."""
        with self._lock:
            for key, start in tuple(self._waiting.items()):
                if executor is None or pool_of(start.transition.executor) == executor:
                    self._waiting.pop(key, None)

    def close(self) -> int:
        """Let the threads end as they finish, and stop handlers that can be; return how many had to be, or run on."""
        self.drain()
        self.forget()
        for _ in range(self._alive):
            self._queue.put(None)
        with self._lock:
            begun = list(self._begun.values())
        for one in begun:
            _end(one, CLOSED)
            one.workplace.stop()
        end_s = monotonic_s() + self._end_s
        for member in tuple(self._members) if self._end_s else ():
            member.join(max(0.0, end_s - monotonic_s()))
        return len(begun) + self._abandoned


def _end(begun: Begun | None, reason: str) -> None:
    """Have the next sign of life of a handler raise, if it runs."""
    if begun is not None and begun.pulse is not None:
        begun.pulse.end(reason)
