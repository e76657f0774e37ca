"""What an executor is to the engine: it takes firings, runs their handlers, and answers each exactly once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from placet.actors.effects import Expire, Start
from placet.actors.executors.pulse import Pulse
from placet.actors.messages import Beat, ExecutorMessage

Post: TypeAlias = Callable[[ExecutorMessage | Beat], object]  # hands an answer to the engine; safe from any thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy an executor is."""

    at_once: int  # handlers that may run at the same time
    capacity: int  # firings it takes at once, running and queued ahead together
    running: int
    queued: int
    abandoned: int  # handlers past their time that could not be stopped and still run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHandler:
    """A handler that runs now."""

    instance: str
    transition: str
    number: int
    attempt: int
    since_s: float  # how long it has run


def running_handler(start: Start, since_s: float) -> RunningHandler:
    """Return what runs for a start that began `since_s` ago."""
    return RunningHandler(
        instance=start.instance,
        transition=start.transition.path,
        number=start.number,
        attempt=start.attempt,
        since_s=since_s,
    )


class Workplace(Protocol):
    """Where one thread of a pool has its handlers run."""

    def open(self) -> None:
        """Get ready, if it is not; called before each firing is taken. Must not raise."""
        ...

    def answer(self, start: Start, pulse: Pulse | None) -> ExecutorMessage:
        """Run the handler of a firing to its end, and return the answer. Must not raise.

        `pulse` takes its signs of life, if the handler takes a context.
        """
        ...

    def stop(self) -> None:
        """End the handler that runs, if that is possible; called by another thread, and its answer is not wanted."""
        ...

    def close(self) -> None:
        """Let go of everything: nothing more will run here."""
        ...


class Executor(Protocol):
    """Runs handlers. Every start is answered once, by `Done`, `Failed` or `Withdrawn`."""

    name: str

    def capacity(self) -> int:
        """Return how many firings it takes at once now, running and queued together."""
        ...

    def load(self) -> Load:
        """Return how busy it is."""
        ...

    def is_behind(self) -> bool:
        """Return whether something is queued that has not begun."""
        ...

    def running(self) -> list[RunningHandler]:
        """Return what runs now, longest first."""
        ...

    def submit(self, starts: Sequence[Start]) -> None:
        """Take firings; never blocks."""
        ...

    def expire(self, expire: Expire) -> None:
        """A firing is past its deadline: answer `Failed` if its handler runs, `Withdrawn` if it has not begun.

        One that the executor knows to have time left is not answered: the engine asks again. A firing that is not
        wanted any more, `CANCELLED`, or not now, `PAUSED`, is answered `Withdrawn` if it has not begun, and else goes
        on; of `CANCELLED` its handler is told when it gives a sign of life.
        """
        ...

    def tend(self) -> None:
        """Look after the pool: called when firings are queued and nothing was answered for some milliseconds."""
        ...

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun; what runs is still answered."""
        ...

    def close(self) -> int:
        """Give up the pool, stop what can be stopped, and wait for no handler; return how many still ran."""
        ...
