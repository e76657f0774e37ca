"""People and a running engine: tasks waited for and decided, tokens and parts in their hands, typed values."""

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placet import (
    Approve,
    BadRequest,
    Claim,
    Complete,
    EditToken,
    Inject,
    Instance,
    InstanceState,
    MoveToken,
    NotCompleted,
    NotFound,
    Outputs,
    Put,
    Receipt,
    Reject,
    RequestRefused,
    Runtime,
    Unclaim,
    WaitTimeout,
    Workflow,
    WrongType,
)
from placet.actors.task_id import TaskId
from tests.runtime.workflows import WAIT_S, Gate, gated


def tenfold(count: int) -> int:
    return count * 10


def same(value: object) -> object:
    return value


def orders() -> Workflow:
    """Return a price that a manager decides on when it is high."""
    workflow = Workflow("orders")
    received = workflow.place("received", type=int)
    priced = workflow.place("priced", type=int)
    approved = workflow.place("approved", type=int)
    (rejected,) = workflow.places("rejected")
    workflow.transition(received >> priced, "price", handler=tenfold, run="inline")
    workflow.approval("manager", priced, approve=approved, reject=rejected)
    return workflow


def typed() -> Workflow:
    """Return a handler whose value is of the wrong type where it is given a text, and a door for numbers."""
    workflow = Workflow("typed")
    start, done = workflow.place("start"), workflow.place("done", type=int)
    workflow.place("door", type=int, external=True)
    workflow.transition(start >> done, "step", handler=same)
    workflow.transition(workflow["door"] >> workflow["start"], "enter")
    return workflow


def as_it_is(value: object) -> object:
    return value


def splitting() -> Workflow:
    workflow = Workflow("splitting")
    start, left, right, up, down = workflow.places("start left right up down")
    again = workflow.place("again")
    workflow.task(start >> (left & again), "split")
    workflow.task(again >> (up | down | right), "choose")
    return workflow


@pytest.fixture
def runtime(tmp_path: Path) -> Generator[Runtime]:
    with Runtime(tmp_path / "state", [orders(), typed(), splitting()], control=False) as runtime:
        yield runtime


def waiting(runtime: Runtime, id: str = "order-17") -> tuple[Instance, str]:
    instance = runtime.spawn("orders", {"received": [180]}, id=id)
    return instance, instance.wait_task("manager", timeout_s=WAIT_S).id


# -- tasks -----------------------------------------------------------------------------------------------------------


def test_a_program_waits_for_a_task_decides_it_and_has_its_result(runtime: Runtime) -> None:
    instance, task = waiting(runtime)
    assert instance.state is InstanceState.WAITING
    receipt = instance.tell(Approve(task, by="eva", why="known customer"))
    assert (receipt.instance, receipt.already) == ("order-17", False)
    assert instance.result(timeout_s=WAIT_S) == {"approved": [1800]}


def test_a_result_waits_for_the_person_without_an_error(runtime: Runtime) -> None:
    instance, task = waiting(runtime)
    with pytest.raises(WaitTimeout):
        instance.result(timeout_s=0.01)
    assert runtime.explain("order-17") == f"order-17 is waiting: a person is to decide on {task}"
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(instance.result, WAIT_S)
        instance.reject(task, by="eva", value="too much")
        assert result.result(WAIT_S) == {"rejected": ["too much"]}


def test_who_waits_for_a_task_is_told_when_it_comes(runtime: Runtime) -> None:
    instance = runtime.spawn("splitting", {"start": [1]}, id="s")
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(instance.wait_task, "choose", WAIT_S)
        instance.complete(instance.wait_task("split", WAIT_S).id, by="eva")
        assert later.result(WAIT_S).value == 1


def test_a_wait_for_a_task_ends_where_none_will_come(runtime: Runtime) -> None:
    instance, task = waiting(runtime)
    with pytest.raises(NotFound, match="its manual transitions: manager"):
        instance.wait_task("price", timeout_s=WAIT_S)
    instance.approve(task, by="eva")
    with pytest.raises(NotCompleted):
        instance.wait_task("manager", timeout_s=WAIT_S)
    other = runtime.spawn("splitting", {"start": [1]})
    with pytest.raises(WaitTimeout):
        other.wait_task("choose", timeout_s=0.01)


def test_tasks_are_waited_for_and_told_in_asyncio_too(runtime: Runtime) -> None:
    async def decide() -> Receipt:
        instance = await runtime.spawn_async("orders", {"received": [1]})
        task = await instance.wait_task_async("manager", timeout_s=WAIT_S)
        return await instance.tell_async(Approve(task.id, by="eva"))

    assert not asyncio.run(decide()).already


