"""What instances do, noted for those who follow them from other processes, and forgotten when nobody asks any more."""

import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Final

from placet.actors.clock import monotonic_s
from placet.actors.effects import Progress
from placet.net.answer import Followed
from placet.net.request import FollowRequest

MOST_STEPS: Final = 10_000  # of one instance; who is slower misses the oldest
FORGET_S: Final = 60.0  # a trail that nobody asks for is given up after so long
Follow = Callable[[str, Callable[[Progress], None]], Callable[[], None]]


class Trails:
    """The steps of the instances that are followed; safe to use from any thread."""

    def __init__(self, follow: Follow) -> None:
        """`follow` has a listener told the steps of an instance, as `Runtime.follow` does."""
        self._follow = follow
        self._lock = threading.Lock()
        self._trails: dict[str, _Trail] = {}

    def after(self, request: FollowRequest) -> "Future[Followed]":
        """Return a future of the next steps; whoever waits for it may give up by cancelling it."""
        with self._lock:
            trail = self._trails.get(request.instance)
            if trail is None:
                trail = self._trails[request.instance] = _Trail()
                trail.stop = self._follow(request.instance, trail.add)
        return trail.after(request)

    def tick(self) -> None:
        """Give up what nobody asks for; to be called about once a second."""
        with self._lock:
            old = [name for name, trail in self._trails.items() if trail.is_forgotten(monotonic_s())]
            for name in old:
                self._trails.pop(name).stop()


class _Trail:
    """The steps of one instance, numbered from 1."""

    def __init__(self) -> None:
        self.stop: Callable[[], None] = _nothing
        self._id = secrets.token_hex(6)
        self._lock = threading.Lock()
        self._steps: deque[Progress] = deque(maxlen=MOST_STEPS)
        self._count = 0
        self._waiting: list[Future[Followed]] = []
        self._asked_s = monotonic_s()

    def add(self, step: Progress) -> None:
        """Note a step; called on the engine's thread."""
        with self._lock:
            self._steps.append(step)
            self._count += 1
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            _settle(future, Followed(trail=self._id, after=self._count, steps=[step]))

    def after(self, request: FollowRequest) -> "Future[Followed]":
        """Return a future of the steps after those that are known."""
        future: Future[Followed] = Future()
        with self._lock:
            self._asked_s = monotonic_s()
            is_known = request.trail == self._id
            missing = min(max(0, self._count - request.after), len(self._steps)) if is_known else 0
            if is_known and not missing:
                self._waiting = [*(one for one in self._waiting if not one.done()), future]
                return future
            steps = list(self._steps)[len(self._steps) - missing :]
            _settle(future, Followed(trail=self._id, after=self._count, steps=steps))
        return future

    def is_forgotten(self, now_s: float) -> bool:
        """Return whether nobody has asked for it for long."""
        with self._lock:
            return now_s > self._asked_s + FORGET_S and all(one.done() for one in self._waiting)


def _settle(future: "Future[Followed]", seen: Followed) -> None:
    with suppress(InvalidStateError):  # who waited has given up
        future.set_result(seen)


def _nothing() -> None:
    """There is nothing to stop yet."""
