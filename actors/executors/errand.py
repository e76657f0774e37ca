"""What a worker process does: it gets ready once, and then runs the handler of one firing after another.

Handlers come as code, sent once a process and kept by digest; values come and go as the bytes they are stored as.
"""

import ctypes
import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import Final, NamedTuple

from placet.actors.clock import monotonic_s, process_cpu_s, thread_queued_s
from placet.actors.executors.line import Signal, received, send
from placet.actors.executors.perform import Errand, Result, perform
from placet.actors.executors.portable import unpacked
from placet.actors.executors.pulse import Pulse
from placet.actors.records import Failure
from placet.actors.usercode import failure_of
from placet.petri.plan import TransitionPlan

PR_SET_PDEATHSIG: Final = 1  # of <sys/prctl.h>
LOOK_S: Final = 1.0  # how often a worker looks whether its engine lives, where the system does not tell it
PAUSE_S: Final = 0.0  # between two signs of life: the line takes some, and the engine's process passes few of them on


class Outcome(NamedTuple):
    """What came of an errand, and what it took."""

    result: Result | Failure
    took_s: float
    cpu_s: float  # processor time of the whole process
    queued_s: float  # how long it waited for a processor


_handlers: dict[bytes, TransitionPlan] = {}  # of this process, by digest of their code
_pid = os.getpid()
_lines: list[socket.socket] = []  # to the engine's process: one


def begin(engine: int, line: socket.socket) -> None:
    """Get a new worker ready: it ends with its engine, and leaves Ctrl-C to it."""
    line.setblocking(False)
    _lines[:] = [line]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))  # kept from it while it started
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != engine:  # it ended before it could be tied to this process
            os._exit(1)
    else:
        threading.Thread(target=_outlive, args=(engine,), daemon=True).start()


def _outlive(engine: int) -> None:
    """End this process soon after its engine."""
    never = threading.Event()
    while os.getppid() == engine:
        never.wait(LOOK_S)
    os._exit(1)


def carry_out(digest: bytes, code: bytes | None, errand: Errand) -> Outcome | None:
    """Run a handler; None: its code is not known here, and has to be sent along."""
    if digest not in _handlers and code is None:
        return None
    begin_s, cpu_s, queued_s = monotonic_s(), process_cpu_s(), thread_queued_s()
    result = _result(digest, code, errand)
    return Outcome(
        result=result,
        took_s=monotonic_s() - begin_s,
        cpu_s=process_cpu_s() - cpu_s,
        queued_s=thread_queued_s() - queued_s,
    )


def _result(digest: bytes, code: bytes | None, errand: Errand) -> Result | Failure:
    transition = _handlers.get(digest)
    if transition is None:
        assert code is not None
        try:
            transition = _handlers[digest] = unpacked(code)
        except BaseException as error:  # importing a user's module may raise anything
            return failure_of(error, errand.attempt)
    number, attempt = errand.number, errand.attempt
    send(_lines[0], Signal(instance=errand.instance, number=number, attempt=attempt, begins=True))
    pulse = Pulse(partial(_pass_on, errand), PAUSE_S)
    result = perform(transition, errand, partial(_beat, errand, pulse))
    if os.getpid() != _pid:
        os._exit(0)  # a child that the handler forked, and that came back from it: it has no business here
    pulse.flush()
    return result


def _pass_on(errand: Errand, progress: bytes | None) -> bool:
    number, attempt = errand.number, errand.attempt
    return send(_lines[0], Signal(instance=errand.instance, number=number, attempt=attempt, progress=progress))


def _beat(errand: Errand, pulse: Pulse, progress: bytes | None) -> None:
    """Give a sign of life, unless the engine's process has said that nobody waits for it. Raises `AttemptOver`."""
    for signal_ in received(_lines[0]):
        if (signal_.instance, signal_.number, signal_.attempt) == (errand.instance, errand.number, errand.attempt):
            pulse.end(signal_.over)
    pulse.beat(progress)


def warm_up() -> int:
    """Return the process id: that a worker answers is that it is ready."""
    return _pid
