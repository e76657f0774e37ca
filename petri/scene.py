"""What is going on in a net at one moment: what a picture shows beside the net itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Standing(Enum):
    """How a transition, or a whole instance, stands; the gravest comes first."""

    INCIDENT = "incident"
    STUCK = "stuck"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """So many firings of a transition stand in one way."""

    standing: Standing
    count: int = 1
    detail: str = ""  # for people: since when, what failed, what is lacking

    def __str__(self) -> str:
        return f"{self.standing.value} ×{self.count}" if self.count > 1 else self.standing.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of an instance. Paths that the net does not know are left out of a picture."""

    title: str = ""  # the instance's id
    state: str = ""  # of the instance, in one word
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])  # by path of the place
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict[str, tuple[Mark, ...]])  # by transition

    def marks_of(self, path: str) -> tuple[Mark, ...]:
        """Return the marks of a transition, the gravest first."""
        order = list(Standing)
        return tuple(sorted(self.marks.get(path, ()), key=lambda mark: order.index(mark.standing)))


def written(marks: tuple[Mark, ...]) -> str:
    """Return marks in the room there is below a transition: the gravest, and whether there are others."""
    return f"{marks[0]}{' …' if len(marks) > 1 else ''}" if marks else ""
