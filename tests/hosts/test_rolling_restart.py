"""Three nodes, restarted one after the other while orders are placed whose parts are made on other hosts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from placet.net.client import Client, cluster_of
from placet.net.keyring import KeyKind
from tests.endtoend.processes import PATIENCE_S, until
from tests.hosts.clusters import Cluster, ClusterNode
from tests.hosts.hosts import Hosts
from tests.hosts.load import FLOWS, WORKFLOWS, Customers, close_books
from tests.hosts.watch import OwnerWatch

RATE = 4.0  # orders a second
MOST = 2_000  # more than are begun on any machine
MEANWHILE = 5  # orders that have to be placed, and to complete, while a node is away
HEAL_S = 90.0

Stop = Callable[[ClusterNode, Client], None]


def by_its_command(node: ClusterNode, _keeper: Client) -> None:
    command = [sys.executable, "-m", "placet", "node", "stop", "--state", str(node.folder / "state")]
    told = node.host.run(command)
    assert told.returncode == 0, told.stderr


def by_a_signal(node: ClusterNode, _keeper: Client) -> None:
    assert node.process is not None
    node.process.terminate()


def from_another_host(node: ClusterNode, keeper: Client) -> None:
    cluster_of(keeper).stop(node.name)


@pytest.mark.slow
@pytest.mark.hosts(4)
def test_a_rolling_restart_under_load_loses_and_doubles_nothing_and_fails_no_request(
    hosts: Hosts, tmp_path: Path
) -> None:
    cluster, customers_at = Cluster(list(hosts)[:3], tmp_path, flows=FLOWS, workflows=WORKFLOWS), hosts["d"]
    cluster.start()
    ways: list[Stop] = [by_its_command, by_a_signal, from_another_host]
    with (
        cluster.connect(customers_at) as client,
        cluster.connect(customers_at, KeyKind.CLUSTER) as keeper,
        OwnerWatch({name: state for node in cluster.nodes for name, state in node.states.items()}) as watch,
    ):
        cluster.wait_spread(client)
        table = [shard.engine for shard in cluster_of(client).shards(PATIENCE_S)]
        customers = Customers(client, MOST, MOST / RATE)
        try:
            for node, stop in zip(cluster.nodes, ways, strict=True):
                stop(node, keeper)
                assert node.process is not None
                assert node.process.wait(PATIENCE_S) == 0, node.log
                goes_on(customers)
                node.start()
                cluster.wait_alive(client)
                goes_on(customers)
            customers.begin_no_more()
            assert customers.wait(HEAL_S), f"{len(customers.open)} orders are open"
        finally:
            customers.stop()
        assert [shard.engine for shard in cluster_of(client).shards(PATIENCE_S)] == table  # a restart moves nothing
    assert not [*customers.problems, *watch.problems, *close_books(cluster, customers)]


def goes_on(customers: Customers) -> None:
    """Wait until more orders have been placed, and others have completed."""
    placed, completed = len(customers.placed), customers.completed
    until(lambda: len(customers.placed) >= placed + MEANWHILE, "orders are placed")
    until(lambda: customers.completed >= completed + MEANWHILE, "orders complete")
