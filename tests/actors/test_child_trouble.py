"""A parent whose child needs a person says so, and takes it back; what its child returned is not lost either way."""

from collections.abc import Iterator

import pytest

from placet import Retry, Workflow
from placet.actors.calls import CHILD_CANCELLED, CHILD_FAILED, MOST_CAUSE
from placet.actors.failed_firing import FailedFiring
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    Cancel,
    FailIncident,
    Message,
    Park,
    Pause,
    Resume,
    RetryIncident,
    Return,
    Trouble,
)
from placet.actors.reader import IncidentKind, StateReader
from placet.actors.receive import RECEIVERS
from placet.actors.records import Condition, Failure, Phase
from placet.actors.report import explain
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.keys import OUTBOX
from placet.testing.probes import Probe, probed
from tests.actors.driver import Driver, done
from tests.actors.marks import needs_source
from tests.actors.test_calls import CHILD, called, fulfil, only_type, orders, raises
from tests.actors.test_copies import bring, exported

S = InstanceState


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    with probed(probe):
        yield probe


class Faulty:
    """Lets messages of one type raise, so that they are set aside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[Message]) -> None:
        self.is_on = True
        receive = RECEIVERS[kind]

        def faulty(workflow: WorkflowActor, turn: Turn, message: Message) -> None:
            if self.is_on:
                raise RuntimeError("planted")
            receive(workflow, turn, message)

        monkeypatch.setitem(RECEIVERS, kind, faulty)


def failing() -> Workflow:
    child = Workflow("fulfil")
    child.transition(child.place("items") >> child.place("packed"), "pack", handler=raises)
    return child


def joining() -> Workflow:
    """Return a child that is stuck with one token: its other place is never filled."""
    child = Workflow("fulfil")
    items, others, packed = child.places("items others packed")
    child.transition((items & others) >> packed, "pack", handler=max)
    child.transition(others >> packed, "send")
    return child


def calling_stuck() -> Workflow:
    workflow = Workflow("orders")
    received, filled = workflow.places("received filled")
    workflow.call(received >> filled, "fulfil", joining(), entries=["items"])
    return workflow


def with_incident(*, error: bool = False, retry: Retry | None = None) -> Driver:
    driver = called(orders(failing(), error=error, retry=retry))
    driver.fail(driver.taken())
    driver.rest()
    return driver


def states(driver: Driver, *instances: str) -> list[InstanceState]:
    return [driver.state(one) for one in instances or ("one", CHILD)]


def why(driver: Driver, instance: str = "one") -> str:
    return explain(StateReader(driver.store), instance)


# -- the state of a parent ----------------------------------------------------------------------------------------


def test_a_parent_whose_child_has_an_incident_says_so_until_it_is_settled() -> None:
    driver = with_incident()
    assert (states(driver), driver.phase()) == ([S.INCIDENT, S.INCIDENT], Phase.CALLED)
    assert why(driver) == (
        f"one has an incident below it: {CHILD} has an open incident, number 2: "
        "pack failed with builtins.ValueError: no luck; retry it there"
    )
    assert driver.view().firings[0].trouble is S.INCIDENT
    driver.receipt(RetryIncident(instance=CHILD, by="eva", incident=2))
    assert states(driver) == [S.RUNNING, S.RUNNING]
    start = driver.taken()
    driver.deliver(start, done(start, (0, 5)))
    driver.rest()
    assert (driver.state(), driver.marking()) == (S.COMPLETED, {"filled": [5]})
    assert driver.kinds() == ["spawned", "called", "trouble", "trouble", "fired", "completed"]
    details = [record.detail for record in driver.history() if record.kind == "trouble"]
    assert details == [{"child": CHILD, "state": "incident"}, {"child": CHILD, "over": True}]
    assert not list(driver.store.scan(OUTBOX))


def test_a_parent_whose_child_is_stuck_has_an_incident() -> None:
    driver = called(calling_stuck())
    assert states(driver) == [S.INCIDENT, S.STUCK]
    assert f"{CHILD} is stuck: pack needs 1 in others, which has 0; step in there" in why(driver)
    driver.receipt(Cancel(instance=CHILD, by="eva"))
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, CHILD_CANCELLED)
    assert driver.view().firings[0].trouble is None


def test_what_else_runs_in_a_parent_goes_on_and_does_not_hide_the_incident_of_its_child() -> None:
    workflow = Workflow("orders")
    received, filled, left, right = workflow.places("received filled left right")
    workflow.call(received >> filled, "fulfil", failing())
    workflow.transition(left >> right, "go", handler=abs)
    driver = Driver(workflow)
    driver.spawn(workflow, {"received": [1], "left": [1, 2]})
    driver.rest()
    child = next(one.child for one in driver.view().firings if one.child)
    driver.fail(driver.taken("pack"))
    driver.rest()
    assert driver.state() is S.INCIDENT, "told while handlers of its own run"
    driver.finish("go")
    driver.finish("go")
    assert (driver.state(), driver.marking()) == (S.INCIDENT, {"right": [1, 2]})
    (incident,) = driver.view(child).incidents
    driver.receipt(FailIncident(instance=child, by="eva", incident=incident.number))
    assert only_type(driver) == CHILD_FAILED


def test_the_troubles_of_a_child_of_a_child_are_passed_up_and_taken_back() -> None:
    middle = Workflow("middle")
    a, b = middle.places("a b")
    middle.call(a >> b, "order", orders(failing()))
    workflow = Workflow("top")
    start, end = workflow.places("start end")
    workflow.call(start >> end, "go", middle)
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [1]})
    driver.rest()
    driver.fail(driver.taken())
    driver.rest()
    deepest = "one/go.2/order.2/fulfil.2"
    assert states(driver, "one", "one/go.2", "one/go.2/order.2", deepest) == [S.INCIDENT] * 4
    assert why(driver).startswith(
        f"one has an incident below it: {deepest} has an open incident, number 2: pack failed"
    )
    driver.receipt(RetryIncident(instance=deepest, by="eva", incident=2))
    assert states(driver, "one", "one/go.2", "one/go.2/order.2", deepest) == [S.RUNNING] * 4


def test_one_of_two_children_in_trouble_is_enough_and_each_counts() -> None:
    driver = Driver(orders(failing()))
    driver.spawn(driver.workflows[0], {"received": [1, 2]})
    driver.rest()
    first, second = (one.child for one in driver.view().firings)
    for _ in range(2):
        driver.fail(driver.taken())
        driver.rest()
    assert "(and 1 more children)" in why(driver)
    driver.receipt(RetryIncident(instance=first, by="eva", incident=2))
    assert driver.state() is S.INCIDENT
    driver.receipt(RetryIncident(instance=second, by="eva", incident=2))
    assert driver.state() is S.RUNNING


def test_guards_that_raise_and_messages_set_aside_in_a_child_are_told_too() -> None:
    child = Workflow("fulfil")
    items, packed = child.places("items packed")
    child.transition(items >> packed, "pack", guard=lambda value: 1 // value > 0)
    assert states(called(orders(child), 0)) == [S.INCIDENT, S.INCIDENT]
    driver = called(orders(fulfil()))
    root = driver.image(CHILD).root
    driver.kernel.deliver(Park(root=root, kind="Grant", message=b"", failure=Failure(type="E", message="m"), actor=""))
    driver.rest()
    assert states(driver) == [S.INCIDENT, S.INCIDENT]


def test_pauses_go_before_troubles_on_either_side() -> None:
    driver = with_incident()
    driver.receipt(Pause(instance="one", by="eva"))
    assert states(driver) == [S.PAUSED, S.INCIDENT]
    driver.receipt(Resume(instance="one", by="eva"))
    assert states(driver) == [S.INCIDENT, S.INCIDENT]
    driver.receipt(Pause(instance=CHILD, by="eva"))
    assert states(driver) == [S.RUNNING, S.PAUSED], "its state, as it is shown, is what a child tells"
    driver.receipt(Resume(instance=CHILD, by="eva"))
    assert states(driver) == [S.INCIDENT, S.INCIDENT]


def test_a_parent_that_is_cancelled_ends_with_a_child_in_trouble() -> None:
    driver = with_incident()
    driver.receipt(Cancel(instance="one", by="eva"))
    assert states(driver) == [S.CANCELLED, S.CANCELLED]


def test_an_incident_of_a_child_is_not_settled_at_its_parent() -> None:
    driver = with_incident()
    refused = driver.refusal(RetryIncident(instance="one", by="eva", incident=2))
    assert refused.reason == "one has no open incident 2, a call; settle that of its child"


# -- crashes and order --------------------------------------------------------------------------------------------


def test_troubles_are_told_once_whatever_crashes_in_between() -> None:
    driver = called(orders(failing()))
    driver.fail(driver.taken())
    driver.run(budget=1)  # the child's incident is on disk, and its message
    assert states(driver) == [S.RUNNING, S.INCIDENT]
    driver.crash()
    driver.rest()
    assert states(driver) == [S.INCIDENT, S.INCIDENT]
    driver.crash()
    driver.rest()
    assert (states(driver), driver.firing().heard) == ([S.INCIDENT, S.INCIDENT], Condition(1, S.INCIDENT))
    driver.receipt(RetryIncident(instance=CHILD, by="eva", incident=2))
    driver.crash()
    driver.rest()
    assert (states(driver), driver.firing().heard) == ([S.RUNNING, S.RUNNING], Condition(2, None))


def test_news_of_a_child_that_was_set_aside_does_not_come_after_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = called(orders(failing()))
    faulty = Faulty(monkeypatch, Trouble)
    driver.fail(driver.taken())
    driver.rest()
    (incident,) = driver.view().incidents
    assert (incident.kind, incident.about, driver.firing().heard) == (IncidentKind.MESSAGE, "the message Trouble", None)
    faulty.is_on = False
    driver.receipt(RetryIncident(instance=CHILD, by="eva", incident=2))
    assert (states(driver), driver.firing().heard) == ([S.INCIDENT, S.RUNNING], Condition(2, None))
    driver.receipt(RetryIncident(instance="one", by="eva", incident=incident.number))
    assert (states(driver), driver.firing().heard) == ([S.RUNNING, S.RUNNING], Condition(2, None))


def test_news_of_the_child_of_an_earlier_attempt_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = called(orders(failing(), retry=Retry(attempts=2, first_s=1.0, jitter=0.0)))
    faulty = Faulty(monkeypatch, Trouble)
    driver.fail(driver.taken())
    driver.rest()
    (incident,) = driver.view().incidents
    driver.receipt(Cancel(instance=CHILD, by="eva"))
    driver.pass_time(2.0)
    assert driver.view().firings[0].child == f"{CHILD}.2"
    faulty.is_on = False
    driver.receipt(RetryIncident(instance="one", by="eva", incident=incident.number))
    assert (driver.state(), driver.firing().heard) == (S.RUNNING, None)


@needs_source
def test_a_child_whose_actors_cannot_be_brought_back_is_told_of(probe: Probe) -> None:
    driver = called(orders(fulfil()))
    start = driver.taken()
    driver.deliver(start, done(start, (0, 1)))
    probe.arm(after_calls=0, faults=6)
    driver.rest()
    probe.disarm()
    assert (driver.kernel.broken(), states(driver)) == ({driver.image(CHILD).root}, [S.INCIDENT, S.INCIDENT])


# -- what a child returned ----------------------------------------------------------------------------------------


def set_aside(monkeypatch: pytest.MonkeyPatch) -> tuple[Driver, Faulty]:
    """Return a parent that could not count what its child returned."""
    driver = called(orders(fulfil()), 21)
    faulty = Faulty(monkeypatch, Return)
    driver.finish_all()
    return driver, faulty


def test_a_return_that_cannot_be_counted_is_an_incident_of_the_parent_to_be_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver, faulty = set_aside(monkeypatch)
    assert states(driver) == [S.INCIDENT, S.COMPLETED]
    assert why(driver) == (
        f"one has an open incident, number 3: what {CHILD} returned failed with RuntimeError: planted"
    )
    (incident,) = driver.view().incidents
    driver.receipt(RetryIncident(instance="one", by="eva", incident=incident.number))
    assert driver.state() is S.INCIDENT, "it fails again"
    (incident,) = driver.view().incidents
    faulty.is_on = False
    driver.crash()
    driver.receipt(RetryIncident(instance="one", by="eva", incident=incident.number))
    assert (driver.state(), driver.marking()) == (S.COMPLETED, {"filled": [42]})


@pytest.mark.parametrize("gives_up", [False, True])
def test_a_parent_ends_that_could_not_count_a_return(monkeypatch: pytest.MonkeyPatch, gives_up: bool) -> None:
    driver, _ = set_aside(monkeypatch)
    (incident,) = driver.view().incidents
    end = FailIncident(instance="one", by="eva", incident=incident.number)
    driver.receipt(end if gives_up else Cancel(instance="one", by="eva"))
    assert (driver.state(), driver.marking()) == (S.FAILED if gives_up else S.CANCELLED, {"received": [21]})
    assert driver.kinds()[-2:] == ["put_back", "failed" if gives_up else "cancelled"]


def test_a_parent_that_is_cancelling_ends_though_the_return_cannot_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = called(orders(fulfil()), 21)
    Faulty(monkeypatch, Return)
    driver.receipt(Cancel(instance="one", by="eva"))
    assert states(driver) == [S.CANCELLING, S.CANCELLING]
    assert why(driver) == f"one is cancelling, and waits for {CHILD} to end"
    driver.finish_all()
    assert (states(driver), driver.marking()) == ([S.CANCELLED, S.CANCELLED], {"received": [21]})


def test_a_parent_that_is_cancelling_says_that_its_child_could_not_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = called(orders(fulfil()))
    faulty = Faulty(monkeypatch, Cancel)
    faulty.is_on = False
    driver.send(Cancel(instance="one", by="eva"))
    driver.run(budget=1)
    faulty.is_on = True
    driver.rest()
    assert states(driver) == [S.CANCELLING, S.INCIDENT]
    assert f"one is cancelling, and waits: {CHILD} has an open incident, number 3: the message Cancel failed" in why(
        driver
    )
    faulty.is_on = False
    driver.receipt(RetryIncident(instance=CHILD, by="eva", incident=driver.view(CHILD).incidents[0].number))
    driver.finish_all()
    assert states(driver) == [S.CANCELLED, S.CANCELLED]


# -- copies -------------------------------------------------------------------------------------------------------


def test_a_copy_forgets_the_troubles_of_the_child_and_whom_it_told() -> None:
    driver = with_incident()
    bring(driver, exported(driver))
    bring(driver, exported(driver, CHILD), "three")
    assert (driver.phase("two"), driver.firing("two").heard) == (Phase.READY, None)
    assert (driver.image("three").header.told, driver.image("three").header.caller) == (None, None)
    driver.receipt(Resume(instance="two", by="eva"))
    assert (driver.state("two"), driver.view("two").firings[0].child) == (S.RUNNING, "two/fulfil.2.2")


def test_a_copy_has_no_return_that_its_original_could_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, _ = set_aside(monkeypatch)
    bring(driver, exported(driver))
    assert (driver.phase("two"), driver.image("two").parked) == (Phase.READY, [])


# -- how a child failed -------------------------------------------------------------------------------------------


def give_up(driver: Driver, instance: str = CHILD) -> None:
    driver.receipt(FailIncident(instance=instance, by="eva", incident=driver.view(instance).incidents[0].number))


def test_the_failure_of_a_call_says_what_failed_in_its_child() -> None:
    driver = with_incident()
    give_up(driver)
    (last,) = driver.firing().failures
    assert (last.type, last.message) == (CHILD_FAILED, f"{CHILD} is failed: builtins.ValueError: no luck")
    assert last.types == (CHILD_FAILED, "builtins.ValueError", "Exception", "BaseException")
    assert why(driver, CHILD) == f"{CHILD} is failed: builtins.ValueError: no luck"
    driver = with_incident(error=True)
    give_up(driver)
    (failed,) = driver.marking()["failed"]
    assert isinstance(failed, FailedFiring)
    assert (failed.type, failed.message) == (CHILD_FAILED, f"{CHILD} is failed: builtins.ValueError: no luck")


def test_a_policy_knows_the_exception_that_failed_in_a_child_over_a_crash() -> None:
    for retry, phase in ((Retry(never=(ValueError,)), Phase.INCIDENT), (Retry(only=(ValueError,)), Phase.BACKOFF)):
        driver = called(orders(failing(), retry=retry))
        driver.finish_all()
        start = driver.view(CHILD).incidents[0]
        driver.send(FailIncident(instance=CHILD, by="eva", incident=start.number))
        driver.run(budget=1)
        driver.crash()
        driver.rest()
        assert driver.phase() is phase


def test_what_failed_is_passed_up_and_stays_bounded() -> None:
    def wordy(_value: object) -> None:
        raise KeyError("x" * 100_000)

    middle = Workflow("middle")
    a, b = middle.places("a b")
    child = Workflow("fulfil")
    child.transition(child.place("items") >> child.place("packed"), "pack", handler=wordy)
    middle.call(a >> b, "order", child)
    workflow = Workflow("top")
    start, end = workflow.places("start end")
    workflow.call(start >> end, "go", middle)
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [1]})
    driver.finish_all()
    give_up(driver, "one/go.2/order.2")
    give_up(driver, "one/go.2")
    (last,) = driver.firing().failures
    assert (last.type, last.types[:2]) == (CHILD_FAILED, (CHILD_FAILED, "KeyError"))
    assert len(last.message) < 2 * MOST_CAUSE


def test_a_child_that_failed_for_a_guard_or_a_message_says_so() -> None:
    child = Workflow("fulfil")
    items, packed = child.places("items packed")
    child.transition(items >> packed, "pack", guard=lambda value: 1 // value > 0)
    driver = called(orders(child), 0)
    give_up(driver)
    assert "ZeroDivisionError" in driver.firing().failures[-1].message
