"""What a start finds to do: one pass over headers and firings that leaps over tokens."""

from dataclasses import dataclass, field

from placet.actors.records import Header, Phase, decode_firing, decode_header
from placet.actors.timers import TimerKey
from placet.persistence.keys import FIRING, FIRST_PLACE, HEADER, LIVE, split_entry
from placet.persistence.store import View



@dataclass(slots=True)
class Found:
    """What must go on after a start."""

    instances: int = 0
    in_flight: int = 0  # firings that ran when the engine ended
    awake: list[bytes] = field(default_factory=list[bytes])  # roots that can move
    timers: list[tuple[TimerKey, float, int]] = field(default_factory=list[tuple[TimerKey, float, int]])


def find_work(view: View) -> Found:
    """Return the roots to be recovered and the timers of all others."""
    found = Found()
    start: bytes | None = LIVE
    while start is not None:
        start = _page(view, start, found)
    return found


def _page(view: View, start: bytes, found: Found) -> bytes | None:
    """Read entries from `start` on until tokens come up; return where to read on, or None at the end."""
    for key, value in view.scan(LIVE, start):
        actor, kind, _ = split_entry(key)
        if actor >= FIRST_PLACE:
            return _after_root(key)
        if kind == HEADER and actor == 0:
            _note_header(key, decode_header(value), found)
        elif kind == FIRING:
            _note_firing(key, value, found)
    return None


def _after_root(key: bytes) -> bytes | None:
    following = int.from_bytes(key[1:10], "big") + 1
    return LIVE + following.to_bytes(9, "big") if following < 1 << 72 else None


def _note_header(key: bytes, header: Header, found: Found) -> None:
    found.instances += 1
    if header.awake:
        found.awake.append(key[:10])


def _note_firing(key: bytes, value: bytes, found: Found) -> None:
    firing = decode_firing(value)
    if firing.phase is Phase.BACKOFF:
        found.timers.append(((key[:10], firing.number), firing.due, firing.transition))
    elif firing.phase is Phase.RUNNING:
        found.in_flight += 1
