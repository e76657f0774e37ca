"""The network between the engines of a simulation: it drops, doubles, delays and reorders, and it partitions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from placet.actors.messages import Acknowledged, Parcel
from placet.actors.shards.messages import Assigned, BetweenEngines, Confirm, Forward, Row

Letter: TypeAlias = Parcel | Acknowledged | BetweenEngines | Forward | Confirm | Assigned
TABLE: Final = -1  # where letters to the coordinator go
STRAY_PERMILLE: Final = 30  # letters sent by a table that is out of date


def owner_of(shard: int, engines: int) -> int:
    """Return which of so many engines owns a shard at first."""
    return shard % engines


def name_of(number: int) -> str:
    """Return the name of an engine."""
    return f"e{number}"


def number_of(engine: str) -> int:
    """Return the number of the engine of that name."""
    return int(engine[1:])


@dataclass(slots=True)
class Network:
    """Letters on their way, each with the engine it goes to and the one it comes from; the coordinator is one of them.

    `rows` is the coordinator's table: (epoch, engine) by shard. What the engines know of it may be out of date.
    """

    random: Random
    engines: int
    dropped: float  # share of the letters that never arrive
    doubled: float  # share of those that arrive more than once
    on_the_way: list[tuple[int, int, Letter]] = field(default_factory=list[tuple[int, int, Letter]])
    cut_off: set[int] = field(default_factory=set[int])  # engines, or the coordinator, that nothing comes to or from
    luck: Random = field(default_factory=Random)  # for what has to do with shards that move
    rows: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    def __post_init__(self) -> None:
        self.rows |= {shard: (1, owner_of(shard, self.engines)) for shard in range(256)}

    def send(self, source: int, letter: Letter, to: str = "") -> None:
        """Take a letter of an engine; without a name it goes to whoever owns the shard it is for, for all one knows."""
        target = number_of(to) if to else self._by_table(letter)
        if not self.cut_off & {source, target}:
            self.on_the_way.append((target, source, letter))

    def _by_table(self, letter: Letter) -> int:
        match letter:
            case Parcel() | Acknowledged():
                shard = letter.channel[1 if isinstance(letter, Parcel) else 0]
            case Confirm():
                return TABLE
            case _:
                assert isinstance(letter, Forward), letter
                shard = letter.root[1]
        if self.dropped and self.luck.randrange(1_000) < STRAY_PERMILLE:
            return self.luck.randrange(self.engines)
        return self.rows[shard][1]

    def tell(self, target: int, shards: Iterable[int]) -> None:
        """Have an engine told what the table says of some shards, unless it cannot be reached."""
        rows = tuple(Row(shard, self.rows[shard][0], name_of(self.rows[shard][1])) for shard in shards)
        if not self.cut_off & {TABLE, target}:
            self.on_the_way.append((target, TABLE, Assigned(rows)))

    def confirm(self, source: int, asked: Confirm) -> bool:
        """Let the coordinator change a row, if it is still as it was, and answer; return whether it did."""
        row = asked.row
        changes = self.rows[row.shard][0] == row.epoch - 1
        if changes:
            self.rows[row.shard] = row.epoch, number_of(row.engine)
        self.tell(source, (row.shard,))
        return changes

    def pick(self) -> tuple[int, int, Letter] | None:
        """Return a letter that arrives now, whichever; None: this one never does."""
        target, source, letter = self.on_the_way.pop(self.random.randrange(len(self.on_the_way)))
        if self.random.random() < self.doubled:
            self.on_the_way.append((target, source, letter))
        lost = self.random.random() < self.dropped or target in self.cut_off
        return None if lost else (target, source, letter)

    def partition(self) -> None:
        """Cut an engine off, or let all talk again."""
        if self.cut_off:
            self.cut_off.clear()
        else:
            self.cut_off.add(self.random.randrange(self.engines))

    def mend(self) -> None:
        """Lose and double nothing from now on."""
        self.dropped = self.doubled = 0.0
        self.cut_off.clear()
