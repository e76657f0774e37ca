"""What waits for shards of other engines, found by reading the store: whether calls keep to the room there is."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from placet.actors.messages import Call, decode_delivery, decode_parcel
from placet.persistence.keys import CHANNEL, split_channel
from placet.persistence.store import View, Write
from placet.testing.errors import require

NONE: frozenset[int] = frozenset()


@dataclass(slots=True)
class Windows:
    """The shards that take no more: `full` when a batch ends, and of those `least` already when it began to send."""

    full: frozenset[int] = NONE
    least: frozenset[int] = NONE
    held_up: dict[tuple[bytes, int, int], int] = field(default_factory=dict[tuple[bytes, int, int], int])  # by attempt

    def look(self, view: View, writes: Sequence[Write], opened: Set[int], limit: int) -> None:
        """Look at what a batch is about to write. No call may go to a shard that takes no more."""
        left = waiting_in(view, opened)
        calls, sent = Counter[int](), Counter[int]()
        for key, value in writes:
            (source, target), number = split_channel(key) if key[:1] == CHANNEL else ((-1, -1), 0)
            if number and source in opened:
                if value is None:
                    left[target] -= 1
                else:
                    sent[target] += 1
                    calls[target] += isinstance(decode_delivery(decode_parcel(value).message), Call)
        for shard, count in calls.items():
            waiting = left[shard] + count
            require(
                not count or waiting <= limit, "no call goes to a full shard", f"shard {shard}: {waiting} of {limit}"
            )
        self.least, self.full = full_of(left, limit), full_of(left + sent, limit)


def waiting_in(view: View, opened: Set[int]) -> Counter[int]:
    """Return how many messages wait for each shard, of those that shards with known channels have sent."""
    found = Counter[int]()
    for key, _ in view.scan(CHANNEL):
        (source, target), number = split_channel(key)
        found[target] += bool(number) and source in opened
    return found


def full_of(waiting: Mapping[int, int], limit: int) -> frozenset[int]:
    """Return the shards for which so much waits that they take no more."""
    return frozenset(shard for shard, count in waiting.items() if count >= limit)
