"""Places and composites over the network, and what an instance does while somebody looks on."""

import threading
from collections.abc import Callable

import pytest

from placet import BadRequest, Cancel, InstanceState, NotFound, Pause, Progress, WrongType
from placet.actors.control.request import ImportRequest
from placet.net.client import Client, node_of
from placet.net.errors import NotAllowed
from placet.net.remote_part import RemoteActorHandle
from placet.net.twins import blocked
from tests.endtoend.processes import PATIENCE_S, until
from tests.net.nodes import RunningNode


@pytest.fixture
def part(client: Client) -> Callable[[str], RemoteActorHandle]:
    """Return the handle of a part."""

    def found(address: str) -> RemoteActorHandle:
        handle = client.find(address)
        assert isinstance(handle, RemoteActorHandle), handle
        return handle

    return found


Find = Callable[[str], RemoteActorHandle]


def test_a_composite_shows_what_is_in_it(client: Client, part: Find) -> None:
    client.spawn("outer", {"ordered": [1, 2]}, id="p-1")
    fulfil, packed = part("p-1/fulfil"), part("p-1/fulfil/packed")
    assert (fulfil.address, fulfil.is_place, packed.is_place) == ("p-1/fulfil", False, True)
    task = fulfil.wait_task("check", PATIENCE_S)
    assert fulfil.marking() == {"packed": [1, 2]}
    assert packed.values() == [1, 2]
    assert fulfil.values() == []
    assert list(fulfil.tokens()) == ["packed"]
    assert [one.id for one in fulfil.tasks()] == [one.id for one in packed.tasks()]
    assert task.id in {one.id for one in fulfil.tasks()}
    assert not list(part("p-1/shipped").tasks())
    client.instance("p-1").complete(task.id, by="eva")
    until(lambda: part("p-1/shipped").values(), "it is shipped")
    assert part("p-1/shipped").values() == [2]
    assert {record.transition for _, record in fulfil.history() if record.transition} == {"fulfil/check", "fulfil/seal"}
    with pytest.raises(NotFound):
        client.find("p-1/elsewhere")


def test_a_part_is_paused_and_goes_on(client: Client, part: Find) -> None:
    client.spawn("outer", {"ordered": [1]}, id="p-2")
    fulfil = part("p-2/fulfil")
    assert not fulfil.pause(by="eva", why="look").already
    assert client.instance("p-2").view().paused_parts == ("fulfil",)
    assert not fulfil.resume(by="eva").already
    assert client.instance("p-2").view().paused_parts == ()


def test_a_place_is_given_tokens(client: Client, part: Find) -> None:
    client.spawn("outer", {"ordered": [1]}, id="p-3")
    part("p-3/fulfil/more").put(4)
    until(lambda: part("p-3/fulfil/late").values() == [4], "it was added")
    part("p-3/fulfil/late").inject(5, by="eva")
    assert part("p-3/fulfil/late").values() == [4, 5]
    with pytest.raises(WrongType):
        part("p-3/fulfil/more").put("text")
    with pytest.raises(BadRequest, match="composite"):
        part("p-3/fulfil").inject(1, by="eva")


def test_people_act_in_a_composite(client: Client, part: Find) -> None:
    client.spawn("outer", {"ordered": [1, 2, 3]}, id="p-6")
    fulfil, instance = part("p-6/fulfil"), client.instance("p-6")
    task = fulfil.wait_task("check", PATIENCE_S)
    assert fulfil.state is InstanceState.WAITING
    assert fulfil.explain().startswith(f"p-6/fulfil is waiting: a person is to decide on {task.id}, and ")
    fulfil.claim(task.id, by="eva")
    fulfil.complete(task.id, by="eva")
    first, second = fulfil.tokens()["packed"]
    fulfil.edit_token(first, 9, by="eva")
    fulfil.move_token(second, "sealed", by="eva")
    assert fulfil.view().tokens["packed"] == [first]
    until(lambda: sorted(map(str, part("p-6/shipped").values())) == ["2", "3"], "both are shipped")
    with pytest.raises(BadRequest, match=f"token {second} is in shipped, and not in fulfil/packed"):
        part("p-6/fulfil/packed").drop_token(second, by="eva")
    fulfil.tell(Pause(target="check", by="eva"))
    assert instance.view().paused_parts == ("fulfil/check",)
    with pytest.raises(BadRequest, match="is part of its instance, and ends with it"):
        fulfil.tell(Cancel(by="eva"))
    instance.cancel(by="eva")
    assert instance.wait_until(InstanceState.CANCELLED, PATIENCE_S) is fulfil.state


