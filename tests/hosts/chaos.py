"""A run in which what can go wrong does, drawn from a seed; afterwards everything completes, and the books close.

    python -m tests.hosts.chaos --seconds 300 1 2 3
    python -m tests.hosts.chaos --orders 10000

runs three seeds, and one run with every fault in turn. What goes wrong is in `plan.py`, what runs meanwhile in
`load.py`.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import psutil

from placet.actors.errors import WaitTimeout
from placet.net.client import Client, cluster_of
from placet.net.errors import NodeUnreachable, NotPossible
from placet.net.keyring import KeyKind
from tests.endtoend.processes import until
from tests.hosts.clock import HostClock
from tests.hosts.clusters import Cluster, ClusterNode
from tests.hosts.hosts import Hosts
from tests.hosts.load import FLOWS, WORKFLOWS, Customers, close_books
from tests.hosts.plan import Kind, Step, draw, ends_s, listed
from tests.hosts.watch import OwnerWatch
from tests.net.nodes import owner_of

HEAL_S = 150.0  # after all faults are over, everything has completed within so long,
ORDER_S = 0.2  # and so much more for each order
HOUR_S = 3_600
ASK_S = 3.0  # patience of those who move shards; then it is left at that


class Chaos:
    """One run over three hosts, with customers on a fourth."""

    def __init__(self, hosts: Hosts, folder: Path, rows: Sequence[Sequence[Step]], orders: int) -> None:
        self._hosts = hosts
        self._folder = folder
        self._orders = orders
        self._rows = rows
        self._cluster = Cluster(list(hosts)[:3], folder, flows=FLOWS, workflows=WORKFLOWS)
        self._clocks = {node.name: HostClock(node.folder / "ahead") for node in self._cluster.nodes}
        for node in self._cluster.nodes:
            node.env = self._clocks[node.name].env
        self._began_s = 0.0
        self._over = threading.Event()
        self._said = threading.Lock()
        self.journal: list[str] = [f"{orders} orders"]  # what was done, and what came of it
        self.problems: list[str] = []

    def run(self) -> None:
        """Run it all. Raises `AssertionError` with the journal and all that is wrong."""
        try:
            self._run()
        except AssertionError as error:
            self.problems.append(str(error))
        assert not self.problems, "\n".join([*self.journal, "", f"in {self._folder}:", *self.problems])

    def _run(self) -> None:
        cluster, customers_at = self._cluster, self._hosts["d"]
        cluster.start()
        states = {name: state for node in cluster.nodes for name, state in node.states.items()}
        with (
            cluster.connect(customers_at) as client,
            cluster.connect(customers_at, KeyKind.CLUSTER) as keeper,
            OwnerWatch(states) as watch,
        ):
            customers = Customers(client, self._orders, 0.9 * ends_s(self._rows))
            try:
                self._do_harm(keeper)
                self._heal(keeper)
                if not customers.wait(HEAL_S + ORDER_S * self._orders):
                    self.problems += [self._explain(client, number) for number in sorted(customers.open)[:10]]
                    self.problems.append(f"{len(customers.open)} orders have not completed in time")
                else:
                    cluster.wait_spread(client)
            finally:
                customers.stop()
                self.problems += [*customers.problems, *watch.problems]
        self._note(f"{len(customers.decided)} decisions, {watch.looks} looks at owners")
        self.problems += close_books(cluster, customers)

    def _explain(self, client: Client, number: int) -> str:
        try:
            return f"o-{number}: {client.explain(f'o-{number}', timeout_s=ASK_S)}"
        except (WaitTimeout, NodeUnreachable) as error:
            return f"o-{number}: {error}"

    # -- faults ----------------------------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        with self._said:
            self.journal.append(f"{monotonic() - self._began_s:6.1f} s: {text}")

    def _do_harm(self, keeper: Client) -> None:
        self._began_s = monotonic()
        threads = [threading.Thread(target=self._follow, args=(row, keeper)) for row in self._rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _follow(self, row: Sequence[Step], keeper: Client) -> None:
        for step in row:
            if self._over.wait(max(0.0, self._began_s + step.at_s - monotonic())):
                return
            self._note(str(step))
            try:
                self._do(step, keeper)
            except (AssertionError, OSError, psutil.Error) as error:
                self.problems.append(f"{step}: {type(error).__name__}: {error}")
                self._over.set()

    def _do(self, step: Step, keeper: Client) -> None:
        node, other = self._cluster.nodes[step.node], self._cluster.nodes[step.other]
        match step.kind:
            case Kind.CUT | Kind.CUT_PAIR | Kind.DEAF | Kind.LOSS | Kind.DELAY:
                self._spoil_network(step, node, other)
                self._over.wait(step.lasts_s)
                self._hosts.heal()
            case Kind.KILL_ENGINE:
                self._signal(self._engine_of(node), signal.SIGKILL)
            case Kind.KILL_HOST:
                node.kill()
                self._over.wait(step.lasts_s)
                node.launch()
            case Kind.STOP_ENGINE:
                self._pause(self._engine_of(node), step.lasts_s)
            case Kind.STOP_NODE:
                self._pause(node.process.pid if node.process is not None else 0, step.lasts_s)
            case Kind.STOP_HOST:
                node.host.pause()
                self._over.wait(step.lasts_s)
                node.host.resume()
            case Kind.CLOCK_AHEAD | Kind.CLOCK_BACK:
                self._clocks[node.name].set_ahead(HOUR_S if step.kind is Kind.CLOCK_AHEAD else -HOUR_S)
                self._signal(self._engine_of(node), signal.SIGKILL)
                self._over.wait(step.lasts_s)
                self._clocks[node.name].set_ahead(0)
            case Kind.MOVE | Kind.MOVE_AND_STOP | Kind.MOVE_AND_KILL:
                self._move(step, node, keeper)
            case Kind.DRAIN:
                self._drain(node, keeper, is_draining=True)
                self._over.wait(step.lasts_s)
                self._drain(node, keeper, is_draining=False)

    def _spoil_network(self, step: Step, node: ClusterNode, other: ClusterNode) -> None:
        match step.kind:
            case Kind.CUT:
                self._hosts.isolate(node.host)
            case Kind.CUT_PAIR:
                self._hosts.cut(node.host, other.host)
            case Kind.DEAF:
                self._hosts.cut_one_way(other.host, node.host)
            case Kind.LOSS:
                self._hosts.loss(0.2)
            case _:
                self._hosts.delay(0.2)

    @staticmethod
    def _engine_of(node: ClusterNode) -> int:
        """Return the process of a node's engine; 0: there is none at the moment."""
        return owner_of(node.states[f"{node.name}/0"])

    def _signal(self, pid: int, number: signal.Signals) -> None:
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                self._note("it had ended by itself")

    def _pause(self, pid: int, seconds: float) -> None:
        self._signal(pid, signal.SIGSTOP)
        self._over.wait(seconds)
        self._signal(pid, signal.SIGCONT)

    def _move(self, step: Step, to: ClusterNode, keeper: Client) -> None:
        for shard in step.shards:
            try:
                cluster_of(keeper).move(shard, f"{to.name}/0", ASK_S)
            except (WaitTimeout, NodeUnreachable, NotPossible) as error:
                self._note(f"shard {shard}: {error}")
        if step.kind is Kind.MOVE_AND_STOP:
            self._pause(self._engine_of(to), step.lasts_s)
        elif step.kind is Kind.MOVE_AND_KILL:
            self._signal(self._engine_of(to), signal.SIGKILL)

    def _drain(self, node: ClusterNode, keeper: Client, *, is_draining: bool) -> bool:
        """Return whether somebody has been told."""
        try:
            cluster_of(keeper).drain(node.name, is_draining=is_draining, timeout_s=ASK_S)
        except (WaitTimeout, NodeUnreachable, NotPossible) as error:
            self._note(f"drain {node.name} {is_draining}: {error}")
            return False
        return True

    def _heal(self, keeper: Client) -> None:
        """End all faults, and wait until all nodes are there."""
        self._note("all is healed")
        self._hosts.heal()
        for node in self._cluster.nodes:
            node.wait()
        names = {node.name for node in self._cluster.nodes}

        def look() -> bool:
            """Return whether all nodes are there and want their share."""
            try:
                seen = cluster_of(keeper).nodes(ASK_S).nodes
            except (WaitTimeout, NodeUnreachable, NotPossible):
                return False
            for node in self._cluster.nodes:
                if any(one.is_draining for one in seen if one.name == node.name):
                    self._drain(node, keeper, is_draining=False)
            return {one.name for one in seen if one.state == "alive" and not one.is_draining} == names

        until(look, "all nodes are alive")


