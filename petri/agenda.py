"""Which transition fires next: incremental, so that a firing costs the same in a small net and in a large one.

An agenda holds the transitions that may be enabled, best first: priority, then the age of the oldest token
they would take, then the one that fired longest ago. Entries are checked again when they come up
(tokens may be gone, or taken by a rival), so nothing has to be searched when a token leaves.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

from placet.petri.plan import TransitionPlan

NOT_ENABLED = -1
Rank: TypeAlias = tuple[int, int, int, int]  # (-priority, oldest token, last fired, transition)
Oldest: TypeAlias = Callable[[TransitionPlan], int]  # id of the oldest token it would take, or NOT_ENABLED


class Agenda:
    """The possibly enabled transitions of one composite, in one heap for each executor."""

    __slots__ = ("_fired", "_oldest", "_stamp", "_transitions", "heaps", "queued")

    def __init__(self, transitions: list[TransitionPlan], oldest: Oldest) -> None:
        self._transitions = transitions
        self._oldest = oldest
        self.queued: dict[int, Rank] = {}  # by transition
        self._fired: dict[int, int] = {}
        self._stamp = 0
        self.heaps: dict[str, list[Rank]] = {}

    def offer(self, transition: TransitionPlan) -> None:
        """Consider `transition`, one of whose inputs has just been given a token."""
        oldest = self._oldest(transition)
        if oldest == NOT_ENABLED or transition.behaviour is None:
            return
        rank = (-transition.priority, oldest, self._fired.get(transition.index, 0), transition.index)
        known = self.queued.get(transition.index)
        if known is not None and known <= rank:
            return  # already queued at least as early; its rank is brought up to date when it comes up
        self.queued[transition.index] = rank
        heap = self.heaps.get(transition.executor)
        if heap is None:
            self.heaps[transition.executor] = [rank]
        else:
            heappush(heap, rank)

    def peek(self, executor: str) -> Rank | None:
        """Return the rank of the best transition of `executor` that is enabled now, or None."""
        heap = self.heaps.get(executor)
        while heap:
            rank = heap[0]
            index = rank[3]
            if self.queued.get(index) != rank:  # outdated twin of a better entry
                heappop(heap)
                continue
            transition = self._transitions[index]
            oldest = self._oldest(transition)
            if oldest == rank[1]:
                return rank
            heappop(heap)
            del self.queued[index]
            if oldest != NOT_ENABLED:
                self.offer(transition)
        return None

    def take(self, executor: str) -> TransitionPlan:
        """Remove and return the transition that `peek(executor)` has just named."""
        rank = heappop(self.heaps[executor])
        index = rank[3]
        del self.queued[index]
        self._stamp += 1
        self._fired[index] = self._stamp
        return self._transitions[index]

    def executors(self) -> list[str]:
        """Return the executors for which a transition is enabled now."""
        if not self.queued:
            return []
        return [name for name in self.heaps if self.peek(name) is not None]

    def dispose(self) -> None:
        """Let go of whoever answers how old a transition's tokens are."""
        self._oldest = _never


def _never(_transition: TransitionPlan) -> int:
    return NOT_ENABLED
