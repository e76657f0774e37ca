"""What people do to running instances, and what they are answered."""

from placet.actors.messages import Pause, Resume, RetryIncident
from tests.actors.driver import Driver
from tests.actors.flows import chain, single


def test_a_pause_survives_a_crash() -> None:
    driver = Driver(chain(2))
    driver.spawn(driver.workflows[0], {"p0": ["x"]})
    driver.receipt(Pause(instance="one", by="eva"))
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.started, driver.firing().losses) == ("paused", [], 1)
    driver.receipt(Resume(instance="one", by="eva"))
    driver.finish_all()
    assert driver.state() == "completed"


def test_what_does_not_apply_is_refused() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    retry = driver.refusal(RetryIncident(instance="one", by="eva", incident=3))
    nobody = driver.refusal(Pause(instance="nobody", by="eva"))
    assert (retry.code, nobody.code) == ("no_incident", "not_found")