def run(folder: Path, seed: int, rows: Sequence[Sequence[Step]], orders: int) -> Chaos:
    """Make one run in a folder. Raises `AssertionError`."""
    with Hosts(4, seed=seed) as hosts:
        chaos = Chaos(hosts, folder, rows, orders)
        chaos.run()
        return chaos


def main() -> int:
    """Run some seeds, and say which have failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="none: one run with every fault in turn")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long things go wrong, for each seed")
    parser.add_argument("--orders", type=int, default=0, help="how many instances are begun; 0: three a second")
    asked = parser.parse_args()
    failed: list[int] = []
    plans = {seed: draw(seed, asked.seconds) for seed in asked.seeds} or {0: listed()}
    for seed, rows in plans.items():
        folder = Path(tempfile.mkdtemp(prefix=f"placet-chaos-{seed}-"))
        began_s = monotonic()
        try:
            chaos = run(folder, seed, rows, asked.orders or int(3 * ends_s(rows)))
        except AssertionError as error:
            failed.append(seed)
            print(f"seed {seed} FAILED after {monotonic() - began_s:.0f} s\n{error}", flush=True)
        else:
            print(f"seed {seed} passed in {monotonic() - began_s:.0f} s: {chaos.journal[-1]}", flush=True)
    print(f"{len(plans) - len(failed)} of {len(plans)} seeds passed" + (f"; failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
