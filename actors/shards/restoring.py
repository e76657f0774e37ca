"""Shards that were brought back from a backup: when they may be opened, and how calls go on that reach across.

A restored engine asks the table for its shards with the next epoch, so that an old copy of them that comes back finds
that they are another's. That epoch begins an era: see `eras`. Every shard that learns of one says the calls again whose
children live there, and the restored one says all of its own: a call that is known there is answered as it was, or with
how the child is. So no call waits for what is gone. Who hears of it when does not matter, as calls are said again
through the outbox, in the transaction that notes the era.
"""

from collections.abc import Callable, Iterable, Set
from math import inf

from placet.actors.messages import CallAgain, KernelMessage, encode_message
from placet.actors.outbox import Outbox
from placet.actors.records import Phase, decode_firing, decode_header
from placet.actors.recovery import survey
from placet.actors.shards.leaving import SAY_AGAIN_S
from placet.actors.shards.messages import Confirm, Row
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import Owned, Restored
from placet.persistence.keys import FIRING, HEADER, shard_prefix, split_entry


class Restores:
    """The shards here that wait for the table to say that their restore counts, and what others are to know of them."""

    def __init__(self, moment: Moment, outbox: Outbox, deliver: Callable[[KernelMessage], None]) -> None:
        self._moment = moment
        self._outbox = outbox
        self._deliver = deliver
        self._eras: dict[int, int] = {}  # of shards that were ever restored, as the table says
        self._behind: set[int] = set()  # shards that are, or were, open here, and may not know of all of them
        self._asked: dict[int, int] = {}  # by shard that waits: the epoch the table has
        self._ask_at = -inf
        self._unnamed = any(isinstance(record, Restored) and not record.restore for record in moment.owners.values())

    def begin_batch(self) -> None:
        """Give each restore a name that no other has, before anything is said of it."""
        moment = self._moment
        if not self._unnamed:
            return
        self._unnamed = False
        for shard, record in moment.owners.items():
            if isinstance(record, Restored) and not record.restore:
                self.begin(shard, record.epoch)

    def begin(self, shard: int, epoch: int) -> Restored:
        """Give the restore of a shard its name."""
        record = Restored(epoch=epoch, restore=f"{self._moment.engine} at {self._moment.wall:.6f}")
        self._moment.note(shard, record)
        return record

    # -- the table -----------------------------------------------------------------------------------------

    def hear(self, rows: Iterable[Row], open_here: Iterable[int]) -> None:
        """Take note of the restores that the table knows of."""
        eras = {row.shard: row.era for row in rows if row.era > self._eras.get(row.shard, 0)}
        if eras:
            self._eras |= eras
            self._behind.update(open_here)

    def is_mine(self, row: Row, record: Restored) -> bool:
        """Take note of the row of a shard that waits, which this engine owns; return whether its restore counts."""
        if row.restore != record.restore:
            self._asked[row.shard] = row.epoch
            return False
        self._asked.pop(row.shard, None)
        self._moment.note(row.shard, Owned(epoch=row.epoch))
        return True

    def opened(self, shards: Iterable[int]) -> None:
        """Some shards are open here from now on."""
        if self._eras:
            self._behind.update(shards)

    def restored(self, shard: int, epoch: int) -> None:
        """A restored shard is open: its era begins, and it says all its calls again."""
        self._outbox.begin_eras(shard, {shard: epoch}, self._moment.writes)
        self._say_calls_again(shard, ())

    def heed(self, here: Set[int]) -> None:
        """Let the shards that run here know of the restores of others."""
        if not self._behind:
            return
        for shard in sorted(self._behind & here):
            news = self._outbox.eras.news(shard, self._eras)
            if news:
                self._outbox.begin_eras(shard, news, self._moment.writes)
                self._say_calls_again(shard, tuple(news))
        self._behind -= here

    def _say_calls_again(self, shard: int, of: tuple[int, ...]) -> None:
        """Have every instance of a shard that waits for a child say its calls again, to some shards or to all."""
        moment, instance, said = self._moment, "", ""
        for key, value in survey(moment.view, shard_prefix(shard)):
            actor, kind, _ = split_entry(key)
            if actor == 0 and kind == HEADER:
                instance = decode_header(value).instance
            elif kind == FIRING and instance != said and decode_firing(value).phase is Phase.CALLED:
                said = instance
                message = encode_message(CallAgain(instance=instance, shards=of))
                sent = self._outbox.post(instance, message, moment.view.get, moment.writes, moment.batch)
                if sent is not None:
                    self._deliver(sent)

    # -- time ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Ask the table, and ask again."""
        moment = self._moment
        if not self._asked or moment.now < self._ask_at:
            return
        self._ask_at = moment.now + SAY_AGAIN_S
        for shard, epoch in list(self._asked.items()):
            record = moment.owners.get(shard)
            if not isinstance(record, Restored):  # it was given up meanwhile
                del self._asked[shard]
                continue
            row = Row(shard, epoch + 1, moment.engine, era=epoch + 1, restore=record.restore)
            moment.batch.confirms.append(Confirm(row=row, move=record.restore))

    def due(self) -> float:
        """Return when `tick` has something to do."""
        return self._ask_at if self._asked else inf
