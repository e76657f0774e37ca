"""Handlers that use all of their context; worker processes import them."""

import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from placet import AttemptOver, Context, Inject, Put


def all_verbs(value: int, context: Context) -> dict[str, object]:
    """Spawn, tell and change state by every verb, and return what was seen."""
    before = context.get("count", 0)
    context.put("count", before + 1)
    context.put("doomed", 1)
    context.delete("doomed")
    was_free = context.compare_and_set("owner", None, f"item {context.item}")
    is_mine = not context.compare_and_set("owner", "somebody else", 0)
    children = [context.spawn("child", {"start": [value + number]}) for number in range(2)]
    children.append(context.spawn("child", {"start": [{1, 2}]}, id=f"named-{context.item}"))
    context.tell("mailbox", Put("inbox", (value, context.item)))
    context.tell("mailbox", Inject("spare", value, why="for later"))
    context.logger.warning("saw %s", value, extra={"mine": 1})
    return {
        "before": before,
        "after": (context.get("count"), context.get("doomed", "gone"), was_free, is_mine),
        "children": children,
        "who": (context.instance, context.firing_id, context.attempt, context.item),
        "where": (context.transition, context.tags),
    }


async def all_verbs_async(value: int, context: Context) -> dict[str, object]:
    return all_verbs(value, context)


def spawn_unknown(_value: object, context: Context) -> str:
    return context.spawn("nobody")


def spawn_wrongly(place: str, context: Context) -> str:
    return context.spawn("child", {place: ["x"]})


def spawn_wrong_type(_value: object, context: Context) -> str:
    return context.spawn("typed", {"start": ["no number"]})


def tell_nonsense(_value: object, context: Context) -> None:
    context.tell("mailbox", "hello")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as a user may


def count_item(value: int, context: Context) -> int:
    """Note the item under a name of its own and one of all, and return what was there."""
    before = context.get("last", -1)
    context.put(f"of {context.item}", value)
    context.put("last", value)
    context.tell("mailbox", Inject("spare", value))
    return int(before)


def take_lead(value: int, context: Context) -> bool:
    return context.compare_and_set("leader", None, value)


def spawn_then_fail(value: int, context: Context) -> int:
    """Spawn and note for each item, and fail for the last the first time."""
    context.put(f"of {context.item}", context.attempt)
    context.spawn("child", {"start": [(value, context.attempt)]})
    if context.item == 2 and context.attempt == 1:
        raise OSError("not yet")
    return value


def count_up(value: object, context: Context) -> object:
    context.put("count", context.get("count", 0) + 1)
    return value


async def count_up_async(value: object, context: Context) -> object:
    return count_up(value, context)


def beat_then_hang(path: str, context: Context) -> object:
    """Tell two steps of progress and hang, in the first attempt; in the next, return what was told."""
    if context.attempt > 1:
        return context.progress
    context.heartbeat({"done": 1})
    context.heartbeat({"done": 2})  # too soon after the first one to be passed on at once
    Path(path).touch()
    threading.Event().wait()
    return None


async def beat_then_hang_async(path: str, context: Context) -> object:
    if context.attempt > 1:
        return context.progress
    context.heartbeat({"done": 1})
    context.heartbeat({"done": 2})
    await asyncio.Event().wait()
    return None


def beat_items_then_hang(item: object, context: Context) -> object:
    return beat_then_hang(f"{item}", context)


def beat_on(seconds: float, context: Context) -> int:
    """Give signs of life for so long, and count them."""
    begin = time.monotonic()
    count = 0
    while time.monotonic() - begin < seconds:
        context.heartbeat(count)
        count += 1
        threading.Event().wait(0.01)
    return count


async def beat_on_async(seconds: float, context: Context) -> int:
    begin = time.monotonic()
    count = 0
    while time.monotonic() - begin < seconds:
        context.heartbeat(count)
        count += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    return count


def beat_until_over(path: str, context: Context) -> None:
    """Give signs of life until somebody says that there is no need, and write down how that was said."""
    while True:
        try:
            context.heartbeat("on")
        except AttemptOver as over:
            written = Path(path).with_suffix(".part")
            written.write_text(over.reason, encoding="utf-8")
            written.rename(path)
            raise
        threading.Event().wait(0.01)


def beat_and_die(_value: object, context: Context) -> object:
    """Tell of progress, and take the process along; the next attempt returns what it was given."""
    if context.attempt > 1:
        return context.progress
    context.heartbeat("first")
    context.heartbeat("last")
    threading.Event().wait(0.3)  # the second one goes with the next, which never comes
    context.heartbeat()
    os._exit(9)


def beat_wrongly(value: object, context: Context) -> None:
    context.heartbeat(value)


def given_back(value: object) -> object:
    return value


def hang_on(_value: object, context: Context) -> None:
    """Give no sign of life, for longer than any test waits."""
    threading.Event().wait(600.0 * context.attempt)
