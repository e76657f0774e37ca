"""Actors of users' own, in virtual time: messages, state, failures, stopping, versions."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from placet import (
    Actor,
    Answered,
    DefinitionError,
    InstanceState,
    NotAnswered,
    NotFound,
    Put,
    RequestRefused,
    Retry,
    SpawnConflict,
    Terminated,
    WaitTimeout,
    Workflow,
    WrongType,
)
from placet.testing import Rehearsal, RehearsedActor
from tests.own.cast import Add, Counter, Do, End, Fussy, LaterCounter, Player, Total


@pytest.fixture(autouse=True)
def no_troubles() -> Iterator[None]:
    Fussy.troubles.clear()
    yield
    Fussy.troubles.clear()


def heard(player: RehearsedActor[Any]) -> object:  # `Any`: of whatever messages
    return player.state_values().get("heard", [])


# -- messages and state ----------------------------------------------------------------------------------------


def test_messages_are_handled_one_at_a_time_in_order_and_what_is_kept_outlives_crashes() -> None:
    rehearsal = Rehearsal(Counter)
    counter = rehearsal.start(Counter, id="c1", state={"total": 5})
    rehearsal.takes("receive", 2.0)
    for count in (1, 10, 100):
        counter.tell(Add(count))
    rehearsal.advance(1.0)
    assert counter.instance.marking()["inbox"] == [Add(10), Add(100)]  # one is in hand
    rehearsal.crash()
    rehearsal.advance(3.0)
    assert counter.state_values() == {"total": 6}
    rehearsal.advance(10.0)
    assert counter.state_values() == {"total": 116}
    assert counter.instance.state is InstanceState.WAITING


def test_a_coroutine_is_an_actor_too_and_is_told_once_that_it_starts() -> None:
    rehearsal = Rehearsal(LaterCounter)
    counter = rehearsal.start(LaterCounter, id="c1")
    assert counter.ask(Add(2)) == 2
    rehearsal.crash()
    assert counter.ask(Add(3)) == 5
    assert counter.state_values() == {"started": True, "total": 5}


def test_the_same_id_and_state_is_the_same_actor_and_any_spawn_starts_one() -> None:
    rehearsal = Rehearsal(Counter)
    rehearsal.start(Counter, id="c1", state={"total": 1}).ask(Add(1))
    assert rehearsal.start(Counter, id="c1", state={"total": 1}).ask(Total()) == 2
    with pytest.raises(SpawnConflict):
        rehearsal.start(Counter, id="c1", state={"total": 7})
    rehearsal.spawn("Counter", id="c2")
    assert rehearsal.actor("c2", Counter).ask(Add(3)) == 3


def test_an_actor_is_found_by_its_id_and_class() -> None:
    rehearsal = Rehearsal(Counter, Player)
    rehearsal.start(Counter, id="c1")
    with pytest.raises(NotFound, match="c1 is an instance of Counter"):
        rehearsal.actor("c1", Player)
    with pytest.raises(NotFound, match="no Counter of the id c2"):
        rehearsal.actor("c2", Counter)


def test_a_message_that_a_class_does_not_take_is_refused() -> None:
    counter = Rehearsal(Counter).start(Counter, id="c1")
    with pytest.raises(WrongType, match="message of type str"):
        counter.tell("three")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - what is tested


def test_state_is_a_mapping_whose_changed_values_are_stored() -> None:
    class Keeper(Actor[str]):
        def receive(self, message: str) -> object:
            match message:
                case "set":
                    self.state.update(a=[1], b={"x": 1}, c=None)
                case "mutate":
                    self.state["a"].append(2)
                    del self.state["c"]
                case _:
                    return dict(self.state), len(self.state), "b" in self.state, self.state.get("c", "gone")
            return None

    rehearsal = Rehearsal(Keeper)
    keeper = rehearsal.start(Keeper, id="k")
    keeper.ask("set")
    keeper.ask("mutate")
    rehearsal.crash()
    assert keeper.ask("look") == ({"a": [1, 2], "b": {"x": 1}}, 2, True, "gone")
    assert keeper.state_values() == {"a": [1, 2], "b": {"x": 1}}


def test_what_would_be_lost_with_the_message_is_refused() -> None:
    class Forgetful(Actor[str]):
        def receive(self, message: str) -> None:
            self.last = message

    rehearsal = Rehearsal(Forgetful)
    actor = rehearsal.start(Forgetful, id="f")
    with pytest.raises(NotAnswered, match=r"self\.state\['last'\]"):
        actor.ask("x")


# -- asking ----------------------------------------------------------------------------------------------------


def test_a_request_counts_once_however_often_it_is_asked_and_crashes_come_between() -> None:
    rehearsal = Rehearsal(Counter)
    counter = rehearsal.start(Counter, id="c1")
    rehearsal.takes("receive", 5.0)
    with pytest.raises(WaitTimeout):
        counter.ask(Add(3), request_id="r1")
    rehearsal.crash()  # its answer is lost
    with pytest.raises(WaitTimeout):
        counter.ask(Add(3), request_id="r1")  # now it is there twice
    rehearsal.advance(20.0)
    assert counter.ask(Add(3), request_id="r1") == 3
    rehearsal.crash()
    assert counter.ask(Add(3), request_id="r1") == 3
    assert counter.state_values() == {"total": 3}


def test_answers_are_kept_for_so_many_requests() -> None:
    class Few(Counter):
        answers_kept = 2

    counter = Rehearsal(Few).start(Few, id="c1")
    for request in "abc":
        counter.ask(Add(1), request_id=request)
    assert counter.ask(Add(1), request_id="b") == 2
    assert counter.ask(Add(1), request_id="c") == 3
    assert counter.ask(Add(1), request_id="a") == 4  # forgotten: it counts again
    assert counter.state_values() == {"total": 4}


def test_handlers_are_not_given_answers_and_people_are_not_shown_what_is_ours() -> None:
    rehearsal = Rehearsal(Counter)
    counter = rehearsal.start(Counter, id="c1")
    counter.ask(Add(1), request_id="a")
    names: list[str] = []

    class Spy(Counter):
        name = "Counter"

        def receive(self, message: object) -> int:
            names.extend(self.context.notes.state)
            return len(str(message))

    rehearsal.restart(Spy)
    rehearsal.actor("c1", Spy).ask(Total())
    assert sorted(names) == ["\0answers", "total"]
    assert counter.state_values() == {"total": 1}


# -- failures --------------------------------------------------------------------------------------------------


def test_a_receive_that_raises_leaves_nothing_and_is_tried_again_then_waits_for_a_person() -> None:
    rehearsal = Rehearsal(Fussy, Counter)
    actor = rehearsal.start(Fussy, id="f")
    Fussy.troubles.append("bad")
    actor.tell("bad")
    actor.tell("next")
    rehearsal.advance(5.0)
    [incident] = actor.instance.incidents()
    assert [failure.message for failure in incident.failures] == ["bad is no good"] * 2
    assert actor.state_values() == {}
    with pytest.raises(NotFound):
        rehearsal.instance("f-bad")
    assert actor.instance.marking()["inbox"] == ["next"]  # order is kept: what follows waits
    with pytest.raises(NotAnswered, match="incident"):
        actor.ask("more", request_id="m")
    Fussy.troubles.clear()
    actor.instance.retry(incident.number, by="eva")
    rehearsal.run()
    assert actor.state_values() == {"seen": ["bad", "next"]}
    assert rehearsal.instance("f-bad").state is InstanceState.WAITING
    assert actor.ask("more", request_id="m") == "MORE"


def test_a_message_that_is_skipped_is_not_handled_and_the_next_one_is() -> None:
    rehearsal = Rehearsal(Fussy, Counter)
    actor = rehearsal.start(Fussy, id="f")
    Fussy.troubles.append("bad")
    actor.tell("bad")
    actor.tell("next")
    rehearsal.advance(5.0)
    [incident] = actor.instance.incidents()
    rehearsal.run()
    idle = {"version": 1}
    from placet import Outputs

    actor.instance.skip(incident.number, Outputs({"idle": [idle]}), by="eva")
    rehearsal.run()
    assert actor.state_values() == {"seen": ["next"]}


# -- between actors, and with instances ------------------------------------------------------------------------


def test_what_an_actor_sends_and_starts_counts_once_with_its_message() -> None:
    rehearsal = Rehearsal(Player, Counter)
    player = rehearsal.start(Player, id="p")
    rehearsal.start(Counter, id="c1")
    rehearsal.takes("receive", 3.0)
    player.tell(Do("tell", ("c1", Add(2))))
    player.tell(Do("spawn", (Counter, {"born": [{"total": 40}]})))
    rehearsal.advance(2.0)
    rehearsal.crash()
    rehearsal.advance(20.0)
    assert rehearsal.actor("c1", Counter).state_values() == {"total": 2}
    [child] = [key for key in _ids(rehearsal) if key.startswith("Counter-")]
    assert rehearsal.actor(child, Counter).state_values() == {"total": 40}


def _ids(rehearsal: Rehearsal) -> list[str]:
    from placet.actors.reader import StateReader

    return [header.instance for header in StateReader(rehearsal.store).headers()]


def test_an_actor_is_asked_by_another_and_its_answer_comes_as_a_message() -> None:
    rehearsal = Rehearsal(Player, Counter)
    player = rehearsal.start(Player, id="p")
    rehearsal.start(Counter, id="c1", state={"total": 4})
    request = player.ask(Do("ask", ("c1", Add(1))))
    rehearsal.run()
    assert heard(player) == [Answered(request=request, value=5, by="c1")]
    other = rehearsal.start(Player, id="q")
    other.tell(Do("ask", ("p", Do("sent_by"))))
    rehearsal.run()
    assert "value='q'" in repr(heard(other))  # who sent it


def test_an_actor_that_asks_nobody_finds_that_in_its_history() -> None:
    rehearsal = Rehearsal(Player)
    player = rehearsal.start(Player, id="p")
    player.ask(Do("ask", ("nobody", "anything")))
    rehearsal.run()
    assert heard(player) == []
    assert player.instance.history()[-1] == "undelivered"


def shop() -> Workflow:
    workflow = Workflow("shop")
    ordered, counted, done = workflow.places("ordered counted done")
    paid = workflow.place("paid", external=True)

    @workflow.transition(ordered >> counted)
    def count(number: int, context: Any) -> int:  # `Any`: a context
        context.tell("c1", Put("inbox", Add(number)))
        return number

    workflow.transition((counted & paid) >> done, "close")
    return workflow


def test_instances_send_actors_messages_and_actors_send_instances_tokens() -> None:
    workflow = shop()
    rehearsal = Rehearsal(Player, Counter, workflow)
    counter = rehearsal.start(Counter, id="c1")
    player = rehearsal.start(Player, id="p")
    order = rehearsal.spawn(workflow, {"ordered": [3]}, id="order")
    player.tell(Do("tell", ("order", Put("paid", "cash"))))
    assert order.result() == {"done": [(3, "cash")]}
    assert counter.ask(Total()) == 3


# -- stopping --------------------------------------------------------------------------------------------------


def test_an_actor_that_stops_itself_completes_with_its_result_and_takes_nothing_more() -> None:
    rehearsal = Rehearsal(Counter)
    counter = rehearsal.start(Counter, id="c1")
    counter.tell(Add(1))
    counter.tell(End())
    counter.tell(Add(100))  # comes too late
    assert counter.instance.result() == {"stopped": [1]}
    assert counter.state_values() == {"total": 1}
    with pytest.raises(RequestRefused, match="c1 is completed"):
        counter.tell(Add(1))
    with pytest.raises(NotAnswered, match="completed"):
        counter.ask(Total())


def test_an_actor_that_a_person_stops_finishes_its_message_and_leaves_the_others_where_they_are() -> None:
    rehearsal = Rehearsal(Counter)
    counter = rehearsal.start(Counter, id="c1")
    rehearsal.run()
    rehearsal.takes("receive", 2.0)
    counter.tell(Add(1))
    counter.tell(Add(10))
    rehearsal.advance(1.0)
    counter.stop(by="eva", why="over")
    states = [counter.instance.state]
    rehearsal.advance(5.0)
    assert [*states, counter.instance.state] == [InstanceState.CANCELLING, InstanceState.CANCELLED]
    assert counter.state_values() == {"total": 1}
    assert counter.instance.marking() == {"idle": [{"version": 1}], "inbox": [Add(10)]}


# -- versions --------------------------------------------------------------------------------------------------


class OldAccount(Actor[int]):
    name = "account"

    def receive(self, message: int) -> int:
        self.state["cents"] = self.state.get("cents", 0) + message
        self.state["note"] = "old"
        return 0


class Account(Actor[int]):
    name = "account"
    version = 3
    retry = Retry(attempts=1)
    refuses: ClassVar[list[int]] = []  # of the test, not of the actor

    def receive(self, message: int) -> int:
        self.state["euros"] += message
        total: int = self.state["euros"]
        return total

    def migrate(self, version: int, state: dict[str, Any]) -> dict[str, Any]:
        if version in self.refuses:
            raise ValueError(f"nobody knows version {version}")
        return {"euros": state["cents"] // 100, "from": version}


def test_an_older_state_is_migrated_before_the_next_message_in_the_same_commit() -> None:
    rehearsal = Rehearsal(OldAccount)
    rehearsal.start(OldAccount, id="a").ask(500)
    rehearsal.restart(Account)
    account = rehearsal.actor("a", Account)
    rehearsal.takes("receive", 2.0)
    account.tell(1)
    rehearsal.advance(1.0)
    assert account.state_values() == {"cents": 500, "note": "old"}
    rehearsal.crash()
    rehearsal.advance(10.0)
    assert account.state_values() == {"euros": 6, "from": 1}
    rehearsal.takes("receive", 0.0)
    assert account.ask(1) == 7  # once
    assert account.instance.marking()["idle"] == [{"version": 3}]


def test_a_migration_that_raises_is_an_incident_and_the_state_stays() -> None:
    rehearsal = Rehearsal(OldAccount)
    rehearsal.start(OldAccount, id="a").ask(500)
    rehearsal.restart(Account)
    Account.refuses.append(1)
    try:
        account = rehearsal.actor("a", Account)
        with pytest.raises(NotAnswered, match="nobody knows version 1"):
            account.ask(1, request_id="r")
    finally:
        Account.refuses.clear()
    assert account.state_values() == {"cents": 500, "note": "old"}
    [incident] = account.instance.incidents()
    account.instance.retry(incident.number, by="eva")
    rehearsal.run()
    assert account.ask(1, request_id="r") == 6


def test_a_state_of_a_later_version_is_an_incident_that_says_so() -> None:
    rehearsal = Rehearsal(Account)
    rehearsal.start(Account, id="a", state={"euros": 1}).ask(1)
    rehearsal.restart(OldAccount)
    with pytest.raises(NotAnswered, match="of version 3, and its class of 1"):
        rehearsal.actor("a", OldAccount).ask(1)


# -- mistakes --------------------------------------------------------------------------------------------------


class Deaf(Actor[str]):
    pass


class Careless(Counter):
    version = 2


class Boundless(Counter):
    answers_kept = 0


class Pure(Counter):
    run = "inline"


class Unnumbered(Counter):
    version = 0


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (Deaf, "it has no `receive`"),
        (Careless, "cannot migrate"),
        (Boundless, "answers_kept=0"),
        (Pure, "run='inline' keeps no state"),
        (Unnumbered, "version=0"),
    ],
)
def test_a_class_that_cannot_be_an_actor_is_refused_with_where_it_is(kind: type[Actor[Any]], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem) as caught:
        kind.definition()
    assert kind.__name__ in str(caught.value)
    assert ".py:" in str(caught.value)


def test_a_timer_takes_a_time() -> None:
    player = Rehearsal(Player).start(Player, id="p")
    with pytest.raises(NotAnswered, match="from 0 seconds"):
        player.ask(Do("after", (-1.0, "x")))


def test_what_is_told_at_an_end_is_a_plain_value() -> None:
    assert Terminated(id="a", state="failed") == Terminated(id="a", state=InstanceState.FAILED)
