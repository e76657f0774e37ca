"""A simulated executor: runs the real handlers, in virtual time, and answers every start exactly once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from placet.actors.effects import UNFORCED, Expire, ExpireReason, Start
from placet.actors.executors.answer import timed_out, withdrawn
from placet.actors.executors.in_place import answered_in_place
from placet.actors.messages import Beat, Done, ExecutorMessage, Failed
from placet.testing.abroad import Abroad
from placet.testing.beats import Beats

JobKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)
Also: TypeAlias = Callable[
    [Start, Done], Done | Failed
]  # what a handler does beside returning: spawning, telling, state


@dataclass(slots=True, kw_only=True)
class Job:
    """One start on its way."""

    start: Start
    begins_s: float
    ends_s: float
    beats: list[float] = field(default_factory=list[float])  # when it gives signs of life from now on
    last_s: float  # when it gave the last one

    @property
    def key(self) -> JobKey:
        """What names it."""
        return self.start.root, self.start.number, self.start.attempt


class SimulatedExecutor:
    """Takes starts at once, begins and ends them when the seed says, and forgets all of them at a crash.

    Answers and signs of life come from `due`. What was past its deadline, or was lost with its engine, may still come
    to an end: `late` returns what such handlers have to say, which nobody may count.
    """

    def __init__(
        self,
        random: Random,
        *,
        slow_s: float = 5.0,
        also: Also | None = None,
        beats: Beats | None = None,
        abroad: Abroad | None = None,
    ) -> None:
        self._abroad = abroad or Abroad()
        self._beats = beats or Beats()
        self._also = also
        self._random = random
        self._slow_s = slow_s
        self.live: dict[JobKey, Job] = {}
        self._gone: list[Job] = []
        self._answers: list[ExecutorMessage | Beat] = []

    def submit(self, start: Start, now: float) -> None:
        """Take a firing."""
        random = self._random
        begins_s = now + random.choice((0.0, 0.0, 0.0, random.random() * self._slow_s * 2.0))
        ends_s = begins_s + random.choice((0.0, 0.01, random.random() * self._slow_s))
        if self._beats.is_calm and start.transition.behaviour and start.transition.behaviour.heartbeat_s:
            begins_s = now  # or the engine would ask again and again meanwhile
        beats, ends_s = self._beats.moments(start, begins_s, ends_s)
        job = Job(start=start, begins_s=begins_s, ends_s=ends_s, beats=beats, last_s=begins_s)
        self.live[job.key] = job

    def expire(self, expire: Expire, now: float) -> None:
        """Answer for a firing past its deadline, unless it is answered already, or has given a sign of life."""
        self._beat(now)
        job = self.live.get((expire.root, expire.number, expire.attempt))
        if job is None:
            return
        start = job.start
        if expire.reason in UNFORCED and job.begins_s <= now:
            if expire.reason is ExpireReason.CANCELLED:
                job.ends_s, job.beats = min(job.ends_s, now), []
            return
        behaviour = start.transition.behaviour
        heartbeat_s = behaviour.heartbeat_s if behaviour else None
        is_heard = expire.reason is ExpireReason.SILENCE and now < job.last_s + (heartbeat_s or 0.0)
        if is_heard and (job.begins_s <= now or not self._beats.takes_back()):  # an executor may, and need not
            return
        del self.live[job.key]
        if job.begins_s > now:
            self._answers.append(withdrawn(start))
            return
        self._gone.append(job)
        self._answers.append(timed_out(start, now - job.begins_s, expire.reason))

    def _beat(self, now: float) -> None:
        """Have all give the signs of life that are due."""
        for job in self.live.values():
            while job.beats and job.beats[0] <= min(now, job.ends_s):
                job.last_s = job.beats.pop(0)
                beat = self._beats.beat(job.start)
                if beat is not None:
                    self._answers.append(beat)

    def due(self, now: float) -> list[ExecutorMessage | Beat]:
        """Return the answers and signs of life that have come until `now`, each once."""
        self._beat(now)
        ripe = sorted((job for job in self.live.values() if job.ends_s <= now), key=lambda job: (job.ends_s, job.key))
        answers, self._answers = self._answers, list[ExecutorMessage | Beat]()
        for job in ripe:
            del self.live[job.key]
            lost = self._abroad.lose(job.start)
            if lost is not None:
                self._gone.append(job)  # its handler may come to an end all the same
            answers.append(lost or self._answer(job.start))
        return answers

    def late(self) -> ExecutorMessage | Beat | None:
        """Return an answer that comes too late, or a sign of life, if there is one."""
        if not self._gone:
            return None
        position = self._random.randrange(len(self._gone))
        beat = self._beats.late(self._gone[position].start)
        return beat or self._answer(self._gone.pop(position).start)

    def _answer(self, start: Start) -> ExecutorMessage:
        answer = answered_in_place(start)
        return self._also(start, answer) if self._also is not None and isinstance(answer, Done) else answer

    def next_s(self) -> float | None:
        """Return when the next answer or sign of life is due, or None."""
        return min((min([job.ends_s, *job.beats[:1]]) for job in self.live.values()), default=None)

    @property
    def has_answers(self) -> bool:
        """True when an answer waits to be fetched, whatever the time."""
        return bool(self._answers)

    def crash(self) -> None:
        """Lose everything: nothing that was taken will be answered, unless too late."""
        self._gone += self.live.values()
        self.live.clear()
        self._answers.clear()
