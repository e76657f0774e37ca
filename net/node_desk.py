"""Answers clients about the cluster a node is in: who is there, who owns what, and requests to change that."""

from collections.abc import Callable
from typing import assert_never

import msgspec

from placet.actors.shards.records import SHARDS
from placet.net.answer import encode_error
from placet.net.cluster import Cluster
from placet.net.cluster_node import ClusterNode
from placet.net.cluster_table import Member
from placet.net.errors import NotAllowed, NotPossible, NotYet
from placet.net.keyring import KeyKind
from placet.net.messages import SetDraining, StopNode
from placet.net.node_request import (
    ChangeCluster,
    DrainRequest,
    MoveRequest,
    NodeAnswer,
    NodeRequest,
    NodeSeen,
    NodesRequest,
    NodesSeen,
    Noted,
    ShardSeen,
    ShardsRequest,
    ShardsSeen,
    StopRequest,
    decode_node_request,
)
from placet.petri.errors import PlacetError


class NodeDesk:
    """Takes requests about the cluster; for the thread of its node.

    `tell` sends a message to the node at an address.
    """

    def __init__(self, cluster: Cluster, tell: Callable[[str, object], None]) -> None:
        self._cluster = cluster
        self._tell = tell

    def answer(self, line: bytes, kind: KeyKind, now_s: float) -> bytes:
        """Return the answer to a request, or the error, as JSON; never raises.

        `kind` is that of the key of who asks.
        """
        try:
            request = decode_node_request(line)
            if isinstance(request, ChangeCluster) and kind is not KeyKind.CLUSTER:
                raise NotAllowed(f"a {kind.word} key does not change the cluster", "connect with the cluster key")
            return msgspec.json.encode(self._carry_out(request, now_s))
        except PlacetError as error:
            return encode_error(error)

    def _carry_out(self, request: NodeRequest, now_s: float) -> NodeAnswer:
        node = self._cluster.node
        if node is None:
            raise NotYet("this node has not found its cluster yet", "ask again")
        match request:
            case NodesRequest():
                return self._nodes(node, now_s)
            case ShardsRequest():
                if not node.knows_owners:
                    raise NotYet("this node has not read yet who owns what", "ask again")
                where = node.where
                return ShardsSeen(
                    shards=[
                        ShardSeen(
                            shard=shard,
                            engine=where.owners[shard],
                            epoch=where.epochs[shard],
                            is_new=shard in where.new,
                        )
                        for shard in range(SHARDS)
                    ],
                    running=sorted(where.engines),
                )
            case MoveRequest():
                return self._move(node, request)
            case DrainRequest():
                member = _member(node, request.node)
                self._tell(member.address, SetDraining(name=member.name, is_draining=request.is_draining))
                return Noted(already=member.is_draining == request.is_draining)
            case StopRequest():
                member = _member(node, request.node)
                self._tell(member.address, StopNode(name=member.name))
                return Noted()
            case _:
                assert_never(request)

    def _nodes(self, node: ClusterNode, now_s: float) -> NodesSeen:
        where, states = node.where, node.states(now_s)
        seen = [
            NodeSeen(
                name=member.name,
                address=member.address,
                state=states[member.name].value,
                engines={engine: where.owners.count(engine) for engine in member.engines},
                running=[engine for engine in member.engines if engine in where.engines],
                capabilities=member.capabilities,
                version=member.version,
                is_draining=member.is_draining,
                keeps_coordinator=member.address == self._cluster.keeper,
            )
            for member in node.members.values()
        ]
        return NodesSeen(cluster=self._cluster.id, seen_by=node.name, nodes=seen)

    def _move(self, node: ClusterNode, request: MoveRequest) -> Noted:
        where = node.where
        if not 0 <= request.shard < SHARDS:
            raise NotPossible(f"there is no shard {request.shard}", f"name one from 0 to {SHARDS - 1}")
        if request.engine not in where.engines:
            known = ", ".join(sorted(where.engines)) or "none"
            raise NotPossible(f"no engine {request.engine} runs now", f"name one that does: {known}")
        if where.owners[request.shard] == request.engine:
            return Noted(already=True)
        if where.owners[request.shard] not in where.engines:
            owner = where.owners[request.shard] or "nobody"
            raise NotPossible(f"shard {request.shard} is {owner}'s, which does not run", "start its node first")
        node.want(request.shard, request.engine)
        return Noted()


def _member(node: ClusterNode, name: str) -> Member:
    member = node.members.get(name)
    if member is None:
        known = ", ".join(node.members) or "none"
        raise NotPossible(f"there is no node {name} in the cluster", f"name one of these: {known}")
    return member
