"""What people do through the handle of a place or a fused composite, and what its handle refuses."""

import asyncio
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from placet import (
    ActorHandle,
    BadRequest,
    Cancel,
    Instance,
    InstanceState,
    Pause,
    Put,
    RequestRefused,
    Resume,
    Runtime,
    Workflow,
)
from placet.net.remote_part import RemoteActorHandle
from tests.runtime.workflows import WAIT_S

S = InstanceState


def paying() -> Workflow:
    """Return a composite in which a person decides, a step fails for a negative value, and a door is."""
    workflow = Workflow("paying")
    due, checked, settled = workflow.places("due checked settled")
    door = workflow.place("door", external=True, type=int)

    def check(amount: int) -> int:
        if amount < 0:
            raise ValueError("less than nothing")
        return amount

    workflow.transition(due >> checked, "check", handler=check, run="inline")
    workflow.task(checked >> settled, "settle")
    workflow.transition(door >> checked, "enter")
    return workflow


def ordering() -> Workflow:
    workflow = Workflow("ordering")
    received, paid, sent = workflow.places("received paid sent")
    workflow.composite("pay", paying(), {"due": received.name, "settled": paid.name})
    workflow.task(paid >> sent, "send")
    noted, known = workflow.places("noted known")
    workflow.task(noted >> known, "read")
    return workflow


@pytest.fixture
def runtime(tmp_path: Path) -> Generator[Runtime]:
    with Runtime(tmp_path / "state", [ordering()], control=False) as runtime:
        yield runtime


def begin(runtime: Runtime, *amounts: int) -> tuple[Instance, ActorHandle]:
    tokens: dict[str, list[object]] = {"received": [*amounts], "noted": ["a letter"]}
    instance = runtime.spawn("ordering", tokens, id="one")
    return instance, part(runtime, "one/pay")


def part(runtime: Runtime, address: str) -> ActorHandle:
    found = runtime.find(address)
    assert isinstance(found, ActorHandle), found
    return found


def test_tasks_in_a_composite_are_claimed_and_decided(runtime: Runtime) -> None:
    instance, pay = begin(runtime, 1, 2)
    first = pay.wait_task("settle", WAIT_S)
    pay.claim(first.id, by="eva")
    with pytest.raises(RequestRefused, match="claimed by eva"):
        pay.complete(first.id, by="adam")
    pay.unclaim(first.id, by="adam")
    pay.complete(first.id, 10, by="adam")
    outer = instance.wait_task("send", WAIT_S)
    assert outer.value == 10
    with pytest.raises(BadRequest, match=r"one/send\.\d+ is no task of pay"):
        pay.complete(outer.id, by="eva")
    part(runtime, "one/pay/checked").complete(next(pay.tasks()).id, by="eva", why="a place has tasks too")
    with pytest.raises(BadRequest, match="no task of pay/door"):
        part(runtime, "one/pay/door").complete(outer.id, by="eva")


def test_tokens_in_a_composite_are_changed_moved_frozen_and_dropped(runtime: Runtime) -> None:
    instance, pay = begin(runtime, 1, 2)
    pay.pause(by="eva")
    first, second = pay.tokens()["checked"]
    pay.edit_token(first, 5, by="eva")
    pay.freeze_token(second, by="eva")
    assert pay.view().frozen == (second,)
    assert pay.marking() == {"checked": [5, 2]}
    pay.thaw_token(second, by="eva")
    pay.move_token(first, "settled", by="eva", why="it is named as the composite does")
    assert instance.marking() == {"pay/checked": [2], "paid": [5], "noted": ["a letter"]}
    assert pay.drop_token(second, by="eva", request_id="once").already is False
    assert pay.drop_token(second, by="eva", request_id="once").already, "what is gone is answered as before"
    instance.inject("sent", 7, by="eva")
    (outside,) = instance.view().tokens["sent"]
    elsewhere = f"token {outside} is in sent, and not in pay"
    with pytest.raises(BadRequest, match=elsewhere):
        pay.drop_token(outside, by="eva")
    with pytest.raises(BadRequest, match=elsewhere):
        pay.edit_token(outside, 1, by="eva")
    with pytest.raises(BadRequest, match=elsewhere):
        part(runtime, "one/pay/checked").freeze_token(outside, by="eva")
    assert instance.marking()["sent"] == [7]


def test_incidents_in_a_composite_are_retried_skipped_and_given_up(runtime: Runtime) -> None:
    instance, pay = begin(runtime, -1, -2)
    instance.wait_until(S.INCIDENT, WAIT_S)
    first, second = pay.view().incidents
    assert pay.explain().startswith(f"one/pay has an open incident, number {first.number}: pay/check failed with")
    assert part(runtime, "one/paid").view().incidents == ()
    with pytest.raises(BadRequest, match=f"incident {first.number} is not one of paid"):
        part(runtime, "one/paid").retry(first.number, by="eva")
    pay.skip(first.number, 4, by="eva")
    pay.retry(second.number, by="eva")
    instance.wait_until(S.INCIDENT, WAIT_S)
    assert pay.wait_task("settle", WAIT_S).value == 4
    pay.fail(second.number, by="eva")
    assert instance.wait_until(S.FAILED, WAIT_S) is S.FAILED
    assert (pay.state, pay.explain()) == (S.FAILED, "one/pay is failed, as its instance is")


