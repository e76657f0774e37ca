"""Firing faults in virtual time: retries, back-off, deadlines, incidents, and guards that raise."""

import pytest

from placet.actors.messages import FailIncident, RetryIncident, SkipIncident
from placet.actors.records import Phase
from placet.persistence.values import encode
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry
from tests.actors.driver import Driver
from tests.actors.flows import gather, same, single


def retried(attempts: int = 3) -> Driver:
    """Return a driver with one firing in flight that is retried after 1, then 2 seconds."""
    driver = Driver(single(retry=Retry(attempts=attempts, first_s=1.0, factor=2.0, jitter=0.0)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    return driver


def test_a_failure_is_tried_again_after_its_back_off() -> None:
    driver = retried()
    driver.fail(driver.only())
    driver.rest()
    assert (driver.state(), driver.phase()) == ("waiting", Phase.BACKOFF)
    driver.pass_time(0.99)
    assert not driver.started
    driver.pass_time(0.02)
    assert (driver.only().attempt, driver.state()) == (2, "running")
    driver.fail(driver.only())
    driver.rest()
    driver.pass_time(1.9)
    assert not driver.started
    driver.pass_time(0.2)
    assert driver.only().attempt == 3


def test_a_back_off_survives_a_crash() -> None:
    driver = retried()
    driver.fail(driver.only())
    driver.rest()
    driver.crash()
    driver.rest()
    assert (driver.started, driver.phase()) == ([], Phase.BACKOFF)
    driver.pass_time(1.1)
    assert driver.only().attempt == 2
    assert driver.firing().losses == 0


def test_a_deadline_asks_the_executor_and_its_answer_counts() -> None:
    driver = Driver(single(timeout_s=5.0, retry=Retry(attempts=2, first_s=0.0)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.pass_time(4.9)
    assert not driver.expired
    driver.pass_time(0.2)
    (expire,) = driver.expired
    assert (expire.number, expire.attempt) == (driver.only().number, 1)
    driver.fail(driver.only(), "TimedOut")
    driver.pass_time(0.0)
    assert driver.only().attempt == 2
    assert driver.firing().due == driver.clock.now() + 5.0


def test_a_deadline_of_an_earlier_attempt_does_not_end_the_next() -> None:
    driver = Driver(single(timeout_s=5.0, retry=Retry(attempts=3, first_s=0.0)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.fail(driver.only())  # answered just before the deadline, and handled after it
    driver.clock.advance(5.0)
    driver.rest()
    driver.pass_time(0.0)
    assert not driver.expired
    assert driver.only().attempt == 2


def test_a_deadline_that_has_come_does_not_cut_the_back_off_short() -> None:
    driver = Driver(single(timeout_s=5.0, retry=Retry(attempts=3, first_s=60.0, jitter=0.0)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.fail(driver.only())
    driver.clock.advance(5.0)
    driver.rest()
    assert (driver.phase(), driver.started) == (Phase.BACKOFF, [])
    driver.pass_time(59.0)
    assert not driver.started
    driver.pass_time(1.1)
    assert driver.only().attempt == 2


def test_a_failed_firing_is_retried_by_a_person_with_all_its_attempts() -> None:
    driver = retried(attempts=2)
    for _ in range(2):
        driver.fail(driver.only())
        driver.pass_time(10.0)
    number = driver.firing().number
    driver.receipt(RetryIncident(instance="one", by="eva", why="mended", incident=number))
    assert driver.only().attempt == 3
    driver.fail(driver.only())
    driver.rest()
    assert driver.phase() is Phase.BACKOFF
    driver.pass_time(10.0)
    driver.finish_all()
    assert driver.state() == "completed"
    (record,) = [one for one in driver.history() if one.kind == "retried"]
    assert record.detail == {"by": "eva", "why": "mended", "incident": number}


def test_a_skipped_firing_counts_once_with_the_given_output() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.fail(driver.only())
    driver.rest()
    number = driver.firing().number
    outputs = (("b", encode("given")),)
    driver.receipt(SkipIncident(instance="one", by="eva", incident=number, outputs=outputs))
    assert (driver.marking(), driver.state()) == ({"b": ["given"]}, "completed")
    assert driver.kinds() == ["spawned", "attempt_failed", "incident", "skipped", "fired", "completed"]
    assert driver.image().header.fired == 1


def test_a_skip_with_the_wrong_outputs_is_refused() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.fail(driver.only())
    driver.rest()
    number = driver.firing().number
    for outputs in ((), (("nowhere", encode(1)),), (("b", encode(1)), ("b", encode(2)))):
        skip = SkipIncident(instance="one", by="eva", incident=number, outputs=outputs)
        refusal = driver.refusal(skip)
        assert refusal.code == "wrong_output"
    assert driver.phase() is Phase.INCIDENT


def test_failing_an_incident_ends_the_instance_and_frees_its_tokens() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": ["x", "y"]})
    first, second = driver.started
    driver.fail(first)
    driver.rest()
    (number,) = [one.number for one in driver.image().firings.values() if one.phase is Phase.INCIDENT]
    driver.receipt(FailIncident(instance="one", by="eva", incident=number))
    assert driver.state() == "cancelling"
    driver.answer(second)
    driver.rest()
    assert (driver.state(), driver.marking()) == ("failed", {"a": ["x"], "b": ["y"]})


def test_tokens_put_back_in_any_order_keep_their_age() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": ["first", "second", "third"]})
    driver.fail(driver.started[1])
    driver.rest()
    (number,) = [one.number for one in driver.image().firings.values() if one.phase is Phase.INCIDENT]
    driver.receipt(FailIncident(instance="one", by="eva", incident=number))
    driver.fail(driver.started[-1])
    driver.fail(driver.started[0])
    driver.rest()
    assert driver.marking() == {"a": ["first", "second", "third"]}
    assert driver.state() == "failed"


@pytest.mark.parametrize("workflow", [single(run="inline"), single(guard=lambda value: value == "x")])
def test_user_code_suspected_of_crashes_runs_again_when_a_person_says_so(workflow: Workflow) -> None:
    driver = Driver(workflow)
    for _ in range(2):
        driver.kernel.suspects.add("one", "t")
    driver.spawn(workflow, {"a": ["x"]})
    (number,) = driver.image().incidents
    assert driver.state() == "incident"
    driver.receipt(RetryIncident(instance="one", by="eva", incident=number))
    driver.finish_all()
    assert driver.state() == "completed"


# -- guards --------------------------------------------------------------------------------------------------


def test_a_guard_is_asked_once_a_token() -> None:
    asked: list[object] = []

    def guard(value: object) -> bool:
        asked.append(value)
        return value != "bad"

    driver = Driver(single(guard=guard), slots=1)
    driver.spawn(driver.workflows[0], {"a": ["x", "bad", "y"]})
    driver.finish_all()
    assert asked == ["x", "bad", "y"]
    assert driver.marking() == {"a": ["bad"], "b": ["x", "y"]}
    assert driver.state() == "stuck"


def test_a_guard_that_raises_is_an_incident_on_the_token_and_the_transition() -> None:
    def guard(value: object) -> bool:
        if value == "bad":
            raise ValueError("cannot tell")
        return True

    driver = Driver(single(guard=guard))
    driver.spawn(driver.workflows[0], {"a": ["x", "bad"]})
    driver.finish_all()
    (incident,) = driver.image().guard_incidents
    assert (incident.transition, incident.failure.type, incident.failure.message) == (0, "ValueError", "cannot tell")
    assert (driver.state(), driver.marking()) == ("incident", {"a": ["bad"], "b": ["x"]})
    assert driver.kinds()[:2] == ["spawned", "incident"]


def test_a_guard_sees_large_values() -> None:
    driver = Driver(single(guard=lambda value: len(value) > 3 if isinstance(value, bytes) else False))
    driver.spawn(driver.workflows[0], {"a": [b"x" * 200_000]})
    driver.finish_all()
    assert driver.state() == "completed"


# -- stuck ---------------------------------------------------------------------------------------------------


def test_stuck_is_told_at_once_with_what_each_transition_lacks() -> None:
    workflow = Workflow("stuck")
    left, right, c = workflow.places("left right c")
    workflow.transition((left * 2 & right) >> c, "meet", handler=gather)
    workflow.transition(left >> c, "kind", handler=same, guard=lambda value: value != "x")
    driver = Driver(workflow)
    driver.spawn(workflow, {left: ["x"]})
    assert driver.state() == "stuck"
    assert [change.state for change in driver.changes] == ["stuck"]
    last = driver.history()[-1]
    assert (last.kind, last.detail) == (
        "stuck",
        {
            "meet": "needs 2 in left, which has 1; needs 1 in right, which has 0",
            "kind": "needs 1 in left that pass its guard; of 1, 0 do",
        },
    )
