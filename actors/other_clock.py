"""Times in the entries of an instance, led from the clock of one engine to that of another."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from placet.actors.records import (
    Delay,
    Failure,
    Firing,
    GuardIncident,
    Header,
    Parked,
    Task,
    decode_delay,
    decode_firing,
    decode_guard_incident,
    decode_scheduled,
    decode_task,
    encode,
)
from placet.persistence.keys import DELAY, FIRING, GUARD_INCIDENT, SCHEDULED, TASK

Entry = TypeVar("Entry")


class OtherClock(Protocol):
    """The clock of the engine that an instance has come to; 0.0 is no time, and stays so."""

    def past(self, at: float) -> float:
        """Return a time that was over."""
        ...

    def to_come(self, at: float) -> float:
        """Return when something is due."""
        ...


def lead_header(clock: OtherClock, header: Header) -> None:
    """Lead the times of a header over."""
    header.spawned_at, header.changed_at = clock.past(header.spawned_at), clock.past(header.changed_at)
    header.cause = led_failure(clock, header.cause) if header.cause is not None else None


def lead_firing(clock: OtherClock, firing: Firing) -> None:
    """Lead the times of a firing over; the last record of its history is the header's to know."""
    firing.link = 0
    firing.since, firing.due, firing.chosen = (
        clock.past(firing.since),
        clock.to_come(firing.due),
        clock.past(firing.chosen),
    )
    firing.failures = tuple(led_failure(clock, failure) for failure in firing.failures)
    if firing.beat is not None:
        firing.beat = msgspec.structs.replace(firing.beat, at=clock.past(firing.beat.at))


def lead_failure_of(clock: OtherClock, entry: GuardIncident | Parked) -> None:
    """Lead the time of what failed over."""
    entry.failure = led_failure(clock, entry.failure)


def led_failure(clock: OtherClock, failure: Failure) -> Failure:
    """Return a failure with its time led over."""
    return msgspec.structs.replace(failure, at=clock.past(failure.at))


def lead_delay(clock: OtherClock, delay: Delay) -> None:
    """Lead the times of a token that waits over."""
    delay.arrived, delay.due = clock.past(delay.arrived), clock.to_come(delay.due)


def _in_place(
    decode: Callable[[bytes], Entry], lead: Callable[[OtherClock, Entry], None]
) -> Callable[[OtherClock, bytes], bytes]:
    def led(clock: OtherClock, value: bytes) -> bytes:
        """Return a stored entry with its times led over."""
        entry = decode(value)
        lead(clock, entry)
        return encode(entry)

    return led


def _lead_task(clock: OtherClock, task: Task) -> None:
    task.offered_at, task.at = clock.past(task.offered_at), clock.past(task.at)


def _scheduled(clock: OtherClock, value: bytes) -> bytes:
    coming = decode_scheduled(value)
    return encode(msgspec.structs.replace(coming, due=clock.to_come(coming.due)))


LEADERS: Mapping[int, Callable[[OtherClock, bytes], bytes]] = {
    FIRING: _in_place(decode_firing, lead_firing),
    GUARD_INCIDENT: _in_place(decode_guard_incident, lead_failure_of),
    DELAY: _in_place(decode_delay, lead_delay),
    TASK: _in_place(decode_task, _lead_task),
    SCHEDULED: _scheduled,
}
"""By kind of entry, where only times change: what leads those of a stored one over."""
