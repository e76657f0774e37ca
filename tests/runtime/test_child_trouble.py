"""Who waits for a parent is told when a child needs a person, and has its result once that is over."""

import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from placet import InstanceState, NotCompleted, Runtime, WaitTimeout, Workflow
from tests.runtime.workflows import WAIT_S

S = InstanceState
CHILD = "one/fulfil.2"


class Scale:
    """Weighs, once it is mended."""

    def __init__(self) -> None:
        self.mended = threading.Event()

    def weigh(self, grams: int) -> int:
        if not self.mended.is_set():
            raise ValueError("no scale")
        return grams


def calling(scale: Scale) -> Workflow:
    child = Workflow("packing")
    items, packed = child.places("items packed")
    child.transition(items >> packed, "weigh", handler=scale.weigh)
    workflow = Workflow("calling")
    received, shipped = workflow.places("received shipped")
    workflow.call(received >> shipped, "fulfil", child)
    top = Workflow("top")
    start, end = top.places("start end")
    top.call(start >> end, "go", workflow)
    return top


@pytest.fixture
def scale() -> Scale:
    return Scale()


@pytest.fixture
def runtime(tmp_path: Path, scale: Scale) -> Generator[Runtime]:
    with Runtime(tmp_path / "state", [calling(scale)]) as runtime:
        yield runtime


def test_a_result_ends_where_a_child_needs_a_person_and_comes_after_a_retry(runtime: Runtime, scale: Scale) -> None:
    order = runtime.spawn("calling", {"received": [900]}, id="one")
    with pytest.raises(NotCompleted) as raised:
        order.result(WAIT_S)
    assert raised.value.state == "incident"
    assert raised.value.reason == (
        f"one has an incident below it: {CHILD} has an open incident, number 2: "
        "weigh failed with ValueError: no scale; retry it there"
    )
    assert {one.instance for one in runtime.list(S.INCIDENT)} == {"one", CHILD}
    scale.mended.set()
    runtime.instance(CHILD).retry(2, by="eva")
    order.wait_until([S.RUNNING], WAIT_S)
    assert order.result(WAIT_S) == {"shipped": [900]}


def test_everybody_above_a_child_in_trouble_is_told_of_the_deepest(runtime: Runtime, scale: Scale) -> None:
    top = runtime.spawn("top", {"start": [900]}, id="top")
    assert top.wait_until([S.INCIDENT], WAIT_S) is S.INCIDENT
    assert "top/go.2/fulfil.2 has an open incident, number 2" in runtime.explain("top")
    scale.mended.set()
    runtime.instance("top/go.2/fulfil.2").retry(2, by="eva")
    top.wait_until([S.COMPLETED], WAIT_S)


def test_troubles_are_there_after_a_start(tmp_path: Path, scale: Scale) -> None:
    workflow = calling(scale)
    with Runtime(tmp_path / "again", [workflow]) as runtime:
        runtime.spawn("calling", {"received": [900]}, id="one").wait_until([S.INCIDENT], WAIT_S)
    with Runtime(tmp_path / "again", [workflow]) as runtime:
        order = runtime.instance("one")
        assert order.state is S.INCIDENT
        with pytest.raises(NotCompleted):
            order.result(WAIT_S)
        runtime.instance(CHILD).cancel(by="eva")
        order.wait_until([S.INCIDENT], WAIT_S)
        (incident,) = order.view().incidents
        assert incident.failures[-1].type == "ChildCancelled"


def test_a_parent_is_retried_at_its_child_and_says_so(runtime: Runtime) -> None:
    order = runtime.spawn("calling", {"received": [900]}, id="one")
    order.wait_until([S.INCIDENT], WAIT_S)
    with pytest.raises(Exception, match="a call; settle that of its child"):
        order.retry(2, by="eva")
    with pytest.raises(WaitTimeout):
        order.wait_until([S.COMPLETED], 0.0)
