"""The executor of a rehearsal: handlers are called one after another, and take as long as the test says."""

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from placet.actors.effects import Expire, Start
from placet.actors.executors.answer import timed_out
from placet.actors.executors.in_place import answered_in_place
from placet.actors.messages import ExecutorMessage

CallKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A handler that was called, and whose answer has not come yet."""

    start: Start
    answer: ExecutorMessage
    began_s: float
    ends_s: float


class RehearsedHandlers:
    """Calls handlers in the order they were started in.

    A handler is called when it begins, and its answer is held back until its time is over: a crash in between
    loses the answer, and not what the handler has done.
    """

    def __init__(self) -> None:
        self.takes_s: dict[str, float] = {}  # by path of the transition; none is 0.0
        self._queue: deque[Start] = deque()
        self._calls: dict[CallKey, Call] = {}  # in the order they began

    def submit(self, start: Start) -> None:
        """Queue a firing."""
        self._queue.append(start)

    def begin(self, now: float) -> bool:
        """Call the next handler; False: there is none."""
        if not self._queue:
            return False
        start = self._queue.popleft()
        ends_s = now + self.takes_s.get(start.transition.path, 0.0)
        call = Call(start=start, answer=answered_in_place(start), began_s=now, ends_s=ends_s)
        self._calls[start.root, start.number, start.attempt] = call
        return True

    def due(self, now: float) -> list[ExecutorMessage]:
        """Return the answers that have come until `now`, each once."""
        ripe = sorted((item for item in self._calls.items() if item[1].ends_s <= now), key=lambda item: item[1].ends_s)
        for key, _ in ripe:
            del self._calls[key]
        return [call.answer for _, call in ripe]

    def expire(self, expire: Expire, now: float) -> ExecutorMessage | None:
        """Return the answer for a firing past its deadline; None: it has been answered, or is yet to begin."""
        call = self._calls.pop((expire.root, expire.number, expire.attempt), None)
        return timed_out(call.start, now - call.began_s) if call is not None else None

    def next_s(self) -> float | None:
        """Return when the next answer comes, or None."""
        return min((call.ends_s for call in self._calls.values()), default=None)

    def drop(self) -> None:
        """Lose what is queued and what runs: nothing of it will be answered."""
        self._queue.clear()
        self._calls.clear()
