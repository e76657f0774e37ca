"""What an engine needs to know of others: what it is called among them, and who carries messages to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from placet.actors.executors.placed import NO_HOSTING, Hosting
from placet.actors.messages import Acknowledged, Parcel
from placet.actors.shards.messages import BetweenEngines, Confirm, Forward, MoveEnded


class Carrier(Protocol):
    """Carries messages to other engines; what it loses is sent, or said, again."""

    def carry(self, parcels: Sequence[Parcel], acknowledgements: Iterable[Acknowledged]) -> None:
        """Take what a batch sends, which is on disk; called on the engine's thread, must be quick and not raise.

        `acknowledgements` say, for the channels from other engines, which number was taken in last.
        """
        ...

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
    """The place of an engine among others, whose shards come and go."""

    engine: str  # its name
    carrier: Carrier
    hosting: Hosting = NO_HOSTING  # what this host has, and who has handlers run on others
