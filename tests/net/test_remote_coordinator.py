"""A coordinator far away: what is lost, doubled, late or reordered, and deaths in between, change nothing."""

from collections.abc import Callable
from concurrent.futures import Future
from random import Random

import msgspec
import pytest

from placet.net.coordinator import Change, Changed, Compacted, Condition, Entry, Outcome
from placet.net.coordinator_desk import FOLLOWED_S, CoordinatorDesk
from placet.net.coordinator_errors import CoordinatorClosed, CoordinatorFailed, LeaseGone
from placet.net.coordinator_messages import (
    Answered,
    CoordinatorAnswer,
    CoordinatorRequest,
    Follow,
    Followed,
    Greeted,
    Numbered,
    TooOld,
    Transact,
    Transacted,
    Unfollow,
)
from placet.net.local_coordinator import REQUESTS_KEPT_S, LocalCoordinator
from placet.net.remote_coordinator import RETRY_S, RemoteCoordinator
from placet.persistence.errors import StoreFailed
from placet.persistence.memory_store import MemoryStore
from tests.net.coordinators import Heard, RemotePlace


class Wire:
    """One client and a desk; messages go when the test says so."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.requests: list[CoordinatorRequest] = []
        self.answers: list[CoordinatorAnswer] = []
        self.remote = RemoteCoordinator("a", self.requests.append)
        self.open()
        self.now_s = 0.0
        self.remote.read("")
        self.pass_all()

    def open(self) -> None:
        """Start the coordinator anew, from what was committed."""
        self.store = self.store.snapshot()
        self.local = LocalCoordinator(self.store)
        self.desk = CoordinatorDesk(self.local)

    def ask(self, request: CoordinatorRequest) -> None:
        self.desk.receive(request, self.answers.append)

    def pass_all(self) -> None:
        while self.requests or self.answers:
            if self.requests:
                self.ask(self.requests.pop(0))
            else:
                self.remote.receive(self.answers.pop(0))

    def lose_all(self) -> None:
        self.requests.clear()
        self.answers.clear()

    def wait(self, seconds: float = RETRY_S) -> None:
        self.now_s += seconds
        self.remote.tick(self.now_s)
        self.desk.tick(self.now_s)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def put(key: str, value: bytes = b"") -> Change:
    return Change(key=key, value=value)


def absent(key: str) -> Condition:
    return Condition(key=key, revision=0)


def done(future: "Future[Outcome]") -> Outcome:
    return future.result(timeout=0)


def test_an_answer_that_was_lost_is_given_again(wire: Wire) -> None:
    future = wire.remote.transact([absent("x")], [put("x")])
    wire.ask(wire.requests.pop())
    wire.lose_all()
    wire.wait(RETRY_S / 2)
    assert not wire.requests, "it has only just asked"
    wire.wait()
    wire.pass_all()
    assert (done(future).ok, done(future).revision, wire.local.revision) == (True, 1, 1)


def test_an_answer_that_died_with_the_coordinator_is_given_by_the_next(wire: Wire) -> None:
    future = wire.remote.transact([absent("x")], [put("x")])
    wire.ask(wire.requests.pop())
    wire.lose_all()
    wire.open()
    wire.remote.lost()
    wire.wait()
    wire.pass_all()
    assert (done(future).ok, done(future).revision, wire.local.revision) == (True, 1, 1)


def test_a_no_stays_a_no_when_its_request_comes_once_more(wire: Wire) -> None:
    wire.local.transact([], [put("x")])
    future = wire.remote.transact([absent("x")], [put("x", b"mine")])
    late = wire.requests[0]
    wire.pass_all()
    assert not done(future).ok
    wire.local.transact([], [Change(key="x", value=None)])
    wire.ask(late)
    assert wire.local.read("").result().entries == {}
    wire.remote.read("")
    wire.pass_all()
    wire.ask(late)
    assert not wire.answers, "its client has had the answer"
    wire.open()
    wire.ask(late)
    assert [type(one) for one in wire.answers] == [Greeted], "it was meant for another opening"
    assert wire.local.read("").result().entries == {}


def test_a_no_of_a_desk_that_is_no_more_is_not_taken_once_another_was_asked(wire: Wire) -> None:
    wire.local.transact([], [put("x")])
    future = wire.remote.transact([absent("x")], [put("x", b"mine")])
    wire.ask(wire.requests.pop())
    no = wire.answers.pop()
    wire.local.transact([], [Change(key="x", value=None)])
    wire.open()
    wire.wait()
    wire.ask(wire.requests.pop())
    wire.remote.receive(wire.answers.pop())  # greeted: it asks the new desk
    wire.ask(wire.requests.pop())  # which says yes, on its way
    wire.remote.receive(no)
    assert not future.done()
    wire.pass_all()
    assert done(future).ok


def test_a_late_greeting_changes_nothing(wire: Wire) -> None:
    early = wire.local.opening
    wire.open()
    future = wire.remote.read("")
    wire.pass_all()
    assert future.done()
    wire.remote.receive(Greeted(client="a", desk=early))
    assert not wire.requests
    wire.remote.read("")
    assert wire.requests[-1].desk == wire.local.opening


def test_who_gives_up_is_not_asked_for_again_and_may_have_had_the_effect(wire: Wire) -> None:
    future = wire.remote.transact([], [put("x")])
    wire.ask(wire.requests.pop())
    assert future.cancel()
    wire.wait()
    assert not wire.requests
    wire.pass_all()
    seen = wire.remote.read("")
    wire.pass_all()
    assert list(seen.result().entries) == ["x"]


def test_the_desk_keeps_no_answers_that_were_heard(wire: Wire) -> None:
    for number in range(10):
        wire.remote.transact([], [put(f"{number}")])
        wire.pass_all()
    question = wire.remote.read("")
    asked = wire.requests[-1]
    assert isinstance(asked, Numbered)
    assert asked.answered == asked.number
    wire.pass_all()
    assert question.done()
    kept = [key for key, _ in wire.store.scan(b"YQ")]
    assert len(kept) == 1, "the last one: nothing was changed since"


def test_what_is_kept_of_a_client_that_is_gone_ends_after_a_while(wire: Wire) -> None:
    wire.remote.transact([], [put("x")])
    wire.pass_all()
    wire.open()
    for second in range(int(REQUESTS_KEPT_S) + 2):
        assert list(wire.store.scan(b"YQ")) or second >= REQUESTS_KEPT_S
        wire.local.tick(float(second))
    assert not list(wire.store.scan(b"YQ"))


def test_it_tells_how_long_it_has_been_waiting(wire: Wire) -> None:
    assert wire.remote.waiting_s(wire.now_s) == 0.0
    wire.wait(10.0)
    wire.remote.read("")
    wire.wait(3.0)
    wire.remote.read("")
    assert wire.remote.waiting_s(wire.now_s + 1.0) == 4.0
    wire.pass_all()
    assert wire.remote.waiting_s(wire.now_s + 1.0) == 0.0


def test_closing_ends_what_waits(wire: Wire) -> None:
    future, given_up = wire.remote.transact([], [put("x")]), wire.remote.read("")
    heard = Heard("", 0)
    wire.remote.watch("", 0, heard)
    given_up.cancel()
    requests = list(wire.requests)
    wire.remote.close()
    assert isinstance(future.exception(timeout=0), CoordinatorClosed)
    for request in requests:
        wire.ask(request)
    wire.pass_all()
    assert not heard.changes


def test_errors_cross_the_network(wire: Wire) -> None:
    gone = wire.remote.transact([], [Change(key="x", value=b"", lease=9)])
    wire.pass_all()
    assert isinstance(gone.exception(timeout=0), LeaseGone)
    wire.store.limit_bytes = 0
    full = wire.remote.transact([], [put("x")])
    wire.pass_all()
    error = full.exception(timeout=0)
    assert isinstance(error, CoordinatorFailed)
    assert "full" in str(error)
    wire.store.limit_bytes = 1 << 30
    again = wire.remote.transact([], [put("x")])
    wire.pass_all()
    assert done(again).ok


def test_a_store_that_failed_gives_no_answer_at_all(wire: Wire) -> None:
    future = wire.remote.transact([], [put("x")])
    wire.store.close()
    for _ in range(2):
        with pytest.raises(StoreFailed):
            wire.ask(wire.requests[0])
        with pytest.raises(StoreFailed):
            wire.local.read("")
    assert not wire.answers
    wire.lose_all()
    wire.store = wire.store.snapshot()
    wire.open()
    wire.wait()
    wire.pass_all()
    assert done(future).ok


def test_what_another_version_should_not_have_asked_is_not_done(wire: Wire) -> None:
    bad = Transact(
        client="other", desk=wire.local.opening, number=1, conditions=(), changes=(put("x"), put("x", b"twice"))
    )
    wire.ask(bad)
    assert "twice" in repr(wire.answers[0])
    assert wire.local.revision == 0


def test_an_answer_of_another_kind_is_a_bug_and_says_so(wire: Wire) -> None:
    wire.remote.read("")
    asked = wire.requests[-1]
    assert isinstance(asked, Numbered)
    with pytest.raises(TypeError, match="KeysRead was asked for"):
        wire.remote.receive(
            Transacted(client="a", desk=wire.local.opening, number=asked.number, outcome=Outcome(ok=True, revision=0))
        )


def test_what_an_earlier_process_at_the_same_address_had_asked_is_not_taken(wire: Wire) -> None:
    heard = Heard("members/", 0)
    wire.remote.watch("members/", 0, heard)
    future = wire.remote.read("members/")
    for request in list(wire.requests):  # with the same numbers, as processes count alike
        wire.ask(msgspec.structs.replace(request, client="before", prefix="shards/"))
    wire.local.transact([], [put("shards/1"), put("shards/2")])
    wire.pass_all()
    assert future.result(timeout=0).entries == {}
    wire.local.transact([], [put("shards/1"), put("members/a")])
    wire.pass_all()
    assert [list(one.entries) for one in heard.changes] == [["members/a"]]


# -- watches -------------------------------------------------------------------------------------------------------


def test_a_gap_is_seen_with_the_next_message_and_asked_for(wire: Wire) -> None:
    heard = Heard("", 0)
    wire.remote.watch("", 0, heard)
    wire.pass_all()
    wire.local.transact([], [put("x")])
    wire.lose_all()
    wire.local.transact([], [put("y")])
    assert not heard.changes
    wire.pass_all()
    assert [one.revision for one in heard.changes] == [1, 2]


def test_a_gap_at_the_end_is_seen_in_time(wire: Wire) -> None:
    heard = Heard("", 0)
    wire.remote.watch("", 0, heard)
    wire.pass_all()
    wire.local.transact([], [put("x")])
    wire.lose_all()
    wire.wait()
    wire.pass_all()
    assert [one.revision for one in heard.changes] == [1]


def test_what_is_heard_twice_is_told_once(wire: Wire) -> None:
    heard = Heard("", 0)
    wire.remote.watch("", 0, heard)
    wire.pass_all()
    wire.local.transact([], [put("x")])
    wire.local.transact([], [put("y")])
    twice = list(wire.answers)
    wire.pass_all()
    for answer in twice[::-1] + twice:
        wire.remote.receive(answer)
    assert [one.revision for one in heard.changes] == [1, 2]


def test_a_quiet_watch_comes_along_so_that_a_restart_does_not_end_it(wire: Wire) -> None:
    heard = Heard("quiet/", 0)
    wire.remote.watch("quiet/", 0, heard)
    wire.pass_all()
    wire.local.transact([], [put("loud")])
    assert not wire.answers, "it is not told of what it does not watch"
    wire.wait()
    wire.pass_all()
    wire.open()
    wire.wait()
    wire.pass_all()
    wire.local.transact([], [put("quiet/x")])
    wire.pass_all()
    assert [one.revision for one in heard.changes] == [2]
    assert not heard.compacted


def test_the_end_that_an_earlier_question_got_does_not_end_a_watch(wire: Wire) -> None:
    heard = Heard("", 0)
    wire.remote.watch("", 0, heard)
    wire.pass_all()
    wire.local.transact([], [put("x")])
    wire.pass_all()
    number = next(iter(wire.remote._watches))  # pyright: ignore[reportPrivateUsage] # told to nobody but the desk
    wire.remote.receive(TooOld(client="a", desk=wire.local.opening, watch=number, after=0, revision=1))
    assert not heard.compacted
    wire.remote.receive(TooOld(client="a", desk=wire.local.opening, watch=number, after=1, revision=5))
    wire.remote.receive(TooOld(client="a", desk=wire.local.opening, watch=number, after=1, revision=5))
    assert heard.compacted == [Compacted(revision=5)]


def test_a_watch_that_ended_without_the_desk_hearing_it_is_ended_again(wire: Wire) -> None:
    watch = wire.remote.watch("", 0, Heard("", 0))
    wire.pass_all()
    watch.cancel()
    wire.lose_all()
    wire.local.transact([], [put("x")])
    assert isinstance(wire.answers[-1], Followed)
    wire.pass_all()
    wire.local.transact([], [put("y")])
    assert not wire.answers


def test_who_is_silent_is_told_nothing_after_a_while(wire: Wire) -> None:
    wire.remote.watch("", 0, Heard("", 0))
    wire.pass_all()
    wire.desk.tick(FOLLOWED_S)
    wire.local.transact([], [put("x")])
    assert not wire.answers
    wire.wait(FOLLOWED_S + 1)
    assert isinstance(wire.requests[-1], Follow)
    wire.pass_all()
    wire.local.transact([], [put("y")])
    assert wire.answers


def test_a_desk_that_is_closed_tells_nobody(wire: Wire) -> None:
    wire.remote.watch("", 0, Heard("", 0))
    wire.pass_all()
    wire.desk.close()
    wire.local.transact([], [put("x")])
    assert not wire.answers


@pytest.mark.parametrize("name", ["", "é" * 101])
def test_a_client_needs_a_name_that_fits(name: str) -> None:
    with pytest.raises(ValueError, match="name of a client"):
        RemoteCoordinator(name, lambda _: None)


def test_every_message_names_client_or_desk_and_none_else_is_answered() -> None:
    answered = {one.__name__ for one in Answered.__subclasses__()}
    asked = {one.__name__ for one in Numbered.__subclasses__()}
    assert answered == {"Transacted", "KeysRead", "Granted", "KeptAlive", "Revoked", "LeaseLost", "NotDone"}
    assert asked == {"Transact", "ReadKeys", "GrantLease", "KeepAlive", "RevokeLease"}
    assert Unfollow(client="a", desk=1, watch=2).watch == 2


# -- many at once --------------------------------------------------------------------------------------------------


class Attempt:
    """One transaction of one client, and what is known of it."""

    def __init__(
        self,
        future: "Future[Outcome]",
        conditions: list[Condition],
        change: Change,
        revision: int,
        now: Callable[[], int],
    ) -> None:
        self.future, self.conditions, self.change = future, conditions, change
        self.began_at = revision
        self.ended_at = -1
        future.add_done_callback(lambda _: setattr(self, "ended_at", now()))


def history_of(place: RemotePlace, seed: int) -> tuple[list[Attempt], list[Changed]]:
    """Let three clients compete for a few keys, with deaths of the coordinator and lost connections in between."""
    random = Random(seed)
    attempts: list[Attempt] = []
    history = Heard("", 0)
    place.inner.local.watch("", 0, history)
    for number in range(60):
        match random.randrange(10):
            case 0:
                place.restart()
                place.inner.local.watch("", place.inner.local.revision, history)
            case 1:
                random.choice(place.remotes).lost()
            case 2 if attempts:
                random.choice(attempts).future.cancel()
            case _:
                entries = place.inner.local.read("").result().entries
                key = random.choice("xyz")
                seen = entries[key].revision if key in entries else 0
                conditions = [Condition(key=key, revision=seen)] if random.random() < 0.8 else []
                deletes = conditions and seen and random.random() < 0.2
                change = Change(key=key, value=None if deletes else b"%d" % number)
                future = random.choice(place.remotes).transact(conditions, [change])
                attempts.append(
                    Attempt(future, conditions, change, place.inner.local.revision, lambda: place.inner.local.revision)
                )
        for _ in range(random.randrange(4)):
            place.step()
    for attempt in attempts:
        if not attempt.future.cancelled():
            place.result(attempt.future)
    place.settle()
    assert [one.revision for one in history.changes] == list(range(1, place.inner.local.revision + 1))
    return attempts, history.changes


@pytest.mark.parametrize("seed", range(60))
def test_what_was_answered_is_one_order_of_transactions_each_done_once(seed: int) -> None:
    place = RemotePlace(seed, clients=3)
    attempts, history = history_of(place, seed)
    states: list[dict[str, Entry]] = [{}]
    for changed in history:
        after = {**states[-1], **{key: entry for key, entry in changed.entries.items() if entry is not None}}
        states.append({key: one for key, one in after.items() if changed.entries.get(key, one) is not None})
    owners: set[int] = set()
    for attempt in attempts:
        if attempt.future.cancelled():
            continue
        outcome, key = done(attempt.future), attempt.change.key
        assert attempt.began_at <= outcome.revision <= attempt.ended_at
        if not outcome.ok:
            assert not holds(attempt.conditions, states[outcome.revision])
            continue
        entry = history[outcome.revision - 1].entries[key]
        assert (entry.value if entry else None) == attempt.change.value
        assert holds(attempt.conditions, states[outcome.revision - 1])
        assert outcome.revision not in owners
        owners.add(outcome.revision)
    values = [entry.value for changed in history for entry in changed.entries.values() if entry is not None]
    assert len(values) == len(set(values)), "no transaction is there twice"
    answered_no = {one.change.value for one in attempts if not one.future.cancelled() and not done(one.future).ok}
    assert not answered_no & set(values), "what was denied is not there"
    place.close()


def holds(conditions: list[Condition], state: dict[str, Entry]) -> bool:
    return all((state[one.key].revision if one.key in state else 0) == one.revision for one in conditions)
