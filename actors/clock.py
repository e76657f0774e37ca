"""The one module that reads clocks: engine time, which only goes forward, over the machine's two clocks."""

import time
from dataclasses import dataclass

from placet.actors.stamp import Stamp


def monotonic_s() -> float:
    """Return seconds on a clock that never jumps, for measuring how long something took."""
    return time.monotonic()


def thread_cpu_s() -> float:
    """Return the processor time this thread has had."""
    return time.thread_time()


def process_cpu_s() -> float:
    """Return the processor time all threads of this process have had."""
    return time.process_time()


def thread_queued_s() -> float:
    """Return how long this thread could have run but was given no processor; 0.0 where the system does not tell."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def wall_s() -> float:
    """Return the wall clock, seconds since 1970."""
    return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStart:
    """What an engine's clock found when it started."""

    away_s: float  # how long the engine was away, by the wall clock; 0.0 if that went back
    went_back_s: float  # how far the wall clock stood before the last commit's; 0.0 if it did not


class EngineClock:
    """Engine time: seconds since 1970 at the engine's first start, going on with the monotonic clock.

    At each later start it advances by the wall time that passed since the last commit, never backwards.
    While it runs, jumps of the wall clock neither fire nor freeze a timer.
    """

    def __init__(self, stamp: Stamp) -> None:
        wall = wall_s()
        passed = wall - stamp.wall_s if stamp.wall_s else 0.0
        self.start = ClockStart(away_s=max(0.0, passed), went_back_s=max(0.0, -passed))
        begin = stamp.engine_s + self.start.away_s if stamp.engine_s else wall
        self._offset = begin - monotonic_s()

    def now(self) -> float:
        """Return engine time."""
        return monotonic_s() + self._offset
