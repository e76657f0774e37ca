"""Steps of a running instance that are something else in today's definition: they wait, and pass nothing on."""

import pytest

from placet import Workflow
from placet.actors.lifecycle import InstanceState
from tests.actors.driver import Driver


def same(value: object) -> object:
    return value


def stepwise(kind: str) -> Workflow:
    """Return two steps, the second of which is a handler, nothing but a way on, an approval or a call."""
    workflow = Workflow("row")
    a, b, c, d = workflow.places("a b c d")
    workflow.transition(a >> b, "first", handler=same)
    if kind == "approval":
        workflow.approval("second", b, approve=c, reject=d, roles=["cfo"])
    else:
        workflow.transition(c >> d, "third", handler=same)
    if kind == "handler":
        workflow.transition(b >> c, "second", handler=same)
    elif kind == "way":
        workflow.transition(b >> c, "second")
    elif kind == "call":
        workflow.call(b >> c, "second", "row")
    return workflow


@pytest.mark.parametrize(
    ("stored", "today"),
    [
        ("handler", "approval"),
        ("handler", "way"),
        ("handler", "call"),
        ("way", "approval"),
        ("way", "call"),
        ("call", "handler"),
        ("call", "way"),
        ("call", "approval"),
    ],
)
def test_a_step_that_is_now_something_else_waits_with_the_reason(stored: str, today: str) -> None:
    driver = Driver(stepwise(stored))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash(stepwise(today))
    driver.rest()
    driver.finish_all()
    assert driver.state() is InstanceState.WAITING
    assert driver.history()[-1].detail == {"reason": "no handler in this process for second"}
    assert driver.marking() == {"b": [1]}


@pytest.mark.parametrize("today", ["handler", "way", "call"])
def test_an_approval_is_asked_for_whatever_the_step_is_now(today: str) -> None:
    driver = Driver(stepwise("approval"))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash(stepwise(today))
    driver.rest()
    driver.finish_all()
    assert (driver.marking(), len(driver.view().tasks)) == ({"b": [1]}, 1)
