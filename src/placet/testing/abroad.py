"""Handlers on other hosts in a simulation: some of their attempts are lost, and there may be no host at all."""

from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from placet.actors.effects import Start
from placet.actors.messages import Lost

AttemptKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)
NO_HOST = "no host has gpu=1"


@dataclass(slots=True)
class Abroad:
    """Has a share of the attempts end as lost, and remembers which.

    What it draws it draws from a source of its own: seeds without other hosts stay what they were without it.
    """

    random: Random = field(default_factory=Random)
    share: float = 0.0
    lost: set[AttemptKey] = field(default_factory=set[AttemptKey])  # whose loss counts, once it is told
    is_calm: bool = False  # nothing is lost any more

    def lose(self, start: Start) -> Lost | None:
        """Return what is answered for an attempt that is lost; None: its host does answer."""
        if self.is_calm or not self.share or self.random.random() >= self.share:
            return None
        clean = self.random.random() < 0.2
        if not clean:
            self.lost.add((start.root, start.number, start.attempt))
        return Lost(
            root=start.root,
            transition=start.transition.index,
            number=start.number,
            attempt=start.attempt,
            reason="its host is silent",
            clean=clean,
        )

    def lack(self, slots: int) -> str:
        """Return why nobody can run anything, where there are no slots; or "": somebody will."""
        return NO_HOST if not slots and self.share and self.random.random() < 0.7 else ""


def draw_abroad(seed: int) -> Abroad:
    """Return what a seed has of it: in many nothing."""
    return Abroad(Random(f"abroad {seed}"), Random(f"hosts {seed}").choice((0.0, 0.0, 0.05, 0.3, 0.8)))
