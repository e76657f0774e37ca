"""All that can happen to an engine and around it, one method each: what a scheduler picks from."""

from collections.abc import Callable, Iterable, Sequence

from placet.actors.catalog import Catalog
from placet.actors.messages import (
    Acknowledged,
    Cancel,
    Due,
    ExecutorAnswer,
    FailIncident,
    Grant,
    Import,
    KernelMessage,
    Lost,
    Parcel,
    Park,
    Pause,
    Resume,
    RetryIncident,
    RunAlone,
    Sent,
    SkipIncident,
    Withdrawn,
    decode_delivery,
)
from placet.actors.shards.messages import Assigned, ShardMessage
from placet.persistence.errors import StoreFailed
from placet.testing.coverage import CrashPoint, Handled, kinds
from placet.testing.engine import SimulatedEngine, Stage
from placet.testing.errors import require
from placet.testing.liveness import Liveness
from placet.testing.network import Letter
from placet.testing.probes import ProbedKernel
from placet.testing.setting import Setting
from placet.testing.store import CommitFault, Crashed

_RARE = (
    Cancel,
    Due,
    FailIncident,
    Grant,
    Import,
    Lost,
    Park,
    Pause,
    Resume,
    RetryIncident,
    RunAlone,
    SkipIncident,
    Withdrawn,
)


