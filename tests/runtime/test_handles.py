"""Handles of parts of an instance, and of the instances it calls: found by address, with the verbs of an instance."""

from collections.abc import Generator
from pathlib import Path

import pytest

from placet import (
    ActorHandle,
    BadRequest,
    Instance,
    InstanceState,
    NotFound,
    RequestRefused,
    Runtime,
    Workflow,
    WrongType,
)
from tests.runtime.workflows import WAIT_S, Gate

S = InstanceState


def packing() -> Workflow:
    """Return a step that a person does, and a door to it."""
    workflow = Workflow("packing")
    items, checked, packed = workflow.places("items checked packed")
    door = workflow.place("door", external=True, type=int)
    workflow.transition(items >> checked, "check", handler=abs, run="inline")
    workflow.task(checked >> packed, "pack")
    workflow.transition(door >> checked, "enter")
    return workflow


def fused() -> Workflow:
    workflow = Workflow("fused")
    received, shipped = workflow.places("received shipped")
    workflow.composite("fulfil", packing(), {"items": received.name, "packed": shipped.name})
    return workflow


def calling() -> Workflow:
    workflow = Workflow("calling")
    received, shipped = workflow.places("received shipped")
    workflow.call(received >> shipped, "fulfil", packing(), entries=["items"], exits=["packed"])
    return workflow


def twice() -> Workflow:
    """Return what calls what calls, from within a composite."""
    workflow = Workflow("twice")
    start, end = workflow.places("start end")
    inner = Workflow("inner")
    a, b = inner.places("a b")
    inner.call(a >> b, "order", calling())
    workflow.composite("part", inner, {"a": start.name, "b": end.name})
    return workflow


@pytest.fixture
def runtime(tmp_path: Path) -> Generator[Runtime]:
    with Runtime(tmp_path / "state", [fused(), calling(), twice()], control=False) as runtime:
        yield runtime


def part(runtime: Runtime, address: str) -> ActorHandle:
    found = runtime.find(address)
    assert isinstance(found, ActorHandle), found
    return found


# -- parts --------------------------------------------------------------------------------------------------------


def test_a_composite_has_the_verbs_of_an_instance(runtime: Runtime) -> None:
    instance = runtime.spawn("fused", {"received": [-1, -2]}, id="one")
    fulfil = part(runtime, "one/fulfil")
    assert (fulfil.is_place, fulfil.address) == (False, "one/fulfil")
    task = fulfil.wait_task("pack", WAIT_S)
    assert [one.id for one in fulfil.tasks()] == [one.id for one in instance.tasks()]
    instance.complete(task.id, by="eva")
    assert fulfil.marking() == {"checked": [2], "packed": [1]}, "as it calls its places: its ports too"
    assert fulfil.tokens()["checked"] == instance.view().tokens["fulfil/checked"]
    assert fulfil.values() == []
    fulfil.pause(by="eva")
    (other,) = fulfil.tasks()
    with pytest.raises(RequestRefused, match="is paused"):
        instance.complete(other.id, by="eva")
    fulfil.resume(by="eva")
    instance.complete(other.id, by="eva")
    assert instance.result(WAIT_S) == {"shipped": [1, 2]}
    assert {record.transition for _, record in fulfil.history()} == {"fulfil/check", "fulfil/pack"}
    assert repr(fulfil) == "ActorHandle('one/fulfil')"


def test_a_place_is_looked_into_fed_and_paused(runtime: Runtime) -> None:
    instance = runtime.spawn("fused", {"received": [-1]}, id="one")
    checked, door = part(runtime, "one/fulfil/checked"), part(runtime, "one/fulfil/door")
    instance.wait_task("fulfil/pack", WAIT_S)
    door.pause(by="eva")
    with pytest.raises(WrongType):
        door.put("text")
    door.put(7)
    assert (door.values(), door.marking(), list(door.tokens())) == ([7], {"door": [7]}, ["door"])
    door.resume(by="eva")
    checked.inject(9, by="eva", why="found")
    with pytest.raises(RequestRefused, match="takes no tokens into"):
        checked.put(1)
    assert sorted(str(value) for value in checked.values()) == ["1", "7", "9"]
    assert len([*checked.tasks()]) == 3
    assert not [*door.tasks()]
    assert [record.kind for _, record in checked.history()] == ["injected"]
    with pytest.raises(BadRequest, match="is a composite"):
        part(runtime, "one/fulfil").put(1)
    with pytest.raises(BadRequest, match="is a composite"):
        part(runtime, "one/fulfil").inject(1, by="eva")


def test_a_port_is_the_place_of_its_parent_by_another_name(runtime: Runtime) -> None:
    instance = runtime.spawn("fused", {"received": [-1]}, id="one")
    instance.complete(instance.wait_task("fulfil/pack", WAIT_S).id, by="eva")
    assert instance.result(WAIT_S) == {"shipped": [1]}
    for address in ("one/shipped", "one/fulfil/packed"):
        assert part(runtime, address).values() == [1]


# -- children -----------------------------------------------------------------------------------------------------


