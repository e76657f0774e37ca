"""What people do to free tokens: each is recorded, keeps books of every token, and lets what was taken alone."""

import pytest

from placet import Workflow
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    ClientMessage,
    DropToken,
    EditToken,
    FreezeToken,
    Inject,
    MoveToken,
    Pause,
    Put,
    Resume,
    ThawToken,
)
from placet.persistence.values import encode
from tests.actors.driver import Driver

LARGE = 3 << 20  # bytes: more than stays in a token's own entry


def first(value: object, _key: object) -> object:
    return value


def same(value: object) -> object:
    return value


def lane(*, capacity: int | None = None) -> Workflow:
    """Return two steps, the second of which needs a key that only a person brings; and a door to the outside."""
    workflow = Workflow("lane")
    start, middle, key, end = workflow.places("start middle key end")
    workflow.place("door", external=True, capacity=capacity)
    workflow.transition(start >> middle, "first", handler=same)
    workflow.transition((middle & key) >> end, "second", handler=first)
    workflow.transition(workflow["door"] >> key, "enter", handler=same)
    return workflow


def held(*values: object) -> Driver:
    """Return an instance whose tokens wait in `middle`."""
    workflow = lane()
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": list(values) or [1]})
    driver.finish_all()
    return driver


def token(driver: Driver, place: str = "middle") -> int:
    return driver.view().tokens[place][0]


def accepted(driver: Driver, message: ClientMessage) -> None:
    answer = driver.ask(message)
    assert isinstance(answer, Receipt), answer
    assert not answer.already


def refusal(answer: Answer) -> str:
    assert isinstance(answer, Refused), answer
    return answer.code


def test_a_token_is_put_into_a_place_that_is_fed_from_outside_and_into_no_other() -> None:
    driver = held()
    for place in ("key", "nowhere"):
        assert refusal(driver.ask(Put(instance="one", place=place, value=encode("k")))) == "not_external"
    accepted(driver, Put(instance="one", place="door", value=encode("k")))
    driver.finish_all()
    assert driver.marking() == {"end": [1]}


def test_a_full_place_takes_no_more_from_outside() -> None:
    workflow = lane(capacity=1)
    driver = Driver(workflow, slots=0)
    driver.spawn(workflow, {"start": [1]})
    accepted(driver, Put(instance="one", place="door", value=encode(1)))
    assert refusal(driver.ask(Put(instance="one", place="door", value=encode(2)))) == "full"
    assert refusal(driver.ask(Inject(instance="one", by="eva", place="door", value=encode(2)))) == "full"


def test_an_injected_token_fires_what_it_enables_and_is_in_the_books() -> None:
    driver = held()
    assert refusal(driver.ask(Inject(instance="one", by="eva", place="nowhere", value=encode(1)))) == "no_place"
    accepted(driver, Inject(instance="one", by="eva", why="lost", place="key", value=encode("k")))
    driver.finish_all()
    assert driver.marking() == {"end": [1]}
    record = next(one for one in driver.history() if one.kind == "injected")
    assert isinstance(record.detail, dict)
    assert (record.detail["by"], record.detail["why"], record.detail["place"]) == ("eva", "lost", "key")
    assert list(record.produced) == [record.detail["token"]]


