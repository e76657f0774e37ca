"""A pause and a cancel take back what was handed to executors and has not begun."""

from placet import Workflow
from placet.actors.effects import ExpireReason
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, Pause, Resume
from placet.actors.reader import StateReader
from placet.actors.records import Phase
from placet.actors.report import explain
from tests.actors.driver import Driver
from tests.actors.flows import same


def row() -> Workflow:
    """Return two steps."""
    workflow = Workflow("row")
    a, b, c = workflow.places("a b c")
    workflow.transition(a >> b, "first", handler=same)
    workflow.transition(b >> c, "second", handler=same)
    return workflow


def test_a_pause_takes_back_what_waits_in_an_executor_and_a_resume_starts_it_again() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1, 2]})
    driver.ask(Pause(instance="one", by="eva"))
    assert [(one.number, one.reason) for one in driver.expired] == [
        (start.number, ExpireReason.PAUSED) for start in driver.started
    ]
    driver.withdraw(driver.taken())
    driver.finish()
    assert driver.state() is InstanceState.PAUSED
    assert [firing.phase for firing in driver.view().firings] == [Phase.READY]
    assert not driver.started
    driver.ask(Resume(instance="one", by="eva"))
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED


def test_a_pause_of_a_part_takes_back_what_waits_of_that_part_alone() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1], "b": [2]})
    first, second = driver.started
    driver.ask(Pause(instance="one", target=second.transition.path, by="eva"))
    assert [one.number for one in driver.expired] == [second.number]
    driver.ask(Pause(instance="one", target=first.transition.path, by="eva"))
    assert [one.number for one in driver.expired] == [second.number, first.number]


def test_a_cancel_takes_back_what_waits_in_an_executor_and_ends_at_once() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1, 2]})
    driver.ask(Cancel(instance="one", by="eva"))
    assert {(one.number, one.reason) for one in driver.expired} == {
        (start.number, ExpireReason.CANCELLED) for start in driver.started
    }
    for _ in range(2):
        driver.withdraw(driver.taken())
    driver.rest()
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"a": [1, 2]}


def test_what_holds_the_end_of_a_cancelled_instance_is_named() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1, 2]})
    driver.ask(Cancel(instance="one", by="eva"))
    reader = StateReader(driver.store)
    assert explain(reader, "one") == "one is cancelling, and waits for the handler of first and 1 more to end"
    driver.finish()
    assert explain(reader, "one") == "one is cancelling, and waits for the handler of first to end"
