"""One event loop on a thread of its own, which outlives whatever its tasks raise."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

END_S = 1.0  # how long tasks that were cancelled at the end may take to clean up


class EventLoop:
    """Runs callbacks and the tasks they make until it is stopped. `call` and `stop` are safe from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stopped = False
        self._ending: asyncio.Task[None] | None = None
        threading.Thread(target=self._run, name="placet-async", daemon=True).start()

    def call(self, callback: Callable[[], object]) -> None:
        """Have a callback run in the loop soon; once the loop is stopped, nothing happens."""
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Cancel all tasks, let them clean up, and end; does not wait."""
        self._stopped = True
        self.call(self._begin_end)

    def _begin_end(self) -> None:
        if self._ending is None:  # a second task would never begin: the first ends the loop
            self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_S)
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while True:
            try:
                self._loop.run_forever()
            except BaseException:  # a task that a handler made left by `sys.exit()`: the others go on
                continue
            if self._stopped:
                break
        self._loop.close()
