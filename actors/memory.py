"""Which instances are in memory: those that run something, and the most recently used of the others."""

from collections import OrderedDict

from placet.actors.lifecycle import TERMINAL
from placet.actors.records import RUNNING
from placet.actors.workflow import WorkflowActor

IDLE_ROOTS = 256  # instances with nothing to do kept in memory
WAITING_ROOTS = 4_096  # instances kept in memory while they wait for a slot


class Memory:
    """Instances by root. Any of them can be dropped at any time between turns: all of it is on disk."""

    def __init__(self) -> None:
        self.roots: dict[bytes, WorkflowActor] = {}
        self._idle: OrderedDict[bytes, None] = OrderedDict()  # least recently used first
        self._waiting: OrderedDict[bytes, None] = OrderedDict()

    @property
    def is_resting(self) -> bool:
        """True when some instance is in memory without need."""
        return bool(self._idle or self._waiting)

    def keep(self, workflow: WorkflowActor, *, waits: bool) -> None:
        """Note, after a turn, whether an instance may be put to sleep."""
        root = workflow.root
        if workflow.counts[RUNNING]:
            self._no_longer_rests(root)
        elif workflow.header.state in TERMINAL:
            self.forget(root)
        else:
            self._no_longer_rests(root)
            pool = self._waiting if waits else self._idle
            pool[root] = None

    def _no_longer_rests(self, root: bytes) -> None:
        if self._idle:
            self._idle.pop(root, None)
        if self._waiting:
            self._waiting.pop(root, None)

    def forget(self, root: bytes) -> None:
        """Drop an instance from memory."""
        workflow = self.roots.pop(root, None)
        if workflow is not None:
            workflow.dispose()
        self._no_longer_rests(root)

    def put_to_sleep(self) -> None:
        """Drop the least recently used of those that run nothing, beyond the limits."""
        for pool, limit in ((self._idle, IDLE_ROOTS), (self._waiting, WAITING_ROOTS)):
            while len(pool) > limit:
                self.forget(next(iter(pool)))
