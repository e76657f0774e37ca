"""The network between the engines of a simulation: it drops, doubles, delays and reorders, and it partitions."""

from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from placet.actors.messages import Acknowledged, Parcel

Letter: TypeAlias = Parcel | Acknowledged


def owner_of(shard: int, engines: int) -> int:
    """Return which of so many engines owns a shard."""
    return shard % engines


@dataclass(slots=True)
class Network:
    """Letters on their way, each with the engine it goes to."""

    random: Random
    engines: int
    dropped: float  # share of the letters that never arrive
    doubled: float  # share of those that arrive more than once
    on_the_way: list[tuple[int, Letter]] = field(default_factory=list[tuple[int, Letter]])
    cut_off: set[int] = field(default_factory=set[int])  # engines that nothing comes to or from

    def send(self, source: int, letter: Letter) -> None:
        """Take a letter of an engine."""
        asks = isinstance(letter, Parcel)
        target = owner_of(letter.channel[1 if asks else 0], self.engines)
        if not self.cut_off & {source, target}:
            self.on_the_way.append((target, letter))

    def pick(self) -> tuple[int, Letter] | None:
        """Return a letter that arrives now, whichever; None: this one never does."""
        target, letter = self.on_the_way.pop(self.random.randrange(len(self.on_the_way)))
        if self.random.random() < self.doubled:
            self.on_the_way.append((target, letter))
        return None if self.random.random() < self.dropped or target in self.cut_off else (target, letter)

    def partition(self) -> None:
        """Cut an engine off, or let all talk again."""
        if self.cut_off:
            self.cut_off.clear()
        else:
            self.cut_off.add(self.random.randrange(self.engines))

    def mend(self) -> None:
        """Lose and double nothing from now on."""
        self.dropped = self.doubled = 0.0
        self.cut_off.clear()