def test_a_child_is_found_by_its_address_with_all_that_is_in_it(runtime: Runtime) -> None:
    order = runtime.spawn("calling", {"received": [-41]}, id="order-17")
    (child,) = order.children()
    assert child.id == "order-17/fulfil.2"
    found = runtime.find("order-17/fulfil.2")
    assert isinstance(found, Instance)
    assert found.id == child.id
    parent = child.parent()
    assert parent is not None
    assert (parent.id, order.parent(), child.children()) == ("order-17", None, [])
    child.wait_task("pack", WAIT_S)
    assert part(runtime, "order-17/fulfil.2/checked").values() == [41]
    child.complete(next(child.tasks()).id, by="eva")
    assert order.result(WAIT_S) == {"shipped": [41]}
    assert part(runtime, "order-17/fulfil.2/packed").values() == [41], "it stays to be looked at"
    summaries = {one.instance: one.caller for one in runtime.list()}
    assert summaries == {"order-17": "", "order-17/fulfil.2": "order-17"}


def test_children_come_oldest_first_and_each_is_cancelled_by_itself(runtime: Runtime) -> None:
    order = runtime.spawn("calling", {"received": [-1, -2, -3]}, id="one")
    children = order.children()
    assert [child.id for child in children] == [f"one/fulfil.{number}" for number in (4, 5, 6)]
    children[1].cancel(by="eva")
    order.wait_until([S.INCIDENT], WAIT_S)
    assert [child.state for child in order.children()] == [S.WAITING, S.CANCELLED, S.WAITING]


def test_cancelling_ends_all_that_is_below(runtime: Runtime) -> None:
    top = runtime.spawn("twice", {"start": [-1]}, id="top")
    (middle,) = part(runtime, "top/part").children()
    assert [child.id for child in top.children()] == [middle.id] == ["top/part/order.2"]
    (lowest,) = middle.children()
    assert lowest.id == "top/part/order.2/fulfil.2"
    lowest.wait_task("pack", WAIT_S)
    top.cancel(by="eva", why="all of it")
    top.wait_until([S.CANCELLED], WAIT_S)
    assert (middle.state, lowest.state) == (S.CANCELLED, S.CANCELLED)
    (asked,) = [record for _, record in lowest.history() if record.kind == "cancel_requested"]
    assert isinstance(asked.detail, dict)
    assert asked.detail["by"] == middle.id


def test_who_names_what_calls_is_told_of_its_children(runtime: Runtime) -> None:
    runtime.spawn("calling", {"received": [-1]}, id="one")
    with pytest.raises(NotFound, match=r"no place or composite 'fulfil'; its calls have begun one/fulfil\.2"):
        runtime.find("one/fulfil")
    with pytest.raises(NotFound, match=r"no place or composite 'fulfil\.3'$"):
        runtime.find("one/fulfil.3")


def test_children_with_ids_too_long_to_be_keys_are_found(tmp_path: Path) -> None:
    child = packing()
    workflow = Workflow("calling")
    received, shipped = workflow.places("received shipped")
    workflow.call(received >> shipped, "f" * 390, child, entries=["items"], exits=["packed"])
    with Runtime(tmp_path / "state", [workflow], control=False) as runtime:
        one = runtime.spawn(workflow, {received: [-1]}, id="order-with-a-name")
        (found,) = one.children()
        assert len(found.id.encode()) > 400
        assert found.parent() is not None
        assert part(runtime, f"{found.id}/checked").is_place


# -- who is waited for --------------------------------------------------------------------------------------------


def test_who_waits_below_is_named_those_in_trouble_first_and_nobody_while_anything_runs(tmp_path: Path) -> None:
    gate = Gate()

    def weigh(kilos: int) -> int:
        if kilos == 1:
            gate.pass_through()
        if kilos == 2:
            raise ValueError("too light")
        return kilos

    child = Workflow("weighing")
    items, weighed, packed = child.places("items weighed packed")
    child.transition(items >> weighed, "weigh", handler=weigh)
    child.task(weighed >> packed, "inspect")
    workflow = Workflow("parcels")
    received, shipped = workflow.places("received shipped")
    workflow.call(received >> shipped, "pack", child)
    with Runtime(tmp_path / "state", [workflow], control=False) as runtime:
        parent = runtime.spawn(workflow, {received: [1, 2, 3]}, id="one")
        first, second, third = parent.children()
        gate.wait_reached()
        second.wait_until([S.INCIDENT], WAIT_S)
        task = third.wait_task("inspect", WAIT_S)
        parent.wait_until([S.INCIDENT], WAIT_S)
        assert runtime.explain("one").startswith("one has an incident below it: one/pack.5 has an open incident")
        second.fail(second.view().incidents[0].number, by="eva")
        parent.skip(int(second.id.rpartition(".")[2]), 2, by="eva")
        assert runtime.explain("one") == "one is running", "a child runs"
        gate.open()
        first.wait_task("inspect", WAIT_S)
        assert runtime.explain("one").startswith("one is running, and waits: one/pack.4 is waiting")
        first.complete(next(first.tasks()).id, by="eva")
        parent.wait_until([S.RUNNING], WAIT_S)
        assert runtime.explain("one").endswith(f"one/pack.6 is waiting: a person is to decide on {task.id}")
        third.complete(task.id, by="eva")
        assert sorted(map(str, parent.result(WAIT_S)["shipped"])) == ["1", "2", "3"]
