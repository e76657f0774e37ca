"""What people who run a cluster ask of it: who is there, who owns what, and to change that."""

from placet.net.node_client import NodeClient
from placet.net.node_request import (
    DrainRequest,
    MoveRequest,
    NodesRequest,
    NodesSeen,
    Noted,
    ShardSeen,
    ShardsRequest,
    ShardsSeen,
    StopRequest,
)
from placet.net.twins import blocking, twin


class ClusterClient:
    """The cluster of a client's nodes. Cheap to make; safe to use from any thread.

    Every method may raise `WaitTimeout` and `NodeUnreachable`, and has a twin for asyncio, such as `nodes_async`. What
    changes the cluster needs its cluster key.
    """

    def __init__(self, client: NodeClient) -> None:
        self._client = client

    @blocking
    async def nodes(self, timeout_s: float | None = None) -> NodesSeen:
        """Return the nodes, as the one that is asked sees them."""
        return await self._client.ask_node(NodesRequest(), NodesSeen, timeout_s)

    nodes_async = twin(nodes)

    @blocking
    async def shards(self, timeout_s: float | None = None) -> list[ShardSeen]:
        """Return the owner of each shard, in order."""
        return (await self._client.ask_node(ShardsRequest(), ShardsSeen, timeout_s)).shards

    shards_async = twin(shards)

    @blocking
    async def move(self, shard: int, engine: str, timeout_s: float | None = None) -> Noted:
        """Have a shard move to another engine; it has begun when this returns, and `shards` shows when it is done.

        Raises `NotPossible`.
        """
        return await self._client.ask_node(MoveRequest(shard=shard, engine=engine), Noted, timeout_s)

    move_async = twin(move)

    @blocking
    async def drain(self, node: str, *, is_draining: bool = True, timeout_s: float | None = None) -> Noted:
        """Have a node give all its shards to others, or with `is_draining=False` take its share again.

        Raises `NotPossible`.
        """
        return await self._client.ask_node(DrainRequest(node=node, is_draining=is_draining), Noted, timeout_s)

    drain_async = twin(drain)

    @blocking
    async def stop(self, node: str, timeout_s: float | None = None) -> Noted:
        """Have a node stop cleanly; what it owns waits on its disk until it is started again. Raises `NotPossible`."""
        return await self._client.ask_node(StopRequest(node=node), Noted, timeout_s)

    stop_async = twin(stop)
