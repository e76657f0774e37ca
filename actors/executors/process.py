"""Handlers in worker processes: each thread of the pool has one worker of its own.

loky starts the workers and talks to them. It gives up a whole executor, with all that runs in it, when one of
its workers dies, and it can stop a handler only by killing them all. So each worker has an executor to itself:
what dies or is killed there is one firing, and nobody has to find out which.
"""

import atexit
import os
import re
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

from placet.actors.durations import Durations
from placet.actors.effects import Start
from placet.actors.errors import AttemptOver
from placet.actors.executors.answer import done, failed, withdrawn
from placet.actors.executors.base import Post
from placet.actors.executors.errand import Outcome, begin, carry_out, warm_up
from placet.actors.executors.line import Signal, new_pair, received, send
from placet.actors.executors.perform import errand_of
from placet.actors.executors.portable import Code, NotPortable, packed
from placet.actors.executors.pulse import Pulse
from placet.actors.executors.thread import ThreadExecutor
from placet.actors.messages import ExecutorMessage
from placet.actors.records import Failure
from placet.actors.usercode import failure_of
from placet.petri.behaviour import PROCESS

WORKER_DIED: Final = "WorkerDied"
NOT_STARTED: Final = "WorkerNotStarted"
USUAL_S: Final = 0.02  # taken for how long handlers take until they have shown it: long enough for a worker each
IDLE_S: Final = 60.0  # a worker without work ends after that
END_S: Final = 5.0  # within which workers that are killed should be gone
START_S: Final = 60.0  # within which a new worker must answer
LISTEN_S: Final = 0.1  # how often a thread listens for its worker's signs of life while it waits for a result
TRACKER_WARNS: Final = "ignore:resource_tracker"  # as `-W` takes it
EXIT_CODES: Final = re.compile(r"\{(.+)\}")  # as loky words them: {EXIT(3)} or {SIGSEGV(-11)}

Note: TypeAlias = Callable[[Start, Outcome], object]  # is told what each handler took


def process_executor(
    post: Post, *, processes: int, durations: Durations | None = None, note: Note | None = None
) -> ThreadExecutor:
    """Return an executor that runs handlers in up to `processes` worker processes, started as they are needed."""
    executor = ThreadExecutor(
        post,
        threads=processes,
        durations=durations,
        name=PROCESS,
        workplace=partial(WorkerProcess, note),
        usual_s=USUAL_S,
        idle_s=IDLE_S,
        end_s=END_S,
    )
    _living.add(executor)
    return executor


