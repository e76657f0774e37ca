"""An engine: one kernel on a thread of its own, over one store, with its executors.

The loop is the order of promises: gather messages, run the kernel, commit, and only then release effects.
"""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from enum import Enum
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

import msgspec

from placet.actors.answers import Answer
from placet.actors.carrier import Carrier, Seat
from placet.actors.catalog import Catalog
from placet.actors.clock import EngineClock, wall_s
from placet.actors.collecting import relax, restore
from placet.actors.durations import Durations
from placet.actors.effects import Batch, Progress, StateChanged
from placet.actors.errors import BadRequest, Busy, EngineStopped, WaitsForItself
from placet.actors.executors.base import Executor
from placet.actors.executors.placed import PlacedExecutor
from placet.actors.kernel import Kernel
from placet.actors.marker import Marker
from placet.actors.messages import (
    ClientMessage,
    Decide,
    EditToken,
    ExecutorAnswer,
    FirstMessage,
    Inject,
    KernelMessage,
    Put,
    SkipIncident,
    decode_message,
    encode_message,
)
from placet.actors.subscriptions import Subscriptions
from placet.persistence.errors import StoreError, StoreFull, ValueTooLarge
from placet.persistence.shortage import shortage
from placet.persistence.store import MAX_VALUE_BYTES, Store
from placet.petri.errors import PlacetError

QUEUE_LIMIT = 100_000  # messages waiting; beyond it clients are told `Busy`
GATHERED = 4_096  # messages taken over in one go
RETRY_COMMIT_S = 1.0
TEND_S = 0.005  # silence, with firings queued, after which executors are looked after
ATTENTIVE_S = 0.5  # who waits for the end of the engine hears a signal after so long at the latest
LONGEST_TEXT_BYTES = 1 << 16  # of any text in a request: `by`, `why`, `request_id`, an address
WAIT_S = 3_600.0  # longest sleep; anything that happens wakes the engine


class Health(Enum):
    """How an engine is."""

    STARTING = "starting"
    RUNNING = "running"
    FULL = "full"  # a commit failed for want of room; it is tried again, and nothing is released meanwhile
    STOPPED = "stopped"
    FAILED = "failed"


OVER = frozenset((Health.STOPPED, Health.FAILED))


class _Wake(Enum):
    """Wakes the engine without a message."""

    WAKE = 0


Inbox: TypeAlias = "SimpleQueue[KernelMessage | _Wake]"
T = TypeVar("T")