def test_of_many_who_decide_at_once_exactly_one_wins(runtime: Runtime) -> None:
    instance, task = waiting(runtime)
    start = threading.Barrier(16)

    def decide(number: int) -> RequestRefused | Receipt:
        start.wait(WAIT_S)
        try:
            return instance.tell((Approve, Reject)[number % 2](task, by=f"person {number}"))
        except RequestRefused as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(decide, range(16)))
    (winner,) = [number for number, answer in enumerate(answers) if isinstance(answer, Receipt)]
    losers = [answer for answer in answers if isinstance(answer, RequestRefused)]
    assert {(loser.refusal, loser.by) for loser in losers} == {("decided", f"person {winner}")}
    assert all(loser.at > 0 for loser in losers)
    assert instance.result(WAIT_S) == {("approved", "rejected")[winner % 2]: [1800]}


def test_who_repeats_a_request_after_a_broken_connection_gets_the_recorded_answer(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [orders()]) as runtime:
        instance, task = waiting(runtime)
        first = instance.approve(task, by="eva", request_id="r-1")
        assert instance.result(WAIT_S)
    with Runtime(tmp_path / "state", [orders()]) as runtime:
        again = runtime.instance("order-17").approve(task, by="eva", request_id="r-1")
        assert (again.already, again.at) == (True, first.at)


def test_claims_and_roles_go_through_the_same_verbs(tmp_path: Path) -> None:
    workflow = Workflow("roles")
    start, yes, no = workflow.places("start yes no")
    workflow.approval("boss", start, approve=yes, reject=no, roles=["manager"])
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: [1]})
        task = instance.wait_task("boss", WAIT_S).id
        with pytest.raises(RequestRefused, match="role manager"):
            instance.tell(Claim(task, by="eva"))
        instance.tell(Claim(task, by="eva", roles=["manager"]))
        assert [one.id for one in runtime.tasks(role="manager", assignee="eva")] == [task]
        assert not list(runtime.tasks(assignee="bob")) + list(runtime.tasks(role="clerk"))
        with pytest.raises(RequestRefused) as claimed:
            instance.approve(task, by="bob", roles="manager")
        assert (claimed.value.refusal, claimed.value.by) == ("claimed", "eva")
        instance.tell(Unclaim(task, by="bob"))
        instance.approve(task, by="bob", roles=["manager"])


def test_tasks_are_listed_by_transition_and_instance(runtime: Runtime) -> None:
    waiting(runtime, "a")
    _, second = waiting(runtime, "b")
    runtime.spawn("splitting", {"start": [1]}, id="c").wait_task("split", WAIT_S)
    assert sorted(task.instance for task in runtime.tasks(transition="manager")) == ["a", "b"]
    assert [task.id for task in runtime.tasks(instance="b")] == [second]
    assert len(list(runtime.tasks())) == 3
    with pytest.raises(NotFound):
        runtime.tasks(instance="nobody")


def test_a_task_is_completed_with_values_for_its_outputs(runtime: Runtime) -> None:
    instance = runtime.spawn("splitting", {"start": [1, 2, 3]}, id="c")
    split = [task.id for task in instance.tasks()]
    instance.complete(split[0], Outputs({"left": [10], "again": [11]}), by="eva")
    instance.complete(split[1], 20, by="eva")
    instance.tell(Complete(split[2], by="eva"))
    assert instance.marking() == {"left": [10, 20, 3], "again": [11, 20, 3]}
    choose = [task.id for task in runtime.tasks(transition="choose")]
    with pytest.raises(RequestRefused, match="gives to one of up, down, right"):
        instance.complete(choose[0], by="eva")
    instance.complete(choose[0], by="eva", output="up")
    instance.complete(choose[1], 21, by="eva", output="down")
    instance.complete(choose[2], Outputs({"right": [31]}), by="eva")
    assert instance.complete(choose[2], by="eva", output="right").already
    assert instance.result(WAIT_S) == {"left": [10, 20, 3], "up": [11], "down": [21], "right": [31]}


def test_a_yes_or_no_to_what_is_no_approval_is_refused_at_once(runtime: Runtime) -> None:
    instance = runtime.spawn("splitting", {"start": [1]}, id="c")
    for kind in (Approve, Reject):
        with pytest.raises(RequestRefused) as refused:
            instance.tell(kind(instance.wait_task("split", WAIT_S).id, by="eva"))
        assert refused.value.refusal == "no_approval"


def test_a_task_with_a_choice_of_two_is_completed_and_never_approved(tmp_path: Path) -> None:
    workflow = Workflow("two")
    start, left, right = workflow.places("start left right")
    workflow.task(start >> (left | right), "choose")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [1]}, id="two")
        task = instance.wait_task("choose", WAIT_S).id
        for verb in (instance.approve, instance.reject):
            with pytest.raises(
                RequestRefused, match=r"it is completed, .*; its output is one of left, right"
            ) as refused:
                verb(task, by="eva")
            assert refused.value.refusal == "no_approval"
        with pytest.raises(RequestRefused, match="`output=` in Python and `--to` on the command line"):
            instance.complete(task, by="eva")
        instance.complete(task, by="eva", output=right)
        assert instance.result(WAIT_S) == {"right": [1]}


