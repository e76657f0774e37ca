"""Three nodes on three hosts, two engines each, and a client on a fourth: instances whose children live elsewhere."""

from collections import Counter
from pathlib import Path

import pytest

from placet.net.client import Client, cluster_of
from placet.net.keyring import KeyKind
from tests.endtoend.processes import PATIENCE_S, until
from tests.hosts.clusters import PORT, SPREAD_S, Cluster, ClusterNode, shipped
from tests.hosts.hosts import Hosts
from tests.net.nodes import owner_of

COUNT, WIDTH = 20, 3  # instances, and tokens of each
ENGINES = 2


def spawn(client: Client) -> None:
    for number in range(COUNT):
        client.spawn("order", {"placed": list(range(number, number + WIDTH))}, id=f"o-{number}", timeout_s=PATIENCE_S)


def check_results(client: Client) -> None:
    for number in range(COUNT):
        result = client.instance(f"o-{number}").result(2 * PATIENCE_S)["shipped"]
        assert Counter(result) == Counter(map(shipped, range(number, number + WIDTH)))


def check_listeners(node: ClusterNode) -> None:
    """Its node and its engines listen, each once, at the address of its host; nothing else does."""
    assert node.process is not None
    engines = [owner_of(state) for state in node.states.values()]
    found = node.host.listeners()
    assert sorted(one.pid for one in found) == sorted([node.process.pid, *engines])
    assert {(one.protocol, one.address) for one in found} == {("tcp", node.host.address)}
    assert [one.port for one in found if one.pid == node.process.pid] == [PORT]


@pytest.mark.slow
@pytest.mark.hosts(4)
def test_instances_span_hosts_and_nothing_listens_but_nodes_and_engines_at_their_hosts_addresses(
    hosts: Hosts, tmp_path: Path
) -> None:
    cluster = Cluster(list(hosts)[:3], tmp_path, engines=ENGINES)
    cluster.start()
    with cluster.connect(hosts["d"]) as client, cluster.connect(hosts["d"], KeyKind.CLUSTER) as keeper:
        cluster.wait_spread(client)
        told = cluster.ask(hosts["d"], "nodes", "list")
        assert [node["name"] for node in told] == ["a", "b", "c"]
        spawn(client)
        for node in cluster.nodes:
            check_listeners(node)
        drained = cluster.nodes[-1]
        cluster_of(keeper).drain(drained.name)

        def has_given() -> bool:
            """Return whether the node that drains owns nothing any more."""
            owned = {shard.engine for shard in cluster_of(client).shards(PATIENCE_S)}
            return not owned & set(drained.states)

        until(has_given, "it has given all away", within_s=SPREAD_S)
        for node in cluster.nodes:
            check_listeners(node)
        assert all(not listener.address.startswith("127.") for listener in hosts["d"].listeners())  # of the clients
        check_results(client)
    found = cluster.check()
    assert len(found) == COUNT * (1 + WIDTH)
    assert len({one.state for one in found.values()}) == ENGINES * (len(cluster.nodes) - 1)
