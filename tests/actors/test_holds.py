"""Pauses of a place, a transition, a composite and a tag: nothing new fires there, and all else goes on."""

import pytest

from placet import Workflow
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Decide, Pause, Resume
from tests.actors.driver import Driver


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


def paused(target: str) -> Driver:
    workflow = lanes()
    driver = Driver(workflow, slots=0)
    driver.spawn(workflow, {"left": [1], "right": [2]})
    receipt(driver.ask(Pause(instance="one", by="eva", target=target)))
    driver.slots = 8
    driver.kernel.set_capacity("thread", 8)
    driver.rest()
    return driver


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
    driver = paused(target)
    driver.finish_all()
    assert (driver.marking(), driver.state()) == (left, InstanceState.WAITING)
    assert driver.view().paused_parts == (target,)
    driver.crash()
    driver.rest()
    assert (driver.started, driver.state()) == ([], InstanceState.WAITING)
    receipt(driver.ask(Resume(instance="one", by="eva", target=target)))
    driver.finish_all()
    assert (driver.marking(), driver.state()) == ({"left_end": [1], "right_end": [2]}, InstanceState.COMPLETED)
    assert [one.detail for one in driver.history() if one.kind == "paused"] == [
        {"by": "eva", "why": "", "target": target}
    ]


def test_what_runs_in_a_paused_part_is_counted() -> None:
    workflow = lanes()
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [1]})
    receipt(driver.ask(Pause(instance="one", by="eva", target="fulfil")))
    driver.finish()
    assert driver.marking() == {"left_end": [1]}


def test_two_pauses_of_one_transition_need_two_resumes() -> None:
    driver = paused("right")
    receipt(driver.ask(Pause(instance="one", by="eva", target="#urgent")))
    receipt(driver.ask(Resume(instance="one", by="eva", target="right")))
    driver.finish_all()
    assert driver.marking()["right"] == [2]
    receipt(driver.ask(Resume(instance="one", by="eva", target="#urgent")))
    driver.finish_all()
    assert driver.marking()["right_end"] == [2]


def test_a_pause_twice_and_a_resume_of_what_runs_change_nothing() -> None:
    driver = paused("left")
    assert receipt(driver.ask(Pause(instance="one", by="bob", target="left"))).already
    assert receipt(driver.ask(Resume(instance="one", by="bob", target="right"))).already


@pytest.mark.parametrize("target", ["nothing", "#nothing", "fulfil/nothing"])
def test_what_is_not_there_cannot_be_paused(target: str) -> None:
    workflow = lanes()
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [1]})
    answer = driver.ask(Pause(instance="one", by="eva", target=target))
    assert isinstance(answer, Refused)
    assert answer.code == "no_target"


def test_nobody_decides_at_a_paused_transition() -> None:
    workflow = Workflow("asking")
    asked, yes, no = workflow.places("asked yes no")
    workflow.approval("boss", asked, approve=yes, reject=no)
    driver = Driver(workflow)
    driver.spawn(workflow, {"asked": [1]})
    (task,) = driver.view().tasks
    number = int(task.id.rpartition(".")[2])
    receipt(driver.ask(Pause(instance="one", by="eva", target="asked")))
    decision = Decide(instance="one", task=number, output="yes", by="eva")
    answer = driver.ask(decision)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.reason) == ("paused", "boss is paused; resume it first")
    receipt(driver.ask(Resume(instance="one", by="eva", target="asked")))
    receipt(driver.ask(decision))


def test_a_part_that_goes_on_while_another_runs_stays_so_over_a_crash() -> None:
    driver = paused("fulfil")
    assert driver.only().transition.path == "check"
    driver.receipt(Resume(instance="one", by="eva", target="fulfil"))
    assert driver.started[-1].transition.path == "fulfil/pack"
    driver.crash()
    assert driver.view().paused_parts == ()
