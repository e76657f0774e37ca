"""What the processes of a node, and its clients, send each other: frozen values, inside sealed frames.

Processes with the cluster key pickle them. What others say, and are told, is a closed set of plain messages, which
`client_frame.py` writes and reads: `FromClient` and `ToClient`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from placet.actors.bundle import Shelved
from placet.net.keyring import KeyKind
from placet.petri.errors import PlacetError


@dataclass(frozen=True, slots=True)
class Peer:
    """A process that can be sent to."""

    host: str  # IPv4, as numbers
    port: int
    kind: KeyKind = KeyKind.CLUSTER  # of the key it has shown, and what is sent to it is sealed with

    def __str__(self) -> str:
        kind = "" if self.kind is KeyKind.CLUSTER else f"/{self.kind.word}"
        return f"{self.host}:{self.port}{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine's process needs to know."""

    name: str  # in its cluster, such as `a/0`
    state: Path
    targets: tuple[str, ...]  # files with workflows
    loader: str  # `module:function`, which makes workflows of the targets
    threads: int  # handlers that run at once
    grace_s: float  # how long a stop waits for handlers that run
    capabilities: Mapping[str, float | str]  # of its host


# -- between a node and its engine's process -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Become what `factory` (`module:callable`) makes of `config`. Answered by `Begun` or `NotBegun`."""

    factory: str
    config: EngineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The engine runs."""

    name: str
    pid: int
    unknown: Mapping[str, str]  # workflow to the reason why it could not be loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBegun:
    """The engine cannot run."""

    error: PlacetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the engines of a cluster are, and which shards each owns; a later one has a higher revision."""

    revision: int
    owners: tuple[str, ...]  # a name for each shard; "": nobody owns it yet
    epochs: tuple[int, ...]  # how often each has changed its owner; 0: it has none
    new: frozenset[int]  # those that were claimed, and were never opened by anybody
    engines: Mapping[str, "EngineAt"]  # by name; one that is missing is starting, or away
    nodes: tuple[Peer, ...]  # any of them can be asked
    restored: Mapping[int, "Restore"] = field(default_factory=dict[int, "Restore"])  # shards that ever were, by backups


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """The last restore of a shard from a backup."""

    era: int  # the epoch that began with it
    name: str  # the shard has moved since where it is ""


NEVER_RESTORED: Final = Restore(era=0, name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAt:
    """Where an engine is; what was sent to one of another incarnation may be lost."""

    peer: Peer
    incarnation: str  # another for each process of an engine


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenShards:
    """What an engine has opened, with what epoch: told to its node when that changes."""

    name: str
    epochs: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmMove:
    """Have the table say that a shard is another engine's now; the table is the answer, whatever it says."""

    shard: int
    epoch: int  # of the new owner
    engine: str  # the new owner
    move: str
    is_restore: bool = False  # it is the old owner, with what a backup had: `move` names the restore


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveShard:
    """Give a shard to another engine, unless it is on its way already; to the engine that owns it."""

    shard: int
    to: str


# -- between nodes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Ask a node for its cluster. Answered by `Welcome`, `NotWelcome`, or not at all by one that is in none yet."""

    name: str
    wire_version: int  # that it speaks
    oldest_version: int  # that it understands


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The cluster of a node, and where its coordinator is, as far as that node knows."""

    cluster: str
    coordinator: str  # HOST:PORT of the node that keeps it
    opening: int  # of the coordinator, which was there then: of two places the one with the higher number counts
    wall_s: float  # the time of its wall clock


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorAt:
    """The node that keeps the coordinator of a cluster says where that is now, to nodes it hears nothing of."""

    cluster: str
    coordinator: str  # as in `Welcome`
    opening: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWelcome:
    """A node cannot join."""

    reason: str  # what is wrong; what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life of a node, to each of the others, and where its engines are."""

    name: str
    cluster: str
    incarnation: int
    engines: Mapping[str, EngineAt]  # those that run


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDraining:
    """Have a node give all its shards away, or take its share again."""

    name: str
    is_draining: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNode:
    """Have a node stop cleanly."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCoordinator:
    """A `CoordinatorRequest` of a node, encoded."""

    cluster: str
    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCoordinator:
    """A `CoordinatorAnswer` to a node, encoded."""

    cluster: str
    line: bytes = field(repr=False)


# -- between engines -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Messages of the shards of one engine to those of another, encoded: pieces of batches, in order."""

    pieces: tuple["Piece", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errands:
    """What two engines say to each other about handlers that one runs for the other, encoded: pieces, in order."""

    pieces: tuple["Piece", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What an engine keeps of what clients have sent, told to another one when that has changed, and when it asks."""

    engine: str
    shelved: Shelved
    is_question: bool  # the other one is to tell what it has


@dataclass(frozen=True, slots=True, kw_only=True)
class WantBundle:
    """Ask an engine for a bundle it has told of. Answered by `BundleSent`, or not at all."""

    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSent:
    """A bundle, encoded. Opening it runs what is in it: it comes from those with the cluster key alone."""

    digest: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of something too large for one frame; whole where `index` is 0 and it is the last."""

    thing: int  # number of what it is a part of, as its sender counts
    index: int
    is_last: bool
    data: bytes = field(repr=False)


# -- between a client and a node -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEngines:
    """Ask a node where the engines are. Answered by `Whereabouts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request in JSON, as `request.py` has them. Answered by `Told` with the same number."""

    number: int
    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer to a request, in JSON."""

    number: int
    line: bytes = field(repr=False)
    is_elsewhere: bool = False  # the shard it is about is another engine's: ask where it is, and send it there


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """Requests of one client, in order."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to one client."""

    told: tuple[Told, ...]


FromClient: TypeAlias = FindEngines | Asks  # all that a peer without the cluster key may say to a node or an engine
ToClient: TypeAlias = Whereabouts | Answers  # and all that it is told
