"""docs/cluster.md works as it stands: its three hosts, with its addresses, its files, its commands and its program."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.endtoend.processes import PATIENCE_S, until
from tests.hosts.hosts import Host, Hosts
from tests.project.sources import ROOT

PAGE = ROOT / "docs/cluster.md"
FENCE = re.compile(r"^```(\w+)(?: ([\w.]+\.py))?(?: host=(\w))?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
KEYS = re.compile(r"`(cluster(?:\.\w+)?\.key)`")

pytestmark = [pytest.mark.hosts(3, network="10.0.0"), pytest.mark.slow]


class Reader:
    """Somebody who follows the page: a folder on each host, and a shell in it."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.nodes: dict[str, subprocess.Popen[str]] = {}
        self.epochs: dict[object, object] = {}  # of the shards of c/0, before it was restored
        for host in hosts:
            (folder / host.name).mkdir()

    def at(self, host: Host) -> Path:
        """Return the folder of a host."""
        return self.folder / host.name

    def write(self, name: str, text: str, *hosts: Host) -> None:
        """Write a file on some hosts."""
        for host in hosts or tuple(self.hosts):
            (self.at(host) / name).write_text(text, encoding="utf-8")

    def begin(self, host: Host, command: str) -> None:
        """Start a node, and wait until it says that it listens."""
        log = self.at(host) / "log"
        with log.open("w", encoding="utf-8") as out, host.entered():
            node = subprocess.Popen(_words(command), cwd=self.at(host), stdout=out, stderr=out, text=True)
        self.nodes[host.name] = node
        until(lambda: "listens at" in log.read_text(encoding="utf-8") or node.poll() is not None, f"{host} listens")
        assert node.poll() is None, log.read_text(encoding="utf-8")

    def run(self, host: Host, command: str) -> str:
        """Run a command to its end, and return what it says."""
        told = host.run(_words(command), cwd=self.at(host))
        assert told.returncode == 0, f"{command}: {told.stdout}{told.stderr}"
        return told.stdout

    def copy_keys(self, source: Host, names: list[str]) -> None:
        """Copy key files to the other hosts, readable for nobody else."""
        for host in self.hosts:
            for name in names if host is not source else ():
                shutil.copy(self.at(source) / name, self.at(host))
                (self.at(host) / name).chmod(0o600)

    def asked(self, command: str) -> list[dict[str, object]]:
        """Return what a command says about the cluster, as JSON."""
        where = " --connect 10.0.0.1:1900 --key-file cluster.key --json"
        lines = self.run(self.hosts["a"], f"placet {command}{where}").splitlines()
        return [json.loads(line) for line in lines]

    def owned(self) -> Counter[object]:
        """Return how many shards each engine has."""
        return Counter(shard["engine"] for shard in self.asked("shard list"))

    def epochs_of(self, engine: str) -> dict[object, object]:
        """Return the epochs of an engine's shards."""
        return {shard["shard"]: shard["epoch"] for shard in self.asked("shard list") if shard["engine"] == engine}

    def wait_spread(self) -> None:
        """Wait until every engine has its share."""
        until(self._is_spread, "each engine has its share", within_s=2 * PATIENCE_S)

    def _is_spread(self) -> bool:
        nodes = {name.partition("/")[0] for name in map(str, self.owned())}
        counts = self.owned().values()
        return nodes == {"a", "b", "c"} and max(counts) - min(counts) <= 1


def _words(command: str) -> list[str]:
    words = shlex.split(command)
    assert words[0] == "placet", command
    return [sys.executable, "-m", *words]


def test_three_hosts_by_hand_as_the_page_says(hosts: Hosts, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    reader, seen = Reader(hosts, tmp_path), Counter[str]()
    for language, name, host, body in FENCE.findall(text):
        if language == "python":
            reader.write(name, body, *([hosts[host]] if host else []))
            if host:
                out = hosts[host].run([sys.executable, name], cwd=tmp_path / host)
                assert (out.returncode, out.stdout) == (0, f"{sum(range(100))}\n"), out.stderr
                seen["program"] += 1
        for command in body.splitlines() if language == "sh" else ():
            if command.startswith("placet node ") and "--name" in command:
                reader.begin(hosts[host], command)
                if len(reader.nodes) == 1:
                    reader.copy_keys(hosts[host], list(dict.fromkeys(KEYS.findall(text))))
                continue
            if "shard move" in command:
                reader.wait_spread()  # else it may be on its way already
            follow(reader, hosts[host], command)
            seen[" ".join(command.split()[1:3])] += 1
    once = ("program", "nodes list", "shard list", "shard move", "node stop", "backup engine-0.mdb", "list --connect")
    assert seen == {**dict.fromkeys(once, 1), "restore engine-0.mdb": 1, "nodes drain": 2}
    stop = re.search(r"`(placet node stop --state state)`", text)
    assert stop
    for host in reversed(list(hosts)):
        reader.run(host, stop[1])
        assert reader.nodes[host.name].wait(PATIENCE_S) == 0


def follow(reader: Reader, host: Host, command: str) -> None:
    """Run a command, and look for what the page promises of it."""
    if command.startswith("placet list"):
        restored(reader, host, command)
        return
    out = reader.run(host, command)
    if "nodes list" in command:

        def alive() -> bool:
            """Return whether all three are: while shards move, a busy machine may take one for suspect."""
            lines = reader.run(host, command).splitlines()
            return [line.split()[0] for line in lines if "alive" in line] == ["a", "b", "c"]

        until(alive, "three nodes are alive")
    elif "shard list" in command:
        shards = reader.asked("shard list")
        assert [shard["shard"] for shard in shards] == list(range(256)), out
        assert all(shard["engine"] for shard in shards)
    elif "shard move" in command:
        words = command.split()
        until(lambda: reader.asked("shard list")[int(words[3])]["engine"] == words[4], "it has moved")
    elif "--undo" in command:
        reader.wait_spread()
    elif "backup" in command:
        reader.epochs = reader.epochs_of("c/0")
    elif "node stop" in command:
        assert reader.nodes[host.name].wait(PATIENCE_S) == 0
    elif "restore" in command:
        assert "replaced-1.mdb" in out
    else:
        assert not [engine for engine in reader.owned() if str(engine).startswith("c/")]


def restored(reader: Reader, host: Host, command: str) -> None:
    """List all instances once the engine that was restored has its shards back, with the next epoch each."""

    def has_all() -> bool:
        told = host.run(_words(command), cwd=reader.at(host))
        return told.returncode == 0 and len(re.findall(r"\becho-\d+ ", told.stdout)) == 100

    until(has_all, "every instance is there")
    assert reader.epochs_of("c/0") == {shard: int(str(epoch)) + 1 for shard, epoch in reader.epochs.items()}
