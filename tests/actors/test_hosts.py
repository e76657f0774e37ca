"""Attempts that are lost with another host, and instances for whose handlers there is no host."""

from placet.actors.effects import Start
from placet.actors.messages import Cancel, Grant, Lost
from placet.actors.records import Phase
from placet.petri.behaviour import THREAD
from placet.supervision.retry import Retry
from tests.actors.driver import Driver
from tests.actors.flows import chain, single


def lost(start: Start, *, clean: bool = False) -> Lost:
    """Return that an attempt will not be answered."""
    index = start.transition.index
    return Lost(
        root=start.root,
        transition=index,
        number=start.number,
        attempt=start.attempt,
        reason="node b is silent",
        clean=clean,
    )


def lose(driver: Driver, *, clean: bool = False) -> None:
    """Lose the only attempt that runs."""
    start = driver.only()
    driver.deliver(start, lost(start, clean=clean))
    driver.rest()


def test_an_attempt_that_is_lost_with_its_host_is_counted_apart_from_failures_and_made_again() -> None:
    driver = Driver(single(retry=Retry(attempts=1)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    first = driver.only()
    lose(driver)
    firing = driver.firing()
    assert (firing.losses, firing.failed, firing.attempt) == (1, 0, 2)
    assert firing.failures[-1].message == "node b is silent"
    driver.answer(first)  # late
    driver.rest()
    assert driver.kinds() == ["spawned", "lost", "stale"]
    driver.finish_all()
    assert driver.state() == "completed"
    assert driver.kinds()[-2:] == ["fired", "completed"]


def test_an_attempt_whose_host_stopped_cleanly_is_made_again_and_counts_nothing() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    lose(driver, clean=True)
    firing = driver.firing()
    assert (firing.losses, firing.attempt, firing.phase) == (0, 2, Phase.RUNNING)
    assert driver.kinds() == ["spawned"]


def test_from_its_third_loss_a_firing_runs_alone_and_after_three_more_it_is_an_incident() -> None:
    driver = Driver(chain(1), slots=10)
    driver.spawn(driver.workflows[0], {"p0": [1]}, "guilty")
    for _ in range(2):
        lose(driver)
    driver.spawn(driver.workflows[0], {"p0": [1]}, "other")
    guilty = next(start for start in driver.started if start.instance == "guilty")
    driver.deliver(guilty, lost(guilty))
    driver.rest()
    assert driver.only().instance == "other"
    driver.finish()
    for _ in range(3):
        assert driver.only().instance == "guilty"
        lose(driver)
    assert driver.phase("guilty") is Phase.INCIDENT
    assert driver.state("guilty") == "incident"


def test_what_is_lost_in_an_instance_that_is_to_end_goes_back_to_its_place() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.send(Cancel(instance="one", by="eva"))
    driver.rest()
    assert driver.state() == "cancelling"
    lose(driver)
    assert driver.state() == "cancelled"
    assert driver.marking()["a"] == [1]


def test_an_instance_waits_with_the_reason_while_no_host_can_run_what_it_wants_and_spends_no_attempt() -> None:
    driver = Driver(single(), slots=0)
    driver.kernel.set_lack(THREAD, "no host has gpu=1")
    driver.spawn(driver.workflows[0], {"a": [1]})
    assert driver.state() == "waiting"
    assert driver.history()[-1].detail == {"reason": "no host has gpu=1"}
    assert not driver.started
    driver.kernel.set_lack(THREAD, "")
    driver.rest()
    assert driver.state() == "running"
    driver.kernel.set_capacity(THREAD, 1)
    driver.rest()
    assert driver.only().attempt == 1
    driver.finish_all()
    assert driver.kinds() == ["spawned", "waiting", "fired", "completed"]


def test_an_instance_that_waits_for_a_slot_hears_that_there_is_no_host_any_more() -> None:
    driver = Driver(single(), slots=0)
    driver.spawn(driver.workflows[0], {"a": [1]})
    assert driver.state() == "running"
    driver.kernel.set_lack(THREAD, "no host has gpu=1")
    driver.rest()
    assert driver.state() == "waiting"
    driver.crash()
    driver.rest()
    assert driver.state() == "running", "the next engine has not been told so"
    assert not [one for one in driver.kernel.waiting_messages() if isinstance(one, Grant)]
