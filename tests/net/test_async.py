"""The client for asyncio: a twin of every verb, which blocks no loop, and whose cancellation takes nothing back."""

import asyncio
import inspect

import pytest

import placet
from placet import Approve, InstanceState, NotFound, Pause, WaitTimeout
from placet.actors.verbs import PartVerbs, Verbs
from placet.net.client import Client, cluster_of
from placet.net.cluster_client import ClusterClient
from placet.net.remote import RemoteInstance
from placet.net.remote_part import RemoteActorHandle
from tests.endtoend.processes import PATIENCE_S
from tests.net.loops import once_round
from tests.net.nodes import RunningNode

ALONE = {"close", "cluster"}  # `close_async` is no verb; `cluster` is for those who run one


@pytest.mark.parametrize("kind", [Client, ClusterClient, RemoteInstance, RemoteActorHandle])
def test_every_verb_has_a_twin_with_the_same_parameters(kind: type) -> None:
    verbs = {
        name: verb
        for name, verb in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and not inspect.iscoroutinefunction(verb) and name not in ALONE
    }
    assert len(verbs) >= 5
    for name, verb in verbs.items():
        twin = getattr(kind, f"{name}_async")
        assert inspect.iscoroutinefunction(twin), name
        assert list(inspect.signature(twin).parameters.values()) == list(inspect.signature(verb).parameters.values())
        assert twin.__doc__ == f"`{name}` for asyncio."
        assert twin.__name__ == f"{name}_async"


def test_an_embedded_instance_has_the_twins_of_peoples_verbs_too() -> None:
    verbs = {**vars(PartVerbs), **vars(Verbs)}
    told = {name for name, verb in verbs.items() if inspect.isfunction(verb) and name[0] != "_"}
    assert all(inspect.iscoroutinefunction(getattr(placet.Instance, f"{name}_async")) for name in told)


async def work(node: RunningNode) -> None:
    async with await placet.connect_async(node.address, key_file=node.key_file, timeout_s=PATIENCE_S) as client:
        spawned = [await client.spawn_async("echo", {"given": [n]}, id=f"a-{n}") for n in range(5)]
        results = await asyncio.gather(*(one.result_async(PATIENCE_S) for one in spawned))
        assert results == [{"got": [{"got": n}]} for n in range(5)]
        first = spawned[0]
        assert await first.state_async() is InstanceState.COMPLETED
        assert (await first.view_async()).header.instance == "a-0"
        assert await first.marking_async() == {"got": [{"got": 0}]}
        assert [record.kind for _, record in await first.history_async()] == ["spawned", "fired", "completed"]
        assert {one.instance for one in await client.list_async("completed")} >= {f"a-{n}" for n in range(5)}
        assert (await client.instance_async("a-1")).id == "a-1"
        assert repr(await client.find_async("a-1/got")) == "RemoteActorHandle('a-1/got')"
        assert await client.explain_async("a-1") == "a-1 is completed"
        assert len(await cluster_of(client).shards_async()) == 256
        with pytest.raises(NotFound):
            await client.instance_async("nobody")


async def decide(client: Client) -> None:
    asking = await client.spawn_async("asking", {"asked": [5]}, id="d-1")
    task = await asking.wait_task_async("boss", PATIENCE_S)
    assert [one.id for one in await asking.tasks_async()] == [task.id]
    assert [one.id for one in await client.tasks_async(instance="d-1")] == [task.id]
    await asking.claim_async(task.id, by="eva", roles=["boss"])
    await asking.unclaim_async(task.id, by="eva")
    assert not (await asking.pause_async(by="eva")).already
    assert (await asking.tell_async(Pause(by="eva"))).already
    await asking.resume_async(by="eva")
    await asking.inject_async("kept", "by hand", by="eva")
    assert (await asking.marking_async())["kept"] == ["by hand"]
    await client.tell_async("d-1", Approve(task.id, by="eva", roles=["boss"]))
    filing = await asking.wait_task_async("file", PATIENCE_S)
    assert filing.value == 5


def test_a_loop_spawns_looks_and_waits(node: RunningNode) -> None:
    asyncio.run(work(node))


def test_a_loop_decides_what_people_decide(client: Client) -> None:
    asyncio.run(decide(client))


async def wait_in_vain(client: Client) -> RemoteInstance:
    instance = await client.spawn_async("gated", {"first": ["w-1"]}, id="w-1")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await once_round()

    ticking = asyncio.create_task(tick())
    with pytest.raises(WaitTimeout, match=r"w-1 was not seen so far within 0\.3 s"):
        await instance.result_async(0.3)
    ticking.cancel()
    assert ticks > 10, "the loop went on meanwhile"
    waiting = asyncio.create_task(instance.result_async(PATIENCE_S))
    await once_round()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    return instance


def test_cancelling_ends_the_wait_alone(client: Client, node: RunningNode) -> None:
    instance = asyncio.run(wait_in_vain(client))
    assert instance.state is not InstanceState.CANCELLED
    (node.folder / "open").touch()
    assert instance.result(PATIENCE_S) == {"third": ["w-1"]}


async def spawn_and_leave(client: Client) -> None:
    spawning = asyncio.create_task(client.spawn_async("echo", {"given": [1]}, id="left"))
    await once_round()  # it has been sent, and is not answered
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning


def test_what_was_asked_for_happens_although_nobody_waits(client: Client) -> None:
    asyncio.run(spawn_and_leave(client))
    assert client.spawn("echo", {"given": [1]}, id="left").result(PATIENCE_S) == {"got": [{"got": 1}]}
    assert [record.kind for _, record in client.instance("left").history()].count("spawned") == 1
