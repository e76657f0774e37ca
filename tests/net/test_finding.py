"""How nodes find the coordinator again when its node has another address, and what is said of --join that is wrong."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from placet.actors.clock import wall_s
from placet.net.address import parse_address
from placet.net.cluster import CHECK_S, Cluster
from placet.net.cluster_node import LEASE_S
from placet.net.cluster_table import Member
from placet.net.keyring import KeyKind
from placet.net.membership import MemberState
from placet.net.messages import CoordinatorAt, EngineAt, Peer, Welcome
from placet.net.node_state import MOST_PEERS, NodeState
from placet.net.thespian_adapter import peer_of
from placet.petri.errors import PlacetError

STEP_S = 0.25


class Host:
    """A node of the test: its state on disk, and its part in the cluster."""

    def __init__(self, net: "Net", name: str, address: str, join: Sequence[str]) -> None:
        self.address = address
        self.failures: list[PlacetError] = []
        self.state = NodeState.open(net.folder / name, name, keeps_coordinator=not join)
        self.member = Member(
            name=name,
            address=address,
            engines=(f"{name}/0",),
            incarnation=self.state.record.starts,
            id=self.state.record.id,
            is_draining=self.state.record.is_draining,
        )
        self.cluster = Cluster(
            self.member,
            self.state,
            [parse_address(one) for one in join],
            send=lambda peer, message: net.send(address, peer, message),
            moved=lambda _where: None,
            failed=self.failures.append,
        )
        self.cluster.engine_started(f"{name}/0", EngineAt(peer=peer_of(address), incarnation=f"{name}.{net.now_s}"))

    def end(self) -> None:
        """End without a word to anybody, as after a power cut."""
        self.cluster.close()
        self.state.close()


class Net:
    """Hosts, and messages between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 1_000.0
        self.hosts: dict[str, Host] = {}  # by address
        self.letters: list[tuple[str, Peer, object]] = []
        self.sent_to: set[str] = set()

    def start(self, name: str, address: str, *join: str) -> Host:
        host = self.hosts[address] = Host(self, name, address, join)
        return host

    def end(self, address: str) -> None:
        self.hosts.pop(address).end()

    def send(self, sender: str, to: Peer, message: object) -> None:
        self.sent_to.add(str(to))
        self.letters.append((sender, to, message))

    def pass_s(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP_S)):
            self.now_s += STEP_S
            for host in self.hosts.values():
                host.cluster.tick(self.now_s)
            while self.letters:
                sender, to, message = self.letters.pop(0)
                if str(to) in self.hosts:
                    self.hosts[str(to)].cluster.receive(peer_of(sender), message, self.now_s)


@contextmanager
def network(folder: Path) -> Generator[Net]:
    net = Net(folder)
    try:
        yield net
    finally:
        for address in list(net.hosts):
            net.end(address)


A, B, C, D, E = (f"10.0.0.{number}:1900" for number in range(1, 6))


def is_whole(host: Host, now_s: float, names: str) -> bool:
    """Return whether a node sees all others, and all alive."""
    node = host.cluster.node
    return node is not None and node.states(now_s) == dict.fromkeys(names, MemberState.ALIVE)


