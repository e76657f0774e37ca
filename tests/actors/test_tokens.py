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
from tests.actors.promises import Hand

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


def held(*values: object) -> Hand:
    """Return an instance whose tokens wait in `middle`."""
    workflow = lane()
    hand = Hand(workflow)
    hand.spawn(workflow, {"start": list(values) or [1]})
    hand.finish_all()
    return hand


def token(hand: Hand, place: str = "middle") -> int:
    return hand.view().tokens[place][0]


def accepted(hand: Hand, message: ClientMessage) -> None:
    answer = hand.ask(message)
    assert isinstance(answer, Receipt), answer
    assert not answer.already


def refusal(answer: Answer) -> str:
    assert isinstance(answer, Refused), answer
    return answer.code


def test_a_token_is_put_into_a_place_that_is_fed_from_outside_and_into_no_other() -> None:
    hand = held()
    for place in ("key", "nowhere"):
        assert refusal(hand.ask(Put(instance="i", place=place, value=encode("k")))) == "not_external"
    accepted(hand, Put(instance="i", place="door", value=encode("k")))
    hand.finish_all()
    assert hand.marking() == {"end": [1]}


def test_a_full_place_takes_no_more_from_outside() -> None:
    workflow = lane(capacity=1)
    hand = Hand(workflow, slots=0)
    hand.spawn(workflow, {"start": [1]})
    accepted(hand, Put(instance="i", place="door", value=encode(1)))
    assert refusal(hand.ask(Put(instance="i", place="door", value=encode(2)))) == "full"
    assert refusal(hand.ask(Inject(instance="i", by="eva", place="door", value=encode(2)))) == "full"


def test_an_injected_token_fires_what_it_enables_and_is_in_the_books() -> None:
    hand = held()
    assert refusal(hand.ask(Inject(instance="i", by="eva", place="nowhere", value=encode(1)))) == "no_place"
    accepted(hand, Inject(instance="i", by="eva", why="lost", place="key", value=encode("k")))
    hand.finish_all()
    assert hand.marking() == {"end": [1]}
    record = next(one for one in hand.history() if one.kind == "injected")
    assert isinstance(record.detail, dict)
    assert (record.detail["by"], record.detail["why"], record.detail["place"]) == ("eva", "lost", "key")
    assert list(record.produced) == [record.detail["token"]]


