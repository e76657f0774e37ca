"""Nodes and clients of different versions understand each other, or both sides say in one line that they do not."""

import signal
from pathlib import Path

import msgspec
import pytest

from placet.net.answer import InstanceFound, decode_net_answer
from placet.net.client import Client, cluster_of
from placet.net.client_frame import FROM_CLIENT, decode_frame
from placet.net.cluster_table import Owner, decode_owner
from placet.net.keyring import KeyKind
from placet.net.messages import FindEngines, Peer
from placet.net.seal import VERSION
from placet.net.wire import WIRE_VERSION
from tests.endtoend.processes import PATIENCE_S, finished, started, until
from tests.net.nodes import RunningNode, node_command, running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")

OTHER = str(Path(__file__).with_name("other_version.py"))


def other_node(folder: Path, first: RunningNode) -> list[str]:
    """Return the command of a node of another version, which joins."""
    where = ["--name", "b", "--state", str(folder / "state-b"), "--join", first.address]
    return [OTHER, *node_command(folder, *where, listen="127.0.0.2:0")[2:]]


def goes_on(client: Client, id: str) -> None:
    """The cluster has its one node, and works."""
    assert [node.name for node in cluster_of(client).nodes(PATIENCE_S).nodes] == ["a"]
    assert client.spawn("echo", {"given": [1]}, id=id).result(PATIENCE_S) == {"got": [{"got": 1}]}


def sealed(theirs: int, ours: int) -> str:
    """Return what is said of a peer that seals otherwise."""
    return f"it speaks version {theirs} of the sealed protocol, and this Placet {ours}; install the same Placet on both"


@pytest.mark.parametrize("step", [-1, 1], ids=["older", "newer"])
def test_a_node_that_seals_otherwise_ends_with_one_line_as_the_cluster_says_one_and_goes_on(
    tmp_path: Path, step: int
) -> None:
    with running(tmp_path) as first, first.connect() as client:
        code, _, err = finished(other_node(tmp_path, first), cwd=tmp_path, env={"SEAL": str(VERSION + step)})
        (line,) = err.splitlines()
        assert sealed(VERSION, VERSION + step) in line
        assert code == 2
        assert sealed(VERSION + step, VERSION) in first.said("refused a peer at 127.0.0.")
        goes_on(client, "after")


@pytest.mark.parametrize("step", [-1, 1], ids=["older", "newer"])
def test_a_node_of_another_version_ends_with_one_line_as_the_cluster_says_one_and_goes_on(
    tmp_path: Path, step: int
) -> None:
    theirs = str(WIRE_VERSION + step)
    with running(tmp_path) as first, first.connect() as client:
        spoken = {"WIRE": theirs, "OLDEST": theirs}
        code, _, err = finished(other_node(tmp_path, first), cwd=tmp_path, env=spoken)
        (line,) = err.splitlines()
        reason = f"this cluster speaks version {WIRE_VERSION} of the protocol, and b version {theirs}; install the same"
        assert reason in line
        assert code == 1
        assert reason in first.said("refused node b at 127.0.0.2:")
        goes_on(client, "after")


@pytest.mark.parametrize("step", [-1, 1], ids=["older", "newer"])
def test_a_client_of_another_version_is_refused_in_one_line_on_both_sides(tmp_path: Path, step: int) -> None:
    with running(tmp_path) as node, node.connect() as client:
        where = ["--connect", node.address, "--key-file", str(node.key_file)]
        code, out, err = finished([OTHER, "list", *where], cwd=tmp_path, env={"SEAL": str(VERSION + step)})
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert sealed(VERSION, VERSION + step) in line
        node.said(sealed(VERSION + step, VERSION))
        goes_on(client, "after")


def test_a_newer_node_that_understands_an_older_cluster_joins_it_and_takes_its_share(tmp_path: Path) -> None:
    newer = {"WIRE": str(WIRE_VERSION + 1), "OLDEST": str(WIRE_VERSION)}
    with (
        running(tmp_path) as first,
        first.connect() as client,
        started(other_node(tmp_path, first), cwd=tmp_path, env=newer),
    ):
        cluster = cluster_of(client)
        until(lambda: {one.engine for one in cluster.shards(PATIENCE_S)} == {"a/0", "b/0"}, "both own shards")
        ids = [f"n-{number}" for number in range(20)]
        for id in ids:
            client.spawn("echo", {"given": [1]}, id=id)
        assert [client.instance(id).result(PATIENCE_S) for id in ids] == [{"got": [{"got": 1}]}] * 20


def test_a_node_whose_key_another_one_does_not_take_ends_with_that_line(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with running(tmp_path) as first:
        where = ["--name", "b", "--join", first.address]
        code, _, err = finished(node_command(tmp_path / "b", *where, listen="127.0.0.2:0"), cwd=tmp_path)
        assert code == 2
        assert f"the node at {first.address} does not take the key in {tmp_path / 'b' / 'key'}" in err.splitlines()[-1]
        first.said("it was sealed with a key that is unknown here")


def test_fields_of_a_newer_placet_are_left_alone_where_an_answer_or_a_record_has_them() -> None:
    frame = msgspec.msgpack.encode(["FindEngines", "10.0.0.1", 9, {"since": 3}])
    assert decode_frame(frame, KeyKind.CLIENT, FROM_CLIENT) == (Peer("10.0.0.1", 9, KeyKind.CLIENT), FindEngines())
    found = b'{"instance": "i", "path": "", "shard": 7}'
    assert decode_net_answer(InstanceFound, "i", found) == InstanceFound(instance="i")
    owner = b'{"engine": "a/0", "epoch": 4, "since": "noon", "format": 1}'
    assert decode_owner(3, owner) == Owner(engine="a/0", epoch=4)
