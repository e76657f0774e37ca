"""What a start finds to do: one pass over headers and firings that leaps over tokens."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf, nextafter

from placet.actors.messages import KernelMessage, Park, Recover, decode_message
from placet.actors.records import Header, Phase, decode_delay, decode_firing, decode_header, decode_scheduled, encode
from placet.actors.slots import Slots
from placet.actors.timers import OF_A_SCHEDULE, OF_A_TOKEN, TimerKey, Timers
from placet.actors.turn import Turn
from placet.actors.workflow import Scan
from placet.persistence.blobs import BLOB_ACTOR
from placet.persistence.keys import DELAY, FIRING, FIRST_PLACE, HEADER, LIVE, SCHEDULED, split_entry
from placet.persistence.store import View
from placet.supervision.losses import ALONE_FROM

CHUNKS = BLOB_ACTOR.to_bytes(2, "big")
TOKENS_BEFORE_LEAP = 64  # reading on is cheaper than a new search, up to about so many


@dataclass(slots=True)
class Found:
    """What must go on after a start."""

    suspected: bool = False  # some firing was lost so often that it may have to run alone
    awake: list[bytes] = field(default_factory=list[bytes])  # roots that can move
    timers: list[tuple[TimerKey, float, int]] = field(default_factory=list[tuple[TimerKey, float, int]])
    running: list[tuple[TimerKey, int]] = field(default_factory=list[tuple[TimerKey, int]])  # (firing, attempt)


def find_work(view: View, prefix: bytes = LIVE) -> Found:
    """Return the roots to be recovered and the timers of all others, in live state or a part of it."""
    found = Found()
    for key, value in survey(view, prefix):
        actor, kind, number = split_entry(key)
        if kind == HEADER and actor == 0:
            _note_header(key, decode_header(value), found)
        elif kind == FIRING:
            _note_firing(key, value, found)
        elif kind == DELAY and (due := decode_delay(value).due):
            found.timers.append(((key[:10], number), due, OF_A_TOKEN))
        elif kind == SCHEDULED:
            found.timers.append(((key[:10], number), decode_scheduled(value).due, OF_A_SCHEDULE))
    return found


def resume(found: Found, stopped_s: float, timers: Timers, deliver: Callable[[KernelMessage], None]) -> None:
    """Have instances told of a start, and set the timers of the others."""
    for root in found.awake:
        deliver(Recover(root=root, stopped_s=stopped_s))
    for key, due, transition in found.timers:
        timers.set(key, due, transition)


def untold(mail: Iterable[KernelMessage]) -> list[bytes]:
    """Return the roots of instances that have not been told of the last start, though they were to be."""
    recovers = map(_recover_in, mail)
    return [recover.root for recover in recovers if recover is not None and recover.stopped_s < inf]


def _recover_in(message: KernelMessage) -> Recover | None:
    """Return what a message says of a start; one of `inf` is of no start: nothing that ran was lost."""
    if isinstance(message, Park) and message.kind == Recover.__name__:
        message = decode_message(message.message)
    return message if isinstance(message, Recover) else None


def keep_losses(turn: Turn, scan: Scan, slots: Slots, stopped_s: float) -> Turn:
    """Write firings of an instance that was not told of a crash so that a clean stop now does not hide their loss.

    An attempt counts as lost if it began after the last clean stop: see `receive`.
    """
    for key, value in scan(turn.root, None):
        actor, kind, _ = split_entry(key)
        if actor >= FIRST_PLACE:
            break
        if kind == FIRING:
            firing = decode_firing(value)
            is_lost = firing.phase is Phase.RUNNING and firing.since > stopped_s
            if is_lost and not slots.is_out(turn.root, firing.number):
                firing.since = nextafter(turn.now, inf)
                turn.put(key, encode(firing))
    return turn


def survey(view: View, prefix: bytes = LIVE) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of all workflow actors and composites; the tokens of large instances are leapt over."""
    start: bytes | None = prefix
    while start is not None:
        leap_from: bytes | None = None
        tokens = 0
        for key, value in view.scan(prefix, start):
            if int.from_bytes(key[10:12], "big") < FIRST_PLACE:
                tokens = 0
                yield key, value
                continue
            tokens += 1
            if tokens > TOKENS_BEFORE_LEAP or key[10:12] == CHUNKS:
                leap_from = key
                break
        start = _after_root(leap_from) if leap_from else None


def _after_root(key: bytes) -> bytes | None:
    following = int.from_bytes(key[1:10], "big") + 1
    return LIVE + following.to_bytes(9, "big") if following < 1 << 72 else None


def _note_header(key: bytes, header: Header, found: Found) -> None:
    if header.awake:
        found.awake.append(key[:10])


def _note_firing(key: bytes, value: bytes, found: Found) -> None:
    firing = decode_firing(value)
    if firing.phase is Phase.BACKOFF or (firing.phase is Phase.CALLED and firing.due):
        found.timers.append(((key[:10], firing.number), firing.due, firing.transition))
    elif firing.phase is Phase.RUNNING:
        found.suspected = found.suspected or firing.losses + 1 >= ALONE_FROM
        found.running.append(((key[:10], firing.number), firing.attempt))
    elif firing.phase is Phase.SUSPECT:
        found.suspected = True
