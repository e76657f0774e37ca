"""Whether and when a failed firing is tried again."""

import random
from dataclasses import dataclass
from math import inf

from placet.persistence.type_name import qualified_name
from placet.petri.validation import LONGEST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try up to `attempts` times in all, waiting longer each time: exponential back-off with jitter.

    `only` and `never` name exception classes (or their base classes) that are, or are not, tried again; `never`
    wins. No delay is longer than a hundred years. Jitter spreads each delay over [1 - jitter, 1] of itself,
    repeatably for one firing.
    """

    attempts: int = 3
    first_s: float = 1.0  # delay before the second attempt
    factor: float = 2.0
    most_s: float = 300.0  # no delay is longer
    jitter: float = 0.1
    only: tuple[type[BaseException], ...] = ()
    never: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        if type(self.attempts) is not int:
            raise ValueError(f"attempts must be a whole number, got {self.attempts!r}")
        for name in ("first_s", "factor", "most_s", "jitter"):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, got {value!r}")
        if self.attempts < 1:
            raise ValueError(f"attempts must be >= 1, got {self.attempts}")
        if not (0 <= self.first_s <= LONGEST_S and 0 <= self.most_s <= LONGEST_S):
            raise ValueError(f"first_s and most_s must be within 0 and {LONGEST_S:.0f}, a hundred years")
        if not 1 <= self.factor < inf:
            raise ValueError(f"factor must be a finite number >= 1, got {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be within 0 and 1, got {self.jitter}")

    def delay_s(self, failures: int, exception_types: tuple[str, ...], salt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up."""
        if failures >= self.attempts or not self._covers(exception_types):
            return None
        try:
            delay_s = min(self.most_s, self.first_s * self.factor ** (failures - 1))
        except OverflowError:
            delay_s = self.most_s
        return delay_s * (1 - self.jitter * random.Random(salt * 1_000_003 + failures).random())

    def _covers(self, exception_types: tuple[str, ...]) -> bool:
        names = set(exception_types)
        if any(qualified_name(kind) in names for kind in self.never):
            return False
        return not self.only or any(qualified_name(kind) in names for kind in self.only)
