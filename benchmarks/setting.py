"""What a measurement is told: where to keep its files, and whether to be brief."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 120.0  # what takes longer hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where and how to measure."""

    directory: Path  # on the disk to be measured
    is_quick: bool = False  # only see that every figure can be had; the figures themselves are poor
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def fresh(self) -> Path:
        """Return a path in the directory that is not in use yet."""
        return self.directory / f"state-{next(self._numbers)}"

    def pick(self, full: T, quick: T) -> T:
        """Return a size: the second where it must go quickly."""
        return quick if self.is_quick else full
