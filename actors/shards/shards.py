"""The shards of an engine among others: those it may run now, those it waits to open, those that come and go.

What its store says (`records.py`) is not enough to open a shard: the coordinator's table has to say the same. Once it
is open it goes on without asking again. Everything here happens between two batches of the kernel, or with one of its
batches: what is said to other engines leaves after the commit of what it says.
"""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import assert_never

from placet.actors.answers import RefusalCode, Refused
from placet.actors.effects import Batch, Reply
from placet.actors.messages import Beat, ExecutorAnswer, KernelMessage, Request
from placet.actors.records import Header
from placet.actors.recovery import Found, find_work, resume, untold
from placet.actors.shards.arrival import Counters
from placet.actors.shards.arriving import Arrivals
from placet.actors.shards.elsewhere import Elsewhere
from placet.actors.shards.errors import ForeignShard, WrongEpoch
from placet.actors.shards.leaving import Departures
from placet.actors.shards.messages import (
    Assigned,
    BetweenEngines,
    CalledOff,
    Chunk,
    Declined,
    Forward,
    MovedAway,
    Offer,
    Opened,
    Ready,
    Row,
    StillRunning,
    Taken,
)
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import FIRST_EPOCH, Arriving, Moved, Owned, Restored, Staged, encode_owner, has_owners
from placet.actors.shards.residents import Residents, shard_of_message
from placet.actors.shards.restoring import Restores
from placet.persistence.keys import owner_key, shard_prefix
from placet.persistence.store import View
from placet.petri.plan import Plan


