"""What a client asks of a node itself, about its cluster, and what the node answers: in JSON."""

from typing import TypeAlias

import msgspec

from placet.actors.control.base import ControlRequest
from placet.actors.errors import BadRequest


class NodesRequest(ControlRequest, frozen=True, kw_only=True, tag="nodes"):
    """Ask for the nodes of the cluster, as this one knows them."""


class ShardsRequest(ControlRequest, frozen=True, kw_only=True, tag="shards"):
    """Ask who owns each shard."""


class MoveRequest(ControlRequest, frozen=True, kw_only=True, tag="move"):
    """Have a shard move to another engine. It has only begun when this is answered."""

    shard: int
    engine: str


class DrainRequest(ControlRequest, frozen=True, kw_only=True, tag="drain"):
    """Have a node give all its shards away, and take none; or take its share again."""

    node: str
    is_draining: bool


class StopRequest(ControlRequest, frozen=True, kw_only=True, tag="stop"):
    """Have a node stop cleanly."""

    node: str


LookAtCluster: TypeAlias = NodesRequest | ShardsRequest
ChangeCluster: TypeAlias = MoveRequest | DrainRequest | StopRequest
NodeRequest: TypeAlias = LookAtCluster | ChangeCluster


class NodeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A node, as another one, or itself, sees it."""

    name: str
    address: str
    state: str  # alive, suspect or down
    engines: dict[str, int]  # by name: how many shards each owns
    running: list[str]  # those of its engines that can be asked
    capabilities: dict[str, float | str]
    version: str
    is_draining: bool
    keeps_coordinator: bool


class NodesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of a cluster, by name."""

    cluster: str
    seen_by: str
    nodes: list[NodeSeen]


class ShardSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A shard and its owner."""

    shard: int
    engine: str  # "": nobody owns it
    epoch: int
    is_new: bool = False  # it was claimed, and never opened: that nothing is on its owner's disk is no loss


class ShardsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """All shards, in order."""

    shards: list[ShardSeen]
    running: list[str] = []  # the engines that can be asked


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for is under way."""

    already: bool = False  # it was so before


NodeAnswer: TypeAlias = NodesSeen | ShardsSeen | Noted

_decoder: "msgspec.json.Decoder[NodeRequest]" = msgspec.json.Decoder(NodeRequest)


def decode_node_request(line: bytes) -> NodeRequest:
    """Return the request in JSON. Raises `BadRequest`."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadRequest(str(error)) from error
