"""What people who run a cluster ask of it: who is there, who owns what, and to change that."""

from typing import TypeVar

import msgspec

from placet.net.node_client import NodeClient
from placet.net.node_request import (
    DrainRequest,
    MoveRequest,
    NodeRequest,
    NodesRequest,
    NodesSeen,
    Noted,
    ShardSeen,
    ShardsRequest,
    ShardsSeen,
    StopRequest,
)

T = TypeVar("T")


class ClusterClient:
    """The cluster of a client's nodes. Cheap to make; safe to use from any thread.

    Every method may raise `WaitTimeout` and `NodeUnreachable`. What changes the cluster needs its cluster key.
    """

    def __init__(self, client: NodeClient) -> None:
        self._client = client

    def nodes(self, timeout_s: float | None = None) -> NodesSeen:
        """Return the nodes, as the one that is asked sees them."""
        return self._ask(NodesRequest(), NodesSeen, timeout_s)

    def shards(self, timeout_s: float | None = None) -> list[ShardSeen]:
        """Return the owner of each shard, in order."""
        return self._ask(ShardsRequest(), ShardsSeen, timeout_s).shards

    def move(self, shard: int, engine: str, timeout_s: float | None = None) -> Noted:
        """Have a shard move to another engine; it has begun when this returns, and `shards` shows when it is done.

        Raises `NotPossible`.
        """
        return self._ask(MoveRequest(shard=shard, engine=engine), Noted, timeout_s)

    def drain(self, node: str, *, is_draining: bool = True, timeout_s: float | None = None) -> Noted:
        """Have a node give all its shards to others, or with `is_draining=False` take its share again.

        Raises `NotPossible`.
        """
        return self._ask(DrainRequest(node=node, is_draining=is_draining), Noted, timeout_s)

    def stop(self, node: str, timeout_s: float | None = None) -> Noted:
        """Have a node stop cleanly; what it owns waits on its disk until it is started again. Raises `NotPossible`."""
        return self._ask(StopRequest(node=node), Noted, timeout_s)

    def _ask(self, request: NodeRequest, kind: type[T], timeout_s: float | None) -> T:
        return self._client.ask_node(msgspec.json.encode(request), kind, timeout_s)
