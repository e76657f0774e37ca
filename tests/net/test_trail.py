"""The steps of instances that are followed: each comes once and in order, to whoever asks in time."""

from collections.abc import Callable

import pytest

from placet.actors.clock import monotonic_s
from placet.actors.effects import Progress
from placet.net import trail
from placet.net.request import FollowRequest
from placet.net.trail import Trails
from placet.persistence.history import RecordKind


class Source:
    """Stands for an engine: tells its one listener."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[[Progress], None]] = {}

    def follow(self, instance: str, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Have a listener told."""
        self.listeners[instance] = listener
        return lambda: self.listeners.__delitem__(instance)

    def step(self, number: int) -> None:
        """Take a step."""
        step = Progress(instance="i", kind=RecordKind.FIRED, transition="t", number=number, attempt=1)
        self.listeners["i"](step)


def asked(name: str = "", after: int = 0) -> FollowRequest:
    return FollowRequest(instance="i", trail=name, after=after, patience_s=1.0)


def test_who_begins_sees_what_comes_after() -> None:
    source = Source()
    trails = Trails(source.follow)
    begun = trails.after(asked()).result(0)
    assert (begun.after, begun.steps) == (0, [])
    waiting = trails.after(asked(begun.trail))
    assert not waiting.done()
    source.step(1)
    assert [step.number for step in waiting.result(0).steps] == [1]
    source.step(2)
    source.step(3)
    seen = trails.after(asked(begun.trail, 1)).result(0)
    assert ([step.number for step in seen.steps], seen.after) == ([2, 3], 3)
    assert not trails.after(asked(begun.trail, 3)).done()


def test_who_comes_with_another_trail_begins_anew() -> None:
    source = Source()
    trails = Trails(source.follow)
    begun = trails.after(asked()).result(0)
    source.step(1)
    anew = trails.after(asked("of another engine", 40)).result(0)
    assert (anew.trail, anew.after, anew.steps) == (begun.trail, 1, [])


def test_who_is_slow_misses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "MOST_STEPS", 2)
    source = Source()
    trails = Trails(source.follow)
    begun = trails.after(asked()).result(0)
    for number in range(1, 6):
        source.step(number)
    assert [step.number for step in trails.after(asked(begun.trail, 1)).result(0).steps] == [4, 5]


def test_a_trail_that_nobody_asks_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    trails = Trails(source.follow)
    now_s = monotonic_s()
    begun = trails.after(asked()).result(0)
    waiting = trails.after(asked(begun.trail))
    monkeypatch.setattr(trail, "monotonic_s", lambda: now_s + 2 * trail.FORGET_S)
    trails.tick()
    assert "i" in source.listeners, "somebody waits"
    waiting.cancel()
    trails.tick()
    assert not source.listeners
