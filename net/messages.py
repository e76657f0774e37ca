"""What the processes of a node, and its clients, send each other: frozen values, pickled inside sealed frames.

A peer is an address that the transport understands and nobody else looks into.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from placet.petri.errors import PlacetError

Peer: TypeAlias = object


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine's process needs to know."""

    state: Path
    targets: tuple[str, ...]  # files with workflows
    loader: str  # `module:function`, which makes workflows of the targets
    threads: int  # handlers that run at once
    grace_s: float  # how long a stop waits for handlers that run


# -- between a node and its engine's process -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Become what `factory` (`module:callable`) makes of `config`. Answered by `Begun` or `NotBegun`."""

    factory: str
    config: EngineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The engine runs."""

    pid: int
    unknown: Mapping[str, str]  # workflow to the reason why it could not be loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBegun:
    """The engine cannot run."""

    error: PlacetError


# -- between a client and a node -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEngine:
    """Ask a node where its engine is. Answered by `EngineAt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAt:
    """Where the engine of a node is; what was sent to one of another incarnation may be lost."""

    engine: Peer | None  # None: it is starting
    incarnation: str  # another for each engine that was ever started


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request in JSON, as `request.py` has them. Answered by `Told` with the same number."""

    number: int
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answer to a request, in JSON."""

    number: int
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """Requests of one client, in order."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to one client."""

    told: tuple[Told, ...]
