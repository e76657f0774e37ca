"""Actor faults: the turn leaves nothing behind, the message is tried again, and set aside if it keeps failing."""

from collections.abc import Iterator

import pytest

from placet.actors.answers import Entries
from placet.actors.messages import Inspect, Pause, Restart, RetryIncident, Sleep
from placet.testing.probes import Probe, probed
from tests.actors.driver import Driver, done
from tests.actors.flows import chain, join, single
from tests.actors.marks import needs_source

pytestmark = needs_source


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    with probed(probe):
        yield probe


@pytest.mark.parametrize("calls", range(8))
def test_a_turn_that_faults_anywhere_is_as_if_it_had_not_begun(probe: Probe, calls: int) -> None:
    driver, twin = Driver(chain(3)), Driver(chain(3))
    for one in (driver, twin):
        one.spawn(one.workflows[0], {"p0": [1, 2, 3]})
    start = driver.started[0]
    driver.deliver(start, done(start, (0, "x")))
    probe.arm(after_calls=calls, faults=1)
    driver.rest()
    probe.disarm()
    twin.deliver(twin.started[0], done(twin.started[0], (0, "x")))
    twin.rest()
    assert driver.marking() == twin.marking()
    assert driver.kinds() == twin.kinds()
    assert driver.image().firings == twin.image().firings
    assert [one.number for one in driver.started] == [one.number for one in twin.started]


def test_a_faulting_turn_has_no_effects(probe: Probe) -> None:
    driver = Driver(chain(2))
    driver.spawn(driver.workflows[0], {"p0": [1]})
    start = driver.only()
    driver.deliver(start, done(start, (0, "x")))
    probe.arm(after_calls=4, faults=1)
    batch = driver.run(budget=1)
    assert probe.raised == 1
    assert (batch.writes, batch.starts, batch.fired) == ([], {}, 0)
    assert driver.kernel.has_work


def test_a_message_that_keeps_failing_is_parked_and_its_tokens_are_seen(probe: Probe) -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    start = driver.only()
    driver.deliver(start, done(start, (0, "x")))
    probe.arm(after_calls=0, faults=3)
    driver.rest()
    image = driver.image()
    assert (driver.state(), driver.phase().name, len(image.parked)) == ("incident", "INCIDENT", 1)
    assert image.parked[0].kind == "Done"
    assert image.parked[0].failure.type == "placet.testing.probes.ActorFault"
    assert driver.kinds() == ["spawned", "incident", "parked"]
    driver.receipt(RetryIncident(instance="one", by="eva", incident=driver.firing().number))
    driver.finish_all()
    assert driver.state() == "completed"
    assert not driver.image().parked


def test_a_parked_request_is_told_to_its_client_once_and_can_be_retried(probe: Probe) -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    number = driver.send(Pause(instance="one", by="eva"))
    probe.arm(after_calls=0, faults=3)
    driver.rest()
    assert getattr(driver.answers.pop(number), "code", "") == "fault"
    (parked,) = driver.image().parked
    driver.receipt(RetryIncident(instance="one", by="eva", incident=parked.number))
    assert (driver.state(), driver.image().parked) == ("paused", [])
    assert number not in driver.answers


def test_where_even_parking_fails_the_incident_is_on_disk_and_others_go_on(probe: Probe) -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    start = driver.only()
    driver.deliver(start, done(start, (0, "x")))
    probe.arm(after_calls=0, faults=6)
    driver.rest()
    assert driver.state() == "incident"
    assert len(driver.image().parked) == 1
    driver.spawn(driver.workflows[0], {"a": [1]}, "other")
    driver.answer(driver.started[-1])
    driver.rest()
    assert driver.state("other") == "completed"


def test_other_instances_do_not_notice_a_fault(probe: Probe) -> None:
    driver = Driver(chain(1))
    for name in ("one", "two"):
        driver.spawn(driver.workflows[0], {"p0": [1]}, name)
    driver.answer(driver.started[0])
    probe.arm(after_calls=0, faults=3)
    driver.run(budget=2)
    driver.answer(driver.started[0])
    driver.rest()
    assert (driver.state("one"), driver.state("two")) == ("incident", "completed")


# -- one actor alone -----------------------------------------------------------------------------------------


def test_one_place_is_inspected_alone() -> None:
    workflow, left, right = join()
    driver = Driver(workflow)
    driver.spawn(workflow, {left: ["x"]})
    answer = driver.ask(Inspect(instance="one", path="left"))
    assert isinstance(answer, Entries)
    assert [(kind, len(value) > 0) for kind, _, value in answer.entries] == [(2, True)]
    empty = driver.ask(Inspect(instance="one", path=right.name))
    assert isinstance(empty, Entries)
    assert empty.entries == ()


@pytest.mark.parametrize("kind", [Restart, Sleep])
@pytest.mark.parametrize("path", ["", "left", "right"])
def test_one_actor_is_restarted_or_put_to_sleep_alone(kind: type[Restart] | type[Sleep], path: str) -> None:
    workflow, left, _ = join()
    driver = Driver(workflow)
    root = driver.spawn(workflow, {left: ["x", "y"]})
    before = driver.kernel.in_memory()[root].places[0]
    driver.receipt(kind(instance="one", path=path))
    workflows = driver.kernel.in_memory()
    if path == "":
        assert root not in workflows
    elif path == "left":
        assert workflows[root].places[0] is not before
    else:
        assert workflows[root].places[0] is before
    assert driver.marking() == {"left": ["x", "y"]}
    assert driver.state() == "stuck"


def test_a_place_asleep_wakes_when_its_token_is_wanted() -> None:
    driver = Driver(chain(2), slots=0)
    driver.spawn(driver.workflows[0], {"p0": ["x", "y"]})
    driver.receipt(Sleep(instance="one", path="p0"))
    driver.kernel.set_capacity("thread", 5)
    driver.finish_all()
    assert driver.marking() == {"p2": ["x", "y"]}


def test_an_unknown_actor_is_refused() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    for kind in (Inspect, Restart, Sleep):
        assert driver.refusal(kind(instance="one", path="c")).code == "no_actor"


def test_idle_instances_leave_memory_and_come_back() -> None:
    workflow, left, _ = join()
    driver = Driver(workflow)
    for number in range(300):
        driver.spawn(workflow, {left: ["x"]}, f"i{number}")
    assert len(driver.kernel.in_memory()) <= 256
    assert driver.state("i0") == "stuck"
    driver.receipt(Pause(instance="i0", by="eva"))
    assert driver.state("i0") == "paused"