def test_what_names_no_task_is_refused_before_it_is_sent(runtime: Runtime) -> None:
    instance, task = waiting(runtime)
    waiting(runtime, "other")
    for text in ("", "order-17", "order-17/manager", "order-17/manager.x", "order-17.3", "order-17/manager.-1"):
        with pytest.raises(BadRequest):
            instance.tell(Approve(text, by="eva"))
    with pytest.raises(BadRequest, match="send it to other"):
        instance.tell(Approve(task.replace("order-17", "other"), by="eva"))
    for text in ("order-17/manager.999", task.replace("manager", "price")):
        with pytest.raises(RequestRefused) as refused:
            instance.tell(Approve(text, by="eva"))
        assert refused.value.refusal == "no_task"


@pytest.mark.parametrize("instance", ["order-17", "a.b.7", "with blank", "1.2/"[:3], "é#.°"])
@pytest.mark.parametrize("transition", ["manager", "fulfil/inspect"])
def test_the_id_of_a_task_is_read_as_it_was_written(instance: str, transition: str) -> None:
    task = TaskId(instance=instance, transition=transition, number=41)
    assert TaskId.parse(str(task)) == task


# -- tokens, parts, types --------------------------------------------------------------------------------------------


def test_each_hand_on_a_token_has_its_verb(runtime: Runtime) -> None:
    instance, _ = waiting(runtime)
    (token,) = instance.view().tokens["priced"]
    instance.freeze_token(token, by="eva")
    assert (instance.view().frozen, list(instance.tasks())) == ((token,), [])
    instance.edit_token(token, 7, by="eva", why="a mistake")
    instance.thaw_token(token, by="eva")
    assert instance.wait_task("manager", WAIT_S).value == 7
    instance.inject("priced", 8, by="eva")
    first, second = instance.view().tokens["priced"]
    instance.drop_token(second, by="eva")
    instance.move_token(first, "approved", by="eva")
    assert instance.result(WAIT_S) == {"approved": [7]}


def test_a_token_comes_in_through_a_place_fed_from_outside(runtime: Runtime) -> None:
    instance = runtime.spawn("typed", {"door": [1]}, id="t")
    with pytest.raises(WrongType, match="place `door` takes int, not a value of type str"):
        instance.put("door", "2")
    with pytest.raises(RequestRefused, match="takes no tokens into 'received'"):
        runtime.spawn("orders", {"received": [1]}, id="o").put("received", 2)
    assert instance.result(WAIT_S) == {"done": [1]}


def test_a_part_is_paused_and_resumed_by_its_path(tmp_path: Path) -> None:
    gate = Gate()
    with Runtime(tmp_path / "state", [gated(gate)]) as runtime:
        instance = runtime.spawn("gated", {"start": [1]}, id="g")
        gate.wait_reached()
        instance.pause(by="eva", target="finish")
        gate.open()
        instance.wait_until([InstanceState.WAITING], WAIT_S)
        assert (instance.marking(), instance.view().paused_parts) == ({"held": [1]}, ("finish",))
        assert runtime.explain("g") == "g is waiting: finish paused"
        instance.resume(by="eva", target="finish")
        assert instance.result(WAIT_S) == {"done": [1]}


def test_a_value_of_the_wrong_type_is_refused_wherever_a_person_or_program_gives_it(runtime: Runtime) -> None:
    with pytest.raises(WrongType):
        runtime.spawn("orders", {"received": ["many"]})
    instance, task = waiting(runtime)
    (token,) = instance.view().tokens["priced"]
    with pytest.raises(WrongType):
        instance.approve(task, by="eva", value="yes")
    with pytest.raises(WrongType):
        instance.complete(task, "yes", by="eva", output="approved")
    with pytest.raises(WrongType):
        instance.inject("priced", "many", by="eva")
    with pytest.raises(WrongType):
        instance.edit_token(token, None, by="eva")
    instance.reject(task, by="eva", value="no type is declared here")
    assert instance.result(WAIT_S)


