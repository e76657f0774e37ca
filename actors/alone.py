"""Firings that were lost with their engine too often: each is run with nothing else in flight, one after the other.

Then, should the process die again, no neighbour can be blamed for it.
"""

from typing import TYPE_CHECKING

from placet.actors.records import Firing
from placet.actors.slots import FlightKey, Slots
from placet.petri.behaviour import INLINE
from placet.supervision.losses import ALONE_FROM

if TYPE_CHECKING:
    from placet.actors.turn import Aside
    from placet.actors.workflow import WorkflowActor

TRIAL_BATCHES = 100  # an instance that is busy inline for ever must not hold up all others


class Alone:
    """The suspected firings of an engine that wait for their run, and the one that has it."""

    __slots__ = ("_running", "_slots", "_trial", "_waiting")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting: dict[FlightKey, tuple[int, str]] = {}  # -> (transition, executor), the next one first
        self._running: FlightKey | None = None  # or the last one that was
        self._trial = 0  # batches left in which no handler starts

    def add(self, key: FlightKey, firing: Firing, executor: str) -> None:
        """Let a firing run alone: after the others, or before them if it has been lost alone already."""
        self._waiting[key] = firing.transition, executor
        if firing.losses > ALONE_FROM:
            self._waiting = {key: self._waiting.pop(key), **self._waiting}

    def merge(self, workflow: "WorkflowActor", aside: "Aside") -> None:
        """Take over what a turn says of the firings of its instance."""
        for number in aside.acquitted:
            self.drop((workflow.root, number))
        for firing in aside.suspects:
            transition = workflow.plan.transitions[firing.transition]
            if transition.behaviour is not None and workflow.is_suspect(firing):
                self.add((workflow.root, firing.number), firing, transition.executor)

    def try_first(self) -> None:
        """Start no handler until user code of the kernel that is on trial has come back, or had its chance to run."""
        self._slots.alone = True
        self._trial = TRIAL_BATCHES

    def look(self, *, on_trial: bool) -> None:
        """Open the executors to all if a trial is over: before each batch, while there is one."""
        self._trial = self._trial - 1 if on_trial else 0
        if not self._trial and not self._waiting and not self._is_running:
            self._slots.alone = False

    @property
    def is_trial(self) -> bool:
        """True while `look` is wanted."""
        return self._trial > 0

    def drop(self, key: FlightKey) -> None:
        """Forget a firing: it no longer has to run alone, or no longer has to run."""
        self._waiting.pop(key, None)

    def leave(self, prefix: bytes) -> list[bytes]:
        """Forget the firings of all instances whose root begins so, and return these."""
        found = [key for key in self._waiting if key[0].startswith(prefix)]
        for key in found:
            del self._waiting[key]
        return list(dict.fromkeys(root for root, _ in found))

    @property
    def has_work(self) -> bool:
        """True when `next` would return a firing, or open the executors to all."""
        if not self._waiting and not self._slots.alone:
            return False
        if self._first() is not None:
            return not self._slots.in_flight()
        return self._slots.alone and not self._is_running

    def next(self) -> tuple[FlightKey, int] | None:
        """Remove and return (firing, transition) to be run now; from the first one on, nothing else may start."""
        key = self._first()
        if key is None:
            return None
        self._slots.alone = True
        if self._slots.in_flight():
            return None
        self._running = key
        transition, _ = self._waiting.pop(key)
        return key, transition

    def is_over(self) -> bool:
        """Open the executors to all if the last of these firings has been answered; return whether that is so now."""
        if not self._slots.alone or self._is_running or self._first() is not None:
            return False
        self._slots.alone = False
        return True

    @property
    def _is_running(self) -> bool:
        return self._running is not None and self._slots.is_out(*self._running)

    def _first(self) -> FlightKey | None:
        """Return the firing to run next, of those whose executor takes anything now."""
        return next((key for key, (_, executor) in self._waiting.items() if self._is_open(executor)), None)

    def _is_open(self, executor: str) -> bool:
        return executor == INLINE or self._slots.pool(executor).capacity > 0
