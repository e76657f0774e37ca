"""Where a transition of the hybrid executor runs: on threads or in worker processes. Pure: observations go in.

A handler that mostly computes holds the interpreter's lock, and many of them get one core between them: in worker
processes each has its own. One that mostly waits gains nothing there, and there are fewer workers than threads.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

LEAST_CALLS: Final = 3  # seen in a place before leaving it
MOST_CALLS: Final = 1_000
WEIGHT: Final = 0.3  # of the newest call in the running means
COMPUTES_S: Final = 0.01  # of processor time a call, from which on crossing to another process is worth it
RETURNS_S: Final = 0.003  # below which it is not
COMPUTES_SHARE: Final = 0.5  # of its own time that a handler computes, from which on it goes to a process
RETURNS_SHARE: Final = 0.2  # below which it comes back


class Place(Enum):
    """Where handlers run."""

    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one call of a handler took."""

    cpu_s: float  # processor time
    waited_s: float  # time in which it did not compute, and was not kept from it by others


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a transition, and where it therefore runs."""

    place: Place = Place.THREAD
    reason: str = "nothing is known of it yet"
    calls: int = 0  # seen in this place
    cpu_s: float = 0.0  # running mean over them
    waited_s: float = 0.0  # likewise
    needed: int = LEAST_CALLS  # calls to be seen before the next change: twice as many after each
    is_fixed: bool = False  # it stays where it is, whatever is observed

    @property
    def has_moved(self) -> bool:
        """Whether it has been elsewhere: why it came here is then worth more than what is seen here."""
        return self.needed > LEAST_CALLS

    @property
    def share(self) -> float:
        """Which part of its own time the handler computes."""
        own_s = self.cpu_s + self.waited_s
        return self.cpu_s / own_s if own_s > 0 else 0.0


def call_of(took_s: float, cpu_s: float, all_cpu_s: float, queued_s: float) -> Call:
    """Return the call of a handler in a process that used `all_cpu_s` meanwhile, for all its threads.

    While others compute it may be waiting for them alone, and for `queued_s` it waited for a processor; while neither
    is so, it waits for something else.
    """
    return Call(cpu_s=cpu_s, waited_s=max(0.0, took_s - max(cpu_s, all_cpu_s) - queued_s))


def observed(standing: Standing, call: Call) -> Standing:
    """Return what one more call in the present place makes of a standing."""
    weight = WEIGHT if standing.calls else 1.0
    seen = replace(
        standing,
        calls=standing.calls + 1,
        cpu_s=standing.cpu_s + weight * (call.cpu_s - standing.cpu_s),
        waited_s=standing.waited_s + weight * (call.waited_s - standing.waited_s),
    )
    if seen.is_fixed:
        return seen
    if not seen.has_moved:
        seen = replace(seen, reason=f"as it began: {_measured(seen)}")
    if seen.calls < seen.needed:
        return seen
    if seen.place is Place.THREAD and seen.cpu_s >= COMPUTES_S and seen.share >= COMPUTES_SHARE:
        return _moved(seen, Place.PROCESS)
    if seen.place is Place.PROCESS and (seen.cpu_s < RETURNS_S or seen.share < RETURNS_SHARE):
        return _moved(seen, Place.THREAD)
    return seen


def _moved(seen: Standing, place: Place) -> Standing:
    return Standing(place=place, reason=_measured(seen), needed=min(MOST_CALLS, 2 * seen.needed))


def _measured(seen: Standing) -> str:
    return f"it computed for {seen.cpu_s * 1e3:.1f} ms a call, {seen.share:.0%} of its time"


def fixed(standing: Standing, reason: str) -> Standing:
    """Return the standing of a transition that stays on threads."""
    return replace(standing, place=Place.THREAD, reason=reason, is_fixed=True)
