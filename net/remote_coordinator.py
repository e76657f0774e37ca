"""The coordinator as other nodes have it: by messages to the desk of the node that holds it. Pure."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeVar

import msgspec

from placet.net.coordinator import (
    Change,
    Compacted,
    Condition,
    Listener,
    Outcome,
    Snapshot,
    Watch,
    check_transaction,
    check_ttl,
)
from placet.net.coordinator_errors import CoordinatorClosed, CoordinatorFailed, LeaseGone
from placet.net.coordinator_messages import (
    Answer,
    CoordinatorAnswer,
    CoordinatorRequest,
    Follow,
    Followed,
    Granted,
    GrantLease,
    Greeted,
    KeepAlive,
    KeptAlive,
    KeysRead,
    LeaseLost,
    NotDone,
    Question,
    ReadKeys,
    Revoked,
    RevokeLease,
    TooOld,
    Transact,
    Transacted,
    Unfollow,
)

RETRY_S: Final = 1.0  # after so long a request is sent again, and what a watch may have missed is asked for
LONGEST_RETRY_S: Final = 8.0  # twice as long each time, up to this: who is slow is not made slower
LONG_AGO_S: Final = float("-inf")

T = TypeVar("T")
A = TypeVar("A", bound=Answer)


@dataclass(slots=True, kw_only=True)
class _Pending:
    """A request without an answer."""

    question: Question
    finish: Callable[[Answer], None]
    fail: Callable[[CoordinatorClosed], None]
    is_given_up: Callable[[], bool]
    began_s: float
    sent_s: float
    retry_s: float = RETRY_S


class _RemoteWatch:
    """A watch: what it has heard, and who hears it."""

    def __init__(self, prefix: str, position: int, listener: Listener, end: Callable[[], None]) -> None:
        self.prefix = prefix
        self.position = position  # revision up to which it has heard all
        self.listener = listener
        self.asked_s = LONG_AGO_S
        self.is_over = False
        self._end = end

    def cancel(self) -> None:
        """End it; see `Watch.cancel`."""
        if not self.is_over:
            self.is_over = True
            self._end()


class RemoteCoordinator:
    """A `Coordinator` whose futures are done, and listeners called, within `receive`.

    A request is sent until it is answered, for as long as that takes: who has no more patience cancels its future. For
    the desk a repeated request is the same one, so a transaction has its effect once through lost, doubled, late and
    reordered messages, and through the death of the coordinator. A lease whose `Granted` was lost in that death is
    there without an owner until its time is over.
    A watch hears what the desk sends by itself; a gap, and silence, make it ask for what comes after the last revision
    it has heard.
    """

    def __init__(self, client: str, send: Callable[[CoordinatorRequest], None]) -> None:
        """Ask as `client`, a name that no other process has or had; `send` may lose messages, and must not raise."""
        if not 0 < len(client.encode()) <= 200:
            raise ValueError(f"the name of a client has 1 to 200 bytes: {client!r}")
        self._client = client
        self._send = send
        self._desk = 0  # opening of the coordinator that is asked
        self._numbers = count(1)  # of requests and watches
        self._pending: dict[int, _Pending] = {}
        self._watches: dict[int, _RemoteWatch] = {}
        self._now_s = 0.0
        self._is_closed = False

    # -- the contract ----------------------------------------------------------------------------------------------

    def transact(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> Future[Outcome]:
        """If all conditions hold, make all changes; see `Coordinator.transact`."""
        check_transaction(conditions, changes)
        return self._ask(
            Transact(client=self._client, desk=0, number=0, conditions=tuple(conditions), changes=tuple(changes)),
            lambda answer: _the(Transacted, answer).outcome,
        )

    def read(self, prefix: str) -> Future[Snapshot]:
        """Return all keys that begin with `prefix`; see `Coordinator.read`."""
        question = ReadKeys(client=self._client, desk=0, number=0, prefix=prefix)
        return self._ask(question, lambda answer: _the(KeysRead, answer).snapshot)

    def watch(self, prefix: str, after_revision: int, listener: Listener) -> Watch:
        """Tell `listener` what changes; see `Coordinator.watch`."""
        number = next(self._numbers)
        watch = _RemoteWatch(prefix, after_revision, listener, lambda: self._unfollow(number))
        if self._is_closed:
            watch.is_over = True
        else:
            self._watches[number] = watch
            self._follow(number, watch)
        return watch

    def grant(self, ttl_s: float) -> Future[int]:
        """Begin a lease; see `Coordinator.grant`."""
        check_ttl(ttl_s)
        question = GrantLease(client=self._client, desk=0, number=0, ttl_s=ttl_s)
        return self._ask(question, lambda answer: _the(Granted, answer).lease)

    def keep_alive(self, lease: int) -> Future[bool]:
        """Let a lease last from now on; see `Coordinator.keep_alive`."""
        question = KeepAlive(client=self._client, desk=0, number=0, lease=lease)
        return self._ask(question, lambda answer: _the(KeptAlive, answer).is_there)

    def revoke(self, lease: int) -> Future[None]:
        """End a lease; see `Coordinator.revoke`."""
        question = RevokeLease(client=self._client, desk=0, number=0, lease=lease)
        return self._ask(question, _revoked)

    def close(self) -> None:
        """Ask no more; closing twice is harmless."""
        self._is_closed = True
        for watch in list(self._watches.values()):
            watch.cancel()
        pending, self._pending = self._pending, {}
        for one in pending.values():
            one.fail(CoordinatorClosed(type(one.question).__name__))

    # -- for the node that has it ----------------------------------------------------------------------------------

    def receive(self, answer: CoordinatorAnswer) -> None:
        """Take what the desk has sent; futures and listeners are told of it now."""
        if self._is_closed or answer.client != self._client:  # an earlier process had this address, and asked
            return
        if isinstance(answer, Greeted):
            self._greeted(answer.desk)
        elif answer.desk != self._desk:
            pass  # of a desk that is no more: the one there is now has been asked the same
        elif isinstance(answer, Followed):
            self._followed(answer)
        elif isinstance(answer, TooOld):
            self._too_old(answer)
        else:
            pending = self._pending.pop(answer.number, None)
            if pending is not None:
                pending.finish(answer)

    def lost(self) -> None:
        """The connection was lost: with the next tick, all that is not answered is asked again."""
        for pending in self._pending.values():
            pending.sent_s, pending.retry_s = LONG_AGO_S, RETRY_S
        for watch in self._watches.values():
            watch.asked_s = LONG_AGO_S

    def tick(self, now_s: float) -> None:
        """Let time pass, on a monotonic clock, and ask again where there was no answer; to be called often."""
        self._now_s = now_s
        for number in [one for one, pending in self._pending.items() if pending.is_given_up()]:
            del self._pending[number]
        for pending in list(self._pending.values()):
            if pending.sent_s + pending.retry_s <= now_s:
                pending.retry_s = min(2 * pending.retry_s, LONGEST_RETRY_S)
                self._send_question(pending)
        for number, watch in list(self._watches.items()):
            if watch.asked_s + RETRY_S <= now_s:
                self._follow(number, watch)

    def waiting_s(self, now_s: float) -> float:
        """Return how long the oldest request has been waiting for its answer; 0.0 where none is."""
        return max((now_s - pending.began_s for pending in self._pending.values()), default=0.0)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _ask(self, question: Question, pick: Callable[[Answer], T]) -> Future[T]:
        """Send a request; its future gets what `pick` finds in the answer, or what it raises."""
        future: Future[T] = Future()

        def finish(answer: Answer) -> None:
            """Tell what has been answered."""
            if not future.set_running_or_notify_cancel():
                return
            try:
                found = pick(answer)
            except (LeaseGone, CoordinatorFailed) as error:
                future.set_exception(error)
            else:
                future.set_result(found)

        def fail(error: CoordinatorClosed) -> None:
            """Tell that there will be no answer."""
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

        number = next(self._numbers)
        pending = _Pending(
            question=msgspec.structs.replace(question, number=number),
            finish=finish,
            fail=fail,
            is_given_up=future.cancelled,
            began_s=self._now_s,
            sent_s=LONG_AGO_S,
        )
        if self._is_closed:
            fail(CoordinatorClosed(type(question).__name__))
        else:
            self._pending[number] = pending
            self._send_question(pending)
        return future

    def _send_question(self, pending: _Pending) -> None:
        pending.sent_s = self._now_s
        answered = min(self._pending, default=pending.question.number)
        self._send(msgspec.structs.replace(pending.question, desk=self._desk, answered=answered))

    def _greeted(self, desk: int) -> None:
        """Turn to another desk; openings grow, so a late greeting of an earlier one changes nothing."""
        if desk <= self._desk:
            return
        self._desk = desk
        for pending in list(self._pending.values()):
            pending.retry_s = RETRY_S
            self._send_question(pending)
        for number, watch in list(self._watches.items()):
            self._follow(number, watch)

    # -- watches ---------------------------------------------------------------------------------------------------

    def _follow(self, number: int, watch: _RemoteWatch) -> None:
        watch.asked_s = self._now_s
        self._send(
            Follow(client=self._client, desk=self._desk, watch=number, prefix=watch.prefix, after=watch.position)
        )

    def _unfollow(self, number: int) -> None:
        self._watches.pop(number, None)
        self._send(Unfollow(client=self._client, desk=self._desk, watch=number))

    def _followed(self, told: Followed) -> None:
        watch = self._watches.get(told.watch)
        if watch is None:
            self._unfollow(told.watch)  # it did not hear of it
            return
        if told.after > watch.position:
            self._follow(told.watch, watch)  # something was lost in between
            return
        for changed in told.changes:
            if changed.revision > watch.position and not watch.is_over:
                watch.position = changed.revision  # before the call: one that raises has been told
                watch.listener(changed)
        watch.position = max(watch.position, told.revision)

    def _too_old(self, told: TooOld) -> None:
        watch = self._watches.get(told.watch)
        if watch is not None and told.after == watch.position:  # else it is the answer to an earlier question
            watch.cancel()
            watch.listener(Compacted(revision=told.revision))


def _the(kind: type[A], answer: Answer) -> A:
    """Return an answer of the kind that was asked for, or raise what it says instead."""
    if isinstance(answer, LeaseLost):
        raise LeaseGone(answer.lease)
    if isinstance(answer, NotDone):
        raise CoordinatorFailed(answer.reason)
    if not isinstance(answer, kind):
        raise TypeError(f"the desk has answered with {answer} where a {kind.__name__} was asked for")
    return answer


def _revoked(answer: Answer) -> None:
    _the(Revoked, answer)