class Engine:
    """Runs a kernel until told to stop. Safe to be used from any thread."""

    def __init__(
        self, store: Store, catalog: Catalog, marker: Marker | None = None, *, seat: Seat | None = None
    ) -> None:
        self.store = store
        self._carrier: Carrier | None = None if seat is None else seat.carrier
        self.kernel = Kernel(store, catalog, marker, engine="" if seat is None else seat.engine)
        self.clock = EngineClock(self.kernel.stamp)
        self.inbox: Inbox = SimpleQueue()
        self._orders: SimpleQueue[Callable[[Kernel], None]] = SimpleQueue()
        self.executors: dict[str, Executor] = {}
        self.durations = Durations()  # of handlers
        self.health = Health.STARTING
        self.problem = ""  # why health is FULL or FAILED
        self.commits = 0
        self.fired = 0
        self.committed_at = 0.0  # engine time of the last commit
        self._numbers = count(1)
        # `Any`: of whatever each client wants its answer to become
        self._replies: dict[int, tuple[Future[Any], Callable[[Answer], Any]]] = {}
        self._waiting: set[Future[Any]] = set()  # `Any`: of whatever their waiters wait for
        self.changes: Subscriptions[StateChanged] = Subscriptions()
        self.steps: Subscriptions[Progress] = Subscriptions()  # of the instances in `kernel.observed`
        self._stopping = threading.Event()
        self._over = threading.Event()  # the store is used no more
        self._grace_s = 0.0
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._main, name="placet-engine", daemon=True)

    # -- from other threads --------------------------------------------------------------------------------

    def add(self, executor: Executor) -> None:
        """Give the engine an executor; before `start`."""
        self.executors[executor.name] = executor

    def start(self) -> None:
        """Recover and go on."""
        self._thread.start()

    def post(self, message: KernelMessage) -> None:
        """Hand over a message nobody waits for an answer to: how executors answer."""
        self.inbox.put(message)

    def ask(self, make: Callable[[int], ClientMessage], then: Callable[[Answer], T]) -> "Future[T]":
        """Send the message that `make` builds around a reply number; the future gets `then(answer)`, after commit.

        `then` must be quick; what it raises is the future's exception.
        Raises `Busy` when too much is waiting, `EngineStopped` when there is nobody to answer.
        """
        if os.getpid() != self._pid:
            raise EngineStopped("this process was forked from the one its engine runs in; open a runtime here")
        queued = self.inbox.qsize() + self.kernel.mail.waiting
        if queued > QUEUE_LIMIT:
            raise Busy(queued, QUEUE_LIMIT)
        number = next(self._numbers)
        message = _checked(make(number))
        future: Future[T] = Future()
        self._replies[number] = (future, then)
        self.inbox.put(message)
        if self.health in OVER:
            self._refuse_all()
        return future

    def order(self, act: Callable[[Kernel], None]) -> None:
        """Have `act` called with the kernel on the engine's own thread, between two batches; it must not raise."""
        self._orders.put(act)
        self.inbox.put(_Wake.WAKE)

    def outlive(self, future: "Future[T]") -> "Future[T]":
        """See to it that a future somebody waits for ends with the engine at the latest."""
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if self.health in OVER:
            self._refuse_all()
        return future

    def refuse_own_thread(self) -> None:
        """Raise `WaitsForItself` on the engine's own thread, where guards and inline handlers run."""
        if threading.current_thread() is self._thread:
            raise WaitsForItself

    def stop(self, grace_s: float) -> None:
        """Stop cleanly: wait up to `grace_s` for handlers that run; what they return still counts.

        Raises `WaitsForItself` on the engine's own thread.
        """
        self.refuse_own_thread()
        self._grace_s = grace_s
        self._stopping.set()
        self.inbox.put(_Wake.WAKE)
        if self._thread.ident is not None:
            # Not `join`: interrupted, it may take a thread that goes on for one that has ended. And not at one go: a
            # signal that comes just before a thread begins to wait does not end the wait.
            while not self._over.wait(ATTENTIVE_S):
                pass

    @property
    def is_over(self) -> bool:
        """True when the store is used no more: the engine has ended, or never began."""
        return self._over.is_set() or self._thread.ident is None

    # -- the loop ------------------------------------------------------------------------------------------

    def _main(self) -> None:
        relax()
        try:
            self._loop()
            self.health = Health.STOPPED
        except StoreError as error:  # an I/O error: only a fresh process knows what is on disk
            self._failed(str(error))
        except BaseException as error:  # a bug of ours: stop rather than go on from a state nobody understands
            lacking = shortage(error)
            if lacking is not None:
                self._failed(f"the engine ended because {lacking.what}; {lacking.remedy}, then start it again")
                return
            self._failed(f"the engine ended by an error of its own, {error!r}; please report it")
            raise
        finally:
            restore()
            for executor in self.executors.values():
                executor.close()  # once more, should it have ended by an error: no worker may outlive it
            self._refuse_all()
            self._over.set()

    def _failed(self, problem: str) -> None:
        self.problem = problem
        self.health = Health.FAILED

    def _loop(self) -> None:
        self._settle(self._run())  # what the last crash marked, before it can recur
        self.kernel.marker.leave()
        self.kernel.recover()
        self.health = Health.RUNNING
        while not self._stopping.is_set():
            self._cycle()
            if not self.kernel.has_work:
                self._gather()
            else:
                self._take_over()
        self._wind_down()

    def _cycle(self) -> None:
        for name, executor in self.executors.items():
            self.kernel.set_capacity(name, executor.capacity())
            if isinstance(executor, PlacedExecutor):
                self.kernel.set_lack(name, executor.lack())
        while not self._orders.empty():
            self._orders.get_nowait()(self.kernel)
        self._settle(self._run())

    def _run(self) -> Batch:
        return self.kernel.run(self.clock.now(), wall=wall_s())

    def _settle(self, batch: Batch) -> None:
        if batch.writes:
            self._commit(batch)
        self.kernel.committed()
        self._release(batch)

    def _gather(self) -> None:
        """Wait for something to do, then take over all there is."""
        try:
            message = self.inbox.get(timeout=self._patience_s())
        except Empty:
            for executor in self.executors.values():
                executor.tend()
            return
        if not isinstance(message, _Wake):
            self.kernel.deliver(message)
        self._take_over()

    def _take_over(self) -> None:
        inbox, deliver = self.inbox, self.kernel.deliver
        for _ in range(min(inbox.qsize(), GATHERED)):
            message = inbox.get_nowait()
            if not isinstance(message, _Wake):
                deliver(message)

    def _patience_s(self) -> float:
        for executor in self.executors.values():
            if executor.is_behind():
                return TEND_S
        now = self.clock.now()
        due = self.kernel.next_due(now)
        return WAIT_S if due is None else min(WAIT_S, max(0.0, due - now) + 0.000_1)

    def _commit(self, batch: Batch) -> None:
        """Commit; where there is no room, keep the batch and try again, with its effects held back."""
        while True:
            try:
                self.store.commit(batch.writes)
                break
            except StoreFull as error:
                self.problem = str(error)
                self.health = Health.FULL
                if self._stopping.wait(RETRY_COMMIT_S):
                    raise
        self.commits += 1
        self.fired += batch.fired
        self.committed_at = self.kernel.stamp.engine_s
        if self.health is Health.FULL:
            self.health = Health.RUNNING
            self.problem = ""

    def _release(self, batch: Batch) -> None:
        for name, starts in batch.starts.items():
            self.executors[name].submit(starts)
        for expire in batch.expires:
            self.executors[expire.executor].expire(expire)
        for reply in batch.replies:
            waiting = self._replies.pop(reply.reply, None)
            if waiting is not None:
                _resolve(*waiting, reply.answer)
        for change in batch.changes:
            self.changes.tell(change.instance, change)
        for step in batch.progress:
            self.steps.tell(step.instance, step)
        if self._carrier is not None and (batch.parcels or batch.acknowledgements):
            self._carrier.carry(batch.parcels, batch.acknowledgements.values())
        if self._carrier is not None and (batch.between or batch.forwards or batch.confirms or batch.moves):
            self._carrier.carry_shards(batch.between, batch.forwards, batch.confirms, batch.moves)

    def _wind_down(self) -> None:
        """Choose nothing more, count what still comes within the grace, and mark the stop as clean."""
        self.kernel.draining = True
        for name, executor in self.executors.items():
            executor.drain()
            self.kernel.set_capacity(name, 0)
        begin = self.clock.now()
        while self._answers_due() and (left_s := begin + self._grace_s - self.clock.now()) > 0:
            with suppress(Empty):
                message = self.inbox.get(timeout=0.0 if self.kernel.has_work else min(left_s, 0.05))
                if not isinstance(message, _Wake):
                    self.kernel.deliver(message)
            self._run_without_slots()
        self._run_without_slots()
        self._settle(self.kernel.stop(self.clock.now(), wall=wall_s()))
        for executor in self.executors.values():
            executor.close()

    def _answers_due(self) -> bool:
        if self.inbox.qsize() or any(executor.load().running for executor in self.executors.values()):
            return True
        # An answer that is not handled yet waits for its instance to be read.
        return any(isinstance(message, ExecutorAnswer) for message in self.kernel.mail)

    def _run_without_slots(self) -> None:
        self._take_over()
        while True:
            batch = self._run()
            self._settle(batch)
            if not batch.turns:
                return

    def _refuse_all(self) -> None:
        reason = self.problem or "the runtime is closed; open it again to go on"
        with suppress(KeyError):  # another thread may be quicker
            while True:
                self._fail(self._replies.popitem()[1][0], reason)
        for future in tuple(self._waiting):
            self._fail(future, reason)

    def _fail(self, future: "Future[Any]", reason: str) -> None:  # `Any`: whatever it was to become
        if not future.done():
            _tell_future(future, lambda: future.set_exception(EngineStopped(reason)))


