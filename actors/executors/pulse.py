"""The signs of life of one attempt: its handler gives them, few are passed on, and its executor knows the last one."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Final, TypeAlias

from placet.actors.clock import monotonic_s
from placet.actors.effects import Expire, ExpireReason, Start
from placet.actors.errors import AttemptOver
from placet.actors.messages import Beat

PAUSE_S: Final = 1.0  # between two signs of life that are passed on to the engine
SHARE: Final = 4  # of `heartbeat_s`: at least so many may be passed on within it
GRACE_S: Final = 0.25  # for those on their way from a worker process

PassOn: TypeAlias = Callable[[bytes | None], bool]  # False: it did not get through, and is tried again with the next


class Pulse:
    """Takes an attempt's signs of life, passes on one at a time, and holds back what comes too soon after it.

    `beat` may be called from any thread, as may `end`. Only the latest progress that is held back is kept.
    """

    __slots__ = ("_held", "_lock", "_pass_on", "_passed_s", "_pause_s", "last_s", "over")

    def __init__(self, pass_on: PassOn, pause_s: float) -> None:
        self.last_s = monotonic_s()  # of the last sign of life: that it has begun is one
        self.over = ""  # why nobody waits for the attempt any more
        self._pass_on = pass_on
        self._pause_s = pause_s
        self._passed_s = -inf
        self._held: bytes | None = None
        self._lock = threading.RLock()

    def beat(self, progress: bytes | None) -> None:
        """Take a sign of life. Raises `AttemptOver`."""
        if self.over:
            raise AttemptOver(self.over)
        now = self.last_s = monotonic_s()
        with self._lock:
            if progress is not None:
                self._held = progress
            if now - self._passed_s >= self._pause_s and self._pass_on(self._held):
                self._passed_s, self._held = now, None

    def put_off(self) -> None:
        """Count no silence until `begin`: the handler is to begin elsewhere, which may take its time."""
        self.last_s = inf

    def begin(self) -> None:
        """The handler begins now: the first sign of life, which nobody else needs to hear of."""
        self.last_s = monotonic_s()

    def flush(self) -> None:
        """Pass on the progress that is held back, if there is some: the attempt has failed."""
        with self._lock, suppress(AttemptOver):  # whoever would take it does not want it any more
            if self._held is not None and self._pass_on(self._held):
                self._held = None

    def end(self, reason: str) -> None:
        """Have the next sign of life raise: nobody waits for the attempt any more."""
        self.over = reason

    def silent_s(self) -> float:
        """Return how long ago the last sign of life was."""
        return monotonic_s() - self.last_s


def pulse_of(start: Start, post: Callable[[Beat], object]) -> Pulse:
    """Return the pulse of an attempt that begins now, which posts to the engine."""
    return Pulse(partial(_post, post, start), pause_of(start))


def pause_of(start: Start) -> float:
    """Return the least time between two signs of life of an attempt that are passed on."""
    behaviour = start.transition.behaviour
    heartbeat_s = behaviour.heartbeat_s if behaviour else None
    return PAUSE_S if heartbeat_s is None else min(PAUSE_S, heartbeat_s / SHARE)


def _post(post: Callable[[Beat], object], start: Start, progress: bytes | None) -> bool:
    index, number, attempt = start.transition.index, start.number, start.attempt
    post(Beat(root=start.root, transition=index, number=number, attempt=attempt, progress=progress))
    return True


def is_overdue(expire: Expire, start: Start, at: float, pulse: Pulse | None) -> bool:
    """Return whether a handler that began at `at`, monotonic, has had its time, or is silent for too long."""
    behaviour = start.transition.behaviour
    if expire.reason is ExpireReason.SILENCE and pulse is not None and behaviour is not None:
        return pulse.silent_s() >= (behaviour.heartbeat_s or 0.0) + GRACE_S
    timeout_s = behaviour.timeout_s if behaviour else None
    return timeout_s is None or monotonic_s() - at >= timeout_s
