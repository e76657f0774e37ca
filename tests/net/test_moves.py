"""Shards that move between the engines of real nodes, while their instances run and processes are killed."""

import shutil
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from placet.net.client import Client, cluster_of, connect
from placet.net.keyring import KeyKind
from placet.net.remote import RemoteInstance
from placet.persistence.keys import shard_of
from tests.endtoend.processes import PATIENCE_S, finished, until
from tests.net.nodes import RunningNode, in_threads, owner_of, running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def keeper_of(node: RunningNode) -> Client:
    """Return a client that may change the cluster."""
    return connect(node.address, key_file=node.key_of(KeyKind.CLUSTER), timeout_s=PATIENCE_S)


def shards_of(client: Client) -> dict[str, int]:
    """Return how many shards each engine owns."""
    found: dict[str, int] = {}
    for shard in cluster_of(client).shards(PATIENCE_S):
        found[shard.engine] = found.get(shard.engine, 0) + 1
    return found


@contextmanager
def second(folder: Path, first: RunningNode, *more: str) -> Generator[RunningNode]:
    """Yield another node of the same cluster, on another address of this host, with a state of its own."""
    where = ["--name", "b", "--state", str(folder / "state-b"), "--join", first.address]
    with running(folder, *where, *more, listen="127.0.0.2:0") as node:
        yield node


def fired(instance: RemoteInstance) -> int:
    """Return how many results of an instance have counted."""
    return sum(1 for _, record in instance.history(PATIENCE_S) if record.kind == "fired")


def kill_engine(state: Path) -> None:
    """Kill the engine that has a state, and wait for the next one."""
    killed = until(lambda: owner_of(state), "it runs")
    psutil.Process(killed).kill()
    until(lambda: owner_of(state) not in (0, killed), "another one runs")


def move_elsewhere(client: Client, shard: int) -> None:
    """Have the other engine own a shard, and wait until it does."""
    cluster = cluster_of(client)
    to = "b/0" if cluster.shards(PATIENCE_S)[shard].engine == "a/0" else "a/0"
    cluster.move(shard, to)
    until(lambda: cluster.shards(PATIENCE_S)[shard].engine == to, "it has moved")


def test_a_node_that_joins_gets_its_share_of_what_runs_and_gives_it_back_when_it_drains(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client:
        ids = [f"m-{number}" for number in range(30)]
        for id in ids:
            client.spawn("asking", {"asked": [1]}, id=id)  # each waits for a person
        with second(tmp_path, first) as other:
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)
            for id in ids[:15]:
                instance = client.instance(id, PATIENCE_S)
                instance.reject(instance.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])
            assert len(list(client.list(timeout_s=PATIENCE_S))) == 30
            cluster_of(client).drain("b")
            until(lambda: shards_of(client) == {"a/0": 256}, "b has given all of them back", other.process)
            assert other.stop() == 0
        for id in ids[15:]:
            instance = client.instance(id, PATIENCE_S)
            instance.reject(instance.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])
        assert [client.instance(id).result(PATIENCE_S)["denied"] for id in ids] == [[1]] * 30
        assert [fired(client.instance(id)) for id in ids] == [1] * 30


def test_handlers_that_run_while_their_shard_moves_count_once(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client, second(tmp_path, first, "--engines", "1") as other:
        until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)
        instances = [client.spawn("gated", {"first": [n]}, id=f"g-{n}") for n in range(8)]
        until(lambda: all(fired(instance) == 1 for instance in instances), "the second handler of each runs")
        for instance in instances:
            move_elsewhere(client, shard_of(instance.id))
        (tmp_path / "open").touch()
        assert [instance.result(PATIENCE_S) for instance in instances] == [{"third": [n]} for n in range(8)]
        assert [fired(instance) for instance in instances] == [2] * 8


def test_engines_that_are_killed_while_shards_move_lose_and_double_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client:
        callers = [client.spawn("calling", {"wanted": [n]}, id=f"k-{n}") for n in range(20)]
        with second(tmp_path, first, "--engines", "1") as other:
            for state in ("state-b", "state", "state-b"):
                kill_engine(tmp_path / state / "engine-0")
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)

            def decide(number: int) -> None:
                child = until(lambda: next(iter(callers[number].children(PATIENCE_S)), None), "its child has begun")
                assert child is not None
                child.reject(child.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])

            in_threads(20, decide)
            assert [caller.result(PATIENCE_S) for caller in callers] == [{"answered": [n]} for n in range(20)]
            assert [fired(caller) for caller in callers] == [1] * 20
            assert len({one.instance for one in client.list(timeout_s=PATIENCE_S)}) == 40


def test_an_engine_whose_state_was_removed_is_said_and_begins_empty_when_it_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path) as node, keeper_of(node) as client:
        client.spawn("echo", {"given": [1]}, id="lost").result(PATIENCE_S)
        until(lambda: not any(shard.is_new for shard in cluster_of(client).shards()), "all shards were opened")
        assert node.stop() == 0
    shutil.rmtree(tmp_path / "state" / "engine-0")
    with running(tmp_path) as again:
        line = again.said("the cluster gives engine a/0 256 shards that its state knows nothing of")
        assert "restore it, or a backup of it" in line
        assert again.stop() == 0
    code, out, _ = finished(["-m", "placet", "restore", "--give-up", "--state", "state/engine-0"], cwd=tmp_path)
    assert (code, "state/engine-0 has nothing of 256 shards" in out) == (0, True)
    with running(tmp_path) as anew, keeper_of(anew) as client:
        assert client.spawn("echo", {"given": [2]}, id="lost").result(PATIENCE_S) == {"got": [{"got": 2}]}
        until(lambda: {shard.epoch for shard in cluster_of(client).shards()} == {2}, "it owns all of them anew")