def test_an_actor_is_inspected_restarted_and_put_to_sleep(client: Client, part: Find) -> None:
    client.spawn("outer", {"ordered": [7]}, id="p-4")
    packed = part("p-4/fulfil/packed")
    entries = packed.inspect()
    assert (entries.instance, entries.path, len(entries.entries)) == ("p-4", "fulfil/packed", 1)
    packed.restart()
    packed.sleep()
    assert packed.inspect() == entries
    assert b"packed" in packed.export()


def test_calls_in_a_part_are_its_children(client: Client, part: Find) -> None:
    client.spawn("calling", {"wanted": [3]}, id="p-5")
    assert [child.id for child in client.instance("p-5").children()] == ["p-5/ask.2"]
    assert part("p-5/wanted").children() == []


def test_history_is_trimmed(client: Client) -> None:
    instance = client.spawn("echo", {"given": [1, 2, 3]}, id="t-1")
    instance.result(PATIENCE_S)
    before = instance.history()
    assert instance.trim_history(2) == len(before) - 2
    assert instance.history() == before[-2:]
    assert instance.trim_history(2) == 0


def test_what_an_instance_waits_for_is_explained(client: Client) -> None:
    client.spawn("asking", {"asked": [1]}, id="x-1").wait_task("boss", PATIENCE_S)
    assert "a person is to decide on x-1/boss." in client.explain("x-1")
    with pytest.raises(NotFound):
        client.explain("nobody")


def test_an_instance_is_followed_step_by_step(client: Client, node: RunningNode) -> None:
    instance = client.spawn("gated", {"first": ["f-1"]}, id="f-1")
    instance.wait_until("running", PATIENCE_S)
    seen: list[Progress] = []
    is_done = threading.Event()

    def listen(step: Progress) -> None:
        seen.append(step)
        if step.kind == "fired" and step.transition == "wait":
            is_done.set()

    stop = client.follow("f-1", listen)
    (node.folder / "open").touch()
    assert is_done.wait(PATIENCE_S)
    assert instance.result(PATIENCE_S) == {"third": ["f-1"]}
    assert all(step.instance == "f-1" for step in seen)
    stop()
    with pytest.raises(NotFound):
        client.follow("nobody", listen)


def test_following_goes_on_with_the_next_engine(client: Client, node: RunningNode) -> None:
    asking = client.spawn("asking", {"asked": [1]}, id="f-2")
    seen: list[str] = []
    heard = threading.Event()

    def listen(step: Progress) -> None:
        seen.append(step.kind)
        heard.set()

    stop = client.follow("f-2", listen)
    engine = node.engine()
    engine.kill()
    node.next_engine(engine)
    asking.reject(asking.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])
    asking.wait_until(InstanceState.COMPLETED, PATIENCE_S)
    assert heard.wait(PATIENCE_S), "the next engine tells too"
    assert seen
    stop()


def test_a_file_of_the_engines_host_is_not_imported_for_a_client(client: Client, node: RunningNode) -> None:
    request = ImportRequest(file=str(node.folder / "flows.py"), by="eva", instance="i-1")
    with pytest.raises(NotAllowed):
        blocked(node_of(client).ask(request, object, "i-1", None))