def _resolve(future: "Future[T]", then: Callable[[Answer], T], answer: Answer) -> None:
    try:
        result = then(answer)
    except PlacetError as error:  # what the answer means to its client
        refusal = error
        _tell_future(future, lambda: future.set_exception(refusal))
    else:
        _tell_future(future, lambda: future.set_result(result))


def _tell_future(future: "Future[T]", settle: Callable[[], None]) -> None:
    """Settle a future; what its callbacks raise, `sys.exit()` included, is a client's trouble, not the engine's."""
    try:
        settle()
    except InvalidStateError:  # its client has given up waiting, or another thread was quicker
        return
    except BaseException:  # `Future` itself lets only exceptions pass that are no `Exception`
        logging.getLogger("placet").exception("a callback of %r raised", future)


def _values(message: ClientMessage) -> list[bytes]:
    """Return the values a person gives."""
    if isinstance(message, SkipIncident | Decide):
        return [value for _, value in message.outputs]
    return [message.value] if isinstance(message, Put | Inject | EditToken) else []


def _checked(message: ClientMessage) -> ClientMessage:
    """Return a client's message, if its fields are what they should be, made anew of plain values.

    Raises `BadRequest` and `ValueTooLarge`.
    """
    if isinstance(message, FirstMessage):
        return message  # made field by field by the runtime; its tokens may be large
    kind = type(message).__name__
    for value in _values(message):
        if len(value) > MAX_VALUE_BYTES:
            raise ValueTooLarge(len(value), MAX_VALUE_BYTES)
    try:
        plain = decode_message(encode_message(message))
    except (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError) as error:
        raise BadRequest(f"a {kind} cannot be sent: {error}") from error
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, str) and len(value.encode()) > LONGEST_TEXT_BYTES:
            raise BadRequest(f"`{name}` of a {kind} is longer than {LONGEST_TEXT_BYTES} bytes")
    assert isinstance(plain, type(message)), kind
    return plain
