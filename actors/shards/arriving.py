"""A shard that comes from another engine, as the one sees it that is to own it: hidden until it is whole and its own.

What has come stands under its final keys, guarded by the shard's record. `Arriving` is thrown away by a crash, by time,
and when its owner calls the move off. `Staged` never is unless its owner says so: that may have let go of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from placet.actors.shards.arrival import Arrival, Counters
from placet.actors.shards.clearing import Clearing
from placet.actors.shards.leaving import PATIENCE_S, SAY_AGAIN_S
from placet.actors.shards.messages import (
    CalledOff,
    Chunk,
    Confirm,
    Declined,
    MovedAway,
    Offer,
    Opened,
    Ready,
    Row,
    ShardMessage,
    Taken,
)
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import Arriving, Moved, Owned, Restored, Staged

SAME_S: Final = 0.001  # clocks of two engines that differ by less are taken for one
PORTION: Final = 2_000  # entries of a shard that is not this engine's removed in a batch


@dataclass(slots=True, kw_only=True)
class Coming:
    """One shard of which some has come."""

    offer: Offer
    arrival: Arrival
    taken: int = 0  # number of the last chunk
    ends_at: float


class Arrivals:
    """The shards that come to this engine, and what is to be removed of those that are not its own."""

    def __init__(self, moment: Moment, counters: Counters, drop: Callable[[int], None]) -> None:
        """`drop` turns away what waits for a shard that will not come."""
        self._moment = moment
        self._counters = counters
        self._drop = drop
        self.patience_s = PATIENCE_S
        self.portion = PORTION
        self._coming: dict[int, Coming] = {}
        self._staged: dict[int, float] = {}  # when to say again that all is there
        self._given: set[int] = set()  # those of them whose owner has let go
        self._clearing: dict[int, Clearing] = {}
        for shard, record in moment.owners.items():
            if isinstance(record, Staged):
                self._staged[shard] = -inf
            elif isinstance(record, Arriving) or (isinstance(record, Moved) and record.settled):
                self.clear(shard)

    # -- what the owner says -------------------------------------------------------------------------------

    def offered(self, message: Offer) -> None:
        """Take a shard, if nothing is known that speaks against it."""
        shard, record = message.shard, self._moment.owners.get(message.shard)
        coming = self._coming.get(shard)
        if coming is not None and coming.offer.move == message.move:
            self._answer(message, number=coming.taken)
        elif coming is not None:  # of another move, which its owner has given up; this one is offered again
            self._throw_away(shard)
        elif isinstance(record, Staged):
            self._say_ready(shard, record)  # its owner says whether that is over
        elif shard in self._clearing or (isinstance(record, Moved) and not record.settled):
            return  # not yet; it is offered again
        elif isinstance(record, Restored) and record.epoch <= message.epoch:
            self.discard(shard, record)  # its owner has it after all; it is offered again
        elif record is not None and record.epoch >= message.epoch:
            self._decline(message, f"{self._moment.engine} knows of a later owner")
        elif isinstance(record, Owned):
            self._decline(message, f"{self._moment.engine} has an older state of this shard that it never let go of")
        else:
            self._begin(message)

    def _begin(self, message: Offer) -> None:
        moment = self._moment
        passed_s = moment.wall - message.wall_s
        if not 0.0 <= passed_s <= self.patience_s:  # an offer that old is given up: their wall clocks differ
            passed_s = 0.0
        shift_s = moment.now - message.engine_s - passed_s
        arrival = Arrival(self._counters, shift_s if abs(shift_s) >= SAME_S else 0.0)
        self._coming[message.shard] = Coming(offer=message, arrival=arrival, ends_at=moment.now + self.patience_s)
        moment.note(message.shard, Arriving(epoch=message.epoch, move=message.move, source=message.sender))
        self._answer(message, number=0)

    def came(self, message: Chunk) -> None:
        """Write what has come, if it is what comes next."""
        shard, record = message.shard, self._moment.owners.get(message.shard)
        coming = self._coming.get(shard)
        if coming is None or coming.offer.move != message.move:
            if isinstance(record, Staged) and record.move == message.move:
                self._say_ready(shard, record)
            else:
                self._decline(message, f"{self._moment.engine} knows nothing of this move any more")
        elif message.number == coming.taken + 1:
            coming.arrival.write(message.parts, self._moment.writes)
            coming.taken = message.number
            coming.ends_at = self._moment.now + self.patience_s
            if message.is_last:
                self._stage(shard, coming)
            else:
                self._answer(message, number=message.number)
        elif message.number <= coming.taken:
            self._answer(message, number=coming.taken)

    def _stage(self, shard: int, coming: Coming) -> None:
        offer = coming.offer
        del self._coming[shard]
        record = Staged(epoch=offer.epoch, move=offer.move, source=offer.sender)
        self._moment.note(shard, record)
        self._say_ready(shard, record)

    def moved_away(self, message: MovedAway) -> None:
        """Its owner has let go: have the table say so."""
        record = self._moment.owners.get(message.shard)
        if isinstance(record, Staged) and record.move == message.move:
            self._given.add(message.shard)
            self._confirm(message.shard, record)
        elif isinstance(record, Owned) and record.epoch >= message.epoch:
            self._say_opened(message.shard, message.move, record.epoch, message.sender)

    def called_off(self, message: CalledOff) -> None:
        """Its owner keeps it."""
        record = self._moment.owners.get(message.shard)
        if isinstance(record, Staged | Arriving) and record.move == message.move and message.shard not in self._given:
            self._throw_away(message.shard)

    # -- the table -----------------------------------------------------------------------------------------

    def opened(self, shard: int, record: Staged) -> None:
        """The table says that a staged shard is this engine's."""
        self.forget(shard)
        self._moment.note(shard, Owned(epoch=record.epoch))
        self._say_opened(shard, record.move, record.epoch, record.source)

    def forget(self, shard: int) -> None:
        """Say no more of a staged shard, which is staged no more."""
        self._staged.pop(shard, None)
        self._given.discard(shard)

    def outdated(self, shard: int) -> None:
        """The table knows of a later owner than a staged shard would have had: somebody has decided otherwise."""
        self._throw_away(shard)

    # -- time ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Ask again, give up on what does not go on, and remove some of what is not this engine's."""
        now = self._moment.now
        for shard, coming in list(self._coming.items()):
            if now >= coming.ends_at:
                self._throw_away(shard)
        for shard, say_at in list(self._staged.items()):
            record = self._moment.owners.get(shard)
            if now >= say_at and isinstance(record, Staged):
                self._say_ready(shard, record)
                if shard in self._given:
                    self._confirm(shard, record)

    def due(self) -> float:
        """Return when `tick` has something to do."""
        return min((*(coming.ends_at for coming in self._coming.values()), *self._staged.values()), default=inf)

    # -- removal -------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """True when something is to be removed."""
        return bool(self._clearing)

    def clear(self, shard: int) -> None:
        """Remove what is here of a shard, from the next batch on."""
        self._clearing[shard] = Clearing(self._moment.view, shard)

    def remove_some(self) -> None:
        """Remove a portion of one shard: once a batch, before anything is written for any of them."""
        shard = next(iter(self._clearing), None)
        if shard is None:
            return
        keys = self._clearing[shard].portion(self.portion)
        if keys:
            self._moment.writes.update(dict.fromkeys(keys))
            return
        del self._clearing[shard]
        if isinstance(self._moment.owners.get(shard), Arriving):
            self._moment.note(shard, None)

    def discard(self, shard: int, record: Restored) -> None:
        """Remove what a backup had of a shard that is another engine's."""
        self._moment.note(shard, Arriving(epoch=record.epoch, move="", source=""))
        self.clear(shard)
        self._drop(shard)

    def _throw_away(self, shard: int) -> None:
        record = self._moment.owners[shard]
        assert isinstance(record, Staged | Arriving), record
        self._coming.pop(shard, None)
        self.forget(shard)
        self._moment.note(shard, Arriving(epoch=record.epoch, move=record.move, source=record.source))
        self.clear(shard)
        self._drop(shard)

    # -- words ---------------------------------------------------------------------------------------------

    def _answer(self, message: ShardMessage, *, number: int) -> None:
        engine = self._moment.engine
        self._moment.say(message.sender, Taken(shard=message.shard, move=message.move, sender=engine, number=number))

    def _decline(self, message: ShardMessage, reason: str) -> None:
        declined = Declined(shard=message.shard, move=message.move, sender=self._moment.engine, reason=reason)
        self._moment.say(message.sender, declined)

    def _say_ready(self, shard: int, record: Staged) -> None:
        self._staged[shard] = self._moment.now + SAY_AGAIN_S
        ready = Ready(shard=shard, move=record.move, sender=self._moment.engine, epoch=record.epoch)
        self._moment.say(record.source, ready)

    def _say_opened(self, shard: int, move: str, epoch: int, source: str) -> None:
        self._moment.say(source, Opened(shard=shard, move=move, sender=self._moment.engine, epoch=epoch))

    def _confirm(self, shard: int, record: Staged) -> None:
        row = Row(shard=shard, epoch=record.epoch, engine=self._moment.engine)
        self._moment.batch.confirms.append(Confirm(row=row, move=record.move))
