"""Where the child instances of a called composite live, in a cluster of several engines."""

from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Spread:
    """Each child anywhere: they spread evenly over all engines. So it is unless something else is said."""


@dataclass(frozen=True, slots=True)
class Near:
    """Each child in the shard where the instance with this id lives; without one, where its caller does.

    So it shares an engine with that instance for good, also when the shard moves.
    """

    instance: str = ""


Placement: TypeAlias = Spread | Near
SPREAD: Final = Spread()
