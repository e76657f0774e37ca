"""Composites: nets inside nets, fused into one instance."""

from placet.petri.workflow import Workflow
from tests.actors.driver import Driver
from tests.actors.flows import same


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
    driver.finish_all()
    assert (driver.state(), driver.marking()) == ("completed", {"sent": ["x", "y"]})
    fired = [record.transition for record in driver.history() if record.kind == "fired"]
    assert sorted(fired) == sorted(["fulfil/begin", "fulfil/end", "send"] * 2)
