"""Timers of actors: durable, one of a name, and gone when they are cancelled."""

from typing import Any

import pytest

from placet import InstanceState
from placet.actors.records import decode_scheduled
from placet.persistence.keys import SCHEDULED, split_entry
from placet.testing import Rehearsal, RehearsedActor
from tests.own.cast import Counter, Do, Player


def heard(player: RehearsedActor[Any]) -> object:  # `Any`: of whatever messages
    return player.state_values().get("heard", [])


def pending(rehearsal: Rehearsal) -> list[str]:
    """Return the names of the timers on disk."""
    found = [(key, value) for key, value in rehearsal.store.scan(b"L") if split_entry(key)[:2] == (0, SCHEDULED)]
    return [decode_scheduled(value).timer for _, value in found]


def playing() -> tuple[Rehearsal, RehearsedActor[Any]]:
    rehearsal = Rehearsal(Player, Counter)
    return rehearsal, rehearsal.start(Player, id="p")


def test_a_timer_comes_in_its_time_once() -> None:
    rehearsal, player = playing()
    assert player.ask(Do("arm", (10.0, "ring", "bell"))) == "bell"
    rehearsal.advance(9.0)
    assert heard(player) == []
    rehearsal.advance(2.0)
    assert heard(player) == ["ring"]
    rehearsal.advance(100.0)
    assert heard(player) == ["ring"]
    assert pending(rehearsal) == []


def test_timers_without_a_name_are_apart() -> None:
    rehearsal, player = playing()
    names = {player.ask(Do("after", (1.0, word))) for word in ("one", "two")}
    assert len(names) == 2
    rehearsal.advance(2.0)
    assert heard(player) == ["one", "two"]


def test_a_timer_outlives_crashes_and_clean_stops() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (10.0, "ring", "bell")))
    rehearsal.crash()
    rehearsal.advance(5.0)
    rehearsal.restart()
    rehearsal.advance(4.0)
    assert heard(player) == []
    rehearsal.advance(2.0)
    assert heard(player) == ["ring"]


def test_of_one_name_there_is_one_timer_the_latest() -> None:
    rehearsal, player = playing()
    player.ask(Do("rearm", ("bell",)))
    assert pending(rehearsal) == ["bell"]
    rehearsal.advance(10.0)
    assert heard(player) == ["second"]


def test_a_timer_that_is_cancelled_does_not_come() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (1.0, "ring", "bell")))
    assert player.ask(Do("cancel_timer", ("bell",))) is True
    assert pending(rehearsal) == []
    assert player.ask(Do("cancel_timer", ("bell",))) is False
    rehearsal.advance(10.0)
    assert heard(player) == []


def test_nor_does_one_whose_message_lies_in_the_inbox_already() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (1.0, "ring", "bell")))
    rehearsal.takes("receive", 5.0)
    player.tell(Do("cancel_timer", ("bell",)))
    rehearsal.advance(3.0)
    assert len(player.instance.marking()["inbox"]) == 1  # it rang while the message before it was in hand
    rehearsal.advance(20.0)
    assert heard(player) == []


def test_an_attempt_that_is_lost_sets_its_timer_once() -> None:
    rehearsal, player = playing()
    rehearsal.run()
    rehearsal.takes("receive", 5.0)
    player.tell(Do("arm", (1.0, "ring", "bell")))
    rehearsal.advance(3.0)
    rehearsal.crash()
    rehearsal.advance(60.0)
    assert heard(player) == ["ring"]


def test_a_timer_ends_with_its_actor() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (1.0, "ring", "bell")))
    player.ask(Do("stop"))
    assert pending(rehearsal) == []
    rehearsal.advance(10.0)
    assert player.instance.state is InstanceState.COMPLETED


def test_a_timer_that_is_due_while_its_actor_is_being_cancelled_does_not_come() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (1.0, "ring", "bell")))
    rehearsal.takes("receive", 5.0)
    player.tell("a long story")
    rehearsal.advance(0.5)
    player.stop(by="eva")
    rehearsal.advance(20.0)
    assert player.instance.state is InstanceState.CANCELLED
    assert heard(player) == ["a long story"]
    assert "inbox" not in player.instance.marking()
    assert pending(rehearsal) == []


def test_a_timer_rings_in_a_paused_actor_and_is_heard_when_it_goes_on() -> None:
    rehearsal, player = playing()
    player.ask(Do("arm", (1.0, "ring", "bell")))
    player.instance.pause(by="eva")
    rehearsal.advance(10.0)
    assert heard(player) == []
    player.instance.resume(by="eva")
    rehearsal.run()
    assert heard(player) == ["ring"]


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_timer_may_be_short(seconds: float) -> None:
    rehearsal, player = playing()
    player.tell(Do("arm", (seconds, "ring", "")))
    rehearsal.advance(1.0)
    assert heard(player) == ["ring"]
