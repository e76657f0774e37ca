"""Several engines that share the work of one cluster: each owns some shards, and clients see one whole."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from placet.net.client import cluster_of, connect
from placet.net.errors import NotAllowed, NotPossible
from placet.net.keyring import KeyKind
from placet.net.remote import RemoteInstance
from placet.persistence.keys import shard_of
from tests.endtoend.processes import PATIENCE_S, finished, until
from tests.net.nodes import owner_of, running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def ids_in(folder: Path, engine: int) -> set[str]:
    """Return the instances in an engine's own state, as the command sees them."""
    command = ["-m", "placet", "list", "--state", str(folder / "state" / f"engine-{engine}"), "--json"]
    code, out, err = finished(command, cwd=folder)
    assert code == 0, err
    return {str(json.loads(line)["id"]) for line in out.splitlines()}


def child_of(caller: RemoteInstance) -> RemoteInstance:
    """Return the one child of an instance, once it has begun."""

    def look() -> RemoteInstance | None:
        children = caller.children(PATIENCE_S)
        return children[0] if children else None

    return until(look, "its child has begun")


def kill_once(state: Path) -> None:
    """Kill the engine that has a state, and wait for the next one."""
    killed = until(lambda: owner_of(state), "it runs")
    psutil.Process(killed).kill()
    until(lambda: owner_of(state) not in (0, killed), "another one runs")


def test_two_engines_of_a_node_share_instances_and_a_client_sees_them_all(tmp_path: Path) -> None:
    ids = [f"s-{number}" for number in range(40)]
    with running(tmp_path, "--engines", "2") as node, node.connect() as client:
        for id in ids:
            client.spawn("echo", {"given": [id]}, id=id)
        assert [client.instance(id).result(PATIENCE_S) for id in ids] == [{"got": [{"got": id}]} for id in ids]
        assert sorted(one.instance for one in client.list()) == sorted(ids)
        one, two = ids_in(tmp_path, 0), ids_in(tmp_path, 1)
        assert one | two == set(ids)
        assert not one & two
        assert one
        assert two


def test_children_of_calls_live_in_both_engines_and_are_found_by_their_addresses(tmp_path: Path) -> None:
    with running(tmp_path, "--engines", "2") as node, node.connect() as client:
        callers = [client.spawn("calling", {"wanted": [number]}, id=f"c-{number}") for number in range(12)]
        for caller in callers:
            child = child_of(caller)
            assert repr(client.find(f"{child.id}/asked")) == f"RemoteActorHandle('{child.id}/asked')"
            parent = child.parent()
            assert parent is not None
            assert parent.id == caller.id
            child.reject(child.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])
        assert [caller.result(PATIENCE_S) for caller in callers] == [{"answered": [n]} for n in range(12)]
        assert not list(client.tasks())
        spread = [(shard_of(f"c-{n}"), shard_of(callers[n].children()[0].id)) for n in range(12)]
        one = ids_in(tmp_path, 0)
        assert any((f"c-{n}" in one) != (callers[n].children()[0].id in one) for n in range(12)), spread


def test_an_engine_that_is_killed_comes_back_and_calls_between_the_two_go_on(tmp_path: Path) -> None:
    with running(tmp_path, "--engines", "2") as node, node.connect() as client:
        callers = [client.spawn("calling", {"wanted": [number]}, id=f"k-{number}") for number in range(20)]
        for engine in (0, 1, 0):
            kill_once(tmp_path / "state" / f"engine-{engine}")
        for caller in callers:
            child = child_of(caller)
            child.reject(child.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])
        assert [caller.result(PATIENCE_S) for caller in callers] == [{"answered": [n]} for n in range(20)]
        told = [record for caller in callers for _, record in caller.history(PATIENCE_S) if record.kind == "fired"]
        assert len(told) == 20


def test_a_client_key_looks_at_the_cluster_and_only_the_cluster_key_changes_it(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        with node.connect() as client:
            cluster = cluster_of(client)
            until(lambda: [shard.engine for shard in cluster.shards()] == ["a/0"] * 256, "all shards are claimed")
            (seen,) = cluster.nodes().nodes
            assert (seen.name, seen.state, seen.engines, seen.keeps_coordinator) == ("a", "alive", {"a/0": 256}, True)
            for change in (cluster.stop, cluster.drain):
                with pytest.raises(NotAllowed, match="a client key does not change the cluster; connect with the"):
                    change("a")
            with pytest.raises(NotAllowed):
                cluster.move(3, "a/0")
        with connect(node.address, key_file=node.key_of(KeyKind.CLUSTER), timeout_s=PATIENCE_S) as client:
            cluster = cluster_of(client)
            assert cluster.move(3, "a/0").already
            with pytest.raises(NotPossible, match="no engine b/0 runs now; name one that does: a/0"):
                cluster.move(3, "b/0")
            with pytest.raises(NotPossible, match="there is no shard 256"):
                cluster.move(256, "a/0")
            with pytest.raises(NotPossible, match="there is no node b in the cluster; name one of these: a"):
                cluster.stop("b")
            cluster.stop("a")
        assert node.process.wait(PATIENCE_S) == 0


def test_a_client_goes_on_with_the_second_address_where_nothing_answers_at_the_first(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        client = connect(f"127.0.0.1:1, {node.address}", key_file=node.key_file, timeout_s=PATIENCE_S)
        with client:
            assert client.spawn("echo", {"given": [1]}).result(PATIENCE_S) == {"got": [{"got": 1}]}
