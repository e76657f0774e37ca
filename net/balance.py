"""How shards spread over engines: evenly, by weight, and with as few moves as can be. Pure and deterministic.

An engine's weight is its share; 0: it drains, keeps nothing and gets nothing. Shards of an engine that is not named
stay where they are: one that is away cannot give anything, since what it owns lies on its disk.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import floor, isfinite
from typing import NamedTuple

from placet.net.cluster_table import ShardTable


class Move(NamedTuple):
    """A shard that should go from one engine to another."""

    shard: int
    source: str
    target: str


def claims(table: ShardTable, engines: Mapping[str, float]) -> list[tuple[int, str]]:
    """Return (shard, engine) for the shards that nobody owns, so that all of them get as even as can be without moves.

    Empty where no engine has a weight.
    """
    free = table.free_shards()
    owned = _owned(table, engines)
    wanted = _shares(owned, engines, sum(map(len, owned.values())) + len(free))
    lacking = {engine: wanted[engine] - len(owned[engine]) for engine in wanted}
    given: list[tuple[int, str]] = []
    for shard in free if any(wanted.values()) else ():
        engine = max(sorted(lacking), key=lacking.__getitem__)
        lacking[engine] -= 1
        given.append((shard, engine))
    return given


def balance(table: ShardTable, engines: Mapping[str, float]) -> list[Move]:
    """Return the fewest moves after which no engine has one shard more or less than its share.

    Empty where no engine has a weight: there is nowhere to go.
    """
    owned = _owned(table, engines)
    wanted = _shares(owned, engines, sum(map(len, owned.values())))
    if not any(wanted.values()):
        return []
    leaving = [(shard, engine) for engine, shards in owned.items() for shard in shards[wanted[engine] :]]
    coming = [engine for engine in owned for _ in range(wanted[engine] - len(owned[engine]))]
    return [Move(shard, source, target) for (shard, source), target in zip(sorted(leaving), coming, strict=True)]


def _owned(table: ShardTable, engines: Mapping[str, float]) -> dict[str, tuple[int, ...]]:
    if not all(isfinite(weight) and weight >= 0 for weight in engines.values()):
        raise ValueError(f"a weight is a finite number, 0 or more: {engines}")
    return {engine: table.shards_of(engine) for engine in sorted(engines)}


def _shares(owned: Mapping[str, tuple[int, ...]], engines: Mapping[str, float], total: int) -> dict[str, int]:
    """Return how many of `total` shards each engine should have: its exact share, rounded down or up.

    Rounded up are those that have so many already, as far as it goes: each spares a move.
    """
    weights = sum(Fraction(engines[engine]) for engine in owned)
    if not weights:
        return dict.fromkeys(owned, 0)
    exact = {engine: total * Fraction(engines[engine]) / weights for engine in owned}
    shares = {engine: floor(share) for engine, share in exact.items()}
    candidates = [engine for engine in owned if exact[engine] > shares[engine]]
    candidates.sort(key=lambda engine: (len(owned[engine]) <= shares[engine], shares[engine] - exact[engine], engine))
    for engine in candidates[: total - sum(shares.values())]:
        shares[engine] += 1
    return shares
