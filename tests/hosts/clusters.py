"""A cluster on hosts: a node on each, the same workflows everywhere, and one set of keys."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from placet.actors.errors import WaitTimeout
from placet.actors.shards.records import SHARDS
from placet.net.client import Client, cluster_of, connect
from placet.net.cluster_table import SHARDS_PREFIX, Owner, ShardTable
from placet.net.errors import NodeUnreachable
from placet.net.keyring import KeyKind, key_file_beside
from placet.net.local_coordinator import LocalCoordinator
from tests.endtoend.processes import PATIENCE_S, Process, until
from tests.hosts.checker import Found, check_cluster, check_owners, engine_stores
from tests.hosts.hosts import Host

PORT = 1900
FLOWS = '''
"""A workflow that spans hosts: each of its tokens is worked on by a child instance, wherever that lives."""
import threading

from placet import Workflow

part = Workflow("part")
cut, drilled, painted = part.places("cut drilled painted")

@part.transition(cut >> drilled)
def drill(value):
    threading.Event().wait(0.005)
    return value + 1

@part.transition(drilled >> painted)
def paint(value):
    return value * 2

order = Workflow("order")
placed, made, shipped = order.places("placed made shipped")
order.call(placed >> made, "make", part)

@order.transition(made >> shipped)
def ship(value):
    return value
'''
WORKFLOWS = ("part", "order")
ANSWER_S = 4.0  # patience for one answer; then it is asked again
SPREAD_S = 2 * PATIENCE_S  # a bound for the moves of all shards, on a busy machine


def shipped(value: int) -> int:
    """Return what `order` makes of a token."""
    return (value + 1) * 2


@dataclass(slots=True, kw_only=True)
class ClusterNode:
    """A node of a cluster; started and killed as often as a test wants, over one directory."""

    host: Host
    folder: Path
    join: str  # addresses of nodes to join; "" begins a cluster
    engines: int = 1
    workflows: tuple[str, ...] = WORKFLOWS
    process: Process | None = None
    program: tuple[str, ...] = ("-m", "placet")  # or a file that is it, but for something
    env: Mapping[str, str] = field(default_factory=dict[str, str])  # beside the machine's
    _begins_at: int = 0  # what this process has written begins here

    @property
    def address(self) -> str:
        return f"{self.host.address}:{PORT}"

    @property
    def log(self) -> str:
        """What it has written so far, all its processes together."""
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def states(self) -> dict[str, Path]:
        """The directories of its engines, by their names."""
        return {f"{self.name}/{number}": self.folder / "state" / f"engine-{number}" for number in range(self.engines)}

    def start(self) -> None:
        """Start it and wait until it says that it listens."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it. What it writes goes to a file: nobody has to read it."""
        files = [f"{self.folder / 'flows.py'}:{name}" for name in self.workflows]
        where = ["--state", str(self.folder / "state"), "--key-file", str(self.folder / "key")]
        join = ["--join", self.join] if self.join else []
        named = ["--name", self.name, "--listen", self.address, "--engines", str(self.engines), "--json"]
        with (self.folder / "log").open("a", encoding="utf-8") as log, self.host.entered():
            self._begins_at = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "node", *files, *where, *join, *named],
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it says that it listens."""
        process = self.process
        assert process is not None
        until(lambda: "listens_at" in self._said or process.poll() is not None, f"{self.host} listens")
        assert process.poll() is None, self._said

    @property
    def _said(self) -> str:
        return self.log[self._begins_at :]

    def kill(self) -> None:
        """Kill all processes of its host."""
        self.host.kill_all()
        if self.process is not None:
            self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """Stop it cleanly."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0, self.log


class Cluster:
    """Nodes on hosts, each in a folder of its own; the first begins the cluster, the others join it."""

    def __init__(
        self,
        hosts: list[Host],
        folder: Path,
        *,
        engines: int = 1,
        flows: str = FLOWS,
        workflows: Sequence[str] = WORKFLOWS,
    ) -> None:
        self.nodes: list[ClusterNode] = []
        self._first = folder / hosts[0].name
        for host in hosts:
            (folder / host.name).mkdir()
            (folder / host.name / "flows.py").write_text(flows, encoding="utf-8")
            join = self.nodes[0].address if self.nodes else ""
            node = ClusterNode(host=host, folder=folder / host.name, join=join, engines=engines)
            node.workflows = tuple(workflows)
            self.nodes.append(node)

    def start(self) -> None:
        """Start all nodes. The keys are made by the first and brought to the others."""
        for node in self.nodes:
            if node.folder != self._first:
                for key in self._first.glob("key*"):
                    shutil.copy(key, node.folder)
            node.start()

    @property
    def key_file(self) -> Path:
        """A client's."""
        return key_file_beside(self._first / "key", KeyKind.CLIENT)

    def connect(self, host: Host, kind: KeyKind = KeyKind.CLIENT) -> Client:
        """Return a client on a host, of all nodes."""
        addresses = ",".join(node.address for node in self.nodes)
        with host.entered():
            return connect(addresses, key_file=key_file_beside(self._first / "key", kind), timeout_s=PATIENCE_S)

    def wait_spread(self, client: Client) -> None:
        """Wait until all engines have as many shards as any other, give or take one: they move there by themselves."""
        engines = [engine for node in self.nodes for engine in node.states]
        fewest, rest = divmod(SHARDS, len(engines))
        wanted = sorted([fewest] * (len(engines) - rest) + [fewest + 1] * rest)

        def look() -> bool:
            """Return whether they are."""
            owned = Counter(shard.engine for shard in cluster_of(client).shards(PATIENCE_S))
            return owned.keys() == set(engines) and sorted(owned.values()) == wanted

        until(look, "the shards are spread evenly", within_s=SPREAD_S)

    def wait_alive(self, client: Client) -> None:
        """Wait until all nodes are seen alive."""
        names = {node.name for node in self.nodes}

        def look() -> bool:
            """Return whether they are."""
            try:
                seen = cluster_of(client).nodes(ANSWER_S).nodes
            except (WaitTimeout, NodeUnreachable):  # whom it has asked is just going away
                return False
            return {one.name for one in seen if one.state == "alive"} == names

        until(look, "all nodes are alive")

    def ask(self, host: Host, *command: str) -> list[dict[str, object]]:
        """Return what a command such as `nodes list` says, asked on a host of the node that began the cluster."""
        where = ["--connect", self.nodes[0].address, "--key-file", str(self.key_file), "--json"]
        told = host.run([sys.executable, "-m", "placet", *command, *where])
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def table(self) -> list[Owner | None]:
        """Return the owner of each shard, as the coordinator has it on disk; its node does not run."""
        with closing(LocalCoordinator.open(self._first / "state" / "coordinator")) as coordinator:
            table = ShardTable.read(coordinator.read(SHARDS_PREFIX).result(PATIENCE_S))
            return [table.owner_of(shard) for shard in range(SHARDS)]

    def check(self, *, unfinished: tuple[str, ...] = ()) -> dict[str, Found]:
        """Stop all nodes and look at what all their stores have kept; return every instance."""
        for node in reversed(self.nodes):  # the coordinator's last
            node.stop()
        found = check_cluster(engine_stores(*(node.folder for node in self.nodes)), unfinished=unfinished)
        problems = check_owners(
            {name: state for node in self.nodes for name, state in node.states.items()}, self.table()
        )
        assert not problems, "\n".join(problems)
        return found
