"""What will go wrong in a run, and when: drawn from a seed beforehand, so that the same seed draws the same faults.

Three rows of faults, one after the other each, and beside each other: of the network, of processes, and what people
do with shards.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from random import Random
from typing import NamedTuple

PAUSE_S = (0.5, 3.0)  # between two faults of a row
MOST_KILLS = 3  # of one engine within `KILLS_S`: its node gives up after five
KILLS_S = 40.0


class Kind(Enum):
    """What can go wrong, or be done."""

    CUT = "cut off from all others"
    CUT_PAIR = "cut off from one"
    DEAF = "hears nothing from one"
    LOSS = "every fifth packet of all is lost"
    DELAY = "all packets take 0.2 s longer"
    KILL_ENGINE = "an engine is killed"
    KILL_HOST = "all processes are killed, and started again"
    STOP_ENGINE = "an engine stands still"
    STOP_NODE = "the node's own process stands still"
    STOP_HOST = "all processes stand still"
    MOVE = "shards are moved"
    MOVE_AND_STOP = "shards are moved to an engine that then stands still"
    MOVE_AND_KILL = "shards are moved to an engine that is then killed"
    DRAIN = "drains, and takes its share again"


NETWORK = (Kind.CUT, Kind.CUT_PAIR, Kind.DEAF, Kind.LOSS, Kind.DELAY)
PROCESSES = (Kind.KILL_ENGINE, Kind.KILL_ENGINE, Kind.KILL_HOST, Kind.STOP_ENGINE, Kind.STOP_NODE, Kind.STOP_HOST)
SHARDS = (Kind.MOVE, Kind.MOVE, Kind.MOVE_AND_STOP, Kind.MOVE_AND_KILL, Kind.DRAIN)
LASTS_S = {  # (shortest, longest); what is not here is over at once
    Kind.CUT: (5.0, 5.0),
    Kind.CUT_PAIR: (5.0, 5.0),
    Kind.DEAF: (5.0, 5.0),
    Kind.LOSS: (4.0, 8.0),
    Kind.DELAY: (4.0, 8.0),
    Kind.KILL_HOST: (0.5, 4.0),
    Kind.STOP_ENGINE: (1.0, 6.0),
    Kind.STOP_NODE: (1.0, 6.0),
    Kind.STOP_HOST: (1.0, 6.0),
    Kind.MOVE_AND_STOP: (1.0, 4.0),
    Kind.DRAIN: (4.0, 8.0),
}
KILLING = (Kind.KILL_ENGINE, Kind.MOVE_AND_KILL)


class Step(NamedTuple):
    """One fault; `at_s` is since the beginning."""

    at_s: float
    kind: Kind
    node: int  # which
    other: int  # which other one, where two are concerned
    lasts_s: float
    shards: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = f"node {'abc'[self.node]}" + (
            f", {'abc'[self.other]}" if self.kind in (Kind.CUT_PAIR, Kind.DEAF) else ""
        )
        shards = f", shards {self.shards}" if self.shards else ""
        return f"{self.at_s:6.1f} s, for {self.lasts_s:.1f} s: {where} {self.kind.value}{shards}"


def draw(seed: int, seconds: float, nodes: int = 3) -> list[list[Step]]:
    """Return the rows of faults of a run, each in the order of time."""
    rows = (NETWORK, PROCESSES, SHARDS)
    return [
        list(_row(Random(f"{seed} {number}"), kinds, seconds, nodes, MOST_KILLS // 2 + number % 2))
        for number, kinds in enumerate(rows)
    ]


def _row(random: Random, kinds: Sequence[Kind], seconds: float, nodes: int, most_kills: int) -> Iterator[Step]:
    at_s = random.uniform(*PAUSE_S)
    kills: list[tuple[float, int]] = []
    while at_s < seconds:
        kind, node = random.choice(kinds), random.randrange(nodes)
        other = random.choice([one for one in range(nodes) if one != node])
        lasts_s = random.uniform(*LASTS_S.get(kind, (0.0, 0.0)))
        shards = tuple(random.sample(range(256), 8)) if kind.name.startswith("MOVE") else ()
        recent = [one for at, one in kills if at > at_s - KILLS_S and one == node]
        if kind in KILLING and len(recent) >= most_kills:
            continue
        if kind in KILLING:
            kills.append((at_s, node))
        yield Step(at_s, kind, node, other, lasts_s, shards)
        at_s += lasts_s + random.uniform(*PAUSE_S)