def test_a_token_is_not_moved_to_where_its_value_does_not_fit(tmp_path: Path) -> None:
    workflow = Workflow("moving")
    start, done, other = workflow.place("start"), workflow.place("done", type=int), workflow.place("other", type=list)
    workflow.task(start >> (done | other), "choose")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: ["text"]}, id="m")
        token = instance.wait_task("choose", WAIT_S).token
        with pytest.raises(WrongType, match="place `done` takes int, not a value of type str"):
            instance.move_token(token, done, by="eva")
        with pytest.raises(WrongType):
            instance.tell(MoveToken(token=token, place="other", by="eva"))
        with pytest.raises(WrongType):
            runtime.tell("m", MoveToken(token=token, place="done", by="eva"))
        with pytest.raises(RequestRefused, match="has no place 'nowhere'"):
            instance.move_token(token, "nowhere", by="eva")
        with pytest.raises(RequestRefused, match="is in no place"):
            instance.move_token(99, done, by="eva")
        assert instance.marking() == {"start": ["text"]}
        instance.edit_token(token, 5, by="eva")
        instance.move_token(token, done, by="eva")
        assert instance.result(WAIT_S) == {"done": [5]}


def test_a_value_that_cannot_be_loaded_here_may_be_moved_anywhere(tmp_path: Path) -> None:
    workflow = Workflow("moving")
    start, done = workflow.place("start"), workflow.place("done", type=int)
    workflow.task(start >> done, "choose")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {start: [Unloadable()]}, id="m")
        instance.move_token(instance.wait_task("choose", WAIT_S).token, done, by="eva")
        instance.wait_until(["completed"], WAIT_S)
        assert instance.view().marking.keys() == {"done"}


class Unloadable:
    """Pickles, and does not load."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


@pytest.mark.parametrize("run", ["thread", "inline", "process"])
def test_an_output_of_the_wrong_type_is_a_failure_that_names_the_place(tmp_path: Path, run: str) -> None:
    workflow = Workflow("wrong")
    start, done = workflow.place("start"), workflow.place("done", type=int)
    workflow.transition(start >> done, "step", handler=as_it_is, run=run)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {start: [1]}).result(WAIT_S) == {"done": [1]}
        instance = runtime.spawn(workflow, {start: ["text"]})
        with pytest.raises(NotCompleted, match="OutputError"):
            instance.result(WAIT_S)
        (incident,) = instance.view().incidents
        assert "returned 'text' (str) for `done`, which takes int" in incident.failures[0].message


def test_more_tokens_than_an_entry_holds_are_refused_at_the_spawn(tmp_path: Path) -> None:
    workflow = Workflow("narrow")
    start, done = workflow.place("start", capacity=2), workflow.place("done")
    workflow.transition(start >> done, "step")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        with pytest.raises(RequestRefused, match="start holds 2 tokens at most, and 3 were given") as refused:
            runtime.spawn(workflow, {start: [1, 2, 3]})
        assert refused.value.refusal == "full"
        assert runtime.spawn(workflow, {start: [1, 2]}).result(WAIT_S) == {"done": [1, 2]}


def test_a_put_and_another_value_for_a_token_can_be_told(tmp_path: Path) -> None:
    workflow = Workflow("hall")
    door, never, out = workflow.place("door", external=True, type=int), workflow.place("never"), workflow.place("out")
    workflow.transition((door & never) >> out, "work", handler=lambda *values: values)
    workflow.transition((workflow.place("kept") & never) >> out, "keep", handler=lambda *values: values)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"kept": [0]}, id="one")
        instance.tell(Put("door", 1, request_id="once"), WAIT_S)
        assert instance.tell_later(Put("door", 1, request_id="once")).result(WAIT_S).already
        runtime.tell("one", Put(workflow["door"], 2), WAIT_S)
        first, second = instance.view().tokens["door"]
        instance.tell(EditToken(first, 10, by="eva"), WAIT_S)
        asyncio.run(instance.tell_async(EditToken(second, 20, by="eva"), WAIT_S))
        assert instance.marking()["door"] == [10, 20]
        with pytest.raises(WrongType):
            instance.tell(EditToken(second, "text", by="eva"), WAIT_S)
        with pytest.raises(WrongType):
            runtime.tell("one", Put("door", "text"), WAIT_S)
        with pytest.raises(BadRequest, match=r"inject\(place, value, by="):
            instance.tell(Inject("door", 3), WAIT_S)
        with pytest.raises(BadRequest, match=r"inject\(place, value, by="):
            runtime.tell("one", Inject("door", 3), WAIT_S)


def test_no_address_is_named_as_such_and_one_frozen_token_is_one(tmp_path: Path) -> None:
    workflow = Workflow("frozen")
    start, done = workflow.places("start done")
    workflow.task(start >> done, "choose")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        with pytest.raises(NotFound, match="there is no instance '';"):
            runtime.find("")
        instance = runtime.spawn(workflow, {start: [1]}, id="one")
        instance.freeze_token(instance.view().tokens["start"][0], by="eva", timeout_s=WAIT_S)
        assert runtime.explain("one").endswith(": 1 token frozen")
