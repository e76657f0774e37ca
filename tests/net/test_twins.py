"""One body, two ways to wait: on a thread, and in an event loop."""

import asyncio
from concurrent.futures import Future

import pytest

from placet.net.twins import Due, awaited, blocked, blocking, twin
from tests.net.loops import once_round


class Counter:
    """Waits for futures, and notes what it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @blocking
    async def total(self, *futures: "Future[int]", limit_s: float | None = None) -> int:
        """Return the sum."""
        found = 0
        try:
            for future in futures:
                found += await Due(future, limit_s)
        except BaseException as error:  # an interrupt too
            self.heard.append(type(error).__name__)
            raise
        return found

    total_async = twin(total)


def of(value: int) -> "Future[int]":
    done: Future[int] = Future()
    done.set_result(value)
    return done


def failed() -> "Future[int]":
    done: Future[int] = Future()
    done.set_exception(ValueError("no"))
    return done


def test_both_return_what_the_body_returns() -> None:
    counter = Counter()
    assert counter.total(of(1), of(2)) == 3
    assert asyncio.run(counter.total_async(of(1), of(2))) == 3
    assert counter.total() == asyncio.run(counter.total_async()) == 0


def test_both_raise_what_the_future_raises() -> None:
    counter = Counter()
    with pytest.raises(ValueError, match="no"):
        counter.total(of(1), failed())
    with pytest.raises(ValueError, match="no"):
        asyncio.run(counter.total_async(failed()))
    assert counter.heard == ["ValueError"] * 2


def test_both_end_with_the_time() -> None:
    counter, never = Counter(), Future[int]()
    with pytest.raises(TimeoutError):
        counter.total(never, limit_s=0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(counter.total_async(never, limit_s=0.01))
    assert counter.heard == ["TimeoutError"] * 2
    assert not never.cancelled()


def test_a_cancelled_task_leaves_the_future_alone() -> None:
    counter, never = Counter(), Future[int]()

    async def give_up() -> None:
        task = asyncio.create_task(counter.total_async(never))
        await once_round()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert counter.heard == ["CancelledError"]
    assert not never.done()
    never.set_result(1)  # the loop has ended: nothing is told, and nothing raises


def test_an_interrupt_reaches_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("placet.net.twins.wait", interrupted)
    counter = Counter()
    with pytest.raises(KeyboardInterrupt):
        counter.total(Future[int]())
    assert counter.heard == ["KeyboardInterrupt"]


def test_drivers_take_any_coroutine() -> None:
    async def body() -> int:
        return await Due(of(4), None)

    assert blocked(body()) == asyncio.run(awaited(body())) == 4
