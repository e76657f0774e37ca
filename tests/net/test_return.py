"""Nodes that come back otherwise than they went: at another address, or while they drain."""

import signal
from pathlib import Path

import pytest

from placet.net.client import Client, cluster_of
from tests.endtoend.processes import PATIENCE_S, finished, until
from tests.net.nodes import running
from tests.net.test_moves import keeper_of, second, shards_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def _is_there(client: Client, address: str, *, is_draining: bool) -> bool:
    """Return whether a node is in the table at an address, and drains or does not."""
    nodes = cluster_of(client).nodes(PATIENCE_S).nodes
    return (address, is_draining) in {(node.address, node.is_draining) for node in nodes if node.state == "alive"}


def test_the_node_with_the_coordinator_comes_back_at_another_address_and_all_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as first, second(tmp_path, first) as other, keeper_of(other) as client:
        until(lambda: "b/0" in shards_of(client), "shards move", other.process)
        for n in range(10):
            client.spawn("echo", {"given": [n]}, id=f"r-{n}").result(PATIENCE_S)
        assert first.stop() == 0
        with running(tmp_path, listen="127.0.0.3:0") as again:
            other.said(f"the coordinator is at {again.address} now (was at {first.address})")
            assert [client.instance(f"r-{n}").result(PATIENCE_S) for n in range(10)] == [
                {"got": [{"got": n}]} for n in range(10)
            ]
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "shards move again", other.process)


def test_a_node_that_drains_gets_nothing_back_when_it_is_started_again_until_that_is_undone(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client:
        where = ["--connect", first.address, "--key-file", str(first.folder / "key")]
        with second(tmp_path, first) as other:
            until(lambda: "b/0" in shards_of(client), "shards move", other.process)
            code, said, error = finished(["-m", "placet", "nodes", "drain", "b", *where], cwd=tmp_path)
            assert (code, said) == (0, "node b has no shards left; stop it when you like\n"), error
            assert other.stop() == 0
        with second(tmp_path, first) as other:
            until(lambda: _is_there(client, other.address, is_draining=True), "it is back, and drains", other.process)
            assert shards_of(client) == {"a/0": 256}
            code, said, error = finished(["-m", "placet", "nodes", "drain", "b", "--undo", *where], cwd=tmp_path)
            assert (code, said) == (0, "node b takes its share\n"), error
            until(lambda: "b/0" in shards_of(client), "shards move again", other.process)
