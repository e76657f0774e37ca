"""The entries of an instance, made those of its copy: of another root, another id, and another engine's time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from placet.actors.answers import Receipt, decode_answer, encode_answer
from placet.actors.messages import Recover, Return, RootMessage, Trouble, decode_message, encode_message
from placet.actors.other_clock import LEADERS, lead_delay, lead_failure_of, lead_firing, lead_header
from placet.actors.records import decode_delay, decode_firing, decode_header, decode_parked, encode
from placet.persistence.history import Record
from placet.persistence.keys import (
    BLOB,
    DELAY,
    FIRING,
    FROZEN,
    HEADER,
    PARKED,
    REQUEST,
    STATE,
    TOKEN,
    WATCHER,
    split_entry,
)

EARLY_S = 1e-6  # sums of times are not exact, and no token may seem to have waited long enough before it has


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What makes a copy differ from its original."""

    root: bytes
    instance: str  # its id
    origin: str  # that of the original
    incarnation: int
    link: int  # the last record of its history, as copied; 0: none
    now: float  # engine seconds
    shift_s: float  # from the engine time of the original to that of the copy

    def entry(self, key: bytes, value: bytes) -> tuple[bytes, bytes] | None:
        """Return an entry of the copy for one of the original (key below the root), or None: it has none."""
        whole = self.root + key
        _, kind, _ = split_entry(whole)
        changed = REWRITERS[kind](self, value)
        return None if changed is None else (whole, changed)

    def record(self, record: Record, link: int) -> Record:
        """Return a record of the original's history as one of the copy's, which links to `link`."""
        return msgspec.structs.replace(record, root=self.root, link=link, at=self.past(record.at))

    def past(self, at: float) -> float:
        """Return a time that was over for the original in the time of the copy; 0.0 is none."""
        return min(at + self.shift_s, self.now) if at else 0.0

    def to_come(self, at: float) -> float:
        """Return when something is due in the copy; what was due in between is due now, and 0.0 is none."""
        return max(at + self.shift_s, self.now) if at else 0.0


def _as_it_is(_copy: Copy, value: bytes) -> bytes:
    return value


def _header(copy: Copy, value: bytes) -> bytes:
    header = decode_header(value)
    header.instance, header.incarnation, header.link = copy.instance, copy.incarnation, copy.link
    header.told = None
    header.caller = None  # which has, or waits for, the original
    lead_header(copy, header)
    return encode(header)


def _firing(copy: Copy, value: bytes) -> bytes:
    firing = decode_firing(value)
    firing.heard = None  # which is that of the original
    lead_firing(copy, firing)
    return encode(firing)


def _request(copy: Copy, value: bytes) -> bytes | None:
    """Return a recorded answer: who asks the copy under another id asks for something else."""
    if copy.instance != copy.origin:
        return None
    answer = decode_answer(value)
    return (
        encode_answer(msgspec.structs.replace(answer, at=copy.past(answer.at)))
        if isinstance(answer, Receipt)
        else value
    )


def _parked(copy: Copy, value: bytes) -> bytes | None:
    """Return a message that was parked, for the copy.

    That the engine of the original had started again does not concern it, nor does what children said to the original.
    """
    parked = decode_parked(value)
    message = decode_message(parked.message)
    if isinstance(message, Recover | Return | Trouble):
        return None
    if isinstance(message, RootMessage):
        message = msgspec.structs.replace(message, root=copy.root)
    else:
        message = msgspec.structs.replace(message, instance=copy.instance)
    parked.message = encode_message(message)
    lead_failure_of(copy, parked)
    return encode(parked)


def _delay(copy: Copy, value: bytes) -> bytes:
    delay = decode_delay(value)
    if delay.due:
        delay.due -= EARLY_S
    lead_delay(copy, delay)
    return encode(delay)


def _watcher(_copy: Copy, _value: bytes) -> None:
    """Return nothing: who watches the original is told of the end of the original."""


REWRITERS: Mapping[int, Callable[[Copy, bytes], bytes | None]] = {
    **LEADERS,
    HEADER: _header,
    FIRING: _firing,
    TOKEN: _as_it_is,
    REQUEST: _request,
    PARKED: _parked,
    BLOB: _as_it_is,
    DELAY: _delay,
    FROZEN: _as_it_is,
    STATE: _as_it_is,
    WATCHER: _watcher,
}
"""By kind of entry; a test compares them with the kinds there are."""
