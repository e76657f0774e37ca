"""Handlers that run on other nodes: real ones, on loopback addresses, some of which have what is asked for."""

import json
import os
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest

from placet.actors.lifecycle import InstanceState
from placet.net.client import Client, cluster_of, connect
from placet.net.keyring import KeyKind, key_file_beside
from placet.net.remote import RemoteInstance
from tests.endtoend.processes import PATIENCE_S, Process, kill, start, until
from tests.net.nodes import owner_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")

FLOWS = '''
"""Workflows for tests of handlers on other nodes."""
import os
import threading
from pathlib import Path

from placet import Remote, Requires, Workflow

training = Workflow("training")
data, model, served = training.places("data model served")

@training.transition(data >> model, requires=Requires(gpu=1))
def train(value):
    return {"model": value, "cwd": os.getcwd()}

@training.transition(model >> served)
def serve(value):
    return {**value, "served": os.getcwd()}

held = Workflow("held")
begun, ended = held.places("begun ended")

@held.transition(begun >> ended, requires=Requires(gpu=1))
def hold(value, context):
    with open("begun", "a") as log:
        log.write(f"{value} {context.attempt} {context.firing_id}\\n")
    while not Path("open").exists():
        context.heartbeat(os.getcwd())
        threading.Event().wait(0.01)
    return os.getcwd()

spread = Workflow("spread")
many, where = spread.places("many where")

@spread.transition(many >> where, run=Remote("thread"))
def look(value):
    threading.Event().wait(0.5)
    return os.getcwd()
'''


