"""An engine of a cluster that loses its disk and goes on with a backup, beside one that has gone on."""

import signal
from functools import partial
from pathlib import Path

import pytest

from placet.actors.lifecycle import InstanceState
from placet.net.client import Client
from placet.net.remote import RemoteInstance
from tests.endtoend.processes import PATIENCE_S, finished, until
from tests.net.nodes import RunningNode, in_threads, running
from tests.net.test_moves import fired, keeper_of, second, shards_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def restored(folder: Path, first: RunningNode, state: str) -> list[str]:
    """Return how node b is started on another state."""
    return ["--name", "b", "--state", str(folder / state), "--join", first.address]


def decided(caller: RemoteInstance) -> None:
    """Have a person decide what the child of an instance asks."""
    child = until(lambda: next(iter(caller.children(PATIENCE_S)), None), f"the child of {caller.id} has begun")
    assert child is not None
    child.reject(child.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])


def has_child(caller: RemoteInstance) -> bool:
    return bool(list(caller.children(PATIENCE_S)))


def settled(caller: RemoteInstance) -> None:
    """Decide whatever is still to be decided until an instance has completed."""

    def look() -> bool:
        for child in caller.children(PATIENCE_S):
            for task in child.tasks(timeout_s=PATIENCE_S):
                child.reject(task.id, by="eva", roles=["boss"])
        return caller.state is InstanceState.COMPLETED

    until(look, f"{caller.id} has completed")


def command(folder: Path, *words: str) -> str:
    code, out, err = finished(["-m", "placet", *words], cwd=folder)
    assert code == 0, err
    return out


def call(client: Client, ids: range) -> list[RemoteInstance]:
    return [client.spawn("calling", {"wanted": [number]}, id=f"r-{number}") for number in ids]


def test_an_engine_restored_from_a_backup_goes_on_with_one_that_has_gone_on_meanwhile(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client:
        with second(tmp_path, first, "--engines", "1") as other:  # so that the others know of several of its processes
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)
            assert other.stop() == 0
        with second(tmp_path, first, "--engines", "1") as other:
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)
            early = call(client, range(16))
            in_threads(6, lambda number: decided(early[number]))
            assert [caller.result(PATIENCE_S) for caller in early[:6]] == [{"answered": [n]} for n in range(6)]
            command(tmp_path, "backup", "b.mdb", "--state", "state-b/engine-0")
            in_threads(
                6, lambda number: decided(early[6 + number])
            )  # of these the backup does not know that they ended
            late = call(client, range(16, 24))
            for caller in late:
                until(partial(has_child, caller), "its child has begun")
            other.process.kill()
        (tmp_path / "state-new").mkdir()
        command(tmp_path, "restore", "b.mdb", "--state", "state-new/engine-0")
        with running(tmp_path, *restored(tmp_path, first, "state-new"), listen="127.0.0.2:0") as other:
            until(lambda: shards_of(client) == {"a/0": 128, "b/0": 128}, "it has its shards", other.process)
            callers = call(client, range(24))  # a client asks again for what it has asked for
            in_threads(24, lambda number: settled(callers[number]))
            assert [caller.result(PATIENCE_S) for caller in callers] == [{"answered": [n]} for n in range(24)]
            assert [fired(caller) for caller in callers] == [1] * 24
            assert other.stop() == 0
        with running(tmp_path, *restored(tmp_path, first, "state-b"), listen="127.0.0.2:0") as former:
            line = former.said("the cluster gives engine b/0 128 shards that its state has an old copy of")
            assert "restore it, or a backup of it" in line
