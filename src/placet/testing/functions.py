"""The guards and handlers of generated nets. What they do follows from the seed, their firing and the values alone.

A value is a whole number: `tag * FUEL + fuel`. Guards look at the tag; each turn of a loop burns fuel, so that
every loop ends. A value may also be a tuple whose first entry counts, to be larger than its number needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from zlib import crc32

from placet.actors.context import Context
from placet.petri.expression import PlaceRef

FUEL = 4
TAGS = 24
BULK_BYTES = 70_000  # more than a value may have to stay where it is


class Misfortune(Exception):
    """A handler failed; another attempt may help."""


class HopelessMisfortune(Misfortune):
    """A handler failed; policies may say that no attempt will help."""


@dataclass(slots=True)
class World:
    """What the functions of one simulation share: luck, and a log of what they saw."""

    seed: int
    failures_permille: int = 0
    calm: bool = False  # nothing fails any more
    begun: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])  # (firing id, attempt)
    complaints: list[str] = field(default_factory=list[str])  # values that should never have come

    def roll(self, *parts: object) -> int:
        """Return a number from 0 to 999 that is the same for the same parts and seed."""
        return crc32(repr((self.seed, *parts)).encode()) % 1_000


def number_of(value: object) -> int:
    """Return the number a value stands for; one of a collection is that of its largest fuel and first tag."""
    if isinstance(value, int):
        return value
    parts = _parts(value)
    if parts:
        numbers = [number_of(one) for one in parts]
        return numbers[0] // FUEL * FUEL + max(number % FUEL for number in numbers)
    return 0


def _parts(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, tuple | list) else ()


@dataclass(frozen=True, slots=True, eq=False)
class TagGuard:
    """Lets a value through unless its tag leaves `refused` when divided by `modulus`; raises for one tag."""

    modulus: int
    refused: int
    raises_at: int = -1  # tag; -1 never raises

    def __call__(self, value: object) -> bool:
        """Ask the guard. Raises `Misfortune` for the tag it cannot judge."""
        tag = number_of(value) // FUEL
        if tag == self.raises_at:
            raise Misfortune(f"tag {tag} cannot be judged")
        return tag % self.modulus != self.refused

    def lets(self, value: object) -> bool:
        """Return whether a value may pass; one that cannot be judged may not."""
        return number_of(value) // FUEL != self.raises_at and self(value)


@dataclass(frozen=True, slots=True, eq=False)
class TagKey:
    """A join key: what is left of the tag when divided by `modulus`; raises for one tag, if its modulus is 3."""

    modulus: int

    def __call__(self, value: object) -> int:
        """Return the key. Raises `Misfortune` for the tag that has none."""
        tag = number_of(value) // FUEL
        if tag == TAGS - 1 and self.modulus == 3:
            raise Misfortune(f"tag {tag} has no key")
        return tag % self.modulus


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A handler: mixes the values it is given, and sometimes fails."""

    world: World
    name: str
    guards: tuple[TagGuard | None, ...]
    weights: tuple[int, ...]  # of the inputs
    reads: tuple[bool, ...]  # which of them are only read
    outputs: tuple[tuple[PlaceRef, int], ...]  # (place, weight)
    back: tuple[PlaceRef, int] | None = None  # of a choice: the output that goes back, while there is fuel
    choice: bool = False
    bulky: bool = False
    bursts: bool = False  # returns a list of values, for a map
    effects: bool = True  # logs what it begins: not so for handlers declared pure

    def __call__(self, *values: object, context: Context) -> object:
        """Handle one firing."""
        if self.effects:
            self.world.begun.add((context.firing_id, context.attempt))
        self._check(values)
        number = self._mixed(values)
        self._fail(context)
        if self.choice:
            return self._chosen(number)
        if self.bursts:
            return [self._values(number + FUEL * position, 1) for position in range(number // FUEL % 6)]
        if not self.outputs:
            return self._sized(number)
        marked = [
            place(self._values(number + FUEL * position, weight)) for position, (place, weight) in self._numbered()
        ]
        if len(marked) == 1:
            return marked[0] if number % 2 else marked[0].value
        plain = all(weight == 1 for _, weight in self.outputs)
        return self._sized(number) if plain and number % 3 == 0 else tuple(marked)

    def _numbered(self) -> Sequence[tuple[int, tuple[PlaceRef, int]]]:
        return list(enumerate(self.outputs))

    def _check(self, values: Sequence[object]) -> None:
        """Complain of a value that a guard should have kept back."""
        for value, guard, weight in zip(values, self.guards, self.weights, strict=True):
            parts = _parts(value) if weight > 1 else [value]
            if guard is not None and not all(guard.lets(part) for part in parts):
                self.world.complaints.append(f"{self.name} was given {value!r:.60} past its guard")

    def _mixed(self, values: Sequence[object]) -> int:
        numbers = [number_of(value) for value in values]
        tag = crc32(repr((self.name, numbers)).encode()) % TAGS
        taken = [number for number, read in zip(numbers, self.reads, strict=True) if not read]  # a loop burns these
        return tag * FUEL + max((number % FUEL for number in taken), default=0)

    def _fail(self, context: Context) -> None:
        world = self.world
        if world.calm:
            return
        roll = world.roll(self.name, context.firing_id, context.attempt)
        if roll < world.failures_permille:
            raise (HopelessMisfortune if roll % 5 == 0 else Misfortune)(f"{self.name} had no luck")

    def _chosen(self, number: int) -> object:
        if self.back is not None and number % FUEL:
            place, weight = self.back
            return place(self._values(number - 1, weight))
        onward = [output for output in self.outputs if output != self.back]
        place, weight = onward[number // FUEL % len(onward)]
        return place(self._values(number, weight))

    def _values(self, number: int, weight: int) -> object:
        number %= TAGS * FUEL
        return self._sized(number) if weight == 1 else [self._sized(number) for _ in range(weight)]

    def _sized(self, number: int) -> object:
        return (number, b"x" * BULK_BYTES) if self.bulky and number // FUEL % 3 == 0 else number
