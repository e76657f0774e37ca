"""The kernel: runs the actors of an engine, and is pure. Messages and the time go in; a batch comes out.

No thread, socket, file or clock in here. The caller commits `Batch.writes` durably, tells `committed`, and
only then carries out the batch's effects. While a commit is pending or failing, `run` must not be called.
"""

from collections.abc import Iterator, Set
from math import inf, nextafter

import msgspec
from mypy_extensions import mypyc_attr

from placet.actors.alone import Alone
from placet.actors.answers import RefusalCode, Refused, Spawned
from placet.actors.awakenings import Awakenings
from placet.actors.beginning import begin, conflict, has_begun
from placet.actors.catalog import Catalog
from placet.actors.delivery import opened, replayed, undelivered
from placet.actors.effects import Batch, Reply
from placet.actors.errors import no_instance
from placet.actors.faults import Faults, set_aside
from placet.actors.lifecycle import TERMINAL
from placet.actors.mailboxes import Mailboxes
from placet.actors.marker import Marker, NoMarker
from placet.actors.memory import Memory
from placet.actors.messages import (
    Acknowledged,
    CalledAgain,
    ClientMessage,
    Due,
    ExecutorAnswer,
    FirstMessage,
    Grant,
    Intervention,
    KernelMessage,
    Parcel,
    Park,
    PostedMessage,
    Request,
    RootMessage,
    RunAlone,
    Sent,
    Spawn,
    decode_message,
)
from placet.actors.outbox import Outbox
from placet.actors.pending import Pending
from placet.actors.receive import RECEIVERS
from placet.actors.records import RUNNING, Header, decode_header
from placet.actors.recovery import Found, find_work, keep_losses, resume, untold
from placet.actors.roots import Roots
from placet.actors.services import Room
from placet.actors.shards.messages import Assigned, BetweenEngines
from placet.actors.shards.residents import Residents
from placet.actors.shards.shards import Shards, earlier, none_open
from placet.actors.slots import Slots
from placet.actors.stamp import Stamp, encode_stamp, read_stamp
from placet.actors.stored_nets import StoredNets
from placet.actors.suspects import Suspects
from placet.actors.timers import Timers
from placet.actors.turn import Aside, Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.keys import HEADER, STAMP, address_key, entry_key, outbox_key
from placet.persistence.store import View
from placet.petri.behaviour import IN_KERNEL
from placet.petri.plan import Plan

BUDGET = 1_000  # messages and inline firings a batch
INLINE_A_TURN = 64  # inline firings a turn, so that no instance holds the kernel
PORTION = 2_000  # entries of a sleeping instance read at a time, for the same reason
TOKENS_A_MESSAGE = 8  # that many tokens read from disk count as one message


