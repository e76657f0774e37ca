"""What an engine needs to know of others: the shards it owns among theirs, and who carries messages to them."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from placet.actors.messages import ChannelKey, Parcel


class Carrier(Protocol):
    """Carries messages to the engines that own other shards; what it loses is sent again."""

    def carry(self, parcels: Sequence[Parcel], acknowledgements: Mapping[ChannelKey, int]) -> None:
        """Take what a batch sends, which is on disk; called on the engine's thread, must be quick and not raise.

        `acknowledgements` says, for the channels from other engines, which number was taken in last.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """The place of an engine among others."""

    shards: Set[int]  # those it owns now
    carrier: Carrier
