"""Signs of life in virtual time: which are kept, what they put off, and what the next attempt is given."""

from placet.actors.context import Context
from placet.actors.effects import ExpireReason, Start
from placet.actors.messages import Beat, Cancel
from placet.actors.records import Phase
from placet.persistence.values import decode, encode
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry
from tests.actors.driver import Driver

AGAIN = Retry(attempts=5, first_s=0.0, jitter=0.0)


def patient(value: object, context: Context) -> object:
    """Run where the test says what is heard of it."""
    assert context.attempt
    return value


def started(
    *, heartbeat_s: float | None = 10.0, timeout_s: float | None = None, retry: Retry | None = AGAIN
) -> tuple[Driver, Start]:
    """Return a driver with one firing in flight, and its start."""
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "t", handler=patient, heartbeat_s=heartbeat_s, timeout_s=timeout_s, retry=retry)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    return driver, driver.only()


def beat(driver: Driver, start: Start, progress: object = None, *, attempt: int = 0) -> None:
    """Deliver a sign of life."""
    encoded = None if progress is None else encode(progress)
    index, number = start.transition.index, start.number
    driver.kernel.deliver(
        Beat(root=start.root, transition=index, number=number, attempt=attempt or start.attempt, progress=encoded)
    )
    driver.rest()


def told(driver: Driver) -> tuple[float, int, object] | None:
    """Return what is on disk of the last sign of life of the only firing: when, of which attempt, how far it was."""
    last = driver.firing().beat
    return None if last is None else (last.at, last.attempt, decode(last.progress) if last.progress else None)


def test_an_attempt_that_gives_no_sign_of_life_is_asked_for() -> None:
    driver, _ = started()
    driver.pass_time(9.9)
    assert not driver.expired
    driver.pass_time(0.2)
    assert [expire.reason for expire in driver.expired] == [ExpireReason.SILENCE]
    driver.pass_time(0.25)  # the executor may know of one that is on its way: it is asked again
    assert len(driver.expired) == 2


def test_each_sign_of_life_puts_off_the_end() -> None:
    driver, start = started()
    for _ in range(5):
        driver.pass_time(8.0)
        beat(driver, start)
    assert not driver.expired
    driver.pass_time(10.1)
    assert [expire.reason for expire in driver.expired] == [ExpireReason.SILENCE]


def test_a_sign_of_life_that_comes_after_the_executor_was_asked_counts_too() -> None:
    driver, start = started()
    driver.pass_time(10.1)
    beat(driver, start)
    driver.pass_time(9.0)
    assert len(driver.expired) == 1


def test_no_sign_of_life_puts_off_the_timeout_of_an_attempt() -> None:
    driver, start = started(timeout_s=15.0)
    driver.pass_time(8.0)
    beat(driver, start)
    driver.pass_time(7.1)
    assert [expire.reason for expire in driver.expired] == [ExpireReason.TIME]


def test_progress_is_on_disk_and_given_to_the_next_attempt() -> None:
    driver, start = started()
    assert start.progress is None
    driver.pass_time(3.0)
    beat(driver, start, "page 7")
    assert told(driver) == (driver.clock.now(), 1, "page 7")
    driver.pass_time(1.0)
    beat(driver, start)  # says no more than that it lives: what was told before stands
    assert told(driver) == (driver.clock.now(), 1, "page 7")
    driver.fail(start)
    driver.pass_time(0.0)
    assert (driver.only().attempt, decode(driver.only().progress or b"")) == (2, "page 7")


def test_progress_outlives_a_crash_and_what_was_not_committed_does_not() -> None:
    driver, start = started(heartbeat_s=None)
    beat(driver, start, "page 7")
    index, number, attempt = start.transition.index, start.number, start.attempt
    late = Beat(root=start.root, transition=index, number=number, attempt=attempt, progress=encode("page 8"))
    driver.kernel.deliver(late)
    driver.crash()
    driver.rest()
    assert (driver.only().attempt, decode(driver.only().progress or b"")) == (2, "page 7")


def test_signs_of_life_of_an_attempt_that_is_over_are_dropped() -> None:
    driver, start = started()
    driver.fail(start)
    driver.pass_time(0.0)
    assert driver.only().attempt == 2
    commits = len(driver.commits)
    beat(driver, start, "of the first", attempt=1)
    assert told(driver) is None
    beat(driver, start, "of one that is yet to come", attempt=3)
    assert told(driver) is None
    assert len(driver.commits) == commits
    driver.finish()
    commits = len(driver.commits)
    beat(driver, start, "of one that is done", attempt=2)
    assert len(driver.commits) == commits
    assert driver.state() == "completed"


def test_a_firing_that_backs_off_takes_no_sign_of_life() -> None:
    driver, start = started(retry=Retry(attempts=2, first_s=60.0, jitter=0.0))
    driver.fail(start)
    driver.rest()
    beat(driver, start, "late")
    assert (told(driver), driver.phase()) == (None, Phase.BACKOFF)


def test_a_handler_in_an_instance_that_is_cancelled_is_told_when_it_gives_a_sign_of_life() -> None:
    driver, start = started()
    driver.ask(Cancel(instance="one", by="eva"))
    driver.rest()
    assert [expire.reason for expire in driver.expired] == [ExpireReason.CANCELLED]
    beat(driver, start)  # one that had not begun to listen when it was told
    assert [expire.reason for expire in driver.expired] == [ExpireReason.CANCELLED] * 2
    driver.fail(start, "placet.actors.errors.AttemptOver")
    driver.rest()
    assert driver.state() == "cancelled"
