"""Who watched another instance has been told of its end: once, whichever came first, whatever engine each is in."""

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from placet.actors.messages import Watch, decode_delivery
from placet.testing.calls import Calls
from placet.testing.errors import require
from placet.testing.letters import Letters

if TYPE_CHECKING:
    from placet.testing.checks import Checks
    from placet.testing.image import Image

PLACE = "p0"  # that handlers of a simulation want to be told in
Pair: TypeAlias = tuple[str, str]  # (watcher, target)


def check_watches(calls: Calls, letters: Letters, excused: set[str], deaf: set[bytes]) -> None:
    """Check every pair at the end of a simulation; `excused` and `deaf` are as in `Letters.check_end`."""
    counted = Counter[Pair]()
    for key, done in letters.written.items():
        messages = map(decode_delivery, done.sent if key in letters.counted else ())
        counted.update((one.watcher, one.instance) for one in messages if isinstance(one, Watch))
    for (watcher, target), count in sorted(counted.items()):
        found = calls.find(watcher)
        assert found is not None, watcher
        other = calls.find(target)
        known = pair(watcher, target) in excused or _is_told(other, watcher)
        _check(found, other, target, count, known or {found[1].root, *([other[1].root] if other else [])} & deaf)


def pair(watcher: str, target: str) -> str:
    """Return how a message about one watching another is named among those that are parked."""
    return f"{watcher} watches {target}"


def _is_told(target: "tuple[Checks, Image] | None", watcher: str) -> bool:
    """Return whether a target knows that what it sent to who watches it had no effect."""
    return target is not None and watcher in target[0].ledgers[target[1].root].undelivered


def _check(
    watcher: "tuple[Checks, Image]", target: "tuple[Checks, Image] | None", id: str, count: int, excused: object
) -> None:
    checks, image = watcher
    told = checks.ledgers[image.root].told[id]
    what = f"{image.header.instance} asked {count} times for the end of {id}, and was told {told} times"
    require(told <= count, "an end is told once", what)
    plan = checks.plan(image)
    external = plan.places[plan.place_index[PLACE]].external
    require(external or not told, "tokens come only where they may", what)
    if excused or not external:
        return
    if target is None:
        require(told == count or image.is_over, "who watches nobody is told", what)
    elif target[1].is_over:
        require(told > 0 or image.is_over, "an end is told", what)  # who had ended before cannot be told
    else:
        there = any(one.instance == image.header.instance for one in target[1].watchers.values())
        require(there or told, "an end that has not come is waited for", what)  # told: it had not begun at that time
