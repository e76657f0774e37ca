"""What is seen of a cluster while shards are between two owners, and while a node is away."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from placet.net.client import Client, cluster_of
from placet.net.errors import ShardsMissing
from placet.persistence.keys import shard_of
from tests.endtoend.processes import PATIENCE_S, finished, until
from tests.net.nodes import in_threads, running
from tests.net.test_moves import keeper_of, second, shards_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def _listed(client: Client) -> list[str]:
    """Return the ids that a list has, be it whole or not."""
    found: list[str] = []
    with suppress(ShardsMissing):
        found.extend(one.instance for one in client.list(timeout_s=PATIENCE_S))
    return sorted(found)


def test_lists_are_whole_while_shards_move_and_say_what_is_missing_while_a_node_is_away(tmp_path: Path) -> None:
    with running(tmp_path) as first, keeper_of(first) as client:
        ids = sorted(f"w-{number}" for number in range(40))
        for id in ids:
            client.spawn("asking", {"asked": [1]}, id=id)
        where = ["--connect", first.address, "--key-file", str(first.key_file)]
        with second(tmp_path, first) as other:
            looks = 0
            while shards_of(client) != {"a/0": 128, "b/0": 128}:
                looks += 1
                assert sorted(one.instance for one in client.list(timeout_s=PATIENCE_S)) == ids
                assert sorted(one.instance for one in client.tasks(timeout_s=PATIENCE_S)) == ids
            assert looks > 2
            theirs = {shard.shard for shard in cluster_of(client).shards() if shard.engine == "b/0"}
            os.killpg(other.process.pid, signal.SIGKILL)
            other.process.wait(PATIENCE_S)
        here = [id for id in ids if shard_of(id) not in theirs]
        assert 0 < len(here) < len(ids)

        def listed() -> None:
            yielded: list[str] = []
            with pytest.raises(ShardsMissing) as raised:
                yielded.extend(one.instance for one in client.list(timeout_s=PATIENCE_S))
            assert sorted(yielded) == here
            assert set(raised.value.shards["b/0"]) == theirs

        def children() -> None:
            with pytest.raises(ShardsMissing):
                client.instance(here[0]).children(PATIENCE_S)

        def shown_as_list() -> None:
            code, out, error = finished(["-m", "placet", "list", *where], cwd=tmp_path)
            assert (code, sorted(line.split()[0] for line in out.splitlines()[1:])) == (1, here)
            assert "of engine b/0 is missing; all else is there; see placet nodes list, and ask again" in error

        def shown_as_tasks() -> None:
            code, out, _ = finished(["-m", "placet", "tasks", "--json", *where], cwd=tmp_path)
            lines = [json.loads(line) for line in out.splitlines()]
            assert (code, sorted(line["instance"] for line in lines[:-1])) == (1, here)
            assert lines[-1]["error"]["code"] == "shards_missing"

        def shown_alone() -> None:
            code, out, error = finished(["-m", "placet", "show", here[0], *where], cwd=tmp_path)
            assert (code, here[0] in out, "of engine b/0 is missing" in error) == (1, True, True)

        def shown_at_the_top() -> None:
            code, _, error = finished(["-m", "placet", "top", "--once", *where], cwd=tmp_path)
            assert (code, error) == (0, "")

        looks_at_once = (listed, children, shown_as_list, shown_as_tasks, shown_alone, shown_at_the_top)
        in_threads(len(looks_at_once), lambda number: looks_at_once[number]())  # each waits whether the node comes back

        with second(tmp_path, first) as again:
            until(lambda: len(_listed(client)) == 40, "it is back", again.process)
            assert _listed(client) == ids
