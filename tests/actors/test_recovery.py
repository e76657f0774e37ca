"""What is lost with an engine, what is not, and what a firing that keeps losing its engine comes to."""

from placet.actors.alone import TRIAL_BATCHES
from placet.actors.messages import Cancel, Pause, Resume
from placet.actors.records import Phase
from placet.supervision.retry import Retry
from placet.testing.probes import Probe, probed
from tests.actors.driver import Driver
from tests.actors.flows import chain, single
from tests.actors.marks import needs_source


def test_a_lost_attempt_is_counted_apart_and_started_again() -> None:
    driver = Driver(single(retry=Retry(attempts=1)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash()
    driver.rest()
    assert driver.only().attempt == 2
    firing = driver.firing()
    assert (firing.losses, firing.failed, firing.attempt) == (1, 0, 2)
    assert driver.kinds() == ["spawned", "lost"]
    driver.finish_all()
    assert driver.state() == "completed"


def test_a_clean_stop_holds_for_those_not_yet_told_when_the_next_engine_crashes() -> None:
    driver = Driver(single())
    for name in ("one", "two"):
        driver.spawn(driver.workflows[0], {"a": [1]}, name)
    driver.stop()
    driver.run(budget=1)  # tells one of them
    driver.crash()
    driver.rest()
    assert sorted(driver.firing(name).losses for name in ("one", "two")) == [0, 1]


def test_after_a_start_a_suspect_runs_before_all_else() -> None:
    driver = Driver(chain(1), slots=2)
    driver.spawn(driver.workflows[0], {"p0": [1]}, "guilty")
    for _ in range(2):
        driver.crash()
        driver.rest()
    driver.spawn(driver.workflows[0], {"p0": [1]}, "other")
    driver.crash()
    driver.rest()
    assert driver.only().instance == "guilty"
    driver.answer_all()
    driver.rest()
    assert driver.only().instance == "other"


def test_an_engine_killed_after_every_result_finds_nobody_guilty() -> None:
    driver = Driver(chain(1), slots=4)
    driver.spawn(driver.workflows[0], {"p0": [1]}, "slow")
    for number in range(10):
        driver.spawn(driver.workflows[0], {"p0": [1]}, f"quick-{number}")
        driver.crash()
        driver.rest()
        quick = [start for start in driver.started if start.instance != "slow"]
        driver.answer((quick or driver.started)[0])  # the news after which it is killed; of the slow one if need be
        driver.rest()
    assert driver.state("slow") == "completed"


def test_a_suspect_waits_until_what_runs_has_answered() -> None:
    driver = Driver(chain(1), slots=2)
    driver.spawn(driver.workflows[0], {"p0": [1]}, "guilty")
    for _ in range(2):
        driver.crash()
        driver.rest()
    driver.receipt(Pause(instance="guilty", by="eva"))
    driver.crash()
    driver.spawn(driver.workflows[0], {"p0": [1]}, "other")
    driver.receipt(Resume(instance="guilty", by="eva"))
    assert driver.only().instance == "other"
    driver.answer_all()
    driver.rest()
    assert driver.only().instance == "guilty"


def test_user_code_that_was_marked_beside_handlers_runs_again_before_any_handler() -> None:
    asked: list[object] = []

    def guard(value: object) -> bool:
        asked.append(value)
        return True

    driver = Driver(single(guard=guard), slots=0)
    for name in ("other", "suspect"):
        driver.spawn(driver.workflows[0], {"a": [name]}, name)
    assert driver.kernel.suspects.add("suspect", "t", accompanied=True) == 0
    driver.spawn(driver.workflows[0], {"a": ["third"]}, "third")  # a batch, with which that is kept
    asked.clear()
    driver.slots = 4
    driver.crash()
    driver.run(budget=1)
    assert (asked, driver.started, driver.kernel.suspects.known) == (["suspect"], [], {})
    driver.rest()
    assert {start.instance for start in driver.started} == {"other", "suspect", "third"}


def test_a_trial_of_code_that_does_not_come_to_run_holds_nobody_up_for_long() -> None:
    driver = Driver(single(), slots=4)
    driver.kernel.suspects.add("elsewhere", "t", accompanied=True)
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash()
    driver.rest()
    assert driver.only().attempt == 2
    assert driver.kernel.suspects.on_trial
    driver.crash()
    for _ in range(TRIAL_BATCHES):
        assert driver.kernel.slots.alone
        driver.run(budget=0)
    assert not driver.kernel.slots.alone


def test_handlers_count_as_beside_the_kernel_from_their_release_to_their_answer() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    slots = driver.kernel.slots
    assert slots.accompanied
    driver.finish()
    assert not slots.accompanied
    driver.send(driver.spawn_message(driver.workflows[0], {"a": [1]}, "two"))
    driver.kernel.begin_batch()
    batch = driver.kernel.run(driver.clock.now())
    assert (slots.in_flight(), slots.accompanied) == (1, False)
    driver.settle(batch)
    assert slots.accompanied


def test_a_suspect_stays_one_after_a_clean_stop() -> None:
    driver = Driver(chain(1))
    driver.spawn(driver.workflows[0], {"p0": [1]}, "guilty")
    for _ in range(3):
        driver.crash()
        driver.rest()
    driver.stop()
    driver.rest()
    driver.spawn(driver.workflows[0], {"p0": [1]}, "other")
    assert driver.only().instance == "guilty"


def test_a_suspect_of_a_paused_or_cancelled_instance_holds_up_nobody() -> None:
    driver = Driver(chain(1), slots=3)
    for name in ("guilty", "other"):
        driver.spawn(driver.workflows[0], {"p0": [1]}, name)
    for _ in range(2):
        driver.crash()
        driver.rest()
    driver.answer(next(start for start in driver.started if start.instance == "other"))
    driver.rest()
    driver.receipt(Pause(instance="guilty", by="eva"))
    driver.crash()
    driver.spawn(driver.workflows[0], {"p0": [1]}, "long")
    driver.receipt(Resume(instance="guilty", by="eva"))
    assert driver.only().instance == "long"
    driver.receipt(Pause(instance="guilty", by="eva"))
    driver.spawn(driver.workflows[0], {"p0": [1]}, "next")
    assert [start.instance for start in driver.started] == ["long", "next"]
    driver.receipt(Resume(instance="guilty", by="eva"))
    driver.receipt(Cancel(instance="guilty", by="eva"))
    driver.spawn(driver.workflows[0], {"p0": [1]}, "last")
    assert [start.instance for start in driver.started] == ["long", "next", "last"]


def test_no_suspect_starts_without_a_slot() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    for _ in range(2):
        driver.crash()
        driver.rest()
    driver.slots = 0
    driver.crash()
    driver.rest()
    assert (driver.started, driver.phase(), driver.kernel.has_work) == ([], Phase.SUSPECT, False)
    driver.kernel.set_capacity("thread", 1)
    driver.rest()
    assert driver.only().attempt == 4


@needs_source
def test_a_recovery_that_comes_late_does_not_count_what_has_been_started_since() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash()
    probe = Probe()
    with probed(probe):
        probe.arm(after_calls=0, faults=3)
        driver.rest()
    assert driver.state() == "incident"
    assert [parked.kind for parked in driver.image().parked] == ["Recover"]
    driver.crash()
    driver.rest()
    assert driver.firing().losses == 1


def test_waiting_for_a_handler_ends_when_a_process_knows_it() -> None:
    workflow = single()
    driver = Driver(workflow, slots=0)
    driver.spawn(workflow, {"a": [1]})
    driver.workflows = ()
    driver.crash()
    driver.rest()
    assert driver.state() == "waiting"
    assert driver.history()[-1].detail == {"reason": "no handler in this process for t"}
    driver.workflows = (workflow,)
    driver.slots = 1
    driver.crash()
    driver.finish_all()
    assert driver.state() == "completed"
    assert driver.history()[-2].attempt == 1