@pytest.mark.parametrize("old", [1, b"x" * LARGE], ids=["small", "large"])
@pytest.mark.parametrize("new", [2, b"y" * LARGE], ids=["small", "large"])
def test_an_edited_token_has_its_new_value_also_after_a_crash(old: object, new: object) -> None:
    driver = held(old, "younger")
    accepted(driver, EditToken(instance="one", by="eva", token=token(driver), value=encode(new)))
    assert driver.marking() == {"middle": [new, "younger"]}, "it keeps its age"
    driver.crash()
    driver.rest()
    accepted(driver, Inject(instance="one", by="eva", place="key", value=encode("k")))
    driver.finish_all()
    assert driver.marking() == {"end": [new], "middle": ["younger"]}
    stored = sum(len(data) for _, data in driver.store.scan(b"L"))
    assert stored < LARGE + (LARGE // 2 if isinstance(new, bytes) else 0), "no chunk of the old value is left"


@pytest.mark.parametrize("value", [1, b"x" * LARGE], ids=["small", "large"])
def test_a_moved_token_keeps_value_and_age(value: object) -> None:
    driver = held(value, 2, 3)
    first, second, third = driver.view().tokens["middle"]
    accepted(driver, MoveToken(instance="one", by="eva", token=first, place="end"))
    accepted(driver, MoveToken(instance="one", by="eva", token=second, place="end"))
    accepted(driver, MoveToken(instance="one", by="eva", token=first, place="middle"))
    again = driver.ask(MoveToken(instance="one", by="eva", token=first, place="middle"))
    assert isinstance(again, Receipt)
    assert again.already
    driver.crash()
    driver.rest()
    assert driver.marking() == {"middle": [value, 3], "end": [2]}
    assert driver.view().tokens == {"middle": [first, third], "end": [second]}


@pytest.mark.parametrize("value", [1, b"x" * LARGE], ids=["small", "large"])
def test_a_dropped_token_is_gone_with_all_its_chunks(value: object) -> None:
    driver = held(value)
    accepted(driver, DropToken(instance="one", by="eva", token=token(driver)))
    assert driver.marking() == {}
    assert sum(len(data) for _, data in driver.store.scan(b"L")) < LARGE
    (record,) = (one for one in driver.history() if one.kind == "dropped_token")
    assert len(record.consumed) == 1


def test_a_frozen_token_is_taken_by_nothing_until_it_thaws() -> None:
    driver = held()
    number = token(driver)
    accepted(driver, FreezeToken(instance="one", by="eva", token=number))
    accepted(driver, Inject(instance="one", by="eva", place="key", value=encode("k")))
    assert (driver.started, driver.state(), driver.view().frozen) == ([], InstanceState.WAITING, (number,))
    driver.crash()
    driver.rest()
    assert (driver.started, driver.state()) == ([], InstanceState.WAITING)
    frozen = driver.ask(FreezeToken(instance="one", by="eva", token=number))
    assert isinstance(frozen, Receipt)
    assert frozen.already
    accepted(driver, ThawToken(instance="one", by="eva", token=number))
    driver.finish_all()
    assert (driver.state(), driver.view().frozen) == (InstanceState.COMPLETED, ())


def test_a_younger_token_goes_past_a_frozen_one() -> None:
    driver = held("old", "young")
    accepted(driver, FreezeToken(instance="one", by="eva", token=token(driver)))
    accepted(driver, Inject(instance="one", by="eva", place="key", value=encode("k")))
    driver.finish_all()
    assert driver.marking() == {"middle": ["old"], "end": ["young"]}


def test_a_frozen_token_may_be_edited_moved_and_dropped() -> None:
    driver = held(1, 2)
    first, second = driver.view().tokens["middle"]
    for number in (first, second):
        accepted(driver, FreezeToken(instance="one", by="eva", token=number))
    accepted(driver, EditToken(instance="one", by="eva", token=first, value=encode(3)))
    assert driver.view().frozen == (first, second)
    accepted(driver, DropToken(instance="one", by="eva", token=second))
    accepted(driver, MoveToken(instance="one", by="eva", token=first, place="end"))
    assert (driver.marking(), driver.view().frozen) == ({"end": [3]}, ())


@pytest.mark.parametrize("kind", ["edit", "move", "drop", "freeze", "thaw"])
def test_a_token_that_a_firing_took_meanwhile_is_left_alone(kind: str) -> None:
    workflow = lane()
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [1]})
    taken = driver.started[0].tokens[0][1]
    messages: dict[str, ClientMessage] = {
        "edit": EditToken(instance="one", by="eva", token=taken, value=encode(2)),
        "move": MoveToken(instance="one", by="eva", token=taken, place="end"),
        "drop": DropToken(instance="one", by="eva", token=taken),
        "freeze": FreezeToken(instance="one", by="eva", token=taken),
        "thaw": ThawToken(instance="one", by="eva", token=taken),
    }
    answer = driver.ask(messages[kind])
    assert isinstance(answer, Refused)
    assert (answer.code, "taken" in answer.reason) == ("not_free", True)
    driver.finish()
    assert driver.marking() == {"middle": [1]}


def test_a_paused_instance_takes_hands_on_its_tokens_and_goes_on_with_what_they_left() -> None:
    driver = held()
    driver.ask(Pause(instance="one", by="eva"))
    accepted(driver, Inject(instance="one", by="eva", place="key", value=encode("k")))
    accepted(driver, EditToken(instance="one", by="eva", token=token(driver), value=encode("mended")))
    assert not driver.started
    driver.ask(Resume(instance="one", by="eva"))
    driver.finish_all()
    assert driver.marking() == {"end": ["mended"]}


# -- places fed from outside, and the end of an instance ------------------------------------------------------------


def feed() -> Workflow:
    """Return an inbox that stays open for as long as nobody closes it."""
    workflow = Workflow("feed")
    opened, handled, closed = workflow.places("opened handled closed")
    inbox, closing = workflow.place("inbox", external=True), workflow.place("closing", external=True)
    workflow.transition((inbox & opened.read()) >> handled, "handle", handler=first, run="inline")
    workflow.transition((opened & closing) >> closed, "close", handler=first, run="inline")
    return workflow


def test_an_external_place_keeps_no_instance_from_completing() -> None:
    workflow = Workflow("mail")
    inbox, done = workflow.place("inbox", external=True), workflow.place("done")
    workflow.transition(inbox >> done, "handle", handler=same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"inbox": [1]})
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED
    assert refusal(driver.ask(Put(instance="one", place="inbox", value=encode(2)))) == "ended"
    driver.spawn(workflow, {}, instance="empty")
    assert driver.state("empty") is InstanceState.COMPLETED


def test_an_external_place_keeps_an_instance_from_being_stuck() -> None:
    driver = held()
    assert driver.state() is InstanceState.WAITING


def test_a_token_that_something_could_take_keeps_a_feed_open_until_it_is_closed() -> None:
    workflow = feed()
    driver = Driver(workflow)
    driver.spawn(workflow, {"opened": ["monday"]})
    for value in (1, 2):
        assert driver.state() is InstanceState.WAITING
        accepted(driver, Put(instance="one", place="inbox", value=encode(value)))
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.marking()) == (
        InstanceState.WAITING,
        {"opened": ["monday"], "handled": [1, 2]},
    )
    accepted(driver, Put(instance="one", place="closing", value=encode(None)))
    driver.rest()
    assert (driver.state(), driver.marking()) == (InstanceState.COMPLETED, {"handled": [1, 2], "closed": ["monday"]})