def test_the_coordinator_is_found_again_where_its_node_comes_back_at_another_address(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        net.start("a", A)
        b, c = net.start("b", B, A), net.start("c", C, A)
        net.pass_s(10)
        assert is_whole(b, net.now_s, "abc")
        net.end(A)
        net.pass_s(3)
        a = net.start("a", D)
        net.pass_s(8)
        for host in (a, b, c):
            assert is_whole(host, net.now_s, "abc")
            assert host.cluster.keeper == D
            assert not host.failures
        assert b.cluster.node is not None
        assert b.cluster.node.members["a"].address == D


def test_a_node_that_was_away_meanwhile_is_told_by_the_one_that_keeps_the_coordinator(tmp_path: Path) -> None:
    """Its seed leads nowhere, and nobody else knows."""
    with network(tmp_path) as net:
        net.start("a", A)
        net.start("b", B, A)
        net.pass_s(10)
        net.end(B)
        net.end(A)
        net.pass_s(1)
        a = net.start("a", D)
        net.pass_s(LEASE_S + 10)
        assert a.cluster.node is not None
        assert set(a.cluster.node.members) == {"a"}
        b = net.start("b", B, A)
        net.pass_s(5)
        assert is_whole(b, net.now_s, "ab")
        assert b.cluster.keeper == D


def test_a_node_whose_seeds_are_gone_asks_those_it_has_known(tmp_path: Path) -> None:
    """Both have other addresses now; a third one knows where the coordinator is."""
    with network(tmp_path) as net:
        net.start("a", A)
        net.start("b", B, A)
        net.start("c", C, A)
        net.pass_s(10)
        net.end(B)
        net.end(A)
        net.start("a", D)
        net.pass_s(10)
        b = net.start("b", E, A)
        net.pass_s(5)
        assert is_whole(b, net.now_s, "abc")


def test_who_knows_less_is_not_believed(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        net.start("a", A)
        b = net.start("b", B, A)
        net.pass_s(5)
        net.end(A)
        net.start("a", D)
        net.pass_s(10)
        for opening in (1, 2):
            b.cluster.receive(
                peer_of(C), CoordinatorAt(cluster=b.cluster.id, coordinator=C, opening=opening), net.now_s
            )
            b.cluster.receive(
                peer_of(A), Welcome(cluster=b.cluster.id, coordinator=A, opening=opening, wall_s=wall_s()), net.now_s
            )
        b.cluster.receive(peer_of(C), CoordinatorAt(cluster="another", coordinator=C, opening=9), net.now_s)
        assert b.cluster.keeper == D


def test_a_coordinator_that_answers_is_looked_for_nowhere(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        net.start("a", A)
        b = net.start("b", B, A, C)
        net.pass_s(5)
        assert is_whole(b, net.now_s, "ab")
        net.sent_to.clear()
        net.pass_s(60)
        assert net.sent_to == {A, B}


def test_who_has_a_coordinator_is_not_drawn_into_another_cluster_by_an_address_it_has_known(tmp_path: Path) -> None:
    """The address of a member that is gone has come to a node of another cluster, which has the same key."""
    with network(tmp_path) as net:
        net.start("a", A)
        net.start("b", B, A)
        net.start("c", C, A)
        net.pass_s(10)
        cluster = net.hosts[B].cluster.id
        for address in (A, B, C):
            net.end(address)
        net.start("z", C)
        b = net.start("b", B, A)
        net.pass_s(5)
        assert b.cluster.node is None
        assert not b.failures
        net.start("a", A)
        net.pass_s(5)
        assert b.cluster.node is not None
        assert (b.cluster.id, b.cluster.node.hears("a", net.now_s)) == (cluster, True)


def test_a_node_that_has_never_joined_does_not_take_the_word_of_a_cluster_it_has_not_asked(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        b = net.start("b", B, A)
        b.cluster.receive(peer_of(C), CoordinatorAt(cluster="one", coordinator=C, opening=1), net.now_s)
        b.cluster.receive(peer_of(C), Welcome(cluster="one", coordinator=C, opening=1, wall_s=wall_s()), net.now_s)
        b.cluster.receive(
            Peer("10.0.0.1", 1900, KeyKind.CLIENT),
            Welcome(cluster="one", coordinator=C, opening=1, wall_s=wall_s()),
            net.now_s,
        )
        assert (b.cluster.node, b.cluster.id) == (None, "")
        b.cluster.receive(peer_of(A), Welcome(cluster="two", coordinator=A, opening=1, wall_s=wall_s()), net.now_s)
        assert b.cluster.id == "two"


def test_a_node_that_keeps_a_coordinator_cannot_join_another_cluster(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        net.start("a", A)
        net.start("z", B)
        net.pass_s(2)
        net.end(B)
        z = net.start("z", B, A)
        net.pass_s(2)
        assert "it keeps the coordinator of cluster" in str(z.failures[0])
        assert f"a node of {net.hosts[A].cluster.id}, {A}; leave --join out" in str(z.failures[0])


def test_a_node_that_keeps_the_coordinator_may_name_members_of_its_cluster(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with network(tmp_path) as net, caplog.at_level(logging.WARNING):
        net.start("a", A)
        net.start("b", B, A)
        net.pass_s(2)
        net.end(A)
        a = net.start("a", A, A, B)
        net.pass_s(CHECK_S + 2)
        assert is_whole(a, net.now_s, "ab")
        assert not a.failures
    assert "--join" not in caplog.text


def test_a_node_that_keeps_the_coordinator_says_that_it_joins_nobody_where_nobody_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with network(tmp_path) as net, caplog.at_level(logging.WARNING):
        net.start("a", A)
        net.end(A)
        net.start("a", A, C)
        net.pass_s(CHECK_S + 20)
        said = [record.getMessage() for record in caplog.records if "--join" in record.getMessage()]
        assert said == [
            f"--join: nothing has answered at {C}; this node keeps the coordinator of its cluster, and joins no other"
        ]
        net.sent_to.clear()
        net.pass_s(10)
        assert not net.sent_to


def test_a_node_that_drains_goes_on_with_it_after_a_restart_of_it_and_of_the_coordinator(tmp_path: Path) -> None:
    with network(tmp_path) as net:
        net.start("a", A)
        b = net.start("b", B, A)
        net.pass_s(5)
        b.cluster.drain(is_draining=True)
        for is_draining in (True, False):
            for address, join in ((B, [A]), (A, []), (B, [A])):
                net.end(address)
                net.pass_s(1)
                net.start("b" if address == B else "a", address, *join)
                net.pass_s(10)
            for host in net.hosts.values():
                assert host.cluster.node is not None
                assert host.cluster.node.members["b"].is_draining is is_draining
            net.hosts[B].cluster.drain(is_draining=False)
            net.pass_s(2)


def test_a_node_remembers_the_addresses_of_so_many_others(tmp_path: Path) -> None:
    state = NodeState.open(tmp_path / "state", "a", keeps_coordinator=True)
    for number in range(MOST_PEERS + 5):
        state.remember({f"n{number}": A, "b": B if number else A})
    state.close()
    again = NodeState.open(tmp_path / "state", "a", keeps_coordinator=True)
    assert len(again.record.peers) == MOST_PEERS
    assert again.record.peers["b"] == B
    assert "n0" not in again.record.peers
    again.close()