@pytest.mark.parametrize("old", [1, b"x" * LARGE], ids=["small", "large"])
@pytest.mark.parametrize("new", [2, b"y" * LARGE], ids=["small", "large"])
def test_an_edited_token_has_its_new_value_also_after_a_crash(old: object, new: object) -> None:
    hand = held(old, "younger")
    accepted(hand, EditToken(instance="i", by="eva", token=token(hand), value=encode(new)))
    assert hand.marking() == {"middle": [new, "younger"]}, "it keeps its age"
    hand.crash()
    accepted(hand, Inject(instance="i", by="eva", place="key", value=encode("k")))
    hand.finish_all()
    assert hand.marking() == {"end": [new], "middle": ["younger"]}
    stored = sum(len(data) for _, data in hand.store.scan(b"L"))
    assert stored < LARGE + (LARGE // 2 if isinstance(new, bytes) else 0), "no chunk of the old value is left"


@pytest.mark.parametrize("value", [1, b"x" * LARGE], ids=["small", "large"])
def test_a_moved_token_keeps_value_and_age(value: object) -> None:
    hand = held(value, 2, 3)
    first, second, third = hand.view().tokens["middle"]
    accepted(hand, MoveToken(instance="i", by="eva", token=first, place="end"))
    accepted(hand, MoveToken(instance="i", by="eva", token=second, place="end"))
    accepted(hand, MoveToken(instance="i", by="eva", token=first, place="middle"))
    again = hand.ask(MoveToken(instance="i", by="eva", token=first, place="middle"))
    assert isinstance(again, Receipt)
    assert again.already
    hand.crash()
    assert hand.marking() == {"middle": [value, 3], "end": [2]}
    assert hand.view().tokens == {"middle": [first, third], "end": [second]}


@pytest.mark.parametrize("value", [1, b"x" * LARGE], ids=["small", "large"])
def test_a_dropped_token_is_gone_with_all_its_chunks(value: object) -> None:
    hand = held(value)
    accepted(hand, DropToken(instance="i", by="eva", token=token(hand)))
    assert hand.marking() == {}
    assert sum(len(data) for _, data in hand.store.scan(b"L")) < LARGE
    (record,) = (one for one in hand.history() if one.kind == "dropped_token")
    assert len(record.consumed) == 1


def test_a_frozen_token_is_taken_by_nothing_until_it_thaws() -> None:
    hand = held()
    number = token(hand)
    accepted(hand, FreezeToken(instance="i", by="eva", token=number))
    accepted(hand, Inject(instance="i", by="eva", place="key", value=encode("k")))
    assert (hand.starts, hand.state(), hand.view().frozen) == ([], InstanceState.WAITING, (number,))
    hand.crash()
    assert (hand.starts, hand.state()) == ([], InstanceState.WAITING)
    frozen = hand.ask(FreezeToken(instance="i", by="eva", token=number))
    assert isinstance(frozen, Receipt)
    assert frozen.already
    accepted(hand, ThawToken(instance="i", by="eva", token=number))
    hand.finish_all()
    assert (hand.state(), hand.view().frozen) == (InstanceState.COMPLETED, ())


def test_a_younger_token_goes_past_a_frozen_one() -> None:
    hand = held("old", "young")
    accepted(hand, FreezeToken(instance="i", by="eva", token=token(hand)))
    accepted(hand, Inject(instance="i", by="eva", place="key", value=encode("k")))
    hand.finish_all()
    assert hand.marking() == {"middle": ["old"], "end": ["young"]}


def test_a_frozen_token_may_be_edited_moved_and_dropped() -> None:
    hand = held(1, 2)
    first, second = hand.view().tokens["middle"]
    for number in (first, second):
        accepted(hand, FreezeToken(instance="i", by="eva", token=number))
    accepted(hand, EditToken(instance="i", by="eva", token=first, value=encode(3)))
    assert hand.view().frozen == (first, second)
    accepted(hand, DropToken(instance="i", by="eva", token=second))
    accepted(hand, MoveToken(instance="i", by="eva", token=first, place="end"))
    assert (hand.marking(), hand.view().frozen) == ({"end": [3]}, ())


@pytest.mark.parametrize("kind", ["edit", "move", "drop", "freeze", "thaw"])
def test_a_token_that_a_firing_took_meanwhile_is_left_alone(kind: str) -> None:
    workflow = lane()
    hand = Hand(workflow)
    hand.spawn(workflow, {"start": [1]})
    taken = hand.starts[0].tokens[0][1]
    messages: dict[str, ClientMessage] = {
        "edit": EditToken(instance="i", by="eva", token=taken, value=encode(2)),
        "move": MoveToken(instance="i", by="eva", token=taken, place="end"),
        "drop": DropToken(instance="i", by="eva", token=taken),
        "freeze": FreezeToken(instance="i", by="eva", token=taken),
        "thaw": ThawToken(instance="i", by="eva", token=taken),
    }
    answer = hand.ask(messages[kind])
    assert isinstance(answer, Refused)
    assert (answer.code, "taken" in answer.reason) == ("not_free", True)
    hand.finish()
    assert hand.marking() == {"middle": [1]}


def test_a_paused_instance_takes_hands_on_its_tokens_and_goes_on_with_what_they_left() -> None:
    hand = held()
    hand.ask(Pause(instance="i", by="eva"))
    accepted(hand, Inject(instance="i", by="eva", place="key", value=encode("k")))
    accepted(hand, EditToken(instance="i", by="eva", token=token(hand), value=encode("mended")))
    assert not hand.starts
    hand.ask(Resume(instance="i", by="eva"))
    hand.finish_all()
    assert hand.marking() == {"end": ["mended"]}
