"""What must hold whenever an effect leaves the engine: its reason is on disk by then."""

from collections import Counter
from dataclasses import dataclass, field

from placet.actors.effects import Expire, ExpireReason, Start, StateChanged
from placet.actors.holds import held_transitions
from placet.actors.lifecycle import ENDING, Intent
from placet.actors.records import Firing, Phase
from placet.actors.slots import SLICE_S
from placet.petri.plan import shares
from placet.testing.beats import check_given, end_of
from placet.testing.checks import Checks
from placet.testing.errors import require
from placet.testing.executor import SimulatedExecutor
from placet.testing.image import value_of

ALONE_FROM = 3  # losses, as promised: not as the code under test has it
FORGIVEN_S = 1e-9  # of sums of times


@dataclass(slots=True)
class Patience:
    """How long an instance has waited for a slot: what others had since, by root."""

    since_s: float
    turns: Counter[bytes] = field(default_factory=Counter[bytes])
    starts: Counter[bytes] = field(default_factory=Counter[bytes])


@dataclass(slots=True)
class Releases:
    """Checks effects as they are let go, and keeps the books on starts that the checks of commits lean on."""

    checks: Checks
    executor: SimulatedExecutor
    attempts: dict[tuple[bytes, int], int] = field(default_factory=dict[tuple[bytes, int], int])
    waiting: dict[bytes, Patience] = field(default_factory=dict[bytes, Patience])

    def forget_waiting(self) -> None:
        """Count anew who waits: the engine is gone, or a fault has upset the order of turns."""
        self.waiting.clear()

    def start(self, start: Start, now: float, capacity: int) -> None:
        """P2: the choice is on disk with this attempt, a slot is free, and no attempt comes twice."""
        what = f"{start.instance} {start.transition.path} {start.number} attempt {start.attempt}"
        image = self.checks.images.get(start.root)
        firing = image.firings.get(start.number) if image else None
        require(firing is not None, "P2: a start has its record", what)
        if firing is None:
            return
        recorded = (firing.attempt, firing.phase, firing.transition)
        expected = (start.attempt, Phase.RUNNING, start.transition.index)
        require(recorded == expected, "P2: a start has its record", f"{what}: {recorded}")
        values = [value_of(self.checks.view, start.root, stored) for _, _, stored in _arguments(start, firing)]
        given = [value_of(self.checks.view, start.root, stored) for _, _, stored in start.tokens]
        require(values == given, "a handler is given the tokens taken", what)
        require(len(self.executor.live) < capacity, "a firing is chosen for a free slot", f"{what}: {capacity} slots")
        check_given(start, firing, what)
        self._check_attempt(start, firing, now, what)
        self._check_alone(firing, what)
        self._check_room(start, what)
        self._check_fair(start, now)
        self.checks.released.add((start.root, start.number, start.attempt))

    def _check_attempt(self, start: Start, firing: Firing, now: float, what: str) -> None:
        last = self.attempts.get((start.root, start.number), 0)
        require(last < start.attempt, "P2: attempts increase", f"{what} after {last}")
        self.attempts[start.root, start.number] = start.attempt
        before = (start.root, start.number, start.attempt - 1)
        require(before not in self.checks.doomed, "P2: losses are counted", f"{what} without the loss before it")
        account = self.checks.ledgers[start.root].firing(start.number)
        policy = start.transition.behaviour.retry if start.transition.behaviour else None
        if not account.failed or firing.failures[-1].attempt != start.attempt - 1 or firing.failures[-1].type == "Lost":
            return
        delay_s = policy.delay_s(account.failed, firing.failures[-1].types, start.number) if policy else None
        require(delay_s is not None, "Retry's limit is kept", f"{what} after {account.failed} failures")
        due_s = account.failed_at + (delay_s or 0.0)
        require(now >= due_s - FORGIVEN_S, "back-off is kept", f"{what} at {now}, not before {due_s}")

    def _check_room(self, start: Start, what: str) -> None:
        """Who was held up by a full shard is not run again before it takes more."""
        windows = self.checks.windows
        shard = windows.held_up.get((start.root, start.number, start.attempt - 1), -1)
        require(shard not in windows.least, "who is held up waits", f"{what}: shard {shard} is full")

    def _check_alone(self, firing: Firing, what: str) -> None:
        """P2: from its third loss a firing runs with nothing beside it."""
        if firing.losses >= ALONE_FROM:
            require(not self.executor.live, "P2: a suspect runs alone", f"{what} beside {len(self.executor.live)}")
        for root, number, attempt in self.executor.live:
            found = self.checks.calls.image(root)  # it may have moved away meanwhile
            other = found.firings.get(number) if found is not None else None
            alone = other is not None and other.attempt == attempt and other.losses >= ALONE_FROM
            require(not alone, "P2: a suspect runs alone", f"{what} beside the suspect {number}")

    def expire(self, expire: Expire, now: float) -> None:
        """A deadline is enforced when it has passed, not before."""
        image = self.checks.images.get(expire.root)
        firing = image.firings.get(expire.number) if image else None
        if image is None or firing is None or firing.attempt != expire.attempt or firing.phase is not Phase.RUNNING:
            return
        what, plan = f"{image.header.instance} {firing.number}", self.checks.plan(image)
        if expire.reason is ExpireReason.CANCELLED:
            require(image.header.intent in ENDING, "only what is cancelled is told so", what)
            return
        if expire.reason is ExpireReason.PAUSED:
            held = firing.transition in held_transitions(plan, image.header.held)
            is_paused = held or image.header.intent is not Intent.RUN
            # A batch may pause and resume: then what it took back is handed out anew.
            was_paused = self.checks.ledgers[expire.root].paused_at >= firing.since
            require(is_paused or was_paused, "only what is paused is taken back", what)
            return
        behaviour = plan.transitions[firing.transition].behaviour
        assert behaviour is not None, firing
        silence_s = behaviour.heartbeat_s if expire.reason is ExpireReason.SILENCE else None
        # A sign of life may have been counted in the same batch, a little later: then the executor knows of it too.
        due = end_of(firing, behaviour) if silence_s is None else firing.since + silence_s
        require(0.0 < due <= now + FORGIVEN_S, "deadlines are kept", f"{due} is not over at {now}")

    def changed(self, changes: list[StateChanged]) -> None:
        """What is told last about an instance is what its store says."""
        for root, change in {change.root: change for change in changes}.items():
            image = self.checks.images.get(root)
            state = image.header.state.value if image else "not on disk"
            require(state == change.state, "state changes are told", f"{change.instance}: {change.state}, {state}")

    # -- fairness ------------------------------------------------------------------------------------------

    def wants(self, roots: set[bytes], now: float) -> None:
        """Be told who could start something, had it a slot: those no longer there have been served or want nothing."""
        for root in [root for root in self.waiting if root not in roots]:
            del self.waiting[root]
        for root in sorted(roots):
            self.waiting.setdefault(root, Patience(since_s=now))

    def granted(self, grants: list[bytes]) -> None:
        """Nobody waits while another instance has its turn time and again."""
        for granted in grants:
            self.waiting.pop(granted, None)
            for root, patience in self.waiting.items():
                patience.turns[granted] += 1
                require(patience.turns[granted] <= FAIR_TURNS, "slots go round", f"{granted.hex()} before {root.hex()}")

    def _check_fair(self, start: Start, now: float) -> None:
        """Nobody waits while another instance is served without end."""
        self.waiting.pop(start.root, None)
        for root, patience in self.waiting.items():
            if now > patience.since_s + SLICE_S:
                patience.starts[start.root] += 1
                served = patience.starts[start.root]
                require(served <= FAIR_STARTS, "slots go round", f"{start.instance}: {served} before {root.hex()}")


FAIR_TURNS = 2  # of each other instance: it may just have begun to wait, and be at the end of the queue
FAIR_STARTS = 24  # of each other instance: its turns, each of as many starts as there are slots


def _arguments(start: Start, firing: Firing) -> list[tuple[int, int, bytes]]:
    """Return what a handler is to be given: by arc as written, taken or read."""
    pools = {False: iter(firing.tokens), True: iter(firing.seen)}
    arcs = start.transition.arguments
    counts = shares(arcs, len(firing.tokens) + len(firing.seen))
    return [next(pools[arc.reads]) for arc, count in zip(arcs, counts, strict=True) for _ in range(count)]
