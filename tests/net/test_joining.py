"""What a node finds out when it looks for its cluster, and what it says where that cannot work."""

import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from placet.actors.clock import wall_s
from placet.net.address import NetAddress
from placet.net.cluster import Cluster
from placet.net.cluster_table import Member
from placet.net.keyring import Keyring
from placet.net.messages import Peer, Welcome
from placet.net.node_state import NodeState
from placet.net.thespian_adapter import AdminProcess
from placet.net.wire import WIRE_VERSION
from placet.persistence.errors import StateUnusable
from placet.petri.errors import PlacetError

HERE = "127.0.0.1:1"
OTHER = NetAddress(host="127.0.0.1", port=2)


def _send(_to: Peer, _message: object) -> None:
    """Nobody is there."""


def _cluster(state: NodeState, *seeds: NetAddress, failed: Callable[[PlacetError], None] = lambda _: None) -> Cluster:
    member = Member(
        name="a",
        address=HERE,
        engines=("a/0",),
        incarnation=1,
        capabilities={},
        version="0",
        wire_version=WIRE_VERSION,
    )
    return Cluster(member, state, seeds, send=_send, moved=lambda _: None, failed=failed)


def test_a_cluster_whose_coordinator_would_be_here_but_is_lost(tmp_path: Path) -> None:
    said: list[PlacetError] = []
    with closing(NodeState.open(tmp_path / "state", "a", keeps_coordinator=False)) as state:
        cluster = _cluster(state, OTHER, failed=said.append)
        cluster.receive(
            Peer(OTHER.host, OTHER.port), Welcome(cluster="c1", coordinator=HERE, opening=1, wall_s=wall_s()), 0.0
        )
        assert cluster.node is None
    assert "coordinator is missing; restore it from a backup" in str(said[0])


@pytest.mark.parametrize(
    ("ahead_s", "said"), [(-3600.0, "3,600 s ahead of"), (3600.0, "3,600 s behind"), (0.5, ""), (-0.5, "")]
)
def test_a_node_says_once_that_its_clock_is_far_off(
    ahead_s: float, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(NodeState.open(tmp_path / "state", "a", keeps_coordinator=False)) as state:
        cluster = _cluster(state, OTHER)
        for _ in range(2):
            welcome = Welcome(cluster="c1", coordinator=str(OTHER), opening=1, wall_s=wall_s() + ahead_s)
            cluster.receive(Peer(OTHER.host, OTHER.port), welcome, 0.0)
        assert cluster.node is not None, "it joins nevertheless"
    lines = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    assert lines == ([f"the clock of this host is {said} that of {OTHER}; set both by one time server"] if said else [])


class Broken:
    """A supervisor with a bug."""

    def actor_started(self, number: int, peer: Peer) -> None:
        """Nothing is started."""

    def actor_ended(self, number: int, exit_code: int | None) -> None:
        """Nothing ends."""

    def tick(self) -> None:
        raise LookupError("a bug")

    def receive(self, sender: Peer, message: object) -> None:
        """Nothing comes."""


def test_a_coordinator_that_was_lost_gives_no_shards_away_anew(tmp_path: Path) -> None:
    for attempt in ("first", "again", "lost"):
        with closing(NodeState.open(tmp_path / "state", "a", keeps_coordinator=True)) as state:
            if attempt == "lost":
                shutil.rmtree(state.coordinator)
                state.coordinator.mkdir()
                with pytest.raises(StateUnusable, match="restore that folder from a backup"):
                    _cluster(state)
            else:
                _cluster(state).close()
            state.engine(0).mkdir(exist_ok=True)


def test_what_a_node_raises_by_mistake_is_not_lost_on_the_way_through_thespian() -> None:
    before = signal.getsignal(signal.SIGCHLD)
    try:
        admin = AdminProcess(NetAddress(host="127.0.0.1", port=0), Keyring.of(bytes(32)), Broken())
        with pytest.raises(LookupError, match="a bug"):
            admin.run()
    finally:
        signal.signal(signal.SIGCHLD, before)
