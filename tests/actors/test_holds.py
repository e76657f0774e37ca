"""Pauses of a place, a transition, a composite and a tag: nothing new fires there, and all else goes on."""

import pytest

from placet import Workflow
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Decide, Pause, Resume
from tests.actors.promises import Hand


def same(value: object) -> object:
    return value


def inner() -> Workflow:
    workflow = Workflow("inner")
    begin, end = workflow.places("begin end")
    workflow.transition(begin >> end, "pack", handler=same)
    return workflow


def lanes() -> Workflow:
    """Return two lanes: one through a composite, one through a transition with a tag."""
    workflow = Workflow("lanes")
    workflow.places("left left_end")
    right, right_end = workflow.places("right right_end")
    workflow.composite("fulfil", inner(), {"begin": "left", "end": "left_end"}, category="slow")
    workflow.transition(right >> right_end, "check", handler=same, properties={"urgent": True})
    return workflow


def paused(target: str) -> Hand:
    workflow = lanes()
    hand = Hand(workflow, slots=0)
    hand.spawn(workflow, {"left": [1], "right": [2]})
    receipt(hand.ask(Pause(instance="i", by="eva", target=target)))
    hand.slots = 8
    hand.kernel.set_capacity("thread", 8)
    hand.run()
    return hand


def receipt(answer: Answer) -> Receipt:
    assert isinstance(answer, Receipt), answer
    return answer


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("left", {"left": [1], "right_end": [2]}),
        ("fulfil", {"left": [1], "right_end": [2]}),
        ("fulfil/pack", {"left": [1], "right_end": [2]}),
        ("#slow", {"left": [1], "right_end": [2]}),
        ("right", {"left_end": [1], "right": [2]}),
        ("check", {"left_end": [1], "right": [2]}),
        ("#urgent", {"left_end": [1], "right": [2]}),
    ],
)
def test_what_is_paused_waits_and_all_else_goes_on(target: str, left: dict[str, list[object]]) -> None:
    hand = paused(target)
    hand.finish_all()
    assert (hand.marking(), hand.state()) == (left, InstanceState.WAITING)
    assert hand.view().paused_parts == (target,)
    hand.crash()
    assert (hand.starts, hand.state()) == ([], InstanceState.WAITING)
    receipt(hand.ask(Resume(instance="i", by="eva", target=target)))
    hand.finish_all()
    assert (hand.marking(), hand.state()) == ({"left_end": [1], "right_end": [2]}, InstanceState.COMPLETED)
    assert [one.detail for one in hand.history() if one.kind == "paused"] == [
        {"by": "eva", "why": "", "target": target}
    ]


def test_what_runs_in_a_paused_part_is_counted() -> None:
    workflow = lanes()
    hand = Hand(workflow)
    hand.spawn(workflow, {"left": [1]})
    receipt(hand.ask(Pause(instance="i", by="eva", target="fulfil")))
    hand.finish()
    assert hand.marking() == {"left_end": [1]}


def test_two_pauses_of_one_transition_need_two_resumes() -> None:
    hand = paused("right")
    receipt(hand.ask(Pause(instance="i", by="eva", target="#urgent")))
    receipt(hand.ask(Resume(instance="i", by="eva", target="right")))
    hand.finish_all()
    assert hand.marking()["right"] == [2]
    receipt(hand.ask(Resume(instance="i", by="eva", target="#urgent")))
    hand.finish_all()
    assert hand.marking()["right_end"] == [2]


def test_a_pause_twice_and_a_resume_of_what_runs_change_nothing() -> None:
    hand = paused("left")
    assert receipt(hand.ask(Pause(instance="i", by="bob", target="left"))).already
    assert receipt(hand.ask(Resume(instance="i", by="bob", target="right"))).already


@pytest.mark.parametrize("target", ["nothing", "#nothing", "fulfil/nothing"])
def test_what_is_not_there_cannot_be_paused(target: str) -> None:
    workflow = lanes()
    hand = Hand(workflow)
    hand.spawn(workflow, {"left": [1]})
    answer = hand.ask(Pause(instance="i", by="eva", target=target))
    assert isinstance(answer, Refused)
    assert answer.code == "no_target"


def test_nobody_decides_at_a_paused_transition() -> None:
    workflow = Workflow("asking")
    asked, yes, no = workflow.places("asked yes no")
    workflow.approval("boss", asked, approve=yes, reject=no)
    hand = Hand(workflow)
    hand.spawn(workflow, {"asked": [1]})
    (task,) = hand.view().tasks
    number = int(task.id.rpartition(".")[2])
    receipt(hand.ask(Pause(instance="i", by="eva", target="asked")))
    decision = Decide(instance="i", task=number, output="yes", by="eva")
    answer = hand.ask(decision)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.reason) == ("paused", "boss is paused; resume it first")
    receipt(hand.ask(Resume(instance="i", by="eva", target="asked")))
    receipt(hand.ask(decision))
