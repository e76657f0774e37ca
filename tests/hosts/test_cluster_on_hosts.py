"""Three nodes on three hosts and a client on a fourth: instances whose children live elsewhere, and what fails."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from placet.net.client import Client
from tests.endtoend.processes import PATIENCE_S
from tests.hosts.clusters import Cluster, ClusterNode, shipped
from tests.hosts.hosts import Hosts

pytestmark = [pytest.mark.hosts(4), pytest.mark.slow]

Harm = Callable[[ClusterNode, Hosts], None]
COUNT, WIDTH = 20, 3  # instances, and tokens of each


@pytest.fixture
def cluster(hosts: Hosts, tmp_path: Path) -> Cluster:
    """Return a cluster of three nodes that have started, each with its share of the shards."""
    made = Cluster(list(hosts)[:3], tmp_path)
    made.start()
    with made.connect(hosts["d"]) as client:
        made.wait_spread(client)
    return made


def spawn(client: Client) -> None:
    for number in range(COUNT):
        client.spawn("order", {"placed": list(range(number, number + WIDTH))}, id=f"o-{number}", timeout_s=PATIENCE_S)


def check(cluster: Cluster, client: Client) -> None:
    """Wait for all results, then look at the stores: everything is there once, and on all hosts."""
    for number in range(COUNT):
        result = client.instance(f"o-{number}").result(2 * PATIENCE_S)["shipped"]
        assert Counter(result) == Counter(map(shipped, range(number, number + WIDTH)))
    client.close()
    found = cluster.check()
    assert len(found) == COUNT * (1 + WIDTH)
    assert len({one.state for one in found.values()}) == len(cluster.nodes)


def test_instances_that_span_hosts_complete_and_each_engine_listens_at_its_hosts_address_alone(
    hosts: Hosts, cluster: Cluster
) -> None:
    told = cluster.ask(hosts["d"], "nodes", "list")
    assert [node["name"] for node in told] == ["a", "b", "c"]
    with cluster.connect(hosts["d"]) as client:
        spawn(client)
        for node in cluster.nodes:
            found = node.host.listeners()
            assert {(one.protocol, one.address) for one in found} == {("tcp", node.host.address)}
            assert {one.pid for one in found} <= set(node.host.pids())
        check(cluster, client)


def kill(node: ClusterNode, _hosts: Hosts) -> None:
    node.kill()
    node.start()


def pause(node: ClusterNode, hosts: Hosts) -> None:
    node.host.pause()
    hosts.pass_s(5.0)
    node.host.resume()


def isolate(node: ClusterNode, hosts: Hosts) -> None:
    hosts.isolate(node.host)
    hosts.pass_s(5.0)
    hosts.heal()


def deafen(node: ClusterNode, hosts: Hosts) -> None:
    for other in hosts:
        if other is not node.host:
            hosts.cut_one_way(other, node.host)
    hosts.pass_s(5.0)
    hosts.heal()


@pytest.mark.parametrize("number", [0, 1], ids=["the first", "another"])
@pytest.mark.parametrize("harm", [kill, pause, isolate, deafen])
def test_everything_completes_after_a_host_was_away(hosts: Hosts, cluster: Cluster, number: int, harm: Harm) -> None:
    with cluster.connect(hosts["d"]) as client:
        spawn(client)
        harm(cluster.nodes[number], hosts)
        check(cluster, client)


def test_everything_completes_over_a_bad_network(hosts: Hosts, cluster: Cluster) -> None:
    with cluster.connect(hosts["d"]) as client:
        hosts.loss(0.1)
        hosts.delay(0.02, jitter_s=0.02)
        spawn(client)
        check(cluster, client)
