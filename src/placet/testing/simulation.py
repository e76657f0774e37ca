"""A whole engine under virtual time, driven by a seed: everything that can happen, in any order, at any moment.

The same seed gives the same trace, byte for byte. Every commit is checked; in the end faults stop, and
everything must come to an end or be truly stuck.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from placet.actors.catalog import Catalog
from placet.actors.lifecycle import Intent
from placet.actors.messages import (
    Cancel,
    Due,
    FailIncident,
    Grant,
    KernelMessage,
    Park,
    Pause,
    Resume,
    RetryIncident,
    RunAlone,
    SkipIncident,
    Withdrawn,
)
from placet.persistence.errors import StoreFailed
from placet.testing.checks import Checks
from placet.testing.clock import ManualClock
from placet.testing.coverage import Coverage, CrashPoint
from placet.testing.engine import Stage, SimulatedEngine, Surroundings
from placet.testing.errors import Violation, require
from placet.testing.executor import SimulatedExecutor
from placet.testing.functions import World
from placet.testing.liveness import Liveness
from placet.testing.nets import Taste, random_definition
from placet.testing.people import People
from placet.testing.probes import Probe, ProbedKernel, probed
from placet.testing.releases import Releases
from placet.testing.store import CommitFault, Crashed, FaultyStore

STEPS = 1_000


@dataclass(slots=True)
class Outcome:
    """What came of one seed."""

    seed: int
    trace: list[str] = field(default_factory=list[str])
    violation: Violation | None = None
    coverage: Coverage = field(default_factory=Coverage)
    crashes: int = 0
    commits: int = 0
    fired: int = 0


def simulate(seed: int, steps: int = STEPS) -> Outcome:
    """Run one seed for `steps` steps of its scheduler and then to the end; what broke is in `violation`."""
    simulation = Simulation(seed)
    with probed(simulation.probe):
        try:
            simulation.play(steps)
            simulation.finish()
        except Violation as violation:
            simulation.broken(violation)
        except Exception:  # whatever a kernel lets out would end a real engine
            simulation.broken(Violation("nothing is raised by a kernel", traceback.format_exc()))
    outcome = simulation.outcome
    outcome.commits, outcome.fired = simulation.store.commits, simulation.checks.fired
    return outcome


class Simulation:
    """One seed at work: holds what outlives engines, and takes one step after another."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.outcome = Outcome(seed)
        self.world = World(seed, failures_permille=random.choice((0, 50, 200, 500, 900)))
        taste = Taste.draw(random)
        names = ("red", "blue", "green")[: random.choice((1, 1, 2, 3))]
        self.definitions = {name: random_definition(random, name, self.world, taste) for name in names}
        self.store = FaultyStore()
        self.clock = ManualClock()
        self.executor = SimulatedExecutor(random, slow_s=random.choice((0.5, 5.0, 20.0)))
        self.checks = Checks(self.store, self.world, self.definitions)
        catalog = Catalog()
        workflows = [(one, catalog.register(one)) for one in self.definitions.values()]
        self.people = People(random, self.checks, workflows, most_live=random.choice((1, 3, 8, 24)))
        self.releases = Releases(self.checks, self.executor)
        self.around = Surroundings(self.store, self.clock, self.executor, self.checks, self.releases, self.people)
        self.liveness = Liveness(self.around)
        self.store.committed = self.checks.committed
        self.probe = Probe()
        self.inbox: list[KernelMessage] = []
        self.engine: SimulatedEngine | None = None
        self.capacity = random.choice((1, 2, 4, 16))
        self._weights: dict[str, float] = {name: random.choice((1, 2, 4)) * weight for name, weight in _WEIGHTS.items()}
        for name in random.sample(sorted(_OPTIONAL), random.randint(0, len(_OPTIONAL) - 1)):
            self._weights[name] = 0
        self.danger = random.choice(
            (0.0, 0.1, 0.3, 0.6, 1.0, 3.0)
        )  # how often engines crash, in percent of their steps

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        self.outcome.trace.append(f"{self.clock.now():.6f} {line}")

    def broken(self, violation: Violation) -> None:
        """Note what was found."""
        self.outcome.violation = violation
        self.say(f"VIOLATION {violation}")

    # -- the scheduler ---------------------------------------------------------------------------------------

    def play(self, steps: int) -> None:
        """Take `steps` steps."""
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        """Take one step: whatever the seed says, of what is possible now."""
        engine = self.engine
        if engine is None:
            self._choose(_WHEN_DOWN)
        elif self.random.random() * 100 < self.danger * self._peril(engine):
            self.crash()
        elif engine.stage is Stage.IDLE:
            self._choose(_WHEN_IDLE if self._has_work(engine) else _WHEN_AT_REST)
        elif engine.stage is Stage.RAN:
            self._choose(_WHEN_RAN)
        else:
            self._choose(_WHEN_COMMITTED)

    def _has_work(self, engine: SimulatedEngine) -> bool:
        """Return whether an engine has something to do; sometimes it looks although it has not."""
        waits = engine.kernel.has_work or self.inbox or self.executor.has_answers
        return bool(waits) or self.random.random() < 0.1

    def _peril(self, engine: SimulatedEngine) -> float:
        """Return how much likelier a crash is now: rare messages shall meet it too."""
        if engine.stage is Stage.IDLE:
            return 1.0
        return 8.0 if any(type(message) in _RARE for message in engine.kernel.handled) else 1.0

    def _ends_at(self, message: KernelMessage) -> bool:
        peril = 4.0 if type(message) in _RARE else 0.1
        return self.danger > 0 and self.random.random() * 100 < self.danger * peril

    def _choose(self, names: tuple[str, ...]) -> None:
        weights = [self._weights[name] for name in names]
        name = self.random.choices(names, weights)[0]
        ACTIONS[name](self)

    # -- time and messages -----------------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Let time pass: mostly little, sometimes until the next thing is due, sometimes a day."""
        random = self.random
        self.clock.advance(random.choice((0.001, 0.01, 0.1, random.random(), random.random() * 10.0)))
        if random.random() < 0.6:
            self.clock.advance_to(min(self._due(), default=0.0))
        elif random.random() < 0.01:
            self.clock.advance(86_400.0)
        self.fetch()
        self.say("time passes")

    def _due(self) -> list[float]:
        """Return when something will happen by itself: the next answer, the next timer."""
        timer = self.engine.kernel.timers.next_due(self.clock.now()) if self.engine is not None else None
        return [time for time in (self.executor.next_s(), timer) if time is not None]

    def fetch(self) -> None:
        """Take over what the executor has answered by now."""
        for answer in self.executor.due(self.clock.now()):
            self.say(f"answer {_named(answer)}")
            self.inbox.append(answer)

    def deliver(self) -> None:
        """Hand some of what has come to the kernel, in any order."""
        assert self.engine is not None
        self.fetch()
        for _ in range(self.random.choice((1, 2, 10))):
            if not self.inbox:
                return
            message = self.inbox.pop(self.random.randrange(len(self.inbox)))
            self.say(f"deliver {_named(message)}")
            self.engine.kernel.deliver(message)

    def deliver_late(self) -> None:
        """Hand the kernel an answer nobody waits for any more."""
        message = self.executor.late()
        if message is not None and self.engine is not None:
            self.say(f"deliver late {_named(message)}")
            self.engine.kernel.deliver(message)

    def ask(self) -> None:
        """Let people ask for something."""
        assert self.engine is not None
        people = self.people
        make: Callable[[], KernelMessage | None] = self.random.choice(
            (people.spawn, people.spawn, people.intervene, people.intervene, people.handle_actor, people.repeat)
        )
        message = make()
        if message is not None:
            self.say(f"ask {_named(message)}")
            self.engine.kernel.deliver(message)

    def cycle(self) -> None:
        """Take over what has come, and go round once without a pause."""
        engine = self.engine
        assert engine is not None
        self.deliver()
        self.run()
        if self.engine is engine:
            self._finish_batch(engine)

    # -- an engine's steps -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start an engine over what is on disk; sometimes one that does not know every workflow."""
        known = dict(self.definitions)
        if self.random.random() < 0.1:
            known.pop(self.random.choice(sorted(known)))
        self._start(known)

    def _start(self, known: dict[str, object]) -> None:
        definitions = {name: self.definitions[name] for name in known}
        catalog = Catalog()
        for definition in definitions.values():
            catalog.register(definition)
        self.checks.know(definitions)
        self.engine = SimulatedEngine(catalog, self.around, self.capacity)
        self.engine.kernel.ends_at = self._ends_at
        self.say(f"start with {sorted(known)}: {len(self.engine.found.awake)} awake")

    def visit(self) -> None:
        """Let a person intervene while no engine runs: a kernel without handlers handles this one message."""
        message = self.people.intervene()
        if message is None:
            return
        self.say(f"visit {_named(message)}")
        self.checks.know({}, visiting=True)
        kernel = ProbedKernel(self.store, Catalog(), visiting=True)
        kernel.begin_batch()
        kernel.deliver(message)
        while True:
            batch = kernel.run(self.clock.now())
            require(not batch.starts, "a visit starts nothing", message)
            if batch.writes:
                self.store.commit(batch.writes)
            kernel.committed()
            for reply in batch.replies:
                self.people.answered(reply, alone=False)
            if not kernel.has_work:
                break
        require(not self.people.requests, "every request is answered", message)

    def run(self) -> None:
        """Let the kernel handle messages, some or all."""
        engine = self.engine
        assert engine is not None
        random = self.random
        budget = random.choice((1, 2, 3, 10, 1_000, 1_000))
        try:
            batch = engine.run(budget)
        except Crashed:
            message = engine.kernel.handled[-1]
            self.say(f"crash before {_named(message)}")
            self._crashed([message], CrashPoint.QUEUED)
            return
        handled = ", ".join(_named(message) for message in engine.kernel.handled)
        self.say(f"run {budget}: {handled or 'nothing'}; {len(batch.writes)} writes")
        self._maybe_over(engine)

    def commit(self) -> None:
        """Commit the batch, which may go wrong in every way."""
        engine = self.engine
        assert engine is not None
        fault = None
        if engine.batch.writes and self.random.random() * 100 < self.danger * self._peril(engine):
            fault = self.random.choice(tuple(CommitFault))
        self.store.fault = fault
        try:
            done = engine.commit()
        except (Crashed, StoreFailed):
            self.say(f"commit fails: {fault.value if fault else ''}")
            if engine.is_last and fault in (CommitFault.FAILED_LATE, CommitFault.CRASH_WRITTEN):
                self.checks.stopped()
            self._crashed(engine.kernel.handled, CrashPoint.COMMITTING)
            return
        self.say("commit" if done else "commit finds no room")
        self._maybe_over(engine)

    def release(self) -> None:
        """Let go of some effects, or all."""
        engine = self.engine
        assert engine is not None
        engine.release(self.random.choice((1, 2, 100) if self._peril(engine) == 1.0 else (1, 1, 1, 1, 100)))
        self.say("release")
        self._maybe_over(engine)

    def _maybe_over(self, engine: SimulatedEngine) -> None:
        if engine.stage is Stage.COMMITTED and engine.is_last and engine.released >= len(engine.effects):
            self.checks.stopped()
            self._gone()
            self.say("stopped cleanly")
        elif engine.stage is Stage.IDLE:
            self.liveness.idle(engine, self.inbox)

    def crash(self) -> None:
        """End the engine's process here."""
        engine = self.engine
        assert engine is not None
        if engine.stage is Stage.IDLE:
            point, messages = CrashPoint.QUEUED, engine.kernel.waiting_messages()
        elif engine.stage is Stage.RAN:
            point, messages = CrashPoint.HANDLED, engine.kernel.handled
        else:
            point = CrashPoint.RELEASING if engine.released else CrashPoint.COMMITTED
            messages = engine.kernel.handled
        self.say(f"crash {point.value}")
        self._crashed(messages, point)

    def _crashed(self, messages: list[KernelMessage], point: CrashPoint) -> None:
        self.outcome.coverage.note((type(message).__name__ for message in messages), point)
        self.outcome.crashes += 1
        self.checks.crashed()
        self._gone()

    def _gone(self) -> None:
        self.engine = None
        self.inbox.clear()
        self.executor.crash()
        self.people.crashed()
        self.releases.crashed()
        self.probe.disarm()

    def stop(self) -> None:
        """Stop cleanly: handle what has come without starting anything, then say that it was clean."""
        engine = self.engine
        assert engine is not None
        engine.kernel.draining = True
        engine.set_capacity(0)
        self.say("stop")
        while True:
            if not self._whole_cycle(engine):
                return
            if not engine.kernel.handled:
                break
        engine.stop()
        self._finish_batch(engine)

    def _whole_cycle(self, engine: SimulatedEngine) -> bool:
        """Run, commit and release; False: the engine crashed on the way."""
        self.run()
        return self.engine is engine and self._finish_batch(engine)

    def _finish_batch(self, engine: SimulatedEngine) -> bool:
        while self.engine is engine and engine.stage is Stage.RAN:
            self.commit()
        while self.engine is engine and engine.stage is Stage.COMMITTED:
            self.release()
        return self.engine is engine

    # -- what else may happen --------------------------------------------------------------------------------

    def change_capacity(self) -> None:
        """Give the executor more slots, or fewer."""
        assert self.engine is not None
        self.capacity = self.random.choice((0, 1, 1, 2, 4, 16))
        self.engine.set_capacity(self.capacity)
        self.say(f"{self.capacity} slots")

    def plant_fault(self) -> None:
        """Let an actor raise soon, once or several times in a row."""
        random = self.random
        calls, faults, period = (
            random.choice((0, 1, 3, 10, 30)),
            random.choice((1, 1, 2, 3, 3, 4, 6, 7)),
            random.choice((1, 1, 2)),
        )
        self.probe.arm(after_calls=calls, faults=faults, period=period)
        self.say(f"plant {faults} faults after {calls} calls")

    def compare(self) -> None:
        """What is in memory is what would be read from the store."""
        assert self.engine is not None
        self.liveness.compare(self.engine)
        self.say("compare")

    # -- the end ---------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Let faults stop, and drive everything to where nothing moves any more."""
        self.world.calm = True
        self.capacity = max(1, self.capacity)
        self.danger = 0.0
        self._settle_down()
        for turn in range(_MOST_ROUNDS):
            self._drive()
            if not self._help(turn):
                break
        else:
            raise Violation("everything ends", "instances go on for ever")
        self.liveness.ended()
        self.checks.check_histories()
        self.say(f"end: {self.checks.fired} fired, {self.outcome.crashes} crashes")

    def _settle_down(self) -> None:
        if self.engine is not None and self.random.random() < 0.5:
            self.crash()
        elif self.engine is not None:
            self._finish_batch(self.engine)
        self.probe.disarm()
        if self.engine is None or set(self.checks.definitions) != set(self.definitions) or self.engine.kernel.broken():
            if self.engine is not None:
                self.crash()
            self._start(dict(self.definitions))
        assert self.engine is not None
        self.engine.set_capacity(self.capacity)

    def _drive(self) -> None:
        """Go on until nothing moves by itself."""
        engine = self.engine
        assert engine is not None
        for _ in range(_MOST_CYCLES):
            self.fetch()
            while self.inbox:
                engine.kernel.deliver(self.inbox.pop(0))
            self._whole_cycle(engine)
            if engine.kernel.has_work or self.executor.has_answers:
                continue
            due = self._due()
            if not due:
                return
            self.clock.advance_to(min(due) + 0.001)
        raise Violation("everything ends", f"{_MOST_CYCLES} cycles were not enough")

    def _help(self, turn: int) -> bool:
        """Do what people must do; False: there is nothing to do."""
        assert self.engine is not None
        messages: list[KernelMessage] = []
        for instance in self.people.instances:
            image = self.people.image(instance)
            if image is None or image.is_over:
                continue
            if image.header.intent is Intent.PAUSE:
                messages.append(self.people.send(self.people.resume(instance)))
            how = "fail" if turn > 3 else self.random.choice(("retry", "skip", "fail"))
            ending = image.header.intent in (Intent.CANCEL, Intent.FAIL)
            for number in [parked.number for parked in image.parked] if ending else image.incidents:
                messages.append(self.people.send(self.people.settle(instance, number, "retry" if ending else how)))
        for message in messages:
            self.say(f"ask {_named(message)}")
            self.engine.kernel.deliver(message)
        return bool(messages)


