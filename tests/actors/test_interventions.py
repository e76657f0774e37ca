"""What people do to running instances, and what they are answered."""

from placet.actors.answers import Receipt
from placet.actors.messages import Cancel, Pause, Resume, RetryIncident
from placet.petri.workflow import Workflow
from tests.actors.driver import Driver, done
from tests.actors.flows import chain, same, single


def test_a_paused_instance_counts_results_and_chooses_nothing() -> None:
    driver = Driver(chain(2))
    driver.spawn(driver.workflows[0], {"p0": ["x"]})
    driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva", why="lunch"))
    driver.finish()
    assert (driver.state(), driver.marking(), driver.started) == ("paused", {"p1": ["x"]}, [])
    driver.receipt(lambda reply: Resume(instance="one", reply=reply, by="eva"))
    assert driver.state() == "running"
    driver.finish()
    assert driver.state() == "completed"
    assert driver.kinds() == ["spawned", "paused", "fired", "resumed", "fired", "completed"]
    assert driver.history()[1].detail == {"by": "eva", "why": "lunch"}


def test_a_pause_survives_a_crash() -> None:
    driver = Driver(chain(2))
    driver.spawn(driver.workflows[0], {"p0": ["x"]})
    driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva"))
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.started, driver.firing().losses) == ("paused", [], 1)
    driver.receipt(lambda reply: Resume(instance="one", reply=reply, by="eva"))
    driver.finish()
    assert driver.state() == "completed"


def test_pausing_twice_changes_nothing_and_says_so() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    first = driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva"))
    second = driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="bob"))
    assert (first.already, second.already) == (False, True)
    assert driver.kinds().count("paused") == 1


def test_cancelling_waits_for_what_runs_and_leaves_the_tokens() -> None:
    driver = Driver(chain(2), slots=1)
    driver.spawn(driver.workflows[0], {"p0": ["x", "y"]})
    driver.receipt(lambda reply: Cancel(instance="one", reply=reply, by="eva"))
    assert driver.state() == "cancelling"
    driver.finish()
    assert (driver.state(), driver.marking()) == ("cancelled", {"p0": ["y"], "p1": ["x"]})
    assert driver.refusal(lambda reply: Pause(instance="one", reply=reply, by="eva")).code == "ended"


def test_a_cancelled_instance_whose_engine_dies_ends_at_the_next_start() -> None:
    driver = Driver(chain(2))
    driver.spawn(driver.workflows[0], {"p0": ["x"]})
    driver.receipt(lambda reply: Cancel(instance="one", reply=reply, by="eva"))
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.marking()) == ("cancelled", {"p0": ["x"]})


def test_a_request_id_gets_its_recorded_answer() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    first = driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva", request_id="r1"))
    driver.receipt(lambda reply: Resume(instance="one", reply=reply, by="eva"))
    driver.clock.advance(60.0)
    driver.crash()
    again = driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva", request_id="r1"))
    assert again == Receipt(instance="one", at=first.at, already=True)
    driver.finish()
    assert driver.state() == "completed"
    late = driver.receipt(lambda reply: Pause(instance="one", reply=reply, by="eva", request_id="r1"))
    assert late.already


def test_what_does_not_apply_is_refused() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    retry = driver.refusal(lambda reply: RetryIncident(instance="one", reply=reply, by="eva", incident=3))
    nobody = driver.refusal(lambda reply: Pause(instance="nobody", reply=reply, by="eva"))
    assert (retry.code, nobody.code) == ("no_incident", "not_found")


def test_a_result_after_a_crash_that_nobody_waits_for_is_dropped() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    old = driver.only()
    driver.crash()
    driver.rest()
    driver.kernel.deliver(done(old, (0, "old")))
    driver.rest()
    driver.deliver(driver.only(), done(driver.only(), (0, "new")))
    driver.rest()
    assert driver.marking() == {"b": ["new"]}
    assert "stale" in driver.kinds()


def test_composites_run_as_one_instance_and_share_their_ports() -> None:
    inner = Workflow("inner")
    todo, half, ready = inner.places("todo half ready")
    inner.transition(todo >> half, "begin", handler=same)
    inner.transition(half >> ready, "end", handler=same, run="inline")
    outer = Workflow("outer")
    received, packed, sent = outer.places("received packed sent")
    outer.composite("fulfil", inner, {todo: received, ready: packed})
    outer.transition(packed >> sent, "send", handler=same)
    driver = Driver(outer)
    driver.spawn(outer, {received: ["x", "y"]})
    assert {start.transition.path for start in driver.started} == {"fulfil/begin"}
    driver.crash()
    driver.finish()
    assert (driver.state(), driver.marking()) == ("completed", {"sent": ["x", "y"]})
    fired = [record.transition for record in driver.history() if record.kind == "fired"]
    assert sorted(fired) == sorted(["fulfil/begin", "fulfil/end", "send"] * 2)
