"""Which instances are in memory: those that run something, and the most recently used of the others."""

from collections import OrderedDict
from collections.abc import Callable

from placet.actors.lifecycle import TERMINAL
from placet.actors.records import RUNNING
from placet.actors.workflow import WorkflowActor
from placet.persistence.keys import address_key

IDLE_ROOTS = 256  # instances with nothing to do kept in memory
WAITING_ROOTS = 4_096  # instances kept in memory while they wait for a slot
IDLE_TOKENS = 250_000  # and their tokens, each of which takes some 200 to 400 bytes
WAITING_TOKENS = 1_000_000
SMALL = 1_000  # tokens of an instance that is read back in no time
REST_S_A_TOKEN = 20e-6  # twice as long as it takes to read a token back


class Memory:
    """Instances by root. Any of them can be dropped at any time between turns: all of it is on disk.

    How many there may be is a bound, and how many tokens they may hold is another. A large instance is not dropped
    and read again time after time: while it waits for a slot it stays, with more tokens than the bound allows in all;
    with nothing to do it stays if it was used last, or if it has rested for less time than reading it again would take.
    """

    def __init__(self) -> None:
        self.roots: dict[bytes, WorkflowActor] = {}
        self._named: dict[str, bytes] = {}  # their roots by id
        self._idle = _Pool()
        self._waiting = _Pool()

    def instances_of(self, workflow: str) -> list[str]:
        """Return the instances of a workflow that are in memory."""
        return [one.header.instance for one in self.roots.values() if one.header.workflow == workflow]

    @property
    def is_resting(self) -> bool:
        """True when some instance is in memory without need."""
        return bool(self._idle.roots or self._waiting.roots)

    def add(self, workflow: WorkflowActor) -> None:
        """Have an instance in memory."""
        self.roots[workflow.root] = workflow
        self._named[workflow.header.instance] = workflow.root

    def root_of(self, instance: str, get: Callable[[bytes], bytes | None]) -> bytes | None:
        """Return the root of an instance: most that are sent something are in memory, and need not be looked up."""
        return self._named.get(instance) or get(address_key(instance))

    def keep(self, workflow: WorkflowActor, now: float, *, waits: bool) -> None:
        """Note, after a turn, whether an instance may be put to sleep."""
        root = workflow.root
        if workflow.counts[RUNNING]:
            self._no_longer_rests(root)
        elif workflow.header.state in TERMINAL:
            self.forget(root)
        else:
            self._no_longer_rests(root)
            tokens = workflow.inner + workflow.outer
            if not waits:
                self._idle.add(root, tokens, now)
            else:
                self._waiting.add(root, tokens if tokens <= WAITING_TOKENS else 0, now)

    def _no_longer_rests(self, root: bytes) -> None:
        if self._idle.roots:
            self._idle.remove(root)
        if self._waiting.roots:
            self._waiting.remove(root)

    def forget(self, root: bytes) -> None:
        """Drop an instance from memory."""
        workflow = self.roots.pop(root, None)
        if workflow is not None:
            del self._named[workflow.header.instance]
            workflow.dispose()
        self._no_longer_rests(root)

    def forget_all(self, prefix: bytes) -> None:
        """Drop all instances whose root begins so."""
        for root in [root for root in self.roots if root.startswith(prefix)]:
            self.forget(root)

    def put_to_sleep(self, now: float) -> None:
        """Drop the least recently used of those that run nothing, beyond the limits."""
        idle, waiting = self._idle, self._waiting
        while len(idle.roots) > IDLE_ROOTS:
            self.forget(idle.next_out(now))
        while idle.tokens > IDLE_TOKENS and len(idle.roots) > 1 and idle.has_rested(idle.first, now):
            self.forget(idle.first)
        while len(waiting.roots) > WAITING_ROOTS or waiting.tokens > WAITING_TOKENS:
            self.forget(waiting.first)


class _Pool:
    """Roots of which some may be dropped, least recently used first, and how many tokens they hold."""

    __slots__ = ("roots", "tokens")

    def __init__(self) -> None:
        self.roots: OrderedDict[bytes, tuple[int, float]] = OrderedDict()  # (tokens, since when it rests)
        self.tokens = 0

    def add(self, root: bytes, tokens: int, now: float) -> None:
        """Let a root rest from now on."""
        self.roots[root] = tokens, now
        self.tokens += tokens

    def remove(self, root: bytes) -> None:
        """Forget a root, if it is there."""
        found = self.roots.pop(root, None)
        if found is not None:
            self.tokens -= found[0]

    @property
    def first(self) -> bytes:
        """The one that was used least recently."""
        return next(iter(self.roots))

    def next_out(self, now: float) -> bytes:
        """Return the first that is small, or has rested for long enough."""
        for root, (tokens, _) in self.roots.items():
            if tokens <= SMALL or self.has_rested(root, now):
                return root
        return self.first

    def has_rested(self, root: bytes, now: float) -> bool:
        """Return whether one has been idle for so long that reading it again is worth it."""
        tokens, since = self.roots[root]
        return now - since >= tokens * REST_S_A_TOKEN