_RARE = (Cancel, Due, FailIncident, Grant, Park, Pause, Resume, RetryIncident, RunAlone, SkipIncident, Withdrawn)
_MOST_ROUNDS = 12
_MOST_CYCLES = 4_000


def _named(message: KernelMessage | None) -> str:
    if message is None:
        return "nothing"
    number = getattr(message, "number", None)
    where = getattr(message, "instance", None) or getattr(message, "root", b"").hex()[-4:]
    attempt = f".{getattr(message, 'attempt')}" if hasattr(message, "attempt") else ""
    return f"{type(message).__name__}({where}{'' if number is None else f' {number}{attempt}'})"


ACTIONS: dict[str, Callable[[Simulation], None]] = {
    "pass_time": Simulation.pass_time,
    "deliver": Simulation.deliver,
    "deliver_late": Simulation.deliver_late,
    "ask": Simulation.ask,
    "start": Simulation.start,
    "run": Simulation.run,
    "commit": Simulation.commit,
    "release": Simulation.release,
    "cycle": Simulation.cycle,
    "stop": Simulation.stop,
    "visit": Simulation.visit,
    "change_capacity": Simulation.change_capacity,
    "plant_fault": Simulation.plant_fault,
    "compare": Simulation.compare,
}
_WEIGHTS = {
    "pass_time": 10,
    "deliver": 20,
    "deliver_late": 1,
    "ask": 10,
    "start": 20,
    "run": 30,
    "commit": 30,
    "release": 30,
    "cycle": 20,
    "stop": 0.5,
    "visit": 5,
    "change_capacity": 1,
    "plant_fault": 2,
    "compare": 3,
}
_OPTIONAL = frozenset({"deliver_late", "stop", "visit", "change_capacity", "plant_fault"})
_WHEN_DOWN = ("start", "pass_time", "visit")
_WHEN_IDLE = (
    "pass_time",
    "deliver",
    "deliver_late",
    "ask",
    "run",
    "cycle",
    "stop",
    "change_capacity",
    "plant_fault",
    "compare",
)
_WHEN_AT_REST = ("pass_time", "ask", "stop", "change_capacity", "plant_fault", "compare", "deliver_late")
_WHEN_RAN = ("commit", "pass_time", "ask")
_WHEN_COMMITTED = ("release", "pass_time", "ask")
