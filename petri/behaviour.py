"""What a transition does when it fires: handler, guards and policies, as declared in this process today."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from placet.petri.net import Net
from placet.petri.requirement import ANYWHERE, Requires

# User functions take whatever their authors wrote: the one place where `Any` stands for "your data".
Guard: TypeAlias = Callable[[Any], object]
Handler: TypeAlias = Callable[..., object]
Key: TypeAlias = Callable[[Any], Hashable]

INLINE = "inline"  # runs inside the kernel's turn: for handlers declared pure
THREAD = "thread"  # runs on the pool of threads: the default
ASYNC = "async"  # runs on an event loop: the default of an `async def`
PROCESS = "process"  # runs in a worker process
PARALLEL = "parallel"  # runs once an item of its first argument, in worker processes
PARALLEL_THREADS = "parallel_threads"  # likewise, on threads
HYBRID = "hybrid"  # runs on threads, or in worker processes, by how its calls turn out
PERSON = "person"  # is offered to people
CALL = "call"  # calls a child instance
IN_KERNEL = frozenset({INLINE, CALL})  # what takes no slot of an executor


class RetryPolicy(Protocol):
    """Decides whether a failed firing is tried again; `placet.supervision.retry.Retry` is the one shipped."""

    def delay_s(self, failures: int, exception_types: tuple[str, ...], salt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        `failures` counts failed attempts, the one just seen included (>= 1); `exception_types` are the
        qualified class names of the exception's MRO; `salt` makes jitter repeatable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The callables and policies of one transition."""

    handler: Handler | None = None  # None moves values through unchanged, inside the kernel
    takes_context: bool = False  # the handler has a parameter named `context`
    guards: tuple[Guard | None, ...] = ()  # one an input arc, in written order
    keys: tuple[Key | None, ...] = ()  # join keys, likewise
    run: str = THREAD  # name of the executor
    retry: RetryPolicy | None = None
    timeout_s: float | None = None  # per attempt
    deadline_s: float | None = None  # for all attempts together, from the choice on
    heartbeat_s: float | None = None  # longest time without a sign of life from the handler
    types: tuple[object, ...] = ()  # declared types of what each output takes, None for any; () is any for all
    requires: Requires | None = None  # what its host must have
    remote: bool = False  # any host that has it will do

    @property
    def is_placed(self) -> bool:
        """True when it matters on which host the handler runs."""
        return self.requires is not None or self.remote

    def executor(self, workflow: str) -> str:
        """Return the name of the executor for a handler of a workflow: one that is placed has one of its own.

        Whether a host can run it depends on what it has, and on the workflows it knows: so both are in the name.
        """
        if not self.is_placed:
            return self.run
        where = [str(self.requires)] if self.requires else []
        return f"{self.run}/{workflow}/{', '.join([*where, *([ANYWHERE] if self.remote else [])])}"


def pool_of(executor: str) -> str:
    """Return what an executor runs handlers on, such as "thread": the first part of its name."""
    return executor.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a workflow can be loaded from again after a restart: a file, or a module, and a name in it."""

    file: str = ""  # absolute path of a Python file or a trace
    module: str = ""
    name: str = ""
    options: str = ""  # what its loader needs to know besides, such as the time scale of a trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A finished workflow: a checked root net, the behaviour of each transition by path, name and version."""

    name: str
    version: str
    net: Net
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict[str, Behaviour])  # by path, such as `fulfil/pack`
    types: Mapping[str, object] = field(default_factory=dict[str, object])  # declared types of places, by path
    source: Source = Source()
    callees: tuple["Definition", ...] = ()  # the workflows it calls, and those they call
    # tokens by entry place, of an instance that is spawned without any
    first: Mapping[str, Sequence[object]] = field(default_factory=dict[str, Sequence[object]])
