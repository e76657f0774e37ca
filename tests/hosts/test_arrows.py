"""A process that stands still, or is killed, at each arrow of a move: one owner in the end, nothing lost, all once."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from placet.actors.errors import WaitTimeout
from placet.net.client import Client, cluster_of
from placet.net.cluster_node import LEASE_S
from placet.net.errors import NodeUnreachable, NotPossible
from placet.net.keyring import KeyKind
from placet.persistence.keys import shard_of
from tests.endtoend.processes import PATIENCE_S, until
from tests.hosts.clusters import ANSWER_S, Cluster, ClusterNode
from tests.hosts.hosts import Hosts
from tests.hosts.load import FLOWS, WORKFLOWS, Customers, close_books
from tests.hosts.watch import OwnerWatch

SOURCE = ("copying", "frozen", "moved before", "moved after", "asking", "settled before", "settled after", "removing")
TARGET = ("arriving before", "arriving after", "staged before", "staged after", "asking", "owned before", "owned after")
SHORT_S = 0.5  # of most stops
LONG_S = LEASE_S + 5.0  # of some: by then the host has left the table of members, and moves are called off
LONG = {("source", "moved after"), ("target", "staged before")}
AGAIN_S, LOOK_S = 3.0, 0.05  # between two times that a move is asked for, and that is looked for what comes of it
RATE, MOST = 3.0, 3_000  # orders a second; more than are begun on any machine
FIRST = 30  # orders that are there before anything is moved
HEAL_S = 120.0


class Arrow(NamedTuple):
    """Where, and how, a process stops."""

    side: str  # of the move: source or target; or keeper, of the table
    point: str
    number: signal.Signals

    @property
    def lasts_s(self) -> float:
        return LONG_S if (self.side, self.point) in LONG else SHORT_S


def arrows(number: signal.Signals) -> list[Arrow]:
    """Return all of them, those of the two engines in turn."""
    source, target = ([Arrow(side, point, number) for point in points] for side, points in POINTS.items())
    pairs = zip(source, [*target, Arrow("keeper", "confirming", number)], strict=True)
    return [arrow for pair in pairs for arrow in pair]


POINTS = {"source": SOURCE, "target": TARGET}


class Arrows:
    """Moves one shard after the other from the first node to the second, and has a process stop meanwhile."""

    def __init__(self, hosts: Hosts, cluster: Cluster, keeper: Client, customers: Customers) -> None:
        self._hosts = hosts
        self._source, self._target = cluster.nodes
        self._keeper = keeper
        self._customers = customers

    def owner(self, shard: int) -> str:
        """Return the engine that the table gives a shard to; "" when nobody says."""
        with suppress(WaitTimeout, NodeUnreachable, NotPossible):
            return cluster_of(self._keeper).shards(ANSWER_S)[shard].engine
        return ""

    def move(self, shard: int, is_done: Callable[[], bool], what: str) -> None:
        """Ask for a move until something is seen: it may be called off, and an engine may be away just now."""

        def look() -> bool:
            """Ask, and look for a while."""
            with suppress(WaitTimeout, NodeUnreachable, NotPossible):
                cluster_of(self._keeper).move(shard, f"{self._target.name}/0", ANSWER_S)
            for _ in range(int(AGAIN_S / LOOK_S)):
                if is_done():
                    return True
                self._hosts.pass_s(LOOK_S)
            return False

        until(look, what, within_s=2 * PATIENCE_S)

    def shard(self) -> int:
        """Return a shard of the source in which orders live: not one of those that would move back by themselves."""
        owners = cluster_of(self._keeper).shards(PATIENCE_S)
        shards = sorted({shard_of(f"o-{number}") for number in list(self._customers.placed)})
        return next(shard for shard in shards if owners[shard].engine == f"{self._source.name}/0")

    def hit(self, arrow: Arrow) -> None:
        """Move a shard, and have a process stop at an arrow of that; return once the shard is where it was to go."""
        node = self._target if arrow.side == "target" else self._source
        shard = self.shard()
        told = stop_at(node, arrow)
        self.move(shard, told.exists, f"it comes to {arrow}")
        pid = int(told.read_text(encoding="ascii"))
        if arrow.number is signal.SIGSTOP:
            self._stand_still(node, pid, arrow.lasts_s)
        elif node.process is not None and node.process.pid == pid:  # of the node itself, which ends with its engine
            assert node.process.wait(PATIENCE_S) == -signal.SIGKILL
            node.start()
        else:
            until(lambda: not psutil.pid_exists(pid), f"it is killed at {arrow}")
        arrived = f"{self._target.name}/0"
        self.move(shard, lambda: self.owner(shard) == arrived, f"shard {shard} has moved, after {arrow}")

    def _stand_still(self, node: ClusterNode, pid: int, seconds: float) -> None:
        until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it stands still")
        if seconds < LEASE_S:
            self._hosts.pass_s(seconds)
            os.kill(pid, signal.SIGCONT)
        else:  # all of its host, so that nothing is heard of it
            node.host.pause()
            self._hosts.pass_s(seconds)
            node.host.resume()


def stop_at(node: ClusterNode, arrow: Arrow) -> Path:
    """Have a process of a node stop at a point, and return the file that will say which it was."""
    told, new = node.folder / "stop.pid", node.folder / "stop.at.new"
    told.unlink(missing_ok=True)
    new.write_text(f"{arrow.point} {arrow.number.value}", encoding="ascii")
    new.rename(node.folder / "stop.at")
    return told


@pytest.mark.slow(seconds=100)
@pytest.mark.hosts(3)
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_at_each_arrow_of_a_move_a_process_stops_and_no_former_owner_commits(
    hosts: Hosts, tmp_path: Path, number: signal.Signals
) -> None:
    cluster, customers_at = Cluster(list(hosts)[:2], tmp_path, flows=FLOWS, workflows=WORKFLOWS), hosts["c"]
    for node in cluster.nodes:
        node.program = (str(Path(__file__).with_name("stopping.py")),)
        node.env = {"STOP_AT": str(node.folder / "stop.at")}
    cluster.start()
    with (
        cluster.connect(customers_at) as client,
        cluster.connect(customers_at, KeyKind.CLUSTER) as keeper,
        OwnerWatch({name: state for node in cluster.nodes for name, state in node.states.items()}) as watch,
    ):
        cluster.wait_spread(client)
        customers = Customers(client, MOST, MOST / RATE)
        try:
            until(lambda: len(customers.placed) >= FIRST, "orders are there")
            moves = Arrows(hosts, cluster, keeper, customers)
            for arrow in arrows(number):
                moves.hit(arrow)
            customers.begin_no_more()
            assert customers.wait(HEAL_S), f"{len(customers.open)} orders are open"
        finally:
            customers.stop()
    assert not [*customers.problems, *watch.problems, *close_books(cluster, customers)]
