"""Nodes of a cluster over one coordinator, with messages and time of the test's own."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from placet.actors.shards.records import SHARDS
from placet.net.cluster_node import BEAT_S, LEASE_S, ClusterNode
from placet.net.cluster_table import Member
from placet.net.coordinator import Change, Condition, Outcome
from placet.net.local_coordinator import LocalCoordinator, RequestId
from placet.net.membership import MemberState
from placet.net.messages import Beat, ConfirmMove, EngineAt, MoveShard, OpenShards, Peer, Whereabouts
from placet.persistence.memory_store import MemoryStore
from placet.petri.errors import PlacetError

STEP_S = 0.25


class Net:
    """A coordinator, nodes, and messages between them."""

    def __init__(self) -> None:
        self.coordinator = LocalCoordinator(MemoryStore())
        self.now_s = 100.0
        self.nodes: dict[str, ClusterNode] = {}
        self.heard: dict[str, Whereabouts] = {}  # what each told its engines last
        self.letters: deque[tuple[str, object]] = deque()
        self.cut_off: set[str] = set()
        self.failures: list[PlacetError] = []
        self.orders: list[tuple[str, MoveShard]] = []  # to engines

    def add(self, name: str, engines: int = 1, incarnation: int = 1, id: str = "") -> ClusterNode:
        """Start a node, whose engines run at once."""
        names = tuple(f"{name}/{number}" for number in range(engines))
        node = ClusterNode(
            Member(name=name, address=f"at {name}", engines=names, incarnation=incarnation, id=id),
            "cluster",
            self.coordinator,
            is_keeper=not self.nodes,
            peer_of=lambda address: Peer(address.removeprefix("at "), 1),
            send=self.send,
            moved=self._hears(name),
            failed=self.failures.append,
        )
        self.nodes[name] = node
        for one in names:
            node.engine_started(one, EngineAt(peer=Peer(one, 1), incarnation=f"{one}.{incarnation}"))
        return node

    def _hears(self, name: str) -> Callable[[Whereabouts], None]:
        def hear(where: Whereabouts) -> None:
            self.heard[name] = where

        return hear

    def send(self, peer: Peer, message: object) -> None:
        if isinstance(message, MoveShard):
            self.orders.append((peer.host, message))
        else:
            self.letters.append((peer.host, message))

    def pass_s(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP_S)):
            self.now_s += STEP_S
            self.coordinator.tick(self.now_s)
            for name, node in self.nodes.items():
                if name not in self.cut_off:
                    node.tick(self.now_s)
            while self.letters:
                name, message = self.letters.popleft()
                if name in self.nodes and name not in self.cut_off and isinstance(message, Beat):
                    self.nodes[name].heard(message, self.now_s)


def owned(where: Whereabouts) -> dict[str, int]:
    return {name: where.owners.count(name) for name in set(where.owners)}


def test_the_first_node_claims_all_shards_for_its_engines_and_the_second_hears_of_it() -> None:
    net = Net()
    net.add("a", engines=2)
    net.pass_s(3)
    assert owned(net.heard["a"]) == {"a/0": SHARDS // 2, "a/1": SHARDS // 2}
    assert net.heard["a"].new == frozenset(range(SHARDS))
    assert set(net.heard["a"].epochs) == {1}
    net.add("b")
    net.pass_s(3)
    assert net.heard["b"].owners == net.heard["a"].owners
    assert set(net.heard["b"].engines) == {"a/0", "a/1", "b/0"}
    assert sorted(node.host for node in net.heard["b"].nodes) == ["a", "b"]


def test_shards_that_were_opened_are_new_no_more() -> None:
    net = Net()
    node = net.add("a")
    net.pass_s(2)
    node.opened(OpenShards(name="a/0", epochs=dict.fromkeys(range(200), 1)))
    assert net.heard["a"].new == frozenset(range(200, SHARDS))
    node.opened(OpenShards(name="b/0", epochs=dict.fromkeys(range(200, SHARDS), 1)))  # not its owner
    node.opened(OpenShards(name="a/0", epochs=dict.fromkeys(range(200, SHARDS), 2)))  # of another epoch
    assert net.heard["a"].new == frozenset(range(200, SHARDS))


def test_shards_are_asked_to_move_to_a_node_that_joins_a_few_at_a_time_until_all_have_as_many() -> None:
    net = Net()
    net.add("a")
    net.pass_s(2)
    net.add("b")
    for _ in range(60):
        net.pass_s(1)
        orders, net.orders = net.orders, []
        assert len({order.shard for _, order in orders}) <= 8
        for engine, order in orders:
            assert engine == "a/0"
            shard = order.shard
            epoch = net.heard["b"].epochs[shard] + 1
            net.nodes["b"].confirm(ConfirmMove(shard=shard, epoch=epoch, engine=order.to, move="m"))
    assert owned(net.heard["a"]) == {"a/0": SHARDS // 2, "b/0": SHARDS // 2}
    assert not net.orders
    assert sorted(set(net.heard["a"].epochs)) == [1, 2]


def test_a_confirmation_that_comes_too_late_changes_nothing() -> None:
    net = Net()
    node = net.add("a")
    net.pass_s(2)
    node.confirm(ConfirmMove(shard=7, epoch=2, engine="b/0", move="m"))
    assert net.heard["a"].owners[7] == "b/0"
    node.confirm(ConfirmMove(shard=7, epoch=2, engine="c/0", move="n"))
    assert (net.heard["a"].owners[7], net.heard["a"].epochs[7]) == ("b/0", 2)


class SlowCoordinator(LocalCoordinator):
    """Answers no transaction while `is_slow`."""

    is_slow = False
    asked = 0

    def transact(
        self, conditions: Sequence[Condition], changes: Sequence[Change], *, request: RequestId | None = None
    ) -> "Future[Outcome]":
        """Count it, and leave it at that."""
        if not self.is_slow:
            return super().transact(conditions, changes, request=request)
        self.asked += 1
        return Future()


def test_a_coordinator_that_is_slow_is_not_asked_the_same_again() -> None:
    net = Net()
    net.coordinator = slow = SlowCoordinator(MemoryStore())
    node = net.add("a")
    net.pass_s(2)
    slow.is_slow = True
    for _ in range(3):
        for shard in (7, 8):
            node.confirm(ConfirmMove(shard=shard, epoch=2, engine="b/0", move="m"))
    assert slow.asked == 2


def test_a_move_that_people_ask_for_is_asked_for_again_until_it_is_done() -> None:
    net = Net()
    node = net.add("a")
    net.pass_s(2)
    node.want(7, "b/0")  # which is not there, so that nothing else moves
    net.pass_s(5)
    asked = [(engine, order) for engine, order in net.orders if order == MoveShard(shard=7, to="b/0")]
    assert len(asked) >= 3
    assert {engine for engine, _ in asked} == {"a/0"}
    node.confirm(ConfirmMove(shard=7, epoch=2, engine="b/0", move="m"))
    net.orders.clear()
    net.pass_s(5)
    assert not net.orders


def test_a_node_that_drains_has_all_its_shards_moved_away_and_gets_none() -> None:
    net = Net()
    node = net.add("a")
    net.add("b")
    net.pass_s(2)
    node.drain(is_draining=True)
    net.pass_s(2)
    assert net.orders
    assert {order.to for _, order in net.orders} == {"b/0"}
    net.orders.clear()
    node.drain(is_draining=False)
    net.pass_s(2)
    assert {order.to for _, order in net.orders} <= {"a/0", "b/0"}


def test_a_node_that_is_cut_off_is_suspect_then_down_and_its_engines_are_nowhere_until_it_is_heard_again() -> None:
    net = Net()
    net.add("a")
    net.add("b")
    net.pass_s(3)
    net.cut_off.add("b")
    net.pass_s(4)
    assert net.nodes["a"].states(net.now_s)["b"] is MemberState.SUSPECT
    assert "b/0" in net.heard["a"].engines
    net.pass_s(LEASE_S)
    assert "b/0" not in net.heard["a"].engines
    assert "b" not in net.nodes["a"].members  # its lease is over
    net.cut_off.clear()
    net.pass_s(5)
    assert net.nodes["a"].states(net.now_s) == {"a": MemberState.ALIVE, "b": MemberState.ALIVE}
    assert "b/0" in net.heard["a"].engines


def test_a_node_that_is_started_again_takes_its_entry_over() -> None:
    net = Net()
    net.add("a")
    net.add("b")
    net.pass_s(3)
    net.add("b", incarnation=2)
    net.pass_s(3)
    assert net.nodes["a"].members["b"].incarnation == 2
    assert net.heard["a"].engines["b/0"].incarnation == "b/0.2"


def test_a_node_that_leaves_is_gone_at_once() -> None:
    net = Net()
    net.add("a")
    net.add("b")
    net.pass_s(3)
    net.nodes.pop("b").leave()
    net.pass_s(BEAT_S)
    assert set(net.nodes["a"].members) == {"a"}
    assert "b/0" not in net.heard["a"].engines


def test_what_a_newer_placet_has_written_is_told_and_ends_nothing_half_way() -> None:
    net = Net()
    net.add("a")
    net.pass_s(2)
    net.coordinator.transact([], [Change(key="members/z", value=b'{"format": 99}')])
    assert "upgrade Placet on this host" in str(net.failures[0])
    net.pass_s(2)
    assert set(net.nodes["a"].members) == {"a"}


def test_two_nodes_of_one_name_are_told_apart_and_the_second_is_refused() -> None:
    net = Net()
    net.add("a")
    first = net.add("b", id="one")
    net.pass_s(3)
    net.nodes["c"] = first  # it goes on, while another one comes under its name
    net.add("b", id="two")
    net.pass_s(3 * LEASE_S)
    assert net.nodes["a"].members["b"].id == "one"
    assert "another node called b is in the cluster, at at b; give this one another --name" in str(net.failures[0])


def test_a_node_whose_state_is_new_waits_until_the_lease_of_the_old_one_is_over() -> None:
    net = Net()
    net.add("a")
    net.add("b", id="one")
    net.pass_s(3)
    net.add("b", id="two")
    net.pass_s(LEASE_S + 5)
    assert net.nodes["a"].members["b"].id == "two"
    assert not net.failures
