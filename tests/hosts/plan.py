"""What will go wrong in a run, and when: drawn from a seed beforehand, so that the same seed draws the same faults.

Three rows of faults, one after the other each, and beside each other: of the network, of processes and their clocks,
and what people do with shards. `listed` draws nothing: it has every fault of the first two rows.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from random import Random
from typing import NamedTuple

PAUSE_S = (0.5, 3.0)  # between two faults of a row that is drawn
BETWEEN_S = 2.0  # between two that are listed
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
    CLOCK_AHEAD = "its clock is set an hour ahead, an engine is killed, and the clock is set right"
    CLOCK_BACK = "its clock is set an hour back, an engine is killed, and the clock is set right"
    MOVE = "shards are moved"
    MOVE_AND_STOP = "shards are moved to an engine that then stands still"
    MOVE_AND_KILL = "shards are moved to an engine that is then killed"
    DRAIN = "drains, and takes its share again"


NETWORK = (Kind.CUT, Kind.CUT_PAIR, Kind.DEAF, Kind.LOSS, Kind.DELAY)
PROCESSES = (
    Kind.KILL_ENGINE,
    Kind.KILL_ENGINE,
    Kind.KILL_HOST,
    Kind.STOP_ENGINE,
    Kind.STOP_NODE,
    Kind.STOP_HOST,
    Kind.CLOCK_AHEAD,
    Kind.CLOCK_BACK,
)
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
    Kind.CLOCK_AHEAD: (1.0, 6.0),
    Kind.CLOCK_BACK: (1.0, 6.0),
    Kind.MOVE_AND_STOP: (1.0, 4.0),
    Kind.DRAIN: (4.0, 8.0),
}
KILLING = (Kind.KILL_ENGINE, Kind.CLOCK_AHEAD, Kind.CLOCK_BACK, Kind.MOVE_AND_KILL)
LONG_S = 60.0  # of the longest cut


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


def listed() -> list[list[Step]]:
    """Return rows with every fault of the network and of processes, for the node with the coordinator and for another.

    A third node is cut off for a minute in the end.
    """
    network = [(kind, node, 5.0) for kind in (Kind.CUT, Kind.DEAF) for node in (0, 1)]
    network += [(Kind.LOSS, 0, 8.0), (Kind.DELAY, 0, 8.0), (Kind.CUT, 2, LONG_S)]
    processes = [(kind, node, LASTS_S.get(kind, (0.0, 0.0))[1]) for kind in dict.fromkeys(PROCESSES) for node in (0, 1)]
    return [list(_in_turn(faults)) for faults in (network, processes)]


def _in_turn(faults: Sequence[tuple[Kind, int, float]]) -> Iterator[Step]:
    at_s = BETWEEN_S
    for kind, node, lasts_s in faults:
        yield Step(at_s, kind, node, (node + 1) % 3, lasts_s)
        at_s += lasts_s + BETWEEN_S


def ends_s(rows: Sequence[Sequence[Step]]) -> float:
    """Return when the last fault is over."""
    return max(row[-1].at_s + row[-1].lasts_s for row in rows)
