"""Engines that come, or come back, after clients have sent workflows: they get the code from the others."""

import signal
from functools import partial
from pathlib import Path

import pytest

from placet import Workflow
from placet.net.client import Client, cluster_of, connect
from placet.net.keyring import KeyKind
from placet.net.remote import RemoteInstance
from placet.persistence.keys import shard_of
from tests.endtoend.processes import PATIENCE_S, until
from tests.net.nodes import running
from tests.net.test_moves import keeper_of, move_elsewhere, second, shards_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def doubled(value: int) -> int:
    return value * 2


def asking(name: str) -> Workflow:
    """Return a workflow that waits for a person, and then runs a function of this file."""
    workflow = Workflow(name)
    start, granted, denied, done = workflow.places("start granted denied done")
    workflow.approval("boss", start, approve=granted, reject=denied, roles=["boss"])
    workflow.transition(granted >> done, "double", handler=doubled)
    return workflow


def calling(name: str, called: Workflow) -> Workflow:
    workflow = Workflow(name)
    asked, done, denied = workflow.places("asked done denied")
    workflow.call(asked >> (done | denied), "ask", called, exits=["done", "denied"])
    return workflow


def owned_by(client: Client, engine: str) -> set[int]:
    return {shard.shard for shard in cluster_of(client).shards(PATIENCE_S) if shard.engine == engine}


def engines_of(client: Client) -> set[str]:
    """Return the engines that can be asked."""
    return {engine for node in cluster_of(client).nodes(PATIENCE_S).nodes for engine in node.running}


def child_of(caller: RemoteInstance) -> str | None:
    """Return the id of the one child of an instance, if that is known to have begun."""
    return next((child.id for child in caller.children(PATIENCE_S)), None)


def approve(client: Client, id: str) -> None:
    instance = client.instance(id, PATIENCE_S)
    instance.approve(instance.wait_task("boss", PATIENCE_S).id, by="eva", roles=["boss"])


def test_an_engine_that_joins_later_or_was_away_runs_what_clients_have_sent_to_others(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as keeper:
        deployer = connect(first.address, key_file=first.key_of(KeyKind.DEPLOY), timeout_s=PATIENCE_S)
        with deployer as client:
            ids = [f"n-{number}" for number in range(12)]
            for id in ids:
                client.spawn(asking("early"), {"start": [3]}, id=id)
            with second(tmp_path, first) as other:
                until(lambda: shards_of(keeper) == {"a/0": 128, "b/0": 128}, "both have as many", other.process)
                for id in ids:
                    approve(client, id)
                assert [client.instance(id).result(PATIENCE_S) for id in ids] == [{"done": [6]}] * 12
                assert other.stop() == 0
            assert len(list((tmp_path / "state-b" / "engine-0" / "bundles").iterdir())) == 1
            mine = owned_by(keeper, "a/0")
            here = [id for id in (f"c-{n}" for n in range(200)) if shard_of(id) in mine][:6]
            callers = [
                client.spawn(calling("caller", asking("late")), {"asked": [n]}, id=id) for n, id in enumerate(here)
            ]
            with second(tmp_path, first) as other:
                until(lambda: "b/0" in engines_of(keeper), "it is there", other.process)
                for id in here[:3]:
                    move_elsewhere(keeper, shard_of(id))
                for caller in callers:
                    approve(client, until(partial(child_of, caller), "its child has begun"))
                assert [caller.result(PATIENCE_S) for caller in callers] == [{"done": [2 * n]} for n in range(6)]
                assert other.stop() == 0
