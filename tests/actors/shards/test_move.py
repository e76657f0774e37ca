"""A shard that moves from one engine to another: what waits, what goes along, and what becomes of it in the end."""

from collections.abc import Callable

import pytest

from placet.actors.answers import Receipt, RefusalCode, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Done, Pause, Put, Resume
from placet.actors.shards.elsewhere import LEASE_S
from placet.actors.shards.errors import WrongEpoch
from placet.actors.shards.leaving import PATIENCE_S
from placet.actors.shards.messages import (
    Assigned,
    CalledOff,
    Chunk,
    MovedAway,
    Offer,
    Opened,
    Ready,
    StillRunning,
    Taken,
)
from placet.actors.shards.records import Arriving, Moved, Owned, Staged, read_owner
from placet.persistence.keys import CHANNEL, HISTORY, LIVE, OUTBOX, shard_of
from placet.persistence.values import encode
from tests.actors.shards.flows import orders, waiting
from tests.actors.shards.group import Group, Letter, Member, cancel

SHARD = shard_of("one")
Stops = Callable[[], bool]


def state(member: Member, instance: str = "one") -> InstanceState | None:
    view = member.instance(instance)
    return view.header.state if view is not None else None


def done(member: Member, value: int = 2, attempt: int = 1) -> Done:
    """Return the answer of the only handler that runs."""
    start = member.started[-1]
    return Done(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=attempt,
        outputs=((0, encode(value)),),
    )


def moving() -> Group:
    """Return two engines; the shard of the one instance, whose handler runs, begins to move."""
    group = Group(orders, waiting)
    group["a"].spawn(orders, "one", {"received": [1]})
    group.move(SHARD, "a", "b")
    return group


def until(group: Group, kind: type[Letter]) -> None:
    """Go on until a letter of that type is on its way."""
    group.pump(lambda: any(isinstance(letter, kind) for _, letter in group.letters))


def rests(group: Group, owner: str) -> None:
    """Check that one engine has the shard, and nothing is left in the other."""
    other = group["b" if owner == "a" else "a"]
    assert SHARD in group[owner].here
    assert SHARD not in other.here
    assert group.table[SHARD][1] == owner
    assert not list(other.store.scan(LIVE + bytes((SHARD,))))
    assert not list(other.store.scan(OUTBOX))
    assert not isinstance(read_owner(other.store, SHARD), Arriving | Staged)
    if other.instance("one") is None and not list(other.store.scan(LIVE)):
        assert not list(other.store.scan(HISTORY))


def test_an_instance_moves_with_its_shard() -> None:
    group = moving()
    group.pump()
    rests(group, "b")
    assert group.table[SHARD] == (2, "b")
    assert state(group["b"]) is InstanceState.RUNNING
    assert group["a"].instance("one") is None
    assert [move.done for move in group["a"].moves] == [True]


def test_the_answer_of_a_handler_that_runs_is_forwarded_and_counts() -> None:
    group = moving()
    group.pump()
    group["a"].tell(done(group["a"]))
    group.pump()
    assert state(group["b"]) is InstanceState.COMPLETED
    assert not group["b"].started


def test_an_answer_that_comes_while_the_shard_is_frozen_is_forwarded() -> None:
    group = moving()
    until(group, Ready)
    group["a"].tell(done(group["a"]))
    assert state(group["b"]) is None  # hidden
    group.pump()
    assert state(group["b"]) is InstanceState.COMPLETED


def test_what_runs_elsewhere_is_given_up_when_nothing_is_heard_of_it_and_not_counted_as_lost() -> None:
    group = moving()
    group.pump()
    answer = done(group["a"])
    group["a"].start()  # it has crashed, and its handlers with it
    group.pass_time(LEASE_S - 5.0)
    assert not group["b"].started
    group.pass_time(10.0)
    (start,) = group["b"].started
    assert start.attempt == 2
    view = group["b"].instance("one")
    assert view is not None
    assert [firing.losses for firing in view.firings] == [0]
    group["b"].tell(answer)  # late
    assert state(group["b"]) is InstanceState.RUNNING
    group["b"].tell(done(group["b"], attempt=2))
    assert state(group["b"]) is InstanceState.COMPLETED


def test_what_still_runs_elsewhere_is_waited_for() -> None:
    group = moving()
    group.pump()
    group.pass_time(LEASE_S * 3)
    assert not group["b"].started
    group.loses = lambda letter: isinstance(letter, StillRunning)
    group.pass_time(LEASE_S * 2)
    assert len(group["b"].started) == 1