class Shards:
    """Says which instances a kernel may run, and lets them come and go."""

    def __init__(
        self,
        view: View,
        engine: str,
        here: set[int],
        residents: Residents,
        counters: Counters,
        deliver: Callable[[KernelMessage], None],
        plan: Callable[[Header], Plan],
        stopped_s: float,
    ) -> None:
        """`here` is to hold the shards whose instances may run; `plan` returns that of an instance's net.

        `stopped_s` is when the engine last stopped cleanly.
        """
        self.here = here
        self._view = view
        self._residents = residents
        self._counters = counters
        self._deliver = deliver
        self._moment = Moment(view, engine)
        self._epochs: dict[int, int] = {}  # those that were opened, with what epoch; frozen ones too
        self._held: dict[int, list[KernelMessage]] = {}  # what waits for shards that are frozen, or staged
        self._strangers: list[KernelMessage] = []  # for shards that are not here
        self._inbox: list[BetweenEngines | Assigned] = []
        self.departures = Departures(self._moment, lambda: counters.history, self.freeze, self.thaw, self._leave)
        self.arrivals = Arrivals(self._moment, counters, self._drop)
        self.elsewhere = Elsewhere(self._moment, residents.slots, deliver)
        self.restores = Restores(self._moment, residents.outbox, deliver, plan)
        if engine:
            self._held |= {shard: [] for shard, one in self._moment.owners.items() if isinstance(one, Staged)}
        self._stopped_s = stopped_s

    # -- messages ------------------------------------------------------------------------------------------

    def admits(self, message: KernelMessage) -> bool:
        """Return whether a message is for an instance that may run; others are kept until the next batch."""
        if shard_of_message(message) in self.here:
            return True
        self._strangers.append(message)
        return False

    def receive(self, message: BetweenEngines | Assigned) -> None:
        """Queue what another engine or the table says."""
        self._inbox.append(message)

    @property
    def has_work(self) -> bool:
        """True when the next batch has something to do here, whatever the time."""
        if self._inbox or self._strangers:
            return True
        return bool(self._moment.engine) and (self.arrivals.has_work or self.due() == -inf)

    def due(self) -> float:
        """Return when a batch has something to do here."""
        return min(self.departures.due(), self.arrivals.due(), self.elsewhere.due(), self.restores.due())

    def waiting(self) -> Iterator[KernelMessage]:
        """Yield what waits for shards that may not run now."""
        yield from self._strangers
        for held in self._held.values():
            yield from held

    # -- a batch -------------------------------------------------------------------------------------------

    def begin_batch(
        self, now: float, wall: float, writes: dict[bytes, bytes | None], batch: Batch, *, stops: bool
    ) -> None:
        """Do what is due, before any instance has its turn; in an engine that stops, shards stay that were to leave."""
        self._moment.begin(now, wall, writes, batch)
        for shard in list(self.departures.leaving) if stops else ():
            self.departures.call_off(shard, "its engine stops")
        if self._moment.engine:
            self.arrivals.remove_some()
            self.restores.begin_batch()
        inbox, self._inbox = self._inbox, []
        for message in inbox:
            self._handle(message)
        self.restores.heed(self.here)
        strangers, self._strangers = self._strangers, []
        for one in strangers:
            self._place(one)
        if self._moment.engine:  # else it is here for one message of a person, and is nobody others know
            self.departures.tick()
            self.arrivals.tick()
            self.elsewhere.tick()
            self.restores.tick()

    def end_batch(self, roots: Iterator[bytes], writes: list[tuple[bytes, bytes | None]]) -> None:
        """Look at what a batch is about to write. Raises `ForeignShard`."""
        for shard in {root[1] for root in roots}:
            epoch = self._epochs.get(shard, 0)
            record = self._counters.get(owner_key(shard))
            if shard not in self.here or record != encode_owner(Owned(epoch=epoch)):
                raise ForeignShard(shard, epoch)
        if self.departures.leaving:
            self.departures.note(writes)

    def _handle(self, message: BetweenEngines | Assigned) -> None:
        match message:
            case Assigned():
                self._assigned(message)
            case Offer():
                self.arrivals.offered(message)
            case Chunk():
                self.arrivals.came(message)
                if isinstance(self._moment.owners.get(message.shard), Staged):
                    self._held.setdefault(message.shard, [])
            case MovedAway():
                self.arrivals.moved_away(message)
            case CalledOff():
                self.arrivals.called_off(message)
            case Taken():
                self.departures.taken(message)
            case Ready():
                self.departures.ready(message)
            case Declined():
                self.departures.declined(message.shard, message.move, message.reason)
            case Opened():
                pass  # the table says it too
            case StillRunning():
                self.elsewhere.heard(message)
            case _:
                assert_never(message)

    def _place(self, message: KernelMessage) -> None:
        """Put a message where it belongs by now."""
        shard = shard_of_message(message)
        if shard in self.here:
            self._deliver(message)
        elif shard in self._held:
            self._held[shard].append(message)
        else:
            self._turn_away(shard, message)

    def _turn_away(self, shard: int, message: KernelMessage) -> None:
        """Say that an instance is not here; what its shard has on disk has gone with it."""
        record = self._moment.owners.get(shard)
        to = record.to if isinstance(record, Moved) else ""
        if isinstance(message, ExecutorAnswer | Beat):
            # After a restore the very number may be that of another firing, or its root that of another instance.
            is_of_before = record is not None and self.restores.is_since(shard, record.epoch)
            self._forward(message, "" if is_of_before else to)
        elif isinstance(message, Request) and message.reply:
            where = f"with the engine {to}" if to else "not open in this engine"
            reason = f"shard {shard}, which {message.instance} lives in, is {where}; ask again, there"
            refused = Refused(instance=message.instance, code=RefusalCode.MOVED, reason=reason)
            self._moment.batch.replies.append(Reply(reply=message.reply, answer=refused))

    def _forward(self, message: "ExecutorAnswer | Beat", to: str) -> None:
        if isinstance(message, ExecutorAnswer):
            self._residents.slots.land(message.root, message.number, message.attempt)
        if to and isinstance(message, Forward):
            self._moment.batch.forwards.append(message)

    # -- open and closed -----------------------------------------------------------------------------------

    def _describe(self, shard: int) -> str:
        record = self._moment.owners.get(shard)
        return "not known" if record is None else f"{type(record).__name__.lower()} with epoch {record.epoch}"

    def open(self, epochs: Mapping[int, int]) -> None:
        """Let shards run that the table gives this engine, with these epochs; those that are open stay so.

        Raises `WrongEpoch`, before any is opened.
        """
        for shard, epoch in epochs.items():
            record = self._moment.owners.get(shard)
            if not isinstance(record, Owned) or record.epoch != epoch:
                raise WrongEpoch(shard, epoch, self._describe(shard))
        self._open({shard: epoch for shard, epoch in epochs.items() if shard not in self._epochs}, frozenset())

    def _open(self, epochs: Mapping[int, int], arrived: frozenset[int]) -> None:
        if not epochs:
            return
        self._epochs |= epochs
        self.here.update(epochs)  # the outbox looks at the same set
        found = {shard: find_work(self._view, shard_prefix(shard)) for shard in epochs}
        for shard, work in found.items():
            self._resume(work, is_new=shard in arrived)
        for sent in self._residents.outbox.open(self._view, epochs.keys()):
            self._deliver(sent)
        for shard in epochs:
            for message in self._held.pop(shard, ()):
                self._deliver(message)

    def _resume(self, found: Found, *, is_new: bool) -> None:
        slots = self._residents.slots
        slots.alone = slots.alone or found.suspected
        if is_new:
            self.elsewhere.begin(found.running)
        stopped_s = inf if is_new else self._stopped_s  # what came with its shard never ran here, and cannot be lost
        resume(found, stopped_s, self._residents.timers, self._deliver)

    def freeze(self, shard: int) -> bool:
        """Let no instance of an open shard run until `thaw`; False: some are to be told of a start first."""
        if any(root[1] == shard for root in untold(self._residents.mail)):
            return False
        self.here.remove(shard)
        self._held[shard] = self._residents.still(shard)
        return True

    def thaw(self, shard: int) -> None:
        """Let the instances of a frozen shard go on."""
        self.here.add(shard)
        for message in self._held.pop(shard):
            self._deliver(message)

    def _leave(self, shard: int) -> None:
        """A frozen shard has gone to another engine."""
        self._residents.leave(shard)
        self.elsewhere.leave(shard)
        self.restores.leave(shard)
        del self._epochs[shard]
        self._drop(shard)

    def _drop(self, shard: int) -> None:
        for message in self._held.pop(shard, ()):
            self._turn_away(shard, message)

    def move(self, shard: int, to: str, move: str) -> None:
        """Begin to move a shard to another engine; `Batch.moves` says how it ended. `move` names it as no other.

        Raises `WrongEpoch` where the shard is not open here, or is on its way already.
        """
        if shard not in self.here or shard in self.departures.leaving or to == self._moment.engine:
            raise WrongEpoch(shard, 0, self._describe(shard))
        self.departures.begin(shard, self._epochs[shard], to, move)

    def _close(self, shard: int) -> None:
        """Another engine has a shard, though this one never let go of it: somebody has decided so, by a restore."""
        self.departures.call_off(shard, "another engine owns the shard")
        self.here.remove(shard)
        self._held[shard] = self._residents.still(shard)
        self._leave(shard)

    # -- the table -----------------------------------------------------------------------------------------

    def _assigned(self, message: Assigned) -> None:
        opened: dict[int, int] = {}
        arrived: set[int] = set()
        restored = {row.shard for row in message.rows if isinstance(self._moment.owners.get(row.shard), Restored)}
        for row in message.rows:
            if message.is_new and row.shard not in self._moment.owners and row.epoch == FIRST_EPOCH:
                self._moment.note(row.shard, Owned(epoch=FIRST_EPOCH))
            if self._take_row(row, arrived):
                opened[row.shard] = row.epoch
        self._open(opened, frozenset(arrived))
        self.restores.hear(message.rows, self._epochs)
        self.restores.opened(opened)
        for shard in sorted(restored & opened.keys()):
            self.restores.restored(shard, opened[shard])

    def _take_row(self, row: Row, arrived: set[int]) -> bool:
        """Take note of one row; return whether it lets this engine open the shard."""
        record = self._moment.owners.get(row.shard)
        if record is None or row.epoch < record.epoch:
            return False
        is_ours = row.engine == self._moment.engine and row.epoch == record.epoch
        match record:
            case Owned() if is_ours:
                return row.shard not in self._epochs
            case Owned():
                if row.shard in self._epochs and row.epoch > record.epoch:
                    self._close(row.shard)
            case Staged() if record.is_copy and row.engine == self._moment.engine:
                self.arrivals.forget(row.shard)
                return self.restores.take_row(row, self.restores.begin(row.shard, record.epoch))
            case Staged() if is_ours:
                self.arrivals.opened(row.shard, record)
                arrived.add(row.shard)
                return True
            case Staged():
                if row.epoch >= record.epoch:  # of the same epoch where a restore of its owner was sooner
                    self.arrivals.outdated(row.shard)
            case Moved():
                if not record.settled:
                    self.departures.settled(row.shard, record)
                    self.arrivals.clear(row.shard)
            case Restored() if row.engine == self._moment.engine:
                return self.restores.take_row(row, record)
            case Restored():
                if row.epoch > record.epoch:  # else it is another engine's backup, and all there is of it here
                    self.arrivals.discard(row.shard, record)
            case Arriving():
                pass
        return False


def none_open(view: View, engine: str) -> set[int] | None:
    """Return the shards that are open at a start of an engine among others: none; or None, of one that is alone."""
    return set() if engine or has_owners(view) else None


def earlier(due: float | None, shards: Shards | None) -> float | None:
    """Return when the first of a timer and what shards wait for is due, or None."""
    other = inf if shards is None else shards.due()
    return due if other == inf else other if due is None else min(due, other)
