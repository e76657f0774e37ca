"""The entries of a shard that comes from another engine, made entries of this one.

Roots, ids, incarnations and keys stay what they are. What counts within an engine is counted anew: records of the
history, the outbox, and times, which are those of another clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from placet.actors.answers import Receipt, Refused, decode_answer, encode_answer
from placet.actors.messages import Recover, Sent, decode_message, encode_message
from placet.actors.other_clock import LEADERS, lead_failure_of, lead_header
from placet.actors.records import Header, decode_header, decode_parked, encode
from placet.actors.shards.content import ROOT_BYTES
from placet.actors.shards.messages import Entries, Part, Posts, Records
from placet.persistence.history import decode_record, encode_record
from placet.persistence.keys import (
    HEADER,
    LIVE,
    NET,
    PARKED,
    REQUEST,
    entry_key,
    history_key,
    outbox_key,
    split_entry,
)


class Counted(Protocol):
    """What the outbox of an engine counts."""

    given: int  # last number given out


class Counters(Protocol):
    """What is counted within an engine: its kernel."""

    history: int  # sequence of the newest record

    @property
    def outbox(self) -> Counted:
        """The outbox."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return one entry, as this batch leaves it so far."""
        ...


class Arrival:
    """Writes parts of a shard as they come."""

    def __init__(self, counters: Counters, shift_s: float) -> None:
        """`shift_s` leads from the engine time of the owner to that of this engine."""
        self._counters = counters
        self._clock = Shifted(shift_s)
        self._headers: dict[bytes, Header] = {}  # those touched in this batch

    def write(self, parts: tuple[Part, ...], writes: dict[bytes, bytes | None]) -> None:
        """Write some parts; those of one batch at a time."""
        self._headers.clear()
        for part in parts:
            match part:
                case Entries():
                    self._entries(part, writes)
                case Records():
                    self._records(part, writes)
                case Posts():
                    self._posts(part, writes)
        for root, header in self._headers.items():
            writes[entry_key(root, 0, HEADER, 0)] = encode(header)

    def _entries(self, part: Entries, writes: dict[bytes, bytes | None]) -> None:
        for key, value in part.entries:
            if key[:1] == LIVE and value is not None:
                self._live(key, value, writes)
            elif key[:1] != NET or self._counters.get(key) is None:
                writes[key] = value

    def _live(self, key: bytes, value: bytes, writes: dict[bytes, bytes | None]) -> None:
        actor, kind, _ = split_entry(key)
        if actor == 0 and kind == HEADER:
            root = key[:ROOT_BYTES]
            known, header = self._header(root), decode_header(value)
            header.link = known.link if known is not None else 0  # set by the records, as they come
            lead_header(self._clock, header)
            self._headers[root] = header
            return
        rewrite = REWRITERS.get(kind)
        writes[key] = value if rewrite is None else rewrite(self._clock, value)

    def _records(self, part: Records, writes: dict[bytes, bytes | None]) -> None:
        header = self._header(part.root)
        assert header is not None, part.root  # it comes first
        for data in part.records:
            record = decode_record(data)
            self._counters.history += 1
            made = msgspec.structs.replace(record, link=header.link, at=record.at + self._clock.by_s)
            writes[history_key(self._counters.history)] = encode_record(made)
            header.link = self._counters.history

    def _header(self, root: bytes) -> Header | None:
        known = self._headers.get(root)
        if known is None and (data := self._counters.get(entry_key(root, 0, HEADER, 0))) is not None:
            known = self._headers[root] = decode_header(data)
        return known

    def _posts(self, part: Posts, writes: dict[bytes, bytes | None]) -> None:
        outbox = self._counters.outbox
        for data in part.posts:
            sent = decode_message(data)
            assert isinstance(sent, Sent), sent
            outbox.given += 1
            writes[outbox_key(outbox.given)] = encode_message(msgspec.structs.replace(sent, entry=outbox.given))


@dataclass(frozen=True, slots=True)
class Shifted:
    """The clock of this engine, as far from the owner's as it is."""

    by_s: float

    def past(self, at: float) -> float:
        """Return a time that was over; 0.0 is none."""
        return at + self.by_s if at else 0.0

    to_come = past


def _request(clock: Shifted, value: bytes) -> bytes:
    answer = decode_answer(value)
    if isinstance(answer, Receipt | Refused):
        answer = msgspec.structs.replace(answer, at=clock.past(answer.at))
    return encode_answer(answer)


def _parked(clock: Shifted, value: bytes) -> bytes:
    parked = decode_parked(value)
    lead_failure_of(clock, parked)
    message = decode_message(parked.message)
    if isinstance(message, Recover):
        again = msgspec.structs.replace(message, stopped_s=clock.past(message.stopped_s))
        parked.message = encode_message(again)
    return encode(parked)


REWRITERS: Mapping[int, Callable[[Shifted, bytes], bytes]] = {**LEADERS, PARKED: _parked, REQUEST: _request}
"""By kind of entry; the others have nothing in them that counts within an engine."""