def test_the_state_of_a_composite_is_that_of_what_is_in_it(runtime: Runtime) -> None:
    instance, pay = begin(runtime, 1)
    task = pay.wait_task("settle", WAIT_S)
    assert (pay.state, pay.explain()) == (S.WAITING, f"one/pay is waiting: a person is to decide on {task.id}")
    pay.pause(by="eva")
    assert (pay.state, instance.state) == (S.PAUSED, S.WAITING)
    assert part(runtime, "one/pay/door").state is S.PAUSED, "what takes from it is paused"
    assert pay.explain() == "one/pay is paused"
    pay.resume(by="eva")
    pay.drop_token(task.token, by="eva")
    assert (pay.state, pay.explain()) == (S.WAITING, "one/pay is waiting: nothing is in it")
    pay.tell(Put("door", -1))
    part(runtime, "one/pay").move_token(pay.wait_task("settle", WAIT_S).token, "due", by="eva")
    assert instance.wait_until(S.INCIDENT, WAIT_S) is pay.state
    assert part(runtime, "one/paid").state is S.WAITING


def test_parts_of_a_composite_are_named_as_it_names_them(runtime: Runtime) -> None:
    instance, pay = begin(runtime)
    pay.tell(Pause(target="settle", by="eva"))
    assert instance.view().paused_parts == ("pay/settle",)
    pay.tell(Resume(target="settle", by="eva"))
    pay.tell(Put("door", 3))
    assert pay.wait_task("settle", WAIT_S).value == 3
    with pytest.raises(BadRequest, match="#urgent is a tag, of the whole instance"):
        pay.tell(Pause(target="#urgent", by="eva"))


def refused(told: Callable[[], object]) -> str:
    with pytest.raises(BadRequest) as caught:
        told()
    return str(caught.value)


def test_a_fused_composite_is_not_cancelled_by_itself(runtime: Runtime) -> None:
    instance, pay = begin(runtime, 1)
    said = refused(lambda: pay.tell(Cancel(by="eva")))
    assert "pay is part of its instance, and ends with it; cancel the instance, pause this part of it" in said
    assert not {"cancel", "result", "wait_until", "parent", "trim_history", "state_values"} & set(dir(pay))
    assert instance.state is not S.CANCELLED


def test_a_composite_in_trouble_below_says_where(tmp_path: Path) -> None:
    buying = Workflow("buying")
    a, b = buying.places("a b")
    buying.call(a >> b, "pay", paying(), entries=["due"], exits=["settled"])
    outer = Workflow("outer")
    wanted, had = outer.places("wanted had")
    outer.composite("buy", buying, {a: wanted, b: had})
    with Runtime(tmp_path / "state", [outer], control=False) as runtime:
        instance = runtime.spawn(outer, {wanted: [-1]}, id="one")
        instance.wait_until(S.INCIDENT, WAIT_S)
        buy = part(runtime, "one/buy")
        (child,) = buy.children()
        assert buy.state is S.INCIDENT
        assert buy.explain() == f"one/buy is incident: {child.id} is incident; step in there"
        child.skip(child.view().incidents[0].number, 3, by="eva")
        child.wait_until(S.WAITING, WAIT_S)
        instance.wait_until(S.RUNNING, WAIT_S)
        assert (buy.state, buy.explain()) == (S.RUNNING, f"one/buy is running: {child.id} is called")


async def work(pay: ActorHandle, door: ActorHandle) -> None:
    task = await pay.wait_task_async("settle", WAIT_S)
    await pay.claim_async(task.id, by="eva")
    await pay.pause_async(by="eva")
    await door.put_async(4)
    await door.inject_async(5, by="eva")
    assert door.values() == [4, 5]
    await pay.resume_async(by="eva")
    await pay.complete_async(task.id, by="eva")
    with pytest.raises(BadRequest):
        await pay.tell_async(Cancel(by="eva"))


def test_its_verbs_have_twins_for_asyncio(runtime: Runtime) -> None:
    instance, pay = begin(runtime, 1)
    asyncio.run(work(pay, part(runtime, "one/pay/door")))
    assert instance.marking()["paid"] == [1]


def test_a_handle_has_the_same_verbs_in_this_process_and_on_a_node() -> None:
    def verbs(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    beside = {"export_to"}  # writes a file of this host
    assert verbs(ActorHandle) - beside <= verbs(RemoteActorHandle)
    twins = verbs(RemoteActorHandle) - verbs(ActorHandle)
    assert all(name.endswith("_async") for name in twins), twins
