"""Verbs that wait, written once: each as a coroutine, from which a blocking function and its twin for asyncio are made.

What a coroutine waits for it yields as a `Due`; who drives it waits, on a thread or in an event loop.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
# `Any`: whatever comes of the things waited for, one after the other.
Steps: TypeAlias = "Coroutine[Any, Any, T]"


class Due(Generic[T]):
    """What comes of a future, if it comes within `limit_s`; else `TimeoutError`."""

    def __init__(self, future: "Future[T]", limit_s: float | None) -> None:
        self.future = future
        self.limit_s = limit_s

    def __await__(self) -> "Generator[Due[T], None, T]":
        yield self
        return self.future.result(0)


async def pause(seconds: float) -> None:
    """Let time pass."""
    with suppress(TimeoutError):
        await Due(Future[None](), seconds)


def blocked(steps: "Steps[T]") -> T:
    """Drive a coroutine to its end on this thread, and return what comes of it."""
    try:
        due = cast("Due[object]", steps.send(None))
        while True:
            try:
                wait([due.future], due.limit_s)
            except BaseException as error:  # Ctrl-C: the coroutine is to hear of it
                due = cast("Due[object]", steps.throw(error))
            else:
                due = cast("Due[object]", steps.send(None))
    except StopIteration as ended:
        return cast("T", ended.value)


async def awaited(steps: "Steps[T]") -> T:
    """Drive a coroutine to its end in an event loop. Who is cancelled waits no more; what was asked for goes on."""
    try:
        due = cast("Due[object]", steps.send(None))
        while True:
            try:
                await _settled(due.future, due.limit_s)
            except BaseException as error:  # the task is cancelled: the coroutine is to hear of it
                due = cast("Due[object]", steps.throw(error))
            else:
                due = cast("Due[object]", steps.send(None))
    except StopIteration as ended:
        return cast("T", ended.value)


async def _settled(future: "Future[object]", limit_s: float | None) -> None:
    """Wait for the end of a future, or of the time; neither that nor being cancelled touches the future."""
    loop, is_done = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: "Future[object]") -> None:
        """Wake who waits."""
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(is_done.set)

    future.add_done_callback(tell)
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await is_done.wait()


def blocking(body: "Callable[P, Steps[T]]") -> Callable[P, T]:
    """Make a blocking function of a coroutine function; `twin` of it is for asyncio."""

    @wraps(body)
    def verb(*args: P.args, **kwargs: P.kwargs) -> T:
        """Block until it is done."""
        return blocked(body(*args, **kwargs))

    return verb


def twin(verb: Callable[P, T]) -> "Callable[P, Steps[T]]":
    """Return the twin for asyncio of what `blocking` has made."""
    body = cast("Callable[P, Steps[T]]", getattr(verb, "__wrapped__"))  # noqa: B009  `wraps` has set it

    @wraps(body)
    async def twin_of_verb(*args: P.args, **kwargs: P.kwargs) -> T:
        """Wait in the event loop until it is done."""
        return await awaited(body(*args, **kwargs))

    twin_of_verb.__name__ = f"{body.__name__}_async"
    twin_of_verb.__qualname__ = f"{body.__qualname__}_async"
    twin_of_verb.__doc__ = f"`{body.__name__}` for asyncio."
    return twin_of_verb