@pytest.mark.parametrize("ahead_s", [-3_600.0, 3_600.0])
def test_a_timer_that_moves_to_a_host_with_another_clock_is_neither_early_nor_late(ahead_s: float) -> None:
    group = Group(orders, waiting)
    group.clock.advance(86_400.0)
    group["b"].ahead_s = ahead_s
    group["a"].spawn(waiting, "one", {"inbox": [3]})
    group.pass_time(40.0)
    group.move(SHARD, "a", "b")
    group.pump()
    rests(group, "b")
    group.pass_time(59.0)
    assert state(group["b"]) is InstanceState.WAITING
    group.pass_time(1.5)
    assert state(group["b"]) is InstanceState.COMPLETED


def test_an_offer_that_was_on_its_way_for_too_long_is_given_up_whoever_looks_first() -> None:
    group = moving()
    group.pump(lambda: any(isinstance(letter, Offer) for _, letter in group.letters))
    group.clock.advance(PATIENCE_S + 1.0)  # both stand still meanwhile
    group.pump()
    rests(group, "a")
    assert [move.done for move in group["a"].moves] == [False]


def test_requests_wait_while_a_shard_is_frozen_and_are_turned_away_when_it_has_gone() -> None:
    group = moving()
    until(group, Ready)
    group["a"].tell(Pause(instance="one", by="eva", reply=1))
    assert 1 not in group["a"].answers
    group.pump()
    answer = group["a"].answers[1]
    assert isinstance(answer, Refused)
    assert answer.code is RefusalCode.MOVED
    assert "b" in answer.reason
    group["b"].tell(Pause(instance="one", by="eva", reply=2))
    assert isinstance(group["b"].answers[2], Receipt)


def test_requests_are_answered_when_a_frozen_shard_stays() -> None:
    group = moving()
    until(group, Ready)
    group["a"].tell(Pause(instance="one", by="eva", reply=1))
    group.letters.clear()
    group.loses = lambda letter: isinstance(letter, Ready)
    group.pass_time(PATIENCE_S + 1.0)
    assert isinstance(group["a"].answers[1], Receipt)
    assert state(group["a"]) is InstanceState.PAUSED
    group.loses = lambda _letter: False
    group.pass_time(PATIENCE_S)
    rests(group, "a")
    assert [move.done for move in group["a"].moves] == [False]


def test_other_shards_go_on_while_one_is_frozen() -> None:
    group = moving()
    until(group, Ready)
    other = next(f"i{number}" for number in range(99) if shard_of(f"i{number}") != SHARD)
    group["a"].spawn(orders, other, {"received": [5]})
    assert group["a"].started[-1].instance == other


def test_what_happens_while_a_shard_is_copied_is_copied_too() -> None:
    group = moving()
    shards = group["a"].kernel.shards
    assert shards is not None
    shards.departures.chunk_bytes = 200
    until(group, Chunk)
    group["a"].tell(done(group["a"]))
    group["a"].tell(cancel("nobody"))
    group.pump()
    rests(group, "b")
    assert state(group["b"]) is InstanceState.COMPLETED


def test_a_timer_moves_with_its_shard() -> None:
    group = Group(orders, waiting)
    group["a"].spawn(waiting, "one", {"inbox": [3]})
    group.move(SHARD, "a", "b")
    group.pump()
    group.pass_time(90.0)
    view = group["b"].instance("one")
    assert view is not None
    assert not view.marking.get("outbox")
    group.pass_time(20.0)
    view = group["b"].instance("one")
    assert view is not None
    assert view.marking["outbox"] == [encode(3)]


def test_a_moved_shard_can_come_back() -> None:
    group = moving()
    group.pump()
    group.move(SHARD, "b", "a", "back")
    group.pump()
    rests(group, "a")
    assert group.table[SHARD] == (3, "a")
    group["a"].tell(done(group["a"]))  # of before both moves
    assert state(group["a"]) is InstanceState.COMPLETED


@pytest.mark.parametrize("kind", [Offer, Taken, Chunk, Ready, MovedAway, Opened])
@pytest.mark.parametrize("who", ["a", "b", "ab"])
def test_a_crash_anywhere_leaves_one_owner(kind: type[Letter], who: str) -> None:
    group = moving()
    until(group, kind)
    for name in who:
        group[name].start()
        group[name].hear()
        group[name].run()
    group.pass_time(PATIENCE_S * 2)
    owner = group.table[SHARD][1]
    rests(group, owner)
    assert state(group[owner]) is InstanceState.RUNNING
    assert isinstance(read_owner(group[owner].store, SHARD), Owned)