class WorkerProcess:
    """One worker, used by one thread. A handler that kills it fails its own firing; the next one gets a new worker.

    It is a child of the thread that opens it: on Linux, the system kills it when the thread or its process ends.
    """

    def __init__(self, note: Note | None = None) -> None:
        self._note = note
        self._lock = threading.Lock()
        self._executor: Any = None  # `Any`: loky has no annotations; its executor, while there is a worker
        self._line: tuple[socket.socket, socket.socket] | None = None  # our end, and the worker's, as long as it lives
        self._ending: threading.Thread | None = None  # kills the worker
        self._known: set[bytes] = set()  # digests of the code the worker has
        self._stopped = False
        self._problem = "it has not been tried"  # why there is no worker

    def open(self) -> None:
        """Start a worker, unless there is one."""
        if self._executor is not None or self._stopped:
            return
        try:
            # Its import takes its time: paid by those who use processes.
            from loky import (  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no annotations
                ProcessPoolExecutor,  # pyright: ignore[reportMissingTypeStubs] - likewise
            )
        except ImportError as error:
            self._problem = str(error)
            return
        _start_tracker()
        self._known.clear()
        line = new_pair()
        executor: Any = ProcessPoolExecutor(max_workers=1, initializer=begin, initargs=(os.getpid(), line[1]))
        with self._lock:
            self._executor, self._line = executor, line
            if self._stopped:  # meanwhile
                self._executor = None
                return
        try:
            with _without_ctrl_c():
                started = executor.submit(warm_up)
            started.result(START_S)
        except Exception as error:  # loky's, the system's, or of the user's site configuration: there is no worker
            self._problem = _died(error) or f"{type(error).__name__}: {error}"
            self.close()
        _close_before_loky()

    def answer(self, start: Start, pulse: Pulse | None) -> ExecutorMessage:
        """Run the handler of a firing in the worker."""
        self.open()
        executor = self._executor
        if executor is None:
            return withdrawn(start) if self._stopped else _refused(start, NOT_STARTED, self._problem)
        try:
            code = packed(start.transition)
        except NotPortable as error:
            return failed(start, failure_of(error))
        try:
            outcome = self._sent(executor, start, code, pulse)
        except Exception as error:  # whatever loky raises, this worker is of no use any more
            self.close()
            if self._stopped:
                return withdrawn(start)
            return _refused(start, WORKER_DIED, _died(error) or f"{type(error).__name__}: {error}")
        if self._note is not None:
            self._note(start, outcome)
        if isinstance(outcome.result, Failure):
            return failed(start, outcome.result)
        return done(start, outcome.result)

    def _sent(self, executor: Any, start: Start, code: Code, pulse: Pulse | None) -> Outcome:  # `Any`: as above
        errand = errand_of(start)
        if pulse is not None:
            pulse.put_off()  # the worker may have to import the handler first
            for _ in received(self._line[0]) if self._line else ():
                pass  # left by handlers that nobody listened to: a full line would lose that this one begins
        outcome: Outcome | None = None
        if code.digest in self._known:
            outcome = self._awaited(executor.submit(carry_out, code.digest, None, errand), start, pulse)
        if outcome is None:  # it has not been sent yet, or loky has replaced a worker that had grown too large
            outcome = self._awaited(executor.submit(carry_out, code.digest, code.data, errand), start, pulse)
            self._known.add(code.digest)
        assert outcome is not None, start.transition.path
        return outcome

    def _awaited(self, future: "Future[Outcome | None]", start: Start, pulse: Pulse | None) -> Outcome | None:
        """Wait for a handler, and meanwhile pass its signs of life on."""
        while pulse is not None and not future.done():
            wait((future,), LISTEN_S)
            self._listen(start, pulse)
        return future.result()

    def _listen(self, start: Start, pulse: Pulse) -> None:
        """Pass on the signs of life that have come; the worker is told if nobody wants them."""
        line = self._line
        if line is None:  # it is being killed
            return
        for heard in received(line[0]):
            if (heard.instance, heard.number, heard.attempt) != (start.instance, start.number, start.attempt):
                continue
            if heard.begins:
                pulse.begin()
                continue
            try:
                pulse.beat(heard.progress)
            except AttemptOver as error:
                over = Signal(instance=heard.instance, number=heard.number, attempt=heard.attempt, over=error.reason)
                send(line[0], over)

    def stop(self) -> None:
        """Kill the worker, and what it has started; does not wait."""
        self._stopped = True
        self._end()

    def close(self) -> None:
        """Kill the worker, if there is one, and wait for its end."""
        self._end()
        with self._lock:
            ending, self._ending = self._ending, None
        if ending is not None:
            ending.join()  # were this thread to end before, the system would kill the worker, but not its children

    def _end(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
            if executor is None:
                return
            line, self._line = self._line or (), None
            ending = threading.Thread(target=_kill, args=(executor, line), name="placet-worker-end", daemon=True)
            try:
                ending.start()
            except RuntimeError:  # the system gives no more threads, or the interpreter is about to end
                _kill(executor, line)
            else:
                self._ending = ending


@contextmanager
def _without_ctrl_c() -> Generator[None]:
    """Start processes that leave Ctrl-C alone from their first moment on: `begin` has them ignore it for good."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Have loky's tracker running: a process that tidies up after one that was killed, and here without a warning.

    What it would warn of is what it then removes, and a person who has killed the command is told one line by that.
    """
    # Imported late as loky is.
    from loky.backend.resource_tracker import (  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no annotations
        ensure_running,  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType] - likewise
    )

    with _registering:
        sys.warnoptions.append(TRACKER_WARNS)
        try:
            ensure_running()
        finally:
            sys.warnoptions.remove(TRACKER_WARNS)


def _kill(executor: Any, line: Iterable[socket.socket]) -> None:  # `Any`: as above
    executor.shutdown(wait=True, kill_workers=True)
    for end in line:
        end.close()


def _refused(start: Start, kind: str, reason: str) -> ExecutorMessage:
    message = f"its worker process ended: {reason}" if kind == WORKER_DIED else f"no worker process: {reason}"
    return failed(start, Failure(type=kind, message=message, attempt=start.attempt, types=(kind,)))


def _died(error: Exception) -> str:
    """Return how a worker ended, such as `EXIT(3)`, or "" where the error is of another kind."""
    found = EXIT_CODES.search(str(error)) if type(error).__name__ == "TerminatedWorkerError" else None
    return found[1] if found else ""


_living: "weakref.WeakSet[ThreadExecutor]" = weakref.WeakSet()
_registering = threading.Lock()
_registered: list[int] = []  # the process that has done it


def _close_before_loky() -> None:
    """See to it that a program that ends without closing is not held up by a handler that hangs.

    At the end of the interpreter loky waits for what its workers do. It registers with `threading`, whose list is
    gone through backwards, when its first worker is started: so what is registered after that comes before it.
    """
    with _registering:
        if os.getpid() not in _registered:
            _registered[:] = [os.getpid()]
            register: Callable[[Callable[[], object]], object] = getattr(threading, "_register_atexit", atexit.register)
            register(partial(_close_all, os.getpid()))


def _close_all(pid: int) -> None:
    if os.getpid() == pid:  # a child that was forked has no workers
        for executor in tuple(_living):
            executor.close()
