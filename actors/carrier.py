"""What an engine needs to know of others: the shards it owns among theirs, and who carries messages to them."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from placet.actors.messages import ChannelKey, Parcel
from placet.actors.shards.messages import BetweenEngines, Confirm, Forward, MoveEnded


class Carrier(Protocol):
    """Carries messages to the engines that own other shards; what it loses is sent again."""

    def carry(self, parcels: Sequence[Parcel], acknowledgements: Mapping[ChannelKey, int]) -> None:
        """Take what a batch sends, which is on disk; called on the engine's thread, must be quick and not raise.

        `acknowledgements` says, for the channels from other engines, which number was taken in last.
        """
        ...


class Mover(Protocol):
    """Carries what has to do with shards that move; what it loses is said again."""

    def carry_shards(
        self,
        between: Sequence[tuple[str, BetweenEngines]],
        forwards: Sequence[Forward],
        confirms: Sequence[Confirm],
        ended: Sequence[MoveEnded],
    ) -> None:
        """Take what a batch says, which is on disk; called on the engine's thread, must be quick and not raise.

        `between` goes to the engines named, which give it to `kernel.receive`; `forwards` to whoever owns the shards of
        their roots by now, for `kernel.deliver`; `confirms` to the coordinator, whose row is then given to
        `kernel.receive`, whatever came of it; `ended` to whoever asked for the moves.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """The place of an engine among others."""

    shards: Set[int]  # those it owns now; not asked where there is a `mover`: then its store and the table say it
    carrier: Carrier
    engine: str = ""  # its name
    mover: Mover | None = None
