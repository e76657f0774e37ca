"""The executor of a rehearsal: handlers are called one after another, and take as long as the test says."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from placet.actors.effects import UNFORCED, Expire, ExpireReason, Start
from placet.actors.executors.answer import timed_out, withdrawn
from placet.actors.executors.in_place import answered_in_place
from placet.actors.executors.pulse import pause_of
from placet.actors.messages import Beat, ExecutorMessage

CallKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)


@dataclass(slots=True, kw_only=True)
class Call:
    """A handler that was called, and whose answer has not come yet."""

    start: Start
    answer: ExecutorMessage
    began_s: float
    ends_s: float
    beats: deque[tuple[float, bytes | None]]  # signs of life that are to come: when, and with what progress
    heard_s: float  # when the last one was

    def heard(self, now: float) -> list[tuple[float, Beat | ExecutorMessage]]:
        """Return the signs of life that have come until `now`, each once, with their times."""
        found: list[tuple[float, Beat | ExecutorMessage]] = []
        start = self.start
        index, number, attempt = start.transition.index, start.number, start.attempt
        while self.beats and self.beats[0][0] <= now:
            self.heard_s, progress = self.beats.popleft()
            beat = Beat(root=start.root, transition=index, number=number, attempt=attempt, progress=progress)
            found.append((self.heard_s, beat))
        return found

    def is_silent(self, now: float) -> bool:
        """Return whether nothing was heard for as long as the transition allows."""
        behaviour = self.start.transition.behaviour
        heartbeat_s = behaviour.heartbeat_s if behaviour else None
        return heartbeat_s is not None and now - self.heard_s >= heartbeat_s


class RehearsedHandlers:
    """Calls handlers in the order they were started in.

    A handler is called when it begins, and its answer is held back until its time is over: a crash in between
    loses the answer, and not what the handler has done. The signs of life it has given are spread over its time.
    """

    def __init__(self) -> None:
        self.takes_s: dict[str, float] = {}  # by path of the transition; none is 0.0
        self._queue: dict[CallKey, Start] = {}  # in the order they came
        self._calls: dict[CallKey, Call] = {}  # in the order they began

    def submit(self, start: Start) -> None:
        """Queue a firing."""
        self._queue[start.root, start.number, start.attempt] = start

    def begin(self, now: float) -> bool:
        """Call the next handler; False: there is none."""
        if not self._queue:
            return False
        key = next(iter(self._queue))
        start = self._queue.pop(key)
        takes_s = self.takes_s.get(start.transition.path, 0.0)
        given: list[bytes | None] = []
        answer = answered_in_place(start, given.append)
        beats = _spread(given, now, takes_s, pause_of(start))
        call = Call(start=start, answer=answer, began_s=now, ends_s=now + takes_s, beats=beats, heard_s=now)
        self._calls[key] = call
        return True

    def due(self, now: float) -> list[ExecutorMessage | Beat]:
        """Return the answers and signs of life that have come until `now`, each once, in order."""
        found: list[tuple[float, Beat | ExecutorMessage]] = []
        for key, call in list(self._calls.items()):
            found += call.heard(now)
            if call.ends_s <= now:
                del self._calls[key]
                found.append((call.ends_s, call.answer))
        return [message for _, message in sorted(found, key=lambda one: one[0])]

    def expire(self, expire: Expire, now: float) -> ExecutorMessage | None:
        """Return the answer for a firing past its deadline, or not wanted any more.

        None: it has been answered, is yet to begin and wanted, or goes on: heard of in time, or not to be forced.
        """
        key = (expire.root, expire.number, expire.attempt)
        if expire.reason in UNFORCED:
            start = self._queue.pop(key, None)
            return None if start is None else withdrawn(start)
        call = self._calls.get(key)
        if call is None or (expire.reason is ExpireReason.SILENCE and not call.is_silent(now)):
            return None
        del self._calls[key]
        return timed_out(call.start, now - call.began_s, expire.reason)

    def next_s(self) -> float | None:
        """Return when the next answer or sign of life comes, or None."""
        moments = [call.beats[0][0] if call.beats else call.ends_s for call in self._calls.values()]
        return min(moments, default=None)

    def drop(self) -> None:
        """Lose what is queued and what runs: nothing of it will be answered."""
        self._queue.clear()
        self._calls.clear()


def _spread(
    given: Sequence[bytes | None], began_s: float, takes_s: float, pause_s: float
) -> deque[tuple[float, bytes | None]]:
    """Return when each sign of life comes, evenly over a handler's time; what comes too soon goes with the next."""
    found = deque[tuple[float, bytes | None]]()
    passed_s, held = -inf, None
    for number, progress in enumerate(given, 1):
        held = progress if progress is not None else held
        at = began_s + takes_s * number / (len(given) + 1)
        if at - passed_s >= pause_s or number == len(given):
            found.append((at, held))
            passed_s, held = at, None
    return found
