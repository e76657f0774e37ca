"""Several engines by hand, each over a store in memory, with a table of owners and a network between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from placet.actors.answers import Answer
from placet.actors.catalog import Catalog
from placet.actors.effects import Batch, Start
from placet.actors.inputs import fingerprint
from placet.actors.messages import Acknowledged, Cancel, KernelMessage, Parcel, Spawn
from placet.actors.reader import InstanceView, StateReader
from placet.actors.shards.messages import Assigned, BetweenEngines, Forward, MoveEnded, Row
from placet.persistence.keys import shard_of
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode
from placet.petri.behaviour import THREAD
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow
from placet.testing.clock import ManualClock
from placet.testing.probes import ProbedKernel

Letter: TypeAlias = BetweenEngines | Parcel | Acknowledged | Forward


@dataclass
class Member:
    """One engine, over a store that outlives it."""

    name: str
    group: "Group"
    store: MemoryStore = field(default_factory=MemoryStore)
    answers: dict[int, Answer] = field(default_factory=dict[int, Answer])
    started: list[Start] = field(default_factory=list[Start])
    moves: list[MoveEnded] = field(default_factory=list[MoveEnded])
    batches: list[Batch] = field(default_factory=list[Batch])
    ahead_s: float = 0.0  # of the clocks of the others, as its host's wall clock is

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start a fresh engine over what is committed: nothing is open."""
        catalog = Catalog()
        self.nets = {one.name: catalog.register(one.definition()) for one in self.group.workflows}
        self.kernel = ProbedKernel(self.store, catalog, engine=self.name)
        self.kernel.recover()
        self.kernel.set_capacity(THREAD, 100)

    def hear(self, *, is_new: bool = False) -> None:
        """Be told all that the table says."""
        rows = tuple(self.group.row(shard) for shard in sorted(self.group.table))
        self.kernel.receive(Assigned(rows, is_new))

    def run(self) -> Batch:
        """Run one batch, commit it, and let its effects go."""
        self.kernel.begin_batch()
        now = self.group.clock.now() + self.ahead_s
        batch = self.kernel.run(now, wall=now)
        self.settle(batch)
        return batch

    def settle(self, batch: Batch) -> None:
        """Commit a batch, and let its effects go."""
        self.store.commit(batch.writes)
        self.kernel.committed()
        self.batches.append(batch)
        self.started += [start for starts in batch.starts.values() for start in starts]
        self.answers |= {reply.reply: reply.answer for reply in batch.replies}
        self.moves += batch.moves
        self.group.carry(self, batch)

    def tell(self, message: KernelMessage) -> None:
        """Hand the kernel a message, and run."""
        self.kernel.deliver(message)
        self.run()

    def spawn(self, workflow: Workflow, instance: str, tokens: dict[str, Sequence[object]], reply: int = 0) -> None:
        """Ask for an instance."""
        definition = workflow.definition()
        plan = make_plan(definition.net, definition.behaviours)
        values = [(name, value) for name, some in tokens.items() for value in some]
        self.tell(
            Spawn(
                instance=instance,
                reply=reply,
                workflow=definition.name,
                version=definition.version,
                net=self.nets[definition.name],
                tokens=tuple((plan.place_index[name], encode(value)) for name, value in values),
                inputs=fingerprint(values),
                incarnation=7,
            )
        )

    def instance(self, instance: str) -> InstanceView | None:
        """Return what readers see."""
        return StateReader(self.store).instance(instance)

    @property
    def here(self) -> set[int]:
        """The shards whose instances may run."""
        assert self.kernel.shards is not None
        return self.kernel.shards.here


class Group:
    """Engines `a`, `b`, …; all shards are those of `a` at first. What is sent stays in `letters` until `pump`."""

    def __init__(self, *workflows: Workflow, engines: str = "ab") -> None:
        self.workflows = workflows
        self.clock = ManualClock()
        self.table: dict[int, tuple[int, str]] = dict.fromkeys(range(256), (1, engines[0]))
        self.restored: dict[int, tuple[int, str]] = {}  # (era, name of the restore) by shard
        self.letters: list[tuple[str, Letter]] = []
        self.loses: Callable[[Letter], bool] = lambda _letter: False
        self.members = {name: Member(name, self) for name in engines}
        first = self.members[engines[0]]
        first.hear(is_new=True)
        first.run()
        self.is_up = True  # the coordinator

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def row(self, shard: int) -> Row:
        """Return what the table says of a shard."""
        epoch, engine = self.table[shard]
        era, restore = self.restored.get(shard, (0, ""))
        return Row(shard, epoch, engine, era, restore if era == epoch else "")

    def owner(self, instance: str) -> Member:
        """Return the engine the table gives an instance to."""
        return self.members[self.table[shard_of(instance)][1]]

    def carry(self, sender: Member, batch: Batch) -> None:
        """Take what a batch sends."""
        self.letters += batch.between
        for parcel in batch.parcels:
            self.letters.append((self.table[parcel.channel[1]][1], parcel))
        for acknowledged in batch.acknowledgements.values():
            self.letters.append((self.table[acknowledged.channel[0]][1], acknowledged))
        for forward in batch.forwards:
            self.letters.append((self.table[forward.root[1]][1], forward))
        for confirm in batch.confirms:
            row = confirm.row
            if self.is_up and self.table[row.shard][0] == row.epoch - 1:
                self.table[row.shard] = (row.epoch, row.engine)
                if row.era == row.epoch:
                    self.restored[row.shard] = (row.era, row.restore)
            if self.is_up:
                sender.kernel.receive(Assigned((self.row(row.shard),)))

    def pump(self, until: Callable[[], bool] | None = None, *, steps: int = 400) -> None:
        """Let all arrive and all engines run until nothing moves, or `until` holds."""
        for _ in range(steps):
            if until is not None and until():
                return
            if self.letters:
                name, letter = self.letters.pop(0)
                if not self.loses(letter):
                    self.arrive(name, letter)
            elif not self._run():
                assert until is None, "it never comes"
                return
        raise AssertionError("it never ends")

    def _run(self) -> bool:
        """Let all run that have something to do; False: none has."""
        busy = [member for member in self.members.values() if member.kernel.has_work]
        for member in busy:
            member.run()
        return bool(busy)

    def arrive(self, name: str, letter: Letter) -> None:
        """Give an engine one letter, and let it run."""
        member = self.members[name]
        if isinstance(letter, Forward):
            member.kernel.deliver(letter)
        else:
            member.kernel.receive(letter)
        member.run()

    def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps, with all that is due in it."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.advance(min(0.6, end - self.clock.now()))
            for member in self.members.values():
                member.run()
            self.pump()

    def move(self, shard: int, source: str, to: str, move: str = "m") -> None:
        """Begin a move."""
        shards = self.members[source].kernel.shards
        assert shards is not None
        shards.move(shard, to, move)


def cancel(instance: str, reply: int = 0) -> Cancel:
    return Cancel(instance=instance, by="eva", reply=reply)
