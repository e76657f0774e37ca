"""The kernel: runs the actors of an engine, and is pure. Messages and the time go in; a batch comes out.

No thread, socket, file or clock in here. The caller commits `Batch.writes` durably, tells `committed`, and
only then carries out the batch's effects. While a commit is pending or failing, `run` must not be called.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator


from placet.actors.answers import Refused, Spawned
from placet.actors.catalog import Catalog, net_key
from placet.actors.effects import Batch, Reply, Start
from placet.actors.faults import Faults
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.marker import Marker, NoMarker
from placet.actors.messages import (
    Done,
    Due,
    Failed,
    Grant,
    KernelMessage,
    Park,
    Recover,
    Request,
    RunAlone,
    Spawn,
    Withdrawn,
    decode_message,
)
from placet.actors.pending import Pending
from placet.actors.records import Header, decode_header
from placet.actors.recovery import Found, find_work
from placet.actors.receive import RECEIVERS
from placet.actors.slots import FlightKey, Slots
from placet.actors.stamp import STAMP_KEY, Stamp, decode_stamp, encode_stamp
from placet.actors.suspects import Suspects
from placet.actors.timers import Timers
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.keys import HEADER, SHARD, address_key, entry_key, root_prefix, shard_of
from placet.persistence.store import View
from placet.petri.plan import Plan

BUDGET = 1_000  # messages and inline firings a batch
INLINE_A_TURN = 64  # inline firings a turn, so that no instance holds the kernel
IDLE_ROOTS = 256  # instances with nothing to do kept in memory
WAITING_ROOTS = 4_096  # instances kept in memory while they wait for a slot
ROOTS_RESERVED = 1_024  # root ids a shard sets aside at a time: its counter is written once for so many


class Kernel:
    """Runs the actors of one engine over a view of its store."""

    def __init__(self, view: View, catalog: Catalog, marker: Marker | None = None) -> None:
        self._view = view
        self._catalog = catalog
        self._marker = marker or NoMarker()
        self._pending = Pending()
        self._batch = Batch()
        self._roots: dict[bytes, WorkflowActor] = {}
        self._idle: OrderedDict[bytes, None] = OrderedDict()  # least recently used first
        self._resting: OrderedDict[bytes, None] = OrderedDict()  # those that wait for a slot
        self._mail: dict[bytes | str, deque[KernelMessage]] = {}  # by root, or by id where the root is not known
        self._ready: deque[bytes | str] = deque()
        self._suspected: dict[FlightKey, int] = {}  # firings to be run alone -> transition
        self._shards: dict[int, tuple[int, int]] = {}  # shard -> (next root, first not reserved)
        self._faults = Faults()
        self.slots = Slots()
        self.timers = Timers()
        self.observed: set[str] = set()  # instances somebody follows
        self.suspects = Suspects(view)
        stamp = view.get(STAMP_KEY)
        self.stamp: Stamp = decode_stamp(stamp) if stamp else Stamp()
        self._now = self.stamp.engine_s
        self.queued = 0  # messages not handled yet
        self.draining = False  # a clean stop is under way: nothing new is chosen, inline neither

    # -- in ------------------------------------------------------------------------------------------------

    def recover(self) -> Found:
        """Find what must go on: call once, before the first `run`."""
        found = find_work(self._view)
        for root in found.awake:
            self.deliver(Recover(root=root, clean=self.stamp.clean))
        for key, due, transition in found.timers:
            self.timers.set(key, due, transition)
        return found

    def set_capacity(self, executor: str, slots: int) -> None:
        """Say how many firings an executor takes at once, running and queued together."""
        self.slots.pool(executor).capacity = slots

    def deliver(self, message: KernelMessage) -> None:
        """Queue one message."""
        address = message.instance if isinstance(message, Request) else message.root
        self._enqueue(address, message)

    def _enqueue(self, address: bytes | str, message: KernelMessage) -> None:
        mailbox = self._mail.get(address)
        if mailbox is None:
            self._mail[address] = deque((message,))
            self._ready.append(address)
        else:
            mailbox.append(message)
        self.queued += 1

    # -- run -----------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """True when `run` would handle something without a new message."""
        return bool(self._ready) or self.slots.has_grant or bool(self._suspected)

    def run(self, now: float, budget: int = BUDGET, wall: float = 0.0) -> Batch:
        """Handle messages until there are none or the budget is used up, and return what came of it.

        `now` is engine time and never goes back; `wall` is recorded beside it for the next start.
        """
        self._now = max(now, self._now)
        self._batch = Batch()
        self._pending = Pending()
        for (root, number), transition in self.timers.pop_due(self._now):
            self.deliver(Due(root=root, transition=transition, number=number))
        spent = 0
        while spent < budget:
            message = self._next()
            if message is None:
                break
            spent += self._handle(message)
        self._put_to_sleep()
        return self._finish(self._batch, wall, clean=False)

    def stop(self, now: float, wall: float = 0.0) -> Batch:
        """Return the last batch of a clean stop: what is in flight will not count as lost."""
        self._now = max(now, self._now)
        self._pending = Pending()
        batch = Batch()
        self._pending.engine[STAMP_KEY] = b""
        return self._finish(batch, wall, clean=True)

    def _finish(self, batch: Batch, wall: float, *, clean: bool) -> Batch:
        pending = self._pending
        self.suspects.write(pending.engine)
        writes = pending.writes()
        if writes:
            self.stamp = Stamp(self._now, wall, self.stamp.history, clean)
            pending.engine[STAMP_KEY] = encode_stamp(self.stamp)
            batch.writes = pending.writes()
        return batch

    def committed(self) -> None:
        """The last batch is on disk: the store now shows what it wrote."""
        self._pending = Pending()

    def _next(self) -> KernelMessage | None:
        root = self.slots.next_waiting()
        if root is not None:
            self._resting.pop(root, None)
            return Grant(root=root)
        if self._ready:
            address = self._ready.popleft()
            mailbox = self._mail[address]
            message = mailbox.popleft()
            if mailbox:
                self._ready.append(address)
            else:
                del self._mail[address]
            self.queued -= 1
            return message
        return self._next_suspect()

    def _next_suspect(self) -> KernelMessage | None:
        if not self._suspected:
            self.slots.alone = False
            return None
        self.slots.alone = True
        if self.slots.in_flight():
            return None
        (root, number), transition = next(iter(self._suspected.items()))
        del self._suspected[root, number]
        return RunAlone(root=root, transition=transition, number=number)

    @property
    def _inline_budget(self) -> int:
        return 0 if self.draining else INLINE_A_TURN

    # -- turns ---------------------------------------------------------------------------------------------

    def _handle(self, message: KernelMessage) -> int:
        self._batch.turns += 1
        if isinstance(message, Request):
            return self._handle_request(message)
        if isinstance(message, (Done, Failed, Withdrawn)):
            self.slots.land(message.root, message.number, message.attempt)
        return self._turn(message.root, message)

    def _handle_request(self, message: Request) -> int:
        if isinstance(message, Spawn):
            return self._spawn(message)
        root = self.get(address_key(message.instance))
        if root is None:
            self._refuse(message, "not_found", f"there is no instance {message.instance}")
            return 1
        return self._turn(root, message)  # type: ignore[arg-type]  # the union's requests, Spawn apart

    def _refuse(self, message: Request, code: str, reason: str) -> None:
        if message.reply:
            answer = Refused(instance=message.instance, code=code, reason=reason)
            self._batch.replies.append(Reply(reply=message.reply, answer=answer))

    def _turn(self, root: bytes, message: KernelMessage) -> int:
        turn = Turn(root, self._now, self._inline_budget, False)
        try:
            workflow = self._roots.get(root) or self._wake(root, turn)
            workflow.turn = turn
            turn.observed = workflow.header.instance in self.observed
            RECEIVERS[type(message)](workflow, turn, message)
            workflow.settle(turn)
        except Exception as error:  # an actor fault, whatever it is: its supervisor decides
            return self._fault(root, message, error)
        return self._merge(workflow, turn, message)

    def _wake(self, root: bytes, turn: Turn) -> WorkflowActor:
        workflow = WorkflowActor.wake(root, self.scan(root), turn, self)
        self._roots[root] = workflow
        return workflow

    def _merge(self, workflow: WorkflowActor, turn: Turn, message: KernelMessage) -> int:
        root = turn.root
        batch = self._batch
        self._pending.merge(turn)
        if turn.records:
            self.stamp.history += turn.records
        for start in turn.starts:
            self._started(start)
        for number, (due, transition) in turn.timers.items():
            if due:
                self.timers.set((root, number), due, transition)
            else:
                self.timers.clear((root, number))
        batch.fired += turn.fired
        if turn.changes or turn.expires or turn.progress or turn.suspects or turn.replays or turn.cleared:
            self._merge_rare(turn)
        if turn.answer is not None and isinstance(message, Request) and message.reply:
            batch.replies.append(Reply(reply=message.reply, answer=turn.answer))
        self._faults.forgive(root)
        self._remember(workflow, turn)
        return 1 + self._inline_budget - turn.inline_left

    def _merge_rare(self, turn: Turn) -> None:
        batch = self._batch
        batch.changes += turn.changes
        batch.expires += turn.expires
        batch.progress += turn.progress
        for transition, number in turn.suspects:
            self._suspected[turn.root, number] = transition
        for replay in turn.replays:
            self.deliver(decode_message(replay))
        for instance, path in turn.cleared:
            self.suspects.clear(instance, path)

    def _started(self, start: Start) -> None:
        executor = start.transition.executor
        self.slots.pool(executor).in_flight[start.root, start.number] = start.attempt
        starts = self._batch.starts.get(executor)
        if starts is None:
            self._batch.starts[executor] = [start]
        else:
            starts.append(start)

    def _remember(self, workflow: WorkflowActor, turn: Turn) -> None:
        """Note whether the instance wants slots, and whether it may be put to sleep."""
        root = turn.root
        wanted = workflow.wants()
        for executor in wanted:
            if executor in self.slots.pools:
                self.slots.pools[executor].waiting.setdefault(root, None)
            elif turn.inline_left <= 0 and not self.draining:
                self._enqueue(root, Grant(root=root))
        if turn.forget:
            self._forget(root)
        elif workflow.is_busy:
            self._idle.pop(root, None)
            self._resting.pop(root, None)
        elif workflow.header.state in TERMINAL:
            self._forget(root)
        else:
            pool = self._resting if wanted else self._idle
            pool[root] = None
            pool.move_to_end(root)

    def _forget(self, root: bytes) -> None:
        self._roots.pop(root, None)
        self._idle.pop(root, None)
        self._resting.pop(root, None)

    def _put_to_sleep(self) -> None:
        for pool, limit in ((self._idle, IDLE_ROOTS), (self._resting, WAITING_ROOTS)):
            while len(pool) > limit:
                self._forget(next(iter(pool)))

    # -- spawning ------------------------------------------------------------------------------------------

    def _spawn(self, message: Spawn) -> int:
        key = address_key(message.instance)
        known = self.get(key)
        if known is not None:
            self._spawned_before(message, known)
            return 1
        root = self._new_root(message.instance)
        turn = Turn(root, self._now, self._inline_budget, message.instance in self.observed)
        header = Header(
            instance=message.instance,
            workflow=message.workflow,
            version=message.version,
            net=message.net,
            incarnation=message.incarnation,
            inputs=message.inputs,
            state=InstanceState.RUNNING,
            spawned_at=self._now,
            changed_at=self._now,
        )
        try:
            self._store_net(message.net, turn)
            workflow = WorkflowActor.spawn(root, header, message.tokens, turn, self)
            turn.engine_writes[key] = root
            turn.answer = Spawned(instance=message.instance, root=root)
            self._roots[root] = workflow
            workflow.settle(turn)
        except Exception as error:  # an actor fault, whatever it is: there is no instance yet to hold it
            self._forget(root)
            self._refuse(message, "fault", f"{message.instance} could not be spawned: {error!r}")
            return 1
        return self._merge(workflow, turn, message)

    def _spawned_before(self, message: Spawn, root: bytes) -> None:
        data = self.get(entry_key(root, 0, HEADER, 0))
        header = decode_header(data) if data else None
        if header is None or (header.workflow, header.inputs) != (message.workflow, message.inputs):
            reason = f"an instance {message.instance} exists with another workflow or other inputs; use another id"
            self._refuse(message, "conflict", reason)
        elif message.reply:
            answer = Spawned(instance=message.instance, root=root, already=True)
            self._batch.replies.append(Reply(reply=message.reply, answer=answer))

    def _new_root(self, instance: str) -> bytes:
        shard = shard_of(instance)
        following, limit = self._shards.get(shard, (0, 0))
        if following == limit:
            stored = self.get(SHARD + bytes((shard,)))
            following = int.from_bytes(stored, "big") if stored else 1
            limit = following + ROOTS_RESERVED
            self._pending.engine[SHARD + bytes((shard,))] = limit.to_bytes(8, "big")
        self._shards[shard] = (following + 1, limit)
        return root_prefix(shard, following)

    def _store_net(self, digest: bytes, turn: Turn) -> None:
        key = net_key(digest)
        if self.get(key) is None:
            data = self._catalog.bytes_of(digest)
            if data is None:
                raise KeyError(f"net {digest.hex()} is not registered")
            turn.engine_writes[key] = data

    # -- faults --------------------------------------------------------------------------------------------

    def _fault(self, root: bytes, message: KernelMessage, error: Exception) -> int:
        """A turn raised: its instance is dropped from memory; the message is tried again, then parked."""
        self._forget(root)
        verdict = self._faults.judge(root, message, error, self._now)
        if verdict.again is not None:
            self._put_first(root, verdict.again)
            if isinstance(verdict.again, Park) and isinstance(message, Request):
                self._refuse(message, "fault", f"{message.instance} could not handle it: {error!r}")
        elif verdict.write is not None:
            self._pending.engine[verdict.write[0]] = verdict.write[1]
        return 1

    def _put_first(self, root: bytes, message: KernelMessage) -> None:
        mailbox = self._mail.get(root)
        if mailbox is None:
            self._mail[root] = deque((message,))
            self._ready.append(root)
        else:
            mailbox.appendleft(message)
        self.queued += 1

    # -- services for actors -------------------------------------------------------------------------------

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries below `prefix` as this batch leaves them so far."""
        return self._pending.scan(self._view, prefix)

    def get(self, key: bytes) -> bytes | None:
        """Return one entry as this batch leaves it so far."""
        return self._pending.get(self._view, key)

    def plan(self, header: Header) -> Plan:
        """Return the plan of an instance's stored net, with today's handlers."""
        stored = self.get(net_key(header.net)) or self._catalog.bytes_of(header.net)
        if stored is None:
            raise LookupError(f"the net of {header.instance} is not in the store")
        return self._catalog.plan(header, stored)

    def next_sequence(self, turn: Turn) -> int:
        """Return the sequence number of the next history record of this turn."""
        return self.stamp.history + turn.records + 1

    def share(self, turn: Turn, executor: str, slice_end: float) -> int:
        """Return how many firings this turn may start on `executor`."""
        return self.slots.share(executor, turn.root, self._now, slice_end)

    def enter_user_code(self, instance: str, path: str) -> bool:
        """Leave the mark; False for what ended its process twice."""
        if self.suspects.is_guilty(instance, path):
            return False
        self._marker.enter(instance, path)
        return True

    def leave_user_code(self) -> None:
        """Remove the mark."""
        self._marker.leave()