class Node:
    """A node in a folder of its own, which handlers find as their working directory."""

    def __init__(self, folder: Path, name: str, host: str, *more: str) -> None:
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        (self.folder / "flows.py").write_text(FLOWS, encoding="utf-8")
        self.name = name
        self.key = folder / "key"
        files = [f"{self.folder / 'flows.py'}:{workflow}" for workflow in ("training", "held", "spread")]
        where = ["--state", str(self.folder / "state"), "--key-file", str(self.key), "--listen", f"{host}:0"]
        command = ["-m", "placet", "node", *files, *where, "--name", name, "--engines", "1", "--threads", "4", "--json"]
        self.process: Process = start([*command, *more], cwd=self.folder)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate(timeout=PATIENCE_S)[1])
        self.address: str = json.loads(line)["listens_at"]

    def kill(self) -> None:
        """End all of its processes at once."""
        os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def begun(self) -> list[list[str]]:
        """What `hold` has written here: value, attempt and firing, a list each time."""
        log = self.folder / "begun"
        return [line.split() for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _alive(client: Client) -> int:
    return sum(one.state == "alive" for one in cluster_of(client).nodes().nodes)


@contextmanager
def cluster(folder: Path, *capabilities: str) -> Generator[tuple[Client, list[Node]]]:
    """Yield a client of nodes `a`, `b`, …, each with the capability given for it, or none."""
    with ExitStack() as undo:
        nodes: list[Node] = []
        for number, capability in enumerate(capabilities):
            more = ["--join", nodes[0].address] if nodes else []
            more += ["--capability", capability] if capability else []
            node = Node(folder, "abcd"[number], f"127.0.0.{number + 1}", *more)
            undo.callback(kill, node.process)
            nodes.append(node)
        key_file = key_file_beside(nodes[0].key, KeyKind.CLIENT)
        client = undo.enter_context(connect(nodes[0].address, key_file=key_file, timeout_s=PATIENCE_S))
        until(lambda: _alive(client) == len(nodes), "all have met")
        yield client, nodes


def served(instance: RemoteInstance) -> dict[str, object]:
    """Return what is in the exit of `training` in the end."""
    return cast("dict[str, object]", instance.result(PATIENCE_S)["served"][0])


def test_a_handler_runs_on_a_node_that_has_what_it_requires(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=1") as (client, (first, second)):
        spawned = [client.spawn("training", {"data": [number]}, id=f"t-{number}") for number in range(20)]
        results = [served(one) for one in spawned]
        assert [one["model"] for one in results] == list(range(20))
        assert {one["cwd"] for one in results} == {str(second.folder)}
        assert {one["served"] for one in results} <= {str(first.folder), str(second.folder)}


def test_a_node_that_is_killed_gives_its_handler_to_another_and_the_loss_is_counted(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=1", "gpu=1") as (client, nodes):
        held = client.spawn("held", {"begun": ["x"]}, id="h")
        first = until(lambda: next((one for one in nodes if one.begun), None), "it has begun")
        until(lambda: any(one.beat_at for one in held.view().firings), "its signs of life come through")
        first.kill()
        second = until(lambda: next((one for one in nodes if one is not first and one.begun), None), "it goes on")
        assert second is not nodes[0], "which has no gpu"
        for node in nodes:
            (node.folder / "open").touch()
        assert held.result(PATIENCE_S) == {"ended": [str(second.folder)]}
        assert [(one[0], one[1]) for one in first.begun + second.begun] == [("x", "1"), ("x", "2")]
        assert len({one[2] for one in first.begun + second.begun}) == 1, "it is one firing"
        records = [record for _, record in held.history()]
        assert [record.kind for record in records if record.transition == "hold"] == ["lost", "fired"]


def test_a_node_that_is_stopped_gives_its_handler_to_another_and_nothing_is_counted(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=1", "gpu=1") as (client, nodes):
        held = client.spawn("held", {"begun": ["x"]}, id="h")
        first = until(lambda: next((one for one in nodes if one.begun), None), "it has begun")
        first.process.send_signal(signal.SIGTERM)
        second = until(lambda: next((one for one in nodes if one is not first and one.begun), None), "it goes on")
        (first.folder / "open").touch()
        (second.folder / "open").touch()
        assert held.result(PATIENCE_S) == {"ended": [str(second.folder)]}
        records = [record for _, record in held.history()]
        assert [(one.kind, one.attempt) for one in records if one.transition == "hold"] == [("fired", 2)]


def test_an_instance_waits_for_a_node_with_the_reason_and_goes_on_when_it_comes(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=0.5") as (client, nodes):
        waiting = client.spawn("training", {"data": [1]}, id="t")
        assert waiting.wait_until("waiting", PATIENCE_S) is InstanceState.WAITING
        assert "no host has gpu=1" in client.explain("t")
        late = Node(tmp_path, "c", "127.0.0.3", "--join", nodes[0].address, "--capability", "gpu=4")
        try:
            assert served(waiting)["cwd"] == str(late.folder)
            assert [record.attempt for _, record in waiting.history() if record.transition == "train"] == [1]
        finally:
            kill(late.process)


def test_an_engine_that_is_killed_while_its_handlers_run_elsewhere_counts_them_as_lost(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=1") as (client, (first, second)):
        held = client.spawn("held", {"begun": ["x"]}, id="h")
        until(lambda: second.begun, "it has begun")
        psutil.Process(until(lambda: owner_of(first.folder / "state" / "engine-0"), "there is an engine")).kill()
        until(lambda: len(second.begun) == 2 or None, "it has begun again")
        (second.folder / "open").touch()
        assert held.result(PATIENCE_S) == {"ended": [str(second.folder)]}
        kinds = [record.kind for _, record in held.history() if record.transition == "hold"]
        assert kinds == ["lost", "fired"]


def test_a_handler_on_another_node_is_told_that_its_instance_is_cancelled(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "gpu=1") as (client, (_, second)):
        held = client.spawn("held", {"begun": ["x"]}, id="h")
        until(lambda: second.begun, "it has begun")
        held.cancel(by="eva")
        assert held.wait_until("cancelled", PATIENCE_S) is InstanceState.CANCELLED


def test_a_handler_that_may_run_anywhere_does_so_where_there_is_room(tmp_path: Path) -> None:
    with cluster(tmp_path, "", "") as (client, nodes):
        spawned = [client.spawn("spread", {"many": [number]}, id=f"s-{number}") for number in range(40)]
        assert {one.result(PATIENCE_S)["where"][0] for one in spawned} == {str(node.folder) for node in nodes}
