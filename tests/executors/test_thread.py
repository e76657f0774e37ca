"""The pool of threads: what is queued ahead of it, and what is taken back."""

from collections.abc import Generator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event

import pytest

from placet import Workflow
from placet.actors.effects import Expire, ExpireReason, Start
from placet.actors.executors.thread import ThreadExecutor
from placet.actors.messages import Beat, Done, ExecutorMessage, Withdrawn
from placet.persistence.values import encode
from placet.petri.behaviour import THREAD
from placet.petri.plan import make_plan
from placet.petri.result import prepare

PATIENCE_S = 30.0


class Hall:
    """A pool whose handlers wait for the test, unless they are let through."""

    def __init__(self, threads: int) -> None:
        self.begun: SimpleQueue[int] = SimpleQueue()
        self.may_end = Event()
        self.posted: SimpleQueue[ExecutorMessage | Beat] = SimpleQueue()
        self.pool = ThreadExecutor(self.posted.put, threads=threads)
        workflow = Workflow("hall")
        door, seat = workflow.places("door seat")

        @workflow.transition(door >> seat)
        def sit(guest: int) -> int:
            self.begun.put(guest)
            assert self.may_end.wait(PATIENCE_S)
            return guest

        definition = workflow.definition()
        self._transition = prepare(make_plan(definition.net, definition.behaviours)).transitions[0]

    def submit(self, *numbers: int) -> None:
        """Hand firings over."""
        self.pool.submit([self._start(number) for number in numbers])

    def _start(self, number: int) -> Start:
        return Start(
            root=b"r",
            instance="one",
            incarnation=1,
            transition=self._transition,
            number=number,
            attempt=1,
            tokens=((0, number, encode(number)),),
        )

    def expire(self, number: int, reason: ExpireReason) -> None:
        """Ask for the end of a firing."""
        self.pool.expire(Expire(executor=THREAD, root=b"r", number=number, attempt=1, reason=reason))

    def answer(self) -> ExecutorMessage | Beat:
        """Return the next answer."""
        return self.posted.get(timeout=PATIENCE_S)


@contextmanager
def hall(threads: int = 1) -> Generator[Hall]:
    """Return a pool that is closed in the end."""
    made = Hall(threads)
    try:
        yield made
    finally:
        made.may_end.set()
        made.pool.close()


def test_nothing_is_queued_ahead_of_handlers_nobody_has_seen_end() -> None:
    with hall(threads=3) as one:
        assert one.pool.capacity() == 3


def test_what_is_queued_ahead_grows_with_quick_handlers() -> None:
    with hall(threads=3) as one:
        one.may_end.set()
        for round_of in range(5):
            first = round_of * 3 + 1
            one.submit(first, first + 1, first + 2)
            answers = [one.answer() for _ in range(3)]
            assert all(isinstance(answer, Done) for answer in answers)
        load = one.pool.load()
        assert 3 < load.capacity <= 3 + 15
        assert load.at_once == 3  # whatever may be queued ahead of them


@pytest.mark.parametrize("reason", [ExpireReason.CANCELLED, ExpireReason.PAUSED, ExpireReason.TIME])
def test_what_has_not_begun_is_taken_back_at_once_and_never_begins(reason: ExpireReason) -> None:
    with hall() as one:
        one.submit(1, 2, 3)
        assert one.begun.get(timeout=PATIENCE_S) == 1
        one.expire(2, reason)
        answer = one.answer()
        assert isinstance(answer, Withdrawn)
        assert answer.number == 2
        assert one.pool.load().queued == 1
        one.may_end.set()
        ended = [one.answer() for _ in range(2)]
        assert [answer.number for answer in ended if isinstance(answer, Done)] == [1, 3]
        assert one.begun.get(timeout=PATIENCE_S) == 3
        assert not one.pool.is_behind()
    assert one.posted.empty()


@pytest.mark.parametrize("reason", [ExpireReason.CANCELLED, ExpireReason.PAUSED])
def test_a_handler_that_runs_is_not_forced_to_end_by_a_cancel_or_a_pause(reason: ExpireReason) -> None:
    with hall() as one:
        one.submit(1)
        assert one.begun.get(timeout=PATIENCE_S) == 1
        one.expire(1, reason)
        assert one.posted.empty()
        assert len(one.pool.running()) == 1
        one.may_end.set()
        assert isinstance(one.answer(), Done)


def test_what_is_forgotten_never_begins_and_is_not_answered() -> None:
    with hall() as one:
        one.submit(1, 2)
        assert one.begun.get(timeout=PATIENCE_S) == 1
        one.pool.drain()
        assert not one.pool.is_behind()
        one.may_end.set()
        assert isinstance(one.answer(), Done)
    assert one.begun.empty()
    assert one.posted.empty()
