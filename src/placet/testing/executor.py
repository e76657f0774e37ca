"""A simulated executor: runs the real handlers, in virtual time, and answers every start exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from placet.actors.effects import Expire, Start
from placet.actors.executors.answer import timed_out, withdrawn
from placet.actors.executors.in_place import answered_in_place
from placet.actors.messages import Done, ExecutorMessage

JobKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)
Also: TypeAlias = Callable[[Start, Done], Done]  # what a handler does beside returning: spawning, telling, state


@dataclass(slots=True, kw_only=True)
class Job:
    """One start on its way."""

    start: Start
    begins_s: float
    ends_s: float

    @property
    def key(self) -> JobKey:
        """What names it."""
        return self.start.root, self.start.number, self.start.attempt


class SimulatedExecutor:
    """Takes starts at once, begins and ends them when the seed says, and forgets all of them at a crash.

    Answers come from `due`. What was past its deadline, or was lost with its engine, may still come to an
    end: `late` returns such answers, which nobody may count.
    """

    def __init__(self, random: Random, *, slow_s: float = 5.0, also: Also | None = None) -> None:
        self._also = also
        self._random = random
        self._slow_s = slow_s
        self.live: dict[JobKey, Job] = {}
        self._gone: list[Job] = []
        self._answers: list[ExecutorMessage] = []

    def submit(self, start: Start, now: float) -> None:
        """Take a firing."""
        random = self._random
        begins_s = now + random.choice((0.0, 0.0, 0.0, random.random() * self._slow_s * 2.0))
        ends_s = begins_s + random.choice((0.0, 0.01, random.random() * self._slow_s))
        job = Job(start=start, begins_s=begins_s, ends_s=ends_s)
        self.live[job.key] = job

    def expire(self, expire: Expire, now: float) -> None:
        """Answer for a firing past its deadline, unless it is answered already."""
        job = self.live.pop((expire.root, expire.number, expire.attempt), None)
        if job is None:
            return
        start = job.start
        if job.begins_s > now:
            self._answers.append(withdrawn(start))
            return
        self._gone.append(job)
        self._answers.append(timed_out(start, now - job.begins_s))

    def due(self, now: float) -> list[ExecutorMessage]:
        """Return the answers that have come until `now`, each once."""
        ripe = sorted((job for job in self.live.values() if job.ends_s <= now), key=lambda job: (job.ends_s, job.key))
        answers, self._answers = self._answers, []
        for job in ripe:
            del self.live[job.key]
            answers.append(self._answer(job.start))
        return answers

    def late(self) -> ExecutorMessage | None:
        """Return an answer that comes too late, if there is one."""
        return self._answer(self._gone.pop(self._random.randrange(len(self._gone))).start) if self._gone else None

    def _answer(self, start: Start) -> ExecutorMessage:
        answer = answered_in_place(start)
        return self._also(start, answer) if self._also is not None and isinstance(answer, Done) else answer

    def next_s(self) -> float | None:
        """Return when the next answer is due, or None."""
        return min((job.ends_s for job in self.live.values()), default=None)

    @property
    def has_answers(self) -> bool:
        """True when an answer waits to be fetched, whatever the time."""
        return bool(self._answers)

    def crash(self) -> None:
        """Lose everything: nothing that was taken will be answered, unless too late."""
        self._gone += self.live.values()
        self.live.clear()
        self._answers.clear()
