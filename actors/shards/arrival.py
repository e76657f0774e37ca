"""The entries of a shard that comes from another engine, made entries of this one.

Roots, ids, incarnations and keys stay what they are. What counts within an engine is counted anew: records of the
history, the outbox, and times, which are those of another clock.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from placet.actors.answers import Receipt, Refused, decode_answer, encode_answer
from placet.actors.messages import Recover, Sent, decode_message, encode_message
from placet.actors.records import (
    Failure,
    Header,
    decode_delay,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
    decode_scheduled,
    decode_task,
    encode,
)
from placet.actors.shards.content import ROOT_BYTES
from placet.actors.shards.messages import Entries, Part, Posts, Records
from placet.persistence.history import decode_record, encode_record
from placet.persistence.keys import (
    DELAY,
    FIRING,
    GUARD_INCIDENT,
    HEADER,
    LIVE,
    NET,
    PARKED,
    REQUEST,
    SCHEDULED,
    TASK,
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
        self._shift_s = shift_s
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
            _shift_header(header, self._shift_s)
            self._headers[root] = header
            return
        rewrite = REWRITERS.get(kind)
        writes[key] = value if rewrite is None else rewrite(value, self._shift_s)

    def _records(self, part: Records, writes: dict[bytes, bytes | None]) -> None:
        header = self._header(part.root)
        assert header is not None, part.root  # it comes first
        for data in part.records:
            record = decode_record(data)
            self._counters.history += 1
            made = msgspec.structs.replace(record, link=header.link, at=record.at + self._shift_s)
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


def _later(at: float, shift_s: float) -> float:
    return at + shift_s if at else 0.0  # which is none


def _shift_header(header: Header, shift_s: float) -> None:
    header.spawned_at, header.changed_at = _later(header.spawned_at, shift_s), _later(header.changed_at, shift_s)
    header.cause = _failure(header.cause, shift_s) if header.cause is not None else None


def _failure(failure: Failure, shift_s: float) -> Failure:
    return msgspec.structs.replace(failure, at=_later(failure.at, shift_s))


def _firing(value: bytes, shift_s: float) -> bytes:
    firing = decode_firing(value)
    firing.link = 0  # the header has it
    firing.since, firing.due = _later(firing.since, shift_s), _later(firing.due, shift_s)
    firing.chosen = _later(firing.chosen, shift_s)
    firing.failures = tuple(_failure(failure, shift_s) for failure in firing.failures)
    if firing.beat is not None:
        firing.beat = msgspec.structs.replace(firing.beat, at=_later(firing.beat.at, shift_s))
    return encode(firing)


def _guard_incident(value: bytes, shift_s: float) -> bytes:
    incident = decode_guard_incident(value)
    incident.failure = _failure(incident.failure, shift_s)
    return encode(incident)


def _request(value: bytes, shift_s: float) -> bytes:
    answer = decode_answer(value)
    if isinstance(answer, Receipt | Refused):
        answer = msgspec.structs.replace(answer, at=_later(answer.at, shift_s))
    return encode_answer(answer)


def _parked(value: bytes, shift_s: float) -> bytes:
    parked = decode_parked(value)
    parked.failure = _failure(parked.failure, shift_s)
    message = decode_message(parked.message)
    if isinstance(message, Recover):
        again = msgspec.structs.replace(message, stopped_s=_later(message.stopped_s, shift_s))
        parked.message = encode_message(again)
    return encode(parked)


def _delay(value: bytes, shift_s: float) -> bytes:
    delay = decode_delay(value)
    delay.arrived, delay.due = _later(delay.arrived, shift_s), _later(delay.due, shift_s)
    return encode(delay)


def _task(value: bytes, shift_s: float) -> bytes:
    task = decode_task(value)
    task.offered_at, task.at = _later(task.offered_at, shift_s), _later(task.at, shift_s)
    return encode(task)


def _scheduled(value: bytes, shift_s: float) -> bytes:
    coming = decode_scheduled(value)
    return encode(msgspec.structs.replace(coming, due=_later(coming.due, shift_s)))


REWRITERS: Mapping[int, Callable[[bytes, float], bytes]] = {
    FIRING: _firing,
    GUARD_INCIDENT: _guard_incident,
    PARKED: _parked,
    DELAY: _delay,
    TASK: _task,
    SCHEDULED: _scheduled,
    REQUEST: _request,
}
"""By kind of entry; the others have nothing in them that counts within an engine."""
