"""Where a simulation reaches into a kernel: to see what it handles, to crash it there, to make its actors raise."""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from placet.actors.catalog import Catalog
from placet.actors.composite import CompositeActor
from placet.actors.kernel import Kernel
from placet.actors.messages import CalledAgain, Grant, KernelMessage
from placet.actors.place import PlaceActor
from placet.actors.services import Room
from placet.actors.workflow import WorkflowActor
from placet.persistence.store import View
from placet.testing.coverage import Handled
from placet.testing.store import Crashed

P = ParamSpec("P")
T = TypeVar("T")

_PROBED: tuple[tuple[type, str], ...] = (
    (PlaceActor, "deposit"),
    (PlaceActor, "take"),
    (PlaceActor, "restore"),
    (CompositeActor, "fire"),
    (CompositeActor, "start_again"),
    (CompositeActor, "finish"),
    (CompositeActor, "fail"),
    (CompositeActor, "lost"),
    (CompositeActor, "put_back"),
    (CompositeActor, "set_phase"),
    (WorkflowActor, "deposit"),
    (WorkflowActor, "record"),
    (WorkflowActor, "settle"),
    (PlaceActor, "load_all"),
)


class ActorFault(Exception):
    """An actor's code raised: planted by a simulation."""


class Probe:
    """Says which call into an actor raises. Calls are counted over all actors of a kernel."""

    def __init__(self) -> None:
        self._calls_left = -1
        self._period = 1
        self._faults_left = 0
        self.raised = 0
        self._is_quiet = False

    @contextmanager
    def quiet(self) -> Generator[None]:
        """Let nothing raise meanwhile, nor count: whoever checks is not the one that is checked."""
        self._is_quiet = True
        try:
            yield
        finally:
            self._is_quiet = False

    def arm(self, *, after_calls: int, faults: int, period: int = 1) -> None:
        """Let the call after the next `after_calls` raise, and every `period`-th one from there, `faults` in all."""
        self._calls_left, self._faults_left, self._period = after_calls, faults, period

    def disarm(self) -> None:
        """Raise no more."""
        self._calls_left = -1

    def call(self) -> None:
        """Be told of one call. Raises `ActorFault` when it is that call's turn."""
        if self._calls_left < 0 or self._is_quiet:
            return
        if self._calls_left:
            self._calls_left -= 1
            return
        self._faults_left -= 1
        self._calls_left = self._period - 1 if self._faults_left > 0 else -1
        self.raised += 1
        raise ActorFault("planted")


@contextmanager
def probed(probe: Probe) -> Generator[None]:
    """Tell `probe` of every call into an actor, half of the time once it has done its work.

    Has no effect on compiled actors, whose methods cannot be replaced.
    """
    originals = [(kind, name, vars(kind)[name]) for kind, name in _PROBED]
    try:
        for number, (kind, name, original) in enumerate(originals):
            setattr(kind, name, _wrapped(original, probe, after=number % 2 == 1))
        yield
    finally:
        for kind, name, original in originals:
            setattr(kind, name, original)


def _wrapped(original: Callable[P, T], probe: Probe, *, after: bool) -> Callable[P, T]:
    def before_call(*args: P.args, **kwargs: P.kwargs) -> T:
        """Probe, then call."""
        probe.call()
        return original(*args, **kwargs)

    def after_call(*args: P.args, **kwargs: P.kwargs) -> T:
        """Call, then probe."""
        result = original(*args, **kwargs)
        probe.call()
        return result

    return after_call if after else before_call


class ProbedKernel(Kernel):
    """A kernel that says what it handles, and can end its process before any message."""

    handled: list[Handled]  # in the order of this batch
    granted: list[bytes]  # roots whose turn it was to use a slot, in the order of this batch
    ends_at: Callable[[KernelMessage], bool] | None = None  # says before which message the process ends

    def __init__(self, view: View, catalog: Catalog, *, visiting: bool = False, engine: str = "") -> None:
        super().__init__(view, catalog, visiting=visiting, engine=engine)
        self.room = Room(values=2, small_bytes=0)  # so that most values are read when they are needed
        self.begin_batch()

    def begin_batch(self) -> None:
        """Forget the last batch."""
        self.handled = []
        self.granted = []

    def _next(self) -> KernelMessage | None:
        queued = self.slots.queued
        message = super()._next()
        if message is None or (self.handled and self.handled[-1] is message):  # it calls itself once
            return message
        self.handled.append(message)
        if isinstance(message, Grant) and self.slots.queued < queued:  # not one that goes on with inline firings
            self.granted.append(message.root)
        if self.ends_at is not None and self.ends_at(message):
            raise Crashed("between two messages")
        return message

    def _turn(self, root: bytes, message: KernelMessage) -> int:
        if isinstance(message, CalledAgain):  # what became of a call: it is in no mailbox
            self.handled.append(message)
        return super()._turn(root, message)

    def being_read(self) -> Collection[bytes]:
        """Return the instances that are on their way into memory."""
        return self._awakenings.roots

    def in_memory(self) -> Mapping[bytes, WorkflowActor]:
        """Return the instances that are awake."""
        return self.memory.roots

    def _exchange(self) -> None:
        self.handled += self.outbox.come
        super()._exchange()

    def waiting_messages(self) -> list[Handled]:
        """Return what is queued, by mailbox."""
        held = self.shards.waiting() if self.shards is not None else ()
        return [*self.mail, *held, *self.outbox.come]

    def broken(self) -> set[bytes]:
        """Return the instances whose actors could not be brought back."""
        return set(self._faults.broken)
