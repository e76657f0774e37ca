"""People at a node: tasks, tokens and parts of instances over the network, with the answers of the embedded runtime."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from placet import (
    Approve,
    Complete,
    InstanceState,
    MoveToken,
    NotCompleted,
    NotFound,
    Outputs,
    Reject,
    RemoteInstance,
    RequestRefused,
    ValueNotEncodable,
    WaitTimeout,
    WrongType,
)
from placet.net.client import Client
from tests.endtoend.processes import PATIENCE_S
from tests.net.nodes import RunningNode

S = InstanceState


def asking(client: Client, id: str, *values: int) -> tuple[RemoteInstance, str]:
    """Return an instance that waits for its boss, and the id of its oldest task."""
    instance = client.spawn("asking", {"asked": list(values) or [5]}, id=id)
    return instance, instance.wait_task("boss", PATIENCE_S).id


# -- tasks --------------------------------------------------------------------------------------------------------


def test_tasks_are_listed_as_the_runtime_lists_them(client: Client) -> None:
    instance, task = asking(client, "l-1", 5, 6)
    asking(client, "l-2")
    (first, second) = instance.tasks()
    assert (first.id, first.value, first.roles, second.value) == (task, 5, ("boss",), 6)
    assert [one.id for one in client.tasks(instance="l-1")] == [first.id, second.id]
    ours = {"l-1", "l-2"}
    assert {one.instance for one in client.tasks(role="boss", transition="boss")} >= ours
    assert not ours & {one.instance for one in client.tasks(role="clerk")}
    instance.claim(task, by="eva", roles=["boss"])
    assert [one.id for one in client.tasks(assignee="bob", instance="l-1")] == [second.id]
    instance.unclaim(task, by="bob")
    with pytest.raises(NotFound):
        client.tasks(instance="nobody")


def test_a_decision_is_made_once_and_who_comes_second_learns_of_it(client: Client) -> None:
    instance, task = asking(client, "d-1")
    with pytest.raises(RequestRefused, match="role boss") as refused:
        instance.approve(task, by="eva")
    assert refused.value.refusal == "not_in_role"
    with pytest.raises(WrongType):
        instance.approve(task, by="eva", roles=["boss"], value="yes")
    receipt = instance.approve(task, by="eva", why="known", roles=["boss"], value=7, request_id="r")
    again = instance.approve(task, by="eva", roles=["boss"], value=7, request_id="r")
    assert (receipt.already, again.already, again.at) == (False, True, receipt.at)
    with pytest.raises(RequestRefused) as late:
        client.tell("d-1", Reject(task, by="bob", roles=["boss"]))
    assert (late.value.refusal, late.value.by, late.value.at) == ("decided", "eva", receipt.at)
    filing = instance.wait_task("file", PATIENCE_S)
    assert filing.value == 7
    instance.tell(Complete(filing.id, by="eva", outputs=Outputs({"kept": [1], "done": [2]})))
    assert instance.result(PATIENCE_S) == {"filed": [[1, 2]]}
    (fired,) = [one for _, one in instance.history() if one.kind == "fired" and one.transition == "boss"]
    assert fired.detail == {"by": "eva", "why": "known", "output": "granted"}


def test_a_task_is_completed_and_rejected_by_methods(client: Client) -> None:
    instance, task = asking(client, "d-2", 1, 2)
    instance.approve(task, by="eva", roles="boss")
    instance.complete(instance.wait_task("file", PATIENCE_S).id, by="eva")
    instance.reject(instance.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"], value="no")
    assert instance.result(PATIENCE_S) == {"denied": ["no"], "filed": [[1, 1]]}


def test_who_waits_for_a_task_is_told_when_it_comes(client: Client) -> None:
    instance, task = asking(client, "w-1")
    with pytest.raises(WaitTimeout, match="w-1 was not seen so far"):
        instance.wait_task("file", 0.2)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(instance.wait_task, "file", PATIENCE_S)
        instance.tell(Approve(task, by="eva", roles=["boss"]))
        assert later.result(PATIENCE_S).transition == "file"


def test_a_wait_for_a_task_ends_where_none_will_come(client: Client) -> None:
    instance, task = asking(client, "w-2")
    with pytest.raises(NotFound, match="its manual transitions: boss, file"):
        instance.wait_task("enter", PATIENCE_S)
    with pytest.raises(NotFound):
        client.spawn("echo", {"given": [1]}, id="w-3").wait_task("answer", PATIENCE_S)
    instance.reject(task, by="eva", roles=["boss"])
    with pytest.raises(NotCompleted) as caught:
        instance.wait_task("boss", PATIENCE_S)
    assert caught.value.state == "completed"


# -- tokens and parts ---------------------------------------------------------------------------------------------


def test_tokens_are_put_injected_changed_and_dropped(client: Client) -> None:
    instance, _ = asking(client, "t-1")
    instance.pause(by="eva", target="door")
    instance.put("door", 8, why="a program")
    assert instance.marking() == {"asked": [5], "door": [8]}
    with pytest.raises(WrongType, match="takes int, not a value of type str"):
        instance.put("door", "text")
    with pytest.raises(WrongType, match="takes int, not a value of type str"):
        instance.inject("asked", "text", by="eva")
    with pytest.raises(RequestRefused) as closed:
        instance.put("asked", 1)
    assert closed.value.refusal == "not_external"
    first = instance.inject("asked", 6, by="eva", request_id="r")
    assert instance.inject("asked", 6, by="eva", request_id="r").at == first.at
    old, new = instance.view().tokens["asked"]
    instance.edit_token(new, 60, by="eva")
    with pytest.raises(WrongType):
        instance.edit_token(new, [60], by="eva")
    instance.move_token(new, "kept", by="eva")
    instance.tell(MoveToken(token=new, place="denied", by="eva"))
    instance.freeze_token(old, by="eva")
    assert (instance.view().frozen, [*instance.tasks()]) == ((old,), [])
    assert instance.freeze_token(old, by="eva").already
    instance.thaw_token(old, by="eva")
    instance.drop_token(old, by="eva", why="not needed")
    with pytest.raises(RequestRefused) as gone:
        instance.drop_token(old, by="eva")
    assert gone.value.refusal == "not_free"
    assert instance.marking() == {"denied": [60], "door": [8]}
    told = [record.kind for _, record in instance.history() if record.kind not in ("spawned", "offered")]
    kinds = ["paused", "put", "injected", "edited", "moved", "moved", "frozen", "thawed", "dropped_token"]
    assert [kind for kind in told if kind in kinds] == kinds


def test_a_token_is_not_moved_to_where_its_value_does_not_fit(client: Client) -> None:
    instance, task = asking(client, "t-2")
    instance.pause(by="eva")
    instance.inject("kept", "text", by="eva")
    (token,) = instance.view().tokens["kept"]
    with pytest.raises(WrongType, match="place `granted` takes int"):
        instance.move_token(token, "granted", by="eva")
    with pytest.raises(RequestRefused, match="is paused"):
        instance.approve(task, by="eva", roles=["boss"])


@pytest.mark.parametrize("target", ["boss", "asked", "#urgent"])
def test_a_part_is_paused_and_resumed(client: Client, target: str) -> None:
    instance, _ = asking(client, f"p-{target.strip('#')}")
    instance.pause(by="eva", target=target)
    assert instance.view().paused_parts == (target,)
    assert instance.pause(by="eva", target=target).already
    instance.resume(by="eva", target=target)
    assert instance.view().paused_parts == ()
    with pytest.raises(RequestRefused) as unknown:
        instance.pause(by="eva", target="nothing")
    assert unknown.value.refusal == "no_target"


def test_what_is_not_plain_or_by_nobody_is_refused_before_it_is_sent(client: Client) -> None:
    instance, task = asking(client, "n-1")
    with pytest.raises(ValueNotEncodable):
        instance.put("door", {1, 2})
    with pytest.raises(ValueNotEncodable):
        instance.inject("asked", (1, 2), by="eva")
    with pytest.raises(ValueNotEncodable):
        instance.approve(task, by="eva", value=b"x")
    with pytest.raises(ValueError, match="needs `by`"):
        instance.inject("asked", 1, by="")
    with pytest.raises(ValueError, match="needs `by`"):
        instance.drop_token(1, by="")
    assert len(instance.view().tokens["asked"]) == 1


# -- children -----------------------------------------------------------------------------------------------------


def test_children_are_found_and_decided_on(client: Client) -> None:
    parent = client.spawn("calling", {"wanted": [3]}, id="c-1")
    (child,) = parent.children()
    assert child.id == "c-1/ask.2"
    above = child.parent()
    assert (above.id if above else "", parent.parent()) == ("c-1", None)
    assert client.instance("c-1/ask.2").id == child.id
    assert repr(client.find("c-1/ask.2/asked")) == "RemoteActorHandle('c-1/ask.2/asked')"
    task = child.wait_task("boss", PATIENCE_S)
    assert task.id.startswith("c-1/ask.2/boss.")
    client.tell(child.id, Reject(task.id, by="eva", roles=["boss"]))
    assert parent.result(PATIENCE_S) == {"answered": [3]}
    summaries = {one.instance: one.caller for one in client.list("completed")}
    assert (summaries["c-1"], summaries["c-1/ask.2"]) == ("", "c-1")


def test_cancelling_a_parent_ends_its_children(client: Client) -> None:
    parent = client.spawn("calling", {"wanted": [3]}, id="c-2")
    (child,) = parent.children()
    parent.cancel(by="eva")
    assert parent.wait_until("cancelled", PATIENCE_S) is S.CANCELLED
    assert child.state is S.CANCELLED


# -- racing -------------------------------------------------------------------------------------------------------


def test_of_many_clients_who_decide_at_once_one_wins(node: RunningNode, client: Client) -> None:
    instance, task = asking(client, "r-1")
    barrier = threading.Barrier(4)

    def decide(number: int) -> str:
        with node.connect() as other:
            barrier.wait(PATIENCE_S)
            try:
                other.instance("r-1").approve(task, by=f"person {number}", roles=["boss"])
                return "won"
            except RequestRefused as error:
                return error.refusal

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(decide, range(4))) == ["decided", "decided", "decided", "won"]
    assert instance.wait_task("file", PATIENCE_S).value == 5
