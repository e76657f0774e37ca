"""The loop on which `async def` handlers run."""

import gc
import threading
import warnings

from placet.actors.executors.event_loop import EventLoop

PATIENCE_S = 30.0


def test_one_that_is_stopped_twice_ends_once_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    loop, go_on = EventLoop(), threading.Event()
    (thread,) = set(threading.enumerate()) - before
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        loop.call(lambda: go_on.wait(PATIENCE_S))
        loop.stop()
        loop.call(loop.stop)  # comes just as the first is ending the loop
        go_on.set()
        thread.join(PATIENCE_S)
        gc.collect()
    assert not thread.is_alive()
    assert [str(one.message) for one in warned] == []
