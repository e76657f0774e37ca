"""Signs of life in a simulation: which handlers give them and when, and what must hold of those that are kept."""

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final, NamedTuple, cast

from placet.actors.effects import Start
from placet.actors.messages import Beat
from placet.actors.records import Firing, Phase
from placet.persistence.values import decode, encode
from placet.petri.behaviour import Behaviour
from placet.petri.plan import Plan
from placet.testing.errors import require
from placet.testing.image import Image

HANGS_S: Final = 500.0  # a handler of which nothing more is heard runs for so long
FORGIVEN_S: Final = 1e-9  # of sums of times
ASKED_S: Final = 0.25  # an attempt that is silent is looked at so often, as promised: not as the code under test has it


class _Told(NamedTuple):
    """The progress that handlers tell."""

    number: int
    attempt: int
    given: int


@dataclass(slots=True)
class Beats:
    """Has a share of the handlers give signs of life, and looks at what becomes of them.

    What it draws it draws from a source of its own: seeds without signs of life stay what they were without it.
    """

    random: Random = field(default_factory=Random)
    share: float = 0.0
    given: int = 0
    is_calm: bool = False  # nobody hangs or is silent any more

    def moments(self, start: Start, begins_s: float, ends_s: float) -> tuple[list[float], float]:
        """Return when a handler gives signs of life, and when it ends: one that is watched may hang."""
        behaviour = start.transition.behaviour
        heartbeat_s = behaviour.heartbeat_s if behaviour is not None else None
        if self.is_calm:
            return [], ends_s if heartbeat_s is None else min(ends_s, begins_s + heartbeat_s / 2)
        if behaviour is None or not behaviour.takes_context or self.random.random() >= self.share:
            return [], ends_s
        if heartbeat_s is None or self.random.random() < 0.3:
            return sorted(self.random.uniform(begins_s, ends_s) for _ in range(self.random.choice((1, 2, 5)))), ends_s
        pace_s = heartbeat_s * self.random.choice((0.3, 0.9))
        moments = [begins_s + pace_s * (number + 1) for number in range(self.random.choice((0, 1, 3, 8)))]
        hangs = self.random.random() < 0.5
        return moments, (max(begins_s, *moments) + (HANGS_S if hangs else 0.01)) if moments else ends_s

    def beat(self, start: Start) -> Beat | None:
        """Return a sign of life of an attempt; None: it is held back, as too many are."""
        if self.random.random() < 0.2:
            return None
        self.given += 1
        told = _Told(start.number, start.attempt, self.given)
        progress = encode(tuple(told)) if self.random.random() < 0.7 else None
        index, number, attempt = start.transition.index, start.number, start.attempt
        return Beat(root=start.root, transition=index, number=number, attempt=attempt, progress=progress)

    def takes_back(self) -> bool:
        """Return whether a handler that has not begun is taken back by its executor."""
        return self.random.random() < 0.7

    def late(self, start: Start) -> Beat | None:
        """Return a sign of life of an attempt that nobody waits for any more, or None."""
        return self.beat(start) if self.share and self.random.random() < 0.5 else None

    def check(self, image: Image, before: Image | None, plan: Plan) -> None:
        """What a commit changed of signs of life came from an attempt that ran, and its time is told by them."""
        for firing in image.firings.values():
            behaviour = plan.transitions[firing.transition].behaviour
            earlier = before.firings.get(firing.number) if before is not None else None
            if firing.phase is Phase.RUNNING and behaviour is not None:
                is_same = earlier is not None and (earlier.attempt, earlier.beat) == (firing.attempt, firing.beat)
                due = earlier.due if earlier is not None and is_same else due_of(firing, behaviour)
                told = f"{image.header.instance} {firing.number}: {firing.due}, not {due}"
                require(firing.due == due or abs(firing.due - due) < FORGIVEN_S, "deadlines are kept", told)
            known = earlier.beat if earlier is not None else None
            if firing.beat is None:
                require(known is None, "progress is kept", f"{image.header.instance} {firing.number}")
            elif firing.beat != known:
                self._check_new(firing, earlier, f"{image.header.instance} {firing.number}: {firing.beat}")

    def _check_new(self, firing: Firing, earlier: Firing | None, what: str) -> None:
        beat = firing.beat
        assert beat is not None, what
        latest = earlier.attempt if earlier is not None else 0
        if earlier is not None and earlier.phase is not Phase.RUNNING:
            latest += 1  # that attempt was over
        require(latest <= beat.attempt <= firing.attempt, "signs of life of an attempt that is over are dropped", what)
        kept = earlier.beat.progress if earlier is not None and earlier.beat is not None else None
        if beat.progress != kept:
            require(beat.progress is not None, "progress is kept", what)
            told = _Told(*cast("tuple[int, int, int]", decode(beat.progress or b"")))
            is_told = told.number == firing.number and latest <= told.attempt <= firing.attempt
            require(is_told and told.given <= self.given, "progress is what a handler told", f"{what} {told}")


def check_given(start: Start, firing: Firing, what: str) -> None:
    """The progress that an attempt is given is on disk."""
    kept = firing.beat.progress if firing.beat is not None else None
    require(
        start.progress == kept, "an attempt is given the progress that was committed", f"{what}: {start.progress!r}"
    )


def end_of(firing: Firing, behaviour: Behaviour) -> float:
    """Return when the running attempt of a firing must be over, whatever signs of life it gives."""
    ends = [firing.since + behaviour.timeout_s] if behaviour.timeout_s else []
    if behaviour.deadline_s:
        ends.append(firing.chosen + behaviour.deadline_s)
    return min(ends, default=inf)


def due_of(firing: Firing, behaviour: Behaviour) -> float:
    """Return when a running attempt is over, or silent for too long; 0.0 is never."""
    due = end_of(firing, behaviour)
    if behaviour.heartbeat_s:
        is_heard = firing.beat is not None and firing.beat.attempt == firing.attempt
        due = min(
            due, (firing.beat.at if firing.beat is not None and is_heard else firing.since) + behaviour.heartbeat_s
        )
    return 0.0 if due == inf else due


def has_time(firing: Firing, behaviour: Behaviour, last_s: float, now: float) -> bool:
    """Return whether a running attempt, last heard at `last_s`, may still run at `now` though its timer has come."""
    return (
        behaviour.heartbeat_s is not None
        and end_of(firing, behaviour) >= now
        and last_s + behaviour.heartbeat_s + ASKED_S >= now
    )
