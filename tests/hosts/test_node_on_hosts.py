"""A node on one host and a client on another, while the network between them fails and all of a host dies."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.endtoend.processes import PATIENCE_S, Process, until
from tests.hosts.checker import check_cluster, engine_stores
from tests.hosts.hosts import Host, Hosts
from tests.net.nodes import RunningNode, begin, finish, script

pytestmark = pytest.mark.hosts

PORT = 1900
COUNT = 20


@contextmanager
def node_on(host: Host, folder: Path) -> Generator[RunningNode]:
    """Yield a node that listens at the address of a host."""
    with host.entered():
        node = begin(folder, listen=f"{host.address}:{PORT}")
    try:
        yield node
    finally:
        finish(node)


def client_on(host: Host, node: RunningNode, workflow: str, place: str, count: int = COUNT) -> Process:
    """Start a client that spawns instances, one after the other, and waits for their results."""
    return host.start(script(node.address, str(node.key_file), workflow, place, str(count)), cwd=node.folder)


def line(client: Process) -> str:
    assert client.stdout is not None
    found = client.stdout.readline()
    assert found, client.communicate(timeout=PATIENCE_S)
    return found.strip()


def results(client: Process) -> dict[str, dict[str, list[object]]]:
    """Return what a client got, by id."""
    out, err = client.communicate(timeout=4 * PATIENCE_S)
    assert client.returncode == 0, err
    found: dict[str, dict[str, list[object]]] = json.loads(out.splitlines()[-1])
    return found


ALL_GATED: dict[str, dict[str, list[object]]] = {f"gated-{n}": {"third": [n]} for n in range(COUNT)}


def check(node: RunningNode, count: int = COUNT) -> None:
    """Stop a node and look at all its store has kept."""
    assert node.stop() == 0
    found = check_cluster(engine_stores(node.folder))
    assert len(found) == count


@pytest.mark.parametrize(
    "one_way",
    [
        pytest.param("", id="both ways", marks=pytest.mark.slow),
        pytest.param("ab", id="to the client", marks=pytest.mark.slow),
        pytest.param("ba", id="to the node"),
    ],
)
def test_a_wait_for_a_result_outlives_a_cut_of_five_seconds(hosts: Hosts, tmp_path: Path, one_way: str) -> None:
    a, b = hosts
    with node_on(a, tmp_path) as node:
        client = client_on(b, node, "gated", "first")
        assert line(client) == "spawned"
        until((tmp_path / "begun").exists, "a handler has begun", node.process)
        if one_way:
            hosts.cut_one_way(*(hosts[name] for name in one_way))
        else:
            hosts.cut(a, b)
        (tmp_path / "open").touch()
        hosts.pass_s(5.0)
        assert client.poll() is None
        assert hosts.counts(a, b).lost + hosts.counts(b, a).lost > 0
        hosts.heal()
        assert results(client) == ALL_GATED
        check(node)


@pytest.mark.slow
def test_everything_completes_over_a_network_that_loses_a_fifth_and_is_slow(hosts: Hosts, tmp_path: Path) -> None:
    a, b = hosts
    count = 5  # each waits for several round trips, some of them repeated
    with node_on(a, tmp_path) as node:
        hosts.loss(0.2)
        hosts.delay(0.2)
        echoed = results(client_on(b, node, "echo", "given", count))
        assert echoed == {f"echo-{n}": {"got": [{"got": n}]} for n in range(count)}
        assert hosts.counts(a, b).lost > 0
        hosts.heal()
        check(node, count)


def test_a_host_whose_processes_are_all_killed_goes_on_when_its_node_is_started_again(
    hosts: Hosts, tmp_path: Path
) -> None:
    a, b = hosts
    with node_on(a, tmp_path) as node:
        client = client_on(b, node, "gated", "first")
        assert line(client) == "spawned"
        until((tmp_path / "begun").exists, "a handler has begun", node.process)
        assert a.kill_all() >= 2  # the node and its engine
        (tmp_path / "open").touch()
        with node_on(a, tmp_path) as again:
            assert results(client) == ALL_GATED
            check(again)


def test_nothing_listens_on_a_host_but_its_node_at_its_address(hosts: Hosts, tmp_path: Path) -> None:
    a, b = hosts
    with node_on(a, tmp_path) as node:
        client = client_on(b, node, "gated", "first")
        assert line(client) == "spawned"
        found = a.listeners()
        assert {(one.protocol, one.address) for one in found} == {("tcp", a.address)}
        assert PORT in {one.port for one in found}
        assert {one.pid for one in found} == {node.process.pid, node.engine().pid}
        assert {(one.protocol, one.address) for one in b.listeners()} <= {("tcp", b.address)}
        (tmp_path / "open").touch()
        assert results(client) == ALL_GATED
