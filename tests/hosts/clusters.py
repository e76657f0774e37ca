"""A cluster on hosts: a node on each, the same workflows everywhere, and one set of keys."""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from placet.net.client import Client, connect
from placet.net.cluster_table import SHARDS_PREFIX, Owner, ShardTable, move_owner
from placet.net.coordinator import MOST_KEYS
from placet.net.keyring import KeyKind, key_file_beside
from placet.net.local_coordinator import LocalCoordinator
from tests.endtoend.processes import PATIENCE_S, Process, until
from tests.hosts.checker import Found, check_cluster, engine_stores
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
    process: Process | None = None

    @property
    def address(self) -> str:
        return f"{self.host.address}:{PORT}"

    @property
    def log(self) -> str:
        """What it has written so far, all its processes together."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it says that it listens. What it writes goes to a file: nobody has to read it."""
        files = [f"{self.folder / 'flows.py'}:{name}" for name in WORKFLOWS]
        where = ["--state", str(self.folder / "state"), "--key-file", str(self.folder / "key")]
        join = ["--join", self.join] if self.join else []
        named = ["--name", self.host.name, "--listen", self.address, "--engines", str(self.engines), "--json"]
        with (self.folder / "log").open("a", encoding="utf-8") as log, self.host.entered():
            begins_at = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "placet", "node", *files, *where, *join, *named],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        process = self.process
        until(lambda: "listens_at" in self.log[begins_at:] or process.poll() is not None, f"{self.host} listens")
        assert process.poll() is None, self.log[begins_at:]

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

    def __init__(self, hosts: list[Host], folder: Path, *, engines: int = 1) -> None:
        self.nodes: list[ClusterNode] = []
        self._first = folder / hosts[0].name
        for host in hosts:
            (folder / host.name).mkdir()
            (folder / host.name / "flows.py").write_text(FLOWS, encoding="utf-8")
            join = self.nodes[0].address if self.nodes else ""
            self.nodes.append(ClusterNode(host=host, folder=folder / host.name, join=join, engines=engines))

    def deal_shards(self) -> None:
        """Before the first start: give each engine its share. Else the first node claims all there are, and they move.

        They are dealt behind the nodes' backs, while nothing was ever in them and none runs.
        """
        engines = cycle(f"{node.host.name}/{number}" for node in self.nodes for number in range(node.engines))
        self.nodes[0].start()  # which begins the cluster
        self.nodes[0].stop()
        with closing(LocalCoordinator.open(self._first / "state" / "coordinator")) as coordinator:
            table = ShardTable.read(coordinator.read(SHARDS_PREFIX).result(PATIENCE_S))
            moves = [
                move_owner(shard, held, Owner(engine=engine, epoch=held.owner.epoch + 1, is_new=True))
                for shard, (held, engine) in enumerate(zip(table.held, engines, strict=False))
                if held is not None and held.owner.engine != engine
            ]
            for start in range(0, len(moves), MOST_KEYS):
                some = moves[start : start + MOST_KEYS]
                conditions = [condition for move in some for condition in move.conditions]
                changes = [change for move in some for change in move.changes]
                assert coordinator.transact(conditions, changes).result(PATIENCE_S).ok

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

    def connect(self, host: Host) -> Client:
        """Return a client on a host, of all nodes."""
        with host.entered():
            return connect(",".join(node.address for node in self.nodes), key_file=self.key_file, timeout_s=PATIENCE_S)

    def ask(self, host: Host, *command: str) -> list[dict[str, object]]:
        """Return what a command such as `nodes list` says, asked on a host of the node that began the cluster."""
        where = ["--connect", self.nodes[0].address, "--key-file", str(self.key_file), "--json"]
        told = host.run([sys.executable, "-m", "placet", *command, *where])
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def check(self, *, unfinished: tuple[str, ...] = ()) -> dict[str, Found]:
        """Stop all nodes and look at what all their stores have kept; return every instance."""
        for node in self.nodes:
            node.stop()
        return check_cluster(engine_stores(*(node.folder for node in self.nodes)), unfinished=unfinished)