@pytest.mark.parametrize("kind", [Offer, Taken, Chunk, Ready, MovedAway, Opened])
def test_a_letter_that_is_always_lost_leaves_one_owner(kind: type[Letter]) -> None:
    group = moving()
    group.loses = lambda letter: isinstance(letter, kind)
    group.pass_time(PATIENCE_S * 2)
    group.loses = lambda _letter: False
    group.pass_time(PATIENCE_S * 2)
    rests(group, group.table[SHARD][1])


@pytest.mark.parametrize("kind", [Offer, Taken, Chunk, Ready, MovedAway, Opened])
def test_a_letter_that_comes_again_much_later_changes_nothing(kind: type[Letter]) -> None:
    group = moving()
    until(group, kind)
    old = [(name, letter) for name, letter in group.letters if isinstance(letter, kind)]
    group.pump()
    for name, letter in old * 2:
        group.arrive(name, letter)
    group.pass_time(PATIENCE_S * 2)
    rests(group, "b")
    assert group.table[SHARD] == (2, "b")


def test_while_the_coordinator_is_away_a_shard_that_was_let_go_of_waits() -> None:
    group = moving()
    group.is_up = False
    group.pass_time(60.0)
    assert isinstance(read_owner(group["a"].store, SHARD), Moved)
    assert isinstance(read_owner(group["b"].store, SHARD), Staged)
    assert SHARD not in group["a"].here | group["b"].here
    assert state(group["a"]) is None
    group.is_up = True
    group.pass_time(1.0)
    rests(group, "b")


def test_either_engine_can_complete_a_move() -> None:
    for alone in "ab":
        group = moving()
        until(group, MovedAway)
        group.letters.clear()
        group.loses = lambda letter: isinstance(letter, MovedAway | Opened)
        group.is_up = alone == "b"
        group.table[SHARD] = (2, "b")  # by whoever it was
        group[alone].hear()
        group.pump()
        assert (SHARD in group["b"].here) == (alone == "b")
        group.is_up = True
        group["b"].hear()
        group.pass_time(2.0)
        rests(group, "b")


def test_a_staged_copy_is_outdated_by_a_later_owner() -> None:
    group = moving()
    group.is_up = False
    group.pass_time(5.0)
    assert isinstance(read_owner(group["b"].store, SHARD), Staged)
    group.table[SHARD] = (9, "c")
    group["a"].hear()
    group["b"].hear()
    group.pass_time(5.0)
    assert not list(group["b"].store.scan(LIVE))
    assert read_owner(group["b"].store, SHARD) is None


def test_an_engine_that_stops_keeps_what_was_to_leave() -> None:
    group = moving()
    until(group, Ready)
    group["a"].kernel.draining = True
    group["a"].run()
    group["a"].settle(group["a"].kernel.stop(group.clock.now()))
    assert any(isinstance(letter, CalledOff) for _, letter in group.letters)
    group["a"].start()
    group["a"].hear()
    group.pass_time(PATIENCE_S)
    rests(group, "a")
    assert group["a"].started[-1].attempt == 2  # as after any clean stop


def test_a_shard_on_its_way_is_not_moved_again() -> None:
    group = moving()
    for to in "ba":
        with pytest.raises(WrongEpoch):
            group.move(SHARD, "a", to)
    with pytest.raises(WrongEpoch):
        group.move(SHARD, "b", "a")


def test_what_clients_put_in_is_there_once_whichever_engine_took_it() -> None:
    group = Group(waiting, orders)
    group["a"].spawn(waiting, "one", {"inbox": [0]})
    for number in range(1, 3):
        group["a"].tell(Put(instance="one", place="inbox", value=encode(number)))
    group.move(SHARD, "a", "b")
    until(group, Ready)
    group["a"].tell(Put(instance="one", place="inbox", value=encode(3)))
    group.pump()
    view = group["b"].instance("one")
    assert view is not None
    assert view.marking["inbox"] == [encode(number) for number in range(3)]
    assert not list(group["a"].store.scan(CHANNEL))


def test_a_paused_instance_stays_paused() -> None:
    group = Group(orders, waiting)
    group["a"].spawn(waiting, "one", {"inbox": [0]})
    group["a"].tell(Pause(instance="one", by="eva"))
    group.move(SHARD, "a", "b")
    group.pump()
    assert state(group["b"]) is InstanceState.PAUSED
    group["b"].tell(Resume(instance="one", by="eva"))
    assert state(group["b"]) is InstanceState.WAITING


def test_the_table_is_told_whole_or_in_part() -> None:
    group = moving()
    group["b"].kernel.receive(Assigned(()))
    group.pump()
    rests(group, "b")
