"""Free slots of executors, and whose turn it is to use them: round-robin over instances.

An instance that frees a slot may use it again within its time slice; when that is over and others wait,
it goes to the end of the queue. So quick handlers of one instance follow each other in one commit, and a
slow or endless instance cannot keep others out.
"""

from typing import TypeAlias

SLICE_S = 0.5  # how long an instance may keep reusing slots while others wait

FlightKey: TypeAlias = tuple[bytes, int]  # (root, firing number)


class Pool:
    """One executor as the kernel sees it: how many firings it takes, which are out, who waits."""

    __slots__ = ("capacity", "in_flight", "lack", "waiting")

    def __init__(self) -> None:
        self.capacity = 0
        self.lack = ""  # why nobody can run what it is given; "": somebody can, if not at once
        self.in_flight: dict[FlightKey, int] = {}  # attempt
        self.waiting: dict[bytes, None] = {}  # roots, the next one first

    @property
    def free(self) -> int:
        """How many firings may be started now."""
        return self.capacity - len(self.in_flight)


class Slots:
    """The pools of all executors of an engine."""

    __slots__ = ("_held", "_out", "accompanied", "alone", "elsewhere", "pools", "queued")

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.queued = 0  # entries in the queues of all pools
        self.alone = False  # a suspect runs, or is about to: nothing else may start
        self._out = 0  # firings in flight, over all pools
        self._held = 0  # those of them that no executor has yet: their batch is not committed
        self.elsewhere: dict[FlightKey, int] = {}  # attempts that run where their instance was moved from
        self.accompanied = False  # some handler may run beside the kernel: more are out than held

    def pool(self, executor: str) -> Pool:
        """Return the pool of `executor`; one nobody has named yet has no slots."""
        pool = self.pools.get(executor)
        if pool is None:
            pool = self.pools[executor] = Pool()
        return pool

    def lack(self, executor: str) -> str:
        """Return why nobody can run what `executor` is given, or ""."""
        pool = self.pools.get(executor)
        return pool.lack if pool is not None else ""

    def set_lack(self, executor: str, reason: str) -> list[bytes]:
        """Note why nobody can run what `executor` is given; return who waits for it, if that is new to them."""
        pool = self.pool(executor)
        if pool.lack == reason:
            return []
        pool.lack = reason
        return list(pool.waiting)

    def share(self, executor: str, root: bytes, now: float, slice_end: float) -> int:
        """Return how many firings `root` may start on `executor` in this turn."""
        pool = self.pools.get(executor)
        if pool is None or self.alone:
            return 0
        free = pool.capacity - len(pool.in_flight)
        waiting = pool.waiting
        if not waiting or free <= 0 or (len(waiting) == 1 and root in waiting):
            return free
        if now > slice_end:
            return 0
        return max(1, free // (len(waiting) + 1))

    def in_flight(self) -> int:
        """Return how many firings are out, over all executors."""
        return self._out

    def depart(self, executor: str, root: bytes, number: int, attempt: int) -> None:
        """A firing has been chosen: it is handed to its executor once that is committed."""
        self.pools[executor].in_flight[root, number] = attempt
        self._out += 1
        self._held += 1

    def released(self) -> None:
        """What was chosen is on disk, and goes to its executors."""
        self._held = 0
        self.accompanied = self._out > 0

    def is_out(self, root: bytes, number: int) -> bool:
        """Return whether a firing was started, here or where it was moved from, and is not answered yet."""
        key = (root, number)
        return key in self.elsewhere or any(key in pool.in_flight for pool in self.pools.values())

    def of_shard(self, prefix: bytes) -> list[tuple[bytes, int, int]]:
        """Return (root, firing, attempt) of what is out of the instances whose root begins so."""
        return [
            (root, number, attempt)
            for pool in self.pools.values()
            for (root, number), attempt in pool.in_flight.items()
            if root.startswith(prefix)
        ]

    def leave(self, prefix: bytes) -> list[bytes]:
        """Let no instance whose root begins so wait any longer, and return those that did."""
        found: dict[bytes, None] = {}
        for pool in self.pools.values():
            for root in [root for root in pool.waiting if root.startswith(prefix)]:
                del pool.waiting[root]
                self.queued -= 1
                found[root] = None
        return list(found)

    def wait(self, executor: str, root: bytes) -> None:
        """Put `root` at the end of the queue for `executor`, unless it is in it."""
        waiting = self.pool(executor).waiting
        if root not in waiting:
            waiting[root] = None
            self.queued += 1

    def next_waiting(self) -> bytes | None:
        """Return the root whose turn it is where a slot is free, and take it off every queue; or None."""
        for pool in self.pools.values():
            if pool.waiting and not self.alone and pool.capacity > len(pool.in_flight):
                root = next(iter(pool.waiting))
                for other in self.pools.values():
                    if root in other.waiting:
                        del other.waiting[root]
                        self.queued -= 1
                return root
        return None

    @property
    def has_grant(self) -> bool:
        """True when some instance waits for a slot that is free."""
        return not self.alone and any(pool.waiting and pool.free > 0 for pool in self.pools.values())

    def land(self, root: bytes, number: int, attempt: int) -> None:
        """A start has been answered: its slot is free again."""
        key = (root, number)
        for pool in self.pools.values():
            if pool.in_flight.get(key) == attempt:
                del pool.in_flight[key]
                self._out -= 1
                self.accompanied = self._out > self._held
                return
        if self.elsewhere.get(key) == attempt:
            del self.elsewhere[key]