class Actions:
    """Holds the engine, if one is up, and what has come for it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.engine: SimulatedEngine | None = None
        self.inbox: list[KernelMessage] = []  # answers of the executor, not delivered yet
        self.capacity = setting.random.choice((1, 2, 4, 16))
        self.liveness = Liveness(setting)

    @property
    def up(self) -> SimulatedEngine:
        """The engine, which must be up."""
        assert self.engine is not None
        return self.engine

    def peril(self, engine: SimulatedEngine) -> float:
        """Return how much likelier a crash is now: rare messages shall meet it too."""
        if engine.stage is Stage.IDLE:
            return 1.0
        handled = {type(message) for message in engine.kernel.handled}
        return 24.0 if Withdrawn in handled else 8.0 if handled.intersection(_RARE) else 1.0

    def _ends_at(self, message: KernelMessage) -> bool:
        peril = 4.0 if type(message) in _RARE else 0.1
        return self.setting.danger > 0 and self.setting.random.random() * 100 < self.setting.danger * peril

    # -- time and messages -----------------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Let time pass: mostly little, sometimes until the next thing is due, sometimes a day."""
        random = self.setting.random
        self.setting.clock.advance(random.choice((0.001, 0.01, 0.1, random.random(), random.random() * 10.0)))
        if random.random() < 0.6:
            self.setting.clock.advance_to(min(self.due(), default=0.0))
        elif random.random() < 0.01:
            self.setting.clock.advance(86_400.0)
        self.fetch()
        self.setting.say("time passes")

    def due(self) -> list[float]:
        """Return when something will happen by itself: the next answer, the next timer."""
        timer = self.engine.kernel.next_due(self.setting.clock.now()) if self.engine is not None else None
        return [time for time in (self.setting.executor.next_s(), timer) if time is not None]

    def fetch(self) -> None:
        """Take over what the executor has answered by now."""
        for answer in self.setting.executor.due(self.setting.clock.now()):
            self.setting.say(f"answer {named(answer)}")
            self.inbox.append(answer)

    def deliver(self) -> None:
        """Hand some of what has come to the kernel, in any order."""
        self.fetch()
        for _ in range(self.setting.random.choice((1, 2, 10))):
            if not self.inbox:
                return
            message = self.inbox.pop(self.setting.random.randrange(len(self.inbox)))
            self.setting.say(f"deliver {named(message)}")
            self.up.kernel.deliver(message)

    def deliver_late(self) -> None:
        """Hand the kernel an answer nobody waits for any more."""
        message = self.setting.executor.late()
        if message is not None and self.engine is not None:
            self.setting.say(f"deliver late {named(message)}")
            self.up.kernel.deliver(message)

    def ask(self) -> None:
        """Let people ask for something."""
        people = self.setting.people
        if not people.shards:
            return
        make: Callable[[], KernelMessage | None] = self.setting.random.choice(
            (
                *(people.spawn,) * 3,
                *(people.intervene,) * 4,
                *(people.handle_actor, people.handle_actor),
                *(people.repeat, people.repeat),
                people.copy,
            )
        )
        message = make()
        if message is not None:
            self.setting.say(f"ask {named(message)}")
            self.up.kernel.deliver(message)

    def cycle(self) -> None:
        """Take over what has come, and go round once without a pause."""
        engine = self.up
        self.deliver()
        self.run()
        if self.engine is engine:
            self.finish_batch(engine)

    # -- an engine's steps -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start an engine over what is on disk; sometimes one that does not know every workflow."""
        known = list(self.setting.definitions)
        if self.setting.random.random() < 0.1:
            known.remove(self.setting.random.choice(known))
        self.start_with(known)

    def start_with(self, known: Iterable[str]) -> None:
        """Start an engine that knows these workflows."""
        definitions = {name: self.setting.definitions[name] for name in known}
        catalog = Catalog()
        for definition in definitions.values():
            catalog.register(definition)
        self.setting.checks.know(definitions)
        self.engine = SimulatedEngine(catalog, self.setting, self.capacity)
        self.engine.kernel.ends_at = self._ends_at
        self.setting.say(f"start with {sorted(known)}: {len(self.engine.found.awake)} awake")
        if self.setting.homes is not None:
            self.setting.network.tell(self.setting.number, range(256))

    def visit(self) -> None:
        """Let a person intervene while no engine runs: a kernel without handlers handles this one message."""
        people = self.setting.people
        message = people.copy() if self.setting.random.random() < 0.2 else people.intervene()
        if message is None:
            return
        self.setting.say(f"visit {named(message)}")
        self.setting.checks.know({}, visiting=True)
        kernel = ProbedKernel(self.setting.store, Catalog(), visiting=True)
        kernel.portion = self.setting.portion
        kernel.begin_batch()
        kernel.deliver(message)
        while True:
            batch = kernel.run(self.setting.clock.now())
            require(not batch.starts, "a visit starts nothing", message)
            if batch.writes:
                self.setting.store.commit(batch.writes)
            kernel.committed()
            for reply in batch.replies:
                self.setting.people.answered(reply, alone=False)
            if not kernel.has_work:
                break
        require(not self.setting.people.requests, "every request is answered", message)

    def run(self) -> None:
        """Let the kernel handle messages, some or all."""
        engine = self.up
        random = self.setting.random
        budget = random.choice((1, 2, 3, 10, 1_000, 1_000))
        shards = engine.kernel.shards
        if shards is not None and shards.departures.leaving and self.setting.network.luck.random() < 0.6:
            budget = 0  # messages pile up, so that some are left where shards are frozen
        try:
            batch = engine.run(budget)
        except Crashed:
            message = engine.kernel.handled[-1]
            self.setting.say(f"crash before {named(message)}")
            self._crashed([message], CrashPoint.QUEUED)
            return
        handled = ", ".join(named(message) for message in engine.kernel.handled)
        self.setting.say(f"run {budget}: {handled or 'nothing'}; {len(batch.writes)} writes")
        self._maybe_over(engine)

    def commit(self) -> None:
        """Commit the batch, which may go wrong in every way."""
        engine = self.up
        fault = None
        if engine.batch.writes and self.setting.random.random() * 100 < self.setting.danger * self.peril(engine):
            fault = self.setting.random.choice(tuple(CommitFault))
        self.setting.store.fault = fault
        try:
            done = engine.commit()
        except (Crashed, StoreFailed):
            self.setting.say(f"commit fails: {fault.value if fault else ''}")
            if engine.is_last and fault in (CommitFault.FAILED_LATE, CommitFault.CRASH_WRITTEN):
                self.setting.checks.stopped(lambda shard: not engine.runs(shard))
            self._crashed(engine.kernel.handled, CrashPoint.COMMITTING)
            return
        self.setting.say("commit" if done else "commit finds no room")
        self._maybe_over(engine)

    def release(self) -> None:
        """Let go of some effects, or all."""
        engine = self.up
        engine.release(self.setting.random.choice((1, 2, 100) if self.peril(engine) == 1.0 else (1, 1, 1, 1, 100)))
        self.setting.say("release")
        self._maybe_over(engine)

    def _maybe_over(self, engine: SimulatedEngine) -> None:
        if engine.stage is Stage.COMMITTED and engine.is_last and engine.released >= len(engine.effects):
            self.setting.checks.stopped(lambda shard: not engine.runs(shard))
            self._gone()
            self.setting.say("stopped cleanly")
        elif engine.stage is Stage.IDLE:
            self.liveness.idle(engine, self.inbox)

    def crash(self) -> None:
        """End the engine's process here."""
        engine = self.up
        if engine.stage is Stage.IDLE:
            point, messages = CrashPoint.QUEUED, engine.kernel.waiting_messages()
        elif engine.stage is Stage.RAN:
            point, messages = CrashPoint.HANDLED, engine.kernel.handled
        else:
            point = CrashPoint.RELEASING if engine.released else CrashPoint.COMMITTED
            messages = engine.kernel.handled
        self.setting.say(f"crash {point.value}")
        self._crashed(messages, point)

    def _crashed(self, messages: Sequence[Handled], point: CrashPoint) -> None:
        self.setting.outcome.coverage.note((kind for message in messages for kind in kinds(message)), point)
        self.setting.outcome.crashes += 1
        self.setting.checks.crashed()
        self._gone()

    def _gone(self) -> None:
        self.engine = None
        self.inbox.clear()
        self.setting.executor.crash()
        self.setting.people.crashed()
        self.setting.releases.forget_waiting()
        self.setting.probe.disarm()

    def stop(self) -> None:
        """Stop cleanly: handle what has come without starting anything, then say that it was clean."""
        engine = self.up
        engine.kernel.draining = True
        engine.set_capacity(0)
        self.setting.say("stop")
        while True:
            if not self.whole_cycle(engine):
                return
            if not engine.batch.turns:  # what is still being read is not waited for
                break
        engine.stop()
        self.finish_batch(engine)

    def whole_cycle(self, engine: SimulatedEngine) -> bool:
        """Run, commit and release; False: the engine crashed on the way."""
        self.run()
        return self.engine is engine and self.finish_batch(engine)

    def finish_batch(self, engine: SimulatedEngine) -> bool:
        """Commit and release what is left of the batch; False: the engine crashed on the way."""
        while self.engine is engine and engine.stage is Stage.RAN:
            self.commit()
        while self.engine is engine and engine.stage is Stage.COMMITTED:
            self.release()
        return self.engine is engine

    # -- what else may happen --------------------------------------------------------------------------------

    def send_again(self) -> None:
        """Send other engines once more what they have not acknowledged."""
        self.up.kernel.send_again()
        self.setting.say("send again")

    def change_capacity(self) -> None:
        """Give the executor more slots, or fewer."""
        self.capacity = self.setting.random.choice((0, 1, 1, 2, 4, 16))
        lack = self.setting.checks.abroad.lack(self.capacity)
        self.up.set_capacity(self.capacity, lack)
        self.setting.say(f"{self.capacity} slots{lack and ', and no host'}")

    def plant_fault(self) -> None:
        """Let an actor raise soon, once or several times in a row."""
        random = self.setting.random
        calls, faults, period = (
            random.choice((0, 1, 3, 10, 30)),
            random.choice((1, 1, 2, 3, 3, 4, 6, 7)),
            random.choice((1, 1, 2)),
        )
        self.setting.probe.arm(after_calls=calls, faults=faults, period=period)
        self.setting.say(f"plant {faults} faults after {calls} calls")

    def compare(self) -> None:
        """What is in memory is what would be read from the store."""
        self.liveness.compare(self.up)
        self.setting.say("compare")


def named(message: Handled | Letter | None) -> str:
    """Return a message in few words, for the trace."""
    if message is None:
        return "nothing"
    if isinstance(message, ShardMessage):
        return f"{type(message).__name__}({message.shard} {message.move} {getattr(message, 'number', '')})"
    if isinstance(message, Assigned):
        return f"Assigned({len(message.rows)})"
    if isinstance(message, Acknowledged):
        return f"Acknowledged({message.channel} {message.number})"
    if isinstance(message, Parcel):
        return f"Parcel({message.channel} {message.number} {type(decode_delivery(message.message)).__name__})"
    if isinstance(message, Sent):
        return f"Sent({type(decode_delivery(message.message)).__name__} to {message.instance})"
    number = getattr(message, "number", None)
    where = getattr(message, "instance", None) or getattr(message, "root", b"").hex()[-4:]
    attempt = f".{message.attempt}" if isinstance(message, ExecutorAnswer | Park) else ""
    return f"{type(message).__name__}({where}{'' if number is None else f' {number}{attempt}'})"