@mypyc_attr(allow_interpreted_subclasses=True)  # where it is compiled, simulations must still be able to look inside
class Kernel:
    """Runs the actors of one engine over a view of its store."""

    def __init__(
        self,
        view: View,
        catalog: Catalog,
        marker: Marker | None = None,
        *,
        visiting: bool = False,
        engine: str = "",
    ) -> None:
        """`engine` is the name of this one among others, whose shards come and go; without one it has them all, unless
        its store says that it is one among others: then it has none.
        """
        self.visiting = visiting  # for one message of a person, beside no engine: nothing is recovered or chosen
        self.room = Room()
        self.portion = PORTION
        self._view = view
        self._catalog = catalog
        self.marker: Marker = marker or NoMarker()
        self._pending = Pending()
        self._batch = Batch()
        self.memory = Memory()
        self._one_turn = Turn()
        self.mail = Mailboxes()  # what is not handled yet
        self._awakenings = Awakenings(self.mail)
        self._roots = Roots()
        self._nets = StoredNets(catalog, self.get)
        self._faults = Faults()
        self.slots = Slots()
        self._alone = Alone(self.slots)
        self.timers = Timers()
        self.observed: set[str] = set()  # instances somebody follows
        self.suspects = Suspects(view)
        self.stamp: Stamp = read_stamp(view)
        self.history = self.stamp.history
        here = none_open(view, engine)
        self.outbox = Outbox(self.stamp.sent, here)
        self.credit, self.eras = self.outbox.credit, self.outbox.eras
        self._arriving: Sent | None = None  # the message from another instance that is being handled
        self._now = nextafter(self.stamp.engine_s, inf)  # so that nothing new began by the time of a clean stop
        self.draining = visiting  # a clean stop is under way: nothing new is chosen, inline neither
        self.shards: Shards | None = None  # None: those it has are its own for ever
        if here is not None:
            awake = (self.memory, self._awakenings, self.mail, self.slots, self._alone)
            residents = Residents(*awake, self.timers, self._faults, self._roots, self.outbox)
            self.shards = Shards(view, engine, here, residents, self, self.deliver, self.plan, self.stamp.stopped_s)

    # -- in ------------------------------------------------------------------------------------------------

    def recover(self) -> Found:
        """Find what must go on: call once, before the first `run`."""
        found = find_work(self._view) if self.shards is None else Found()
        # Suspects go before all else: were others let in first, a suspect could be lost again and again while those
        # got on, and be found guilty for no more than running last when the engine was killed from outside.
        self.slots.alone = found.suspected
        if self.suspects.on_trial:  # user code of the kernel that a crash has marked
            first = {self.get(address_key(instance)) for instance in self.suspects.instances()}
            found.awake.sort(key=lambda root: root not in first)
            self._alone.try_first()
        resume(found, self.stamp.stopped_s, self.timers, self.deliver)
        for sent in self.outbox.recover(self._view) if self.shards is None else ():
            self.deliver(sent)
        self.outbox.say_again()
        return found

    def set_capacity(self, executor: str, slots: int) -> None:
        """Say how many firings an executor takes at once, running and queued together."""
        self.slots.pool(executor).capacity = slots

    def set_lack(self, executor: str, reason: str) -> None:
        """Say why nobody can run what an executor is given; "": somebody can, or will be able to."""
        for root in self.slots.set_lack(executor, reason):
            self.deliver(Grant(root=root))

    def deliver(self, message: KernelMessage) -> None:
        """Queue one message."""
        if self.shards is None or self.shards.admits(message):
            self.mail.put(message)

    def receive(self, message: Parcel | Acknowledged | BetweenEngines | Assigned) -> None:
        """Queue what another engine has sent, or the coordinator's table says; it is looked at in that order."""
        if isinstance(message, Parcel | Acknowledged):
            self.outbox.come.append(message)
        elif self.shards is not None:
            self.shards.receive(message)

    def send_again(self, shards: Set[int] | None = None) -> None:
        """Send other engines once more what they have not acknowledged, to some shards or all: after a while, say."""
        self.outbox.say_again(shards)

    # -- run -----------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """True when `run` would handle something without a new message."""
        if self.mail.ready or self._awakenings.roots or self.outbox.has_work or (self.shards and self.shards.has_work):
            return True
        return bool(self.slots.queued and self.slots.has_grant) or (not self.draining and self._alone.has_work)

    def next_due(self, now: float) -> float | None:
        """Return a time until which nothing is due, or None if nothing will be."""
        return earlier(self.timers.next_due(now), self.shards)

    def run(self, now: float, budget: int = BUDGET, wall: float = 0.0) -> Batch:
        """Handle messages until there are none or the budget is used up, and return what came of it.

        `now` is engine time and never goes back; `wall` is recorded beside it for the next start.
        """
        self._begin(now)
        if self.shards is not None:
            self.shards.begin_batch(self._now, wall, self._pending.engine, self._batch, stops=self.draining)
        for (root, number), transition in self.timers.pop_due(self._now):
            self.deliver(Due(root=root, transition=transition, number=number))
        if self.outbox.has_work:
            self._exchange()
        if self._awakenings.roots:
            self._awakenings.begin_batch()
        if self._alone.is_trial and not (self.suspects.on_trial and self._awakenings.roots):  # it may not be awake yet
            self._alone.look(on_trial=self.suspects.on_trial)
        spent, batch = 0, self._batch
        while spent < budget:
            message = self._next()
            if message is None:
                break
            batch.turns += 1
            if isinstance(message, RootMessage):
                if isinstance(message, ExecutorAnswer):
                    self.slots.land(message.root, message.number, message.attempt)
                spent += self._turn(message.root, message)
            else:
                spent += self._handle_request(message)
        self.memory.put_to_sleep(self._now)
        return self._finish(wall, clean=False)

    def stop(self, now: float, wall: float = 0.0) -> Batch:
        """Return the last batch of a clean stop: what is in flight will not count as lost."""
        self._begin(now)
        for root in untold(self.mail):
            self._pending.merge(keep_losses(Turn(root, self._now), self.scan, self.slots, self.stamp.stopped_s))
        return self._finish(wall, clean=True)

    def _begin(self, now: float) -> None:
        self._now = max(now, self._now)
        self._batch = Batch()
        self._pending = Pending()

    def _finish(self, wall: float, *, clean: bool) -> Batch:
        engine = self._pending.engine
        self.suspects.write(engine)
        if clean or not self._pending.is_empty:
            stopped_s = self._now if clean else self.stamp.stopped_s
            self.stamp = Stamp(self._now, wall, self.history, stopped_s, self.outbox.given)
            engine[STAMP] = encode_stamp(self.stamp)
            self._batch.writes = self._pending.writes()
            if self.shards is not None:
                self.shards.end_batch(self._pending.roots(), self._batch.writes)
        return self._batch

    def committed(self) -> None:
        """The last batch is on disk: the store now shows what it wrote."""
        self._pending = Pending()
        self.slots.released()

    def _next(self) -> KernelMessage | None:
        if self.credit.roomy and (waiting := self.credit.next_waiting()) is not None:
            return Grant(root=waiting)
        if self.slots.queued and (root := self.slots.next_waiting()) is not None:
            return Grant(root=root)
        if self.mail.ready:
            return self.mail.take()
        return self._next_alone()

    def _next_alone(self) -> KernelMessage | None:
        """Once nothing is in flight, let one suspected firing run; nothing else starts until all have."""
        if self.draining or self._awakenings.roots:  # a suspect may be in what is not awake yet
            return None
        if self._alone.is_over():
            return self._next()
        found = self._alone.next()
        return RunAlone(root=found[0][0], transition=found[1], number=found[0][1]) if found else None

    # -- other engines -------------------------------------------------------------------------------------

    def _exchange(self) -> None:
        """Take in what other engines have sent, and send what is due."""
        for sent in self.outbox.exchange(self.get, self._pending.engine, self._batch):
            self.deliver(sent)

    def _send(self, sender: str, message: bytes) -> None:
        """Put a message of an instance into the outbox, and on its way."""
        sent = self.outbox.post(sender, message, self.get, self._pending.engine, self._batch)
        if sent is not None:
            self.deliver(sent)

    # -- turns ---------------------------------------------------------------------------------------------

    def _handle_request(self, message: ClientMessage | PostedMessage | Sent) -> int:
        if isinstance(message, Sent):
            return self._receive(message)
        if isinstance(message, FirstMessage):
            return self._spawn(message)
        root = self.memory.root_of(message.instance, self.get)
        if root is None:
            self._refuse(message, RefusalCode.NOT_FOUND, no_instance(message.instance).reason)
            return 1
        return self._turn(root, message)

    def _receive(self, sent: Sent) -> int:
        """Handle what another instance sent: once it has had its effect, or can have none, it leaves the outbox."""
        message = opened(sent, self._catalog.definitions, self)
        if message is None:
            return 1
        self._arriving = sent
        spent = 1
        if isinstance(message, str):
            self._undelivered(message)
        elif isinstance(message, Spawn):
            spent = self._spawn(message)
        elif (root := self.memory.root_of(message.instance, self.get)) is None:
            self._undelivered(f"there is no instance {message.instance}")
        else:
            spent = self._turn(root, message)
        if self._arriving is sent:  # unless it is to be handled again, after a fault
            self._pending.drop(outbox_key(sent.entry))
            self._arriving = None
        return spent

    def _undelivered(self, reason: str) -> None:
        """Tell the sender of the message being handled that it has had no effect."""
        known = undelivered(self._arriving, reason) if self._arriving else None
        if self._arriving and known:
            self._send(self._arriving.instance, known)

    def _leave_outbox(self, park: Park) -> None:
        """A message is parked; one of another instance where all is over nobody can settle, and its sender is told."""
        data, header = self.get(outbox_key(park.sent)), self.get(entry_key(park.root, 0, HEADER, 0))
        sent = decode_message(data) if data and park.sent else None
        if isinstance(sent, Sent):
            self._pending.engine[outbox_key(park.sent)] = None
            if header and decode_header(header).state in TERMINAL:
                self._arriving = sent
                self._undelivered(park.failure.message)
                self._arriving = None

    def _refuse(self, message: Request, code: RefusalCode, reason: str) -> None:
        self._undelivered(reason)
        if message.reply:
            answer = Refused(instance=message.instance, code=code, reason=reason)
            self._batch.replies.append(Reply(reply=message.reply, answer=answer))

    def _turn(self, root: bytes, message: KernelMessage) -> int:
        inline = 0 if self.draining else INLINE_A_TURN
        turn = self._one_turn
        turn.begin(root, self._now, inline, False)
        spent = 1
        try:
            workflow = self.memory.roots.get(root)
            if workflow is None:
                workflow = self._awakenings.wake(root, turn, self, self.portion)
                if workflow is None:
                    return self._hold(root, message)
                self.memory.add(workflow)
                spent += (workflow.inner + workflow.outer) // TOKENS_A_MESSAGE
            workflow.turn = turn
            turn.observed = bool(self.observed) and workflow.header.instance in self.observed
            RECEIVERS[type(message)](workflow, turn, message)
            workflow.settle(turn)
            wanted = workflow.wants()  # which may wake a place
        except Exception as error:  # an actor fault, whatever it is: its supervisor decides
            return self._fault(root, message, error)
        self._merge(workflow, turn, message, wanted)
        return spent + inline - turn.inline_left

    def _hold(self, root: bytes, message: KernelMessage) -> int:
        """Keep a message until its instance, which is being read, is awake."""
        sent, self._arriving = self._arriving, None
        self._awakenings.hold(root, sent or message)
        self._batch.turns -= 1
        return 1 + self.portion // TOKENS_A_MESSAGE

    def _merge(self, workflow: WorkflowActor, turn: Turn, message: KernelMessage, wanted: list[str]) -> None:
        root, batch = turn.root, self._batch
        self._pending.merge(turn)
        self.history += len(turn.log)
        batch.fired += turn.fired
        for start in turn.starts:
            executor = start.transition.executor
            self.slots.depart(executor, root, start.number, start.attempt)
            batch.starts.setdefault(executor, []).append(start)
        if turn.timers:
            self.timers.change(root, turn.timers)
        if turn.aside is not None:
            self._merge_aside(workflow, turn.aside, message)
        if isinstance(message, Park):
            self._leave_outbox(message)
        if self._faults.past:
            self._faults.past.pop(root, None)  # a turn went well: its earlier faults do not count
        if wanted:
            self._queue_for_slots(root, wanted, turn)
        if turn.aside is not None and turn.aside.forget:
            self.memory.forget(root)
        elif not workflow.counts[RUNNING] or self.memory.is_resting:
            self.memory.keep(workflow, self._now, waits=bool(wanted))

    def _merge_aside(self, workflow: WorkflowActor, aside: Aside, message: KernelMessage) -> None:
        instance, batch = workflow.header.instance, self._batch
        self._pending.engine.update(aside.engine_writes)
        batch.changes += aside.changes
        batch.expires += aside.expires
        batch.progress += aside.progress
        if aside.acquitted or aside.suspects:
            self._alone.merge(workflow, aside)
        for replay in aside.replays:
            again = replayed(replay, self.stamp.stopped_s)
            if isinstance(again, PostedMessage | Intervention):
                self._send(instance, replay)  # it must not be lost between this batch and the next
            else:
                self.deliver(again)
        for data in aside.sent:
            self._send(instance, data)
        if isinstance(aside.answer, Refused):
            self._undelivered(aside.answer.reason)
        if aside.answer is not None and isinstance(message, Request) and message.reply:
            batch.replies.append(Reply(reply=message.reply, answer=aside.answer))

    def _queue_for_slots(self, root: bytes, wanted: list[str], turn: Turn) -> None:
        for executor in wanted:
            if executor not in IN_KERNEL:
                self.slots.wait(executor, root)
            elif turn.inline_left <= 0 and not self.draining:
                self.deliver(Grant(root=root))

    # -- spawning ------------------------------------------------------------------------------------------

    def _spawn(self, message: FirstMessage) -> int:
        key = address_key(message.instance)
        known = self.get(key)
        if known is not None:
            return self._spawned_before(message, known)
        root = self._roots.new(message.instance, self.get, self._pending.engine)
        turn, inline = self._one_turn, 0 if self.draining else INLINE_A_TURN
        turn.begin(root, self._now, inline, message.instance in self.observed)
        try:
            self._nets.store(message, turn)
            workflow = begin(root, message, turn, self)
            turn.rare().engine_writes[key] = root
            turn.rare().answer = Spawned(instance=message.instance, root=root)
            self.memory.add(workflow)
            workflow.settle(turn)
            wanted = workflow.wants()
        except Exception as error:  # an actor fault, whatever it is: there is no instance yet to hold it
            self.memory.forget(root)
            if self._arriving is not None and self._faults.may_try_again(key, self._now):
                self.mail.put_first(message.instance, self._arriving)
                self._arriving = None
                return 1
            self._refuse(message, RefusalCode.FAULT, f"{message.instance} could not be spawned: {error!r}")
            return 1
        self._faults.past.pop(key, None)
        self._merge(workflow, turn, message, wanted)
        return 1 + inline - turn.inline_left

    def _spawned_before(self, message: FirstMessage, root: bytes) -> int:
        if not has_begun(message, self.get(entry_key(root, 0, HEADER, 0))):
            self._refuse(message, RefusalCode.CONFLICT, conflict(message))
        elif isinstance(message, Spawn) and message.caller is not None:
            return self._turn(root, CalledAgain(root=root))
        elif message.reply:
            answer = Spawned(instance=message.instance, root=root, already=True)
            self._batch.replies.append(Reply(reply=message.reply, answer=answer))
        return 1

    # -- faults --------------------------------------------------------------------------------------------

    def _fault(self, root: bytes, message: KernelMessage, error: Exception) -> int:
        """A turn raised: its instance is dropped from memory; the message is tried again, then parked."""
        self.memory.forget(root)
        self._awakenings.drop(root)
        remedy = self._faults.remedy(root, message, error, self._now)
        if remedy.again is not None:
            again = self._still_sent(remedy.again)
            self.mail.put_first(again.instance if isinstance(again, Sent) else root, again)
            if isinstance(remedy.again, Park) and isinstance(message, Request):
                self._refuse(message, RefusalCode.FAULT, f"{message.instance} could not handle it: {error!r}")
        elif remedy.parked is not None:
            turn = Turn(root, self._now, 0, False)
            set_aside(turn, self.get, remedy.parked)
            self._pending.merge(turn)
            aside = turn.rare()
            self._batch.changes += aside.changes
            for data in aside.sent:
                self._send(aside.changes[0].instance, data)
            if isinstance(message, Park):
                self._leave_outbox(message)
        return 1

    def _still_sent(self, again: KernelMessage) -> KernelMessage:
        """Return what is to be handled next after a fault; what came from another instance stays in the outbox."""
        sent, self._arriving = self._arriving, None
        if sent is None:
            return again
        return msgspec.structs.replace(again, sent=sent.entry) if isinstance(again, Park) else sent

    # -- services for actors -------------------------------------------------------------------------------

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries below `prefix`, from `start` on if given, as this batch leaves them so far."""
        return self._pending.scan(self._view, prefix, start)

    def get(self, key: bytes) -> bytes | None:
        """Return one entry as this batch leaves it so far."""
        return self._pending.get(self._view, key)

    def plan(self, header: Header) -> Plan:
        """Return the plan of an instance's stored net, with today's handlers."""
        return self._nets.plan(header)
