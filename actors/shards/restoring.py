"""Shards that were brought back from a backup: when they may be opened, and how calls go on that reach across.

A restored engine asks the table for its shards with the next epoch, so that an old copy of them that comes back finds
that they are another's. That epoch begins an era: see `eras`. Every shard that learns of one says the calls again whose
children live there, and the restored one says all of its own: a call that is known there is answered as it was, or with
how the child is. So no call waits for what is gone. Who hears of it when does not matter, as calls are said again
through the outbox, in the transaction that notes the era.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from math import inf
from typing import Final

from placet.actors.calls import child_shard
from placet.actors.messages import CallAgain, KernelMessage, encode_message
from placet.actors.outbox import Outbox
from placet.actors.records import Firing, Header, Phase, decode_firing, decode_header
from placet.actors.recovery import survey
from placet.actors.shards.leaving import SAY_AGAIN_S
from placet.actors.shards.messages import Confirm, Row
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import Owned, Restored
from placet.persistence.keys import FIRING, HEADER, shard_prefix, split_entry
from placet.petri.plan import Plan

SETTLE_S: Final = 1.0  # an engine that is restored opens its shards one after the other: they are heeded together
PORTION: Final = 1_000  # instances that are told in a batch to say their calls again; those of a shard all at once


class Restores:
    """The shards here that wait for the table to say that their restore counts, and what others are to know of them."""

    def __init__(
        self, moment: Moment, outbox: Outbox, deliver: Callable[[KernelMessage], None], plan: Callable[[Header], Plan]
    ) -> None:
        """`plan` returns that of an instance's net."""
        self._moment = moment
        self._outbox = outbox
        self._deliver = deliver
        self._plan = plan
        self._eras: dict[int, int] = {}  # of shards that were ever restored, as the table says
        self._behind: set[int] = set()  # shards that are open here, and may not know of all of them
        self._heed_at = inf  # -inf: at once
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

    def is_since(self, shard: int, epoch: int) -> bool:
        """Return whether a shard was restored since it had an owner with this epoch."""
        return self._eras.get(shard, 0) > epoch

    # -- the table -----------------------------------------------------------------------------------------

    def hear(self, rows: Iterable[Row], open_here: Iterable[int]) -> None:
        """Take note of the restores that the table knows of."""
        eras = {row.shard: row.era for row in rows if row.era > self._eras.get(row.shard, 0)}
        if eras:
            self._eras |= eras
            self._fall_behind(open_here)

    def take_row(self, row: Row, record: Restored) -> bool:
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
            self._fall_behind(shards)

    def leave(self, shard: int) -> None:
        """A shard has gone to another engine, which lets it know."""
        self._behind.discard(shard)

    def _fall_behind(self, shards: Iterable[int]) -> None:
        self._behind.update(shards)
        if self._behind and self._heed_at == inf:
            self._heed_at = self._moment.now + SETTLE_S

    def restored(self, shard: int, epoch: int) -> None:
        """A restored shard is open: its era begins, and it says all its calls again."""
        self._outbox.begin_eras(shard, {shard: epoch}, self._moment.writes)
        self._say_calls_again(shard, ())

    def heed(self, here: Set[int]) -> None:
        """Let some of the shards that run here know of the restores of others."""
        if self._moment.now < self._heed_at:
            return
        said = 0
        for shard in sorted(self._behind & here):
            if said >= PORTION:
                self._heed_at = -inf  # the others in the next batches
                return
            self._behind.discard(shard)
            news = self._outbox.eras.news(shard, self._eras)
            if news:
                self._outbox.begin_eras(shard, news, self._moment.writes)
                said += self._say_calls_again(shard, tuple(news))
        self._heed_at = self._moment.now + SETTLE_S if self._behind else inf  # those on their way, should they stay

    def _say_calls_again(self, shard: int, of: tuple[int, ...]) -> int:
        """Have the instances of a shard that wait for children in some shards, or anywhere, say their calls again.

        Return how many those are.
        """
        moment, said = self._moment, 0
        for instance in self._waiting(shard, frozenset(of)):
            message = encode_message(CallAgain(instance=instance, shards=of))
            sent = self._outbox.post(instance, message, moment.view.get, moment.writes, moment.batch)
            if sent is not None:
                self._deliver(sent)
            said += 1
        return said

    def _waiting(self, shard: int, of: frozenset[int]) -> Iterator[str]:
        """Yield the instances of a shard that wait for children in some shards; none: in any."""
        header: Header | None = None  # None: the instance at hand has been yielded
        for key, value in survey(self._moment.view, shard_prefix(shard)):
            actor, kind, _ = split_entry(key)
            if actor == 0 and kind == HEADER:
                header = decode_header(value)
            elif kind == FIRING and header is not None:
                firing = decode_firing(value)
                if firing.phase is Phase.CALLED and (not of or self._may_wait(header, firing, of)):
                    yield header.instance
                    header = None

    def _may_wait(self, header: Header, firing: Firing, of: frozenset[int]) -> bool:
        """Return whether a firing waits for a child in some shards, as far as that can be found out."""
        try:
            transition = self._plan(header).transitions[firing.transition]
        except Exception:  # what is wrong with an instance its supervisor deals with, in the turn of its message
            return True
        return child_shard(header.instance, transition, firing.number, firing.attempt) in of

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
        return min(self._ask_at if self._asked else inf, self._heed_at)
