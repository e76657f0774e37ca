"""How long handlers took since the engine started, by transition: which of them are slow."""

import threading
from dataclasses import dataclass

KEPT = 1_000  # transitions; beyond twice as many, those whose longest time was shortest are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long the handlers of one transition took. Transitions of one path count as one, whatever their workflow."""

    transition: str  # path
    count: int  # handlers that ended, in whatever way
    mean_s: float
    worst_s: float


class Durations:
    """Times of handlers. Safe to be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[str, tuple[int, float, float]] = {}  # (count, sum, longest) in seconds

    def note(self, transition: str, took_s: float) -> None:
        """A handler has ended after `took_s`."""
        with self._lock:
            count, total_s, worst_s = self._noted.get(transition, (0, 0.0, 0.0))
            self._noted[transition] = (count + 1, total_s + took_s, max(worst_s, took_s))
            if len(self._noted) > 2 * KEPT:
                slowest = sorted(self._noted.items(), key=lambda entry: -entry[1][2])
                self._noted = dict(slowest[:KEPT])

    def slowest(self, most: int) -> list[Duration]:
        """Return the transitions whose handlers take longest on average, at most so many, the slowest first."""
        with self._lock:
            noted = list(self._noted.items())
        noted.sort(key=lambda entry: (-entry[1][1] / entry[1][0], entry[0]))
        return [
            Duration(transition=transition, count=count, mean_s=total_s / count, worst_s=worst_s)
            for transition, (count, total_s, worst_s) in noted[:most]
        ]
