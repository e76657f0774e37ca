"""Engines that are backed up, lost, and restored in the midst of everything, under virtual time, driven by a seed.

The simulation of `placet.testing` loses processes and never a disk, since its books go on from commit to commit. Here a
disk goes back to where a backup was: what counts is where everything has come to in the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeAlias

from placet.actors.catalog import Catalog
from placet.actors.copies.backup import as_copy, as_stopped
from placet.actors.copies.restore import NEVER_OWNED
from placet.actors.effects import Batch, Start
from placet.actors.inputs import fingerprint
from placet.actors.messages import (
    Acknowledged,
    CallAgain,
    CalledAgain,
    Cancel,
    Done,
    Failed,
    KernelMessage,
    Parcel,
    RetryIncident,
    Spawn,
    decode_message,
)
from placet.actors.reader import StateReader
from placet.actors.records import Failure
from placet.actors.shards.messages import Assigned, BetweenEngines, Confirm, Forward, Row
from placet.actors.shards.records import (
    Arriving,
    Moved,
    Owned,
    OwnerRecord,
    Restored,
    Staged,
    encode_owner,
    read_owners,
)
from placet.persistence.keys import CHANNEL, LIVE, OUTBOX, owner_key, shard_of, split_channel
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import decode, encode
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow
from placet.testing.coverage import CrashPoint, Handled, kinds
from placet.testing.image import read_image
from placet.testing.network import STRAY_PERMILLE
from placet.testing.probes import ProbedKernel
from tests.hosts.checker import Found

OF_RESTORES = frozenset(
    (kind.__name__, point)
    for kind in (CallAgain, CalledAgain)
    for point in (CrashPoint.QUEUED, CrashPoint.HANDLED, CrashPoint.COMMITTED)
    if (kind, point) != (CalledAgain, CrashPoint.QUEUED)  # what became of a call: it is in no mailbox
)
"""Which crash points the messages of restores can meet."""

Letter: TypeAlias = Parcel | Acknowledged | BetweenEngines | Forward | Assigned


def workflows() -> list[Workflow]:
    """Return a workflow that calls one that calls another: `top` makes 4 * x + 7 of each x."""
    leaf = Workflow("leaf")
    given, made = leaf.places("given made")
    leaf.transition(given >> made, "work", handler=double)
    middle = Workflow("middle")
    first, second, third = middle.places("first second third")
    middle.call(first >> second, "double", leaf)
    middle.transition(second >> third, "add", handler=add, run="inline")
    top = Workflow("top")
    begun, called, stepped, done = top.places("begun called stepped done")
    top.call(begun >> called, "both", middle, timeout_s=900.0)
    top.transition(called >> stepped, "step", handler=add)
    top.call(stepped >> done, "last", leaf)
    return [leaf, middle, top]


def double(value: int) -> int:
    return value * 2


def add(value: int) -> int:
    return value + 1


def made_of(value: int) -> int:
    """Return what `top` makes of a value."""
    return double(add(add(double(value))))


HANDLERS = {"work": double, "step": add}


def given_up() -> MemoryStore:
    """Return the store of an engine whose disk is lost, and of which there is no backup."""
    store = MemoryStore()
    store.commit([(owner_key(shard), encode_owner(Restored(epoch=NEVER_OWNED))) for shard in range(256)])
    return store


def may_write(record: OwnerRecord, row: Row) -> bool:
    """Return whether the table lets an engine write whose disk says so of a shard."""
    is_restored = isinstance(record, Restored) and record.restore == row.restore
    return is_restored or record.epoch == row.epoch


@dataclass
class Host:
    """One engine, its disk, and the backups of that."""

    name: str
    store: MemoryStore = field(default_factory=MemoryStore)
    kernel: ProbedKernel | None = None
    batch: Batch | None = None  # handled, not committed
    effects: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])  # committed, not let go
    running: list[Start] = field(default_factory=list[Start])
    backups: list[MemoryStore] = field(default_factory=list[MemoryStore])
    is_former: bool = False  # an old disk of an engine that was restored elsewhere

    def view(self) -> StateReader:
        return StateReader(self.store)


class World:
    """Hosts, a table of owners, a network, and clients that want `top` to run."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.definitions = [one.definition() for one in workflows()]
        self.now = 1.0
        count = self.random.choice((2, 2, 3))
        self.hosts = [Host(f"e{number}") for number in range(count)]
        self.table: dict[int, Row] = {}
        for shard in range(256):
            host = self.hosts[shard % count]
            self.table[shard] = Row(shard, 1, host.name)
            host.store.commit([(owner_key(shard), encode_owner(Owned(epoch=1)))])
        self.letters: list[tuple[str, Letter]] = []
        self.badness = self.random.choice((0.0, 0.1, 0.3))
        self.wanted: dict[str, list[int]] = {}  # values, by id of the instance
        self.cancelled: set[str] = set()
        self.restores = 0
        self.former: dict[str, list[MemoryStore]] = {host.name: [] for host in self.hosts}  # disks before a restore
        self.moves = 0
        self.met: set[tuple[str, CrashPoint]] = set()

    # -- engines -------------------------------------------------------------------------------------------

    def start(self, host: Host) -> None:
        catalog = Catalog()
        for one in self.definitions:
            catalog.register(one)
        host.kernel = ProbedKernel(host.store, catalog, engine=host.name)
        host.kernel.portion = self.random.choice((1, 3, 2_000))
        host.kernel.recover()
        host.kernel.set_capacity("thread", self.random.choice((1, 3, 100)))
        self.tell(host)

    def tell(self, host: Host) -> None:
        """Have an engine hear what the table says, now or later."""
        rows = [self.table[shard] for shard in range(256)]
        if host.is_former and host.kernel is not None:
            host.kernel.receive(Assigned(tuple(rows)))
        else:
            self.letters.append((host.name, Assigned(tuple(rows))))

    def crash(self, host: Host) -> None:
        self.met |= self.at_hand(host)
        host.kernel, host.batch = None, None
        host.effects.clear()
        host.running.clear()

    def at_hand(self, host: Host) -> set[tuple[str, CrashPoint]]:
        """Return which messages would meet which crash point if an engine ended now."""
        kernel = host.kernel
        if kernel is None:
            return set()
        waiting: list[Handled] = kernel.waiting_messages() if host.batch is None else kernel.handled
        point = CrashPoint.HANDLED if host.batch is not None else CrashPoint.QUEUED
        if host.effects:
            waiting, point = kernel.handled, CrashPoint.COMMITTED
        return {(kind, point) for message in waiting for kind in kinds(message)}

    def step(self, host: Host) -> None:
        """Take the next of an engine's steps."""
        kernel = host.kernel
        if kernel is None:
            self.start(host)
        elif host.batch is not None:
            self.commit(host, host.batch)
        elif host.effects:
            host.effects.pop(0)()
        else:
            kernel.begin_batch()
            self.now += 0.0001
            host.batch = kernel.run(self.now, self.random.choice((1, 2, 5, 1_000)), wall=self.now)

    def commit(self, host: Host, batch: Batch) -> None:
        assert host.kernel is not None
        if host.is_former:
            owners = dict(read_owners(host.store))
            written = {key[1] for key, value in batch.writes if key[:1] == LIVE and value is not None}
            outdated = [
                (owners[one], self.table[one]) for one in written if not may_write(owners[one], self.table[one])
            ]
            assert not outdated, f"a former owner commits: {outdated}"
        host.store.commit(batch.writes)
        host.kernel.committed()
        host.batch = None
        host.effects = list(self.effects_of(host, batch))

    def effects_of(self, host: Host, batch: Batch) -> Iterator[Callable[[], None]]:
        """Yield what a batch does to the world, one thing after the other."""
        for starts in batch.starts.values():
            for start in starts:
                yield partial(host.running.append, start)
        for parcel in batch.parcels:
            yield partial(self.send, self.owner(parcel.channel[1]), parcel)
        for said in batch.acknowledgements.values():
            yield partial(self.send, self.owner(said.channel[0]), said)
        for forward in batch.forwards:
            yield partial(self.send, self.owner(forward.root[1]), forward)
        for name, between in batch.between:
            yield partial(self.send, name, between)
        for confirm in batch.confirms:
            yield partial(self.confirm, host, confirm)

    def owner(self, shard: int) -> str:
        if self.badness and self.random.randrange(1_000) < STRAY_PERMILLE:
            return self.random.choice(self.hosts).name
        return self.table[shard].engine

    def send(self, name: str, letter: Letter) -> None:
        self.letters.append((name, letter))

    def confirm(self, host: Host, asked: Confirm) -> None:
        """Let the table change a row, if it is still as it was, and answer."""
        row, known = asked.row, self.table[asked.row.shard]
        if known.epoch == row.epoch - 1:
            is_restore = row.era == row.epoch
            era, restore = (row.era, row.restore) if is_restore else (known.era, "")
            self.table[row.shard] = Row(row.shard, row.epoch, row.engine, era, restore)
        self.send(host.name, Assigned((self.table[row.shard],)))

    # -- what happens --------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """Let a letter arrive, be lost, or come twice."""
        name, letter = self.letters.pop(self.random.randrange(len(self.letters)) if self.badness else 0)
        if self.random.random() < self.badness / 2:
            return
        if self.random.random() < self.badness / 2:
            self.letters.append((name, letter))
        host = next(one for one in self.hosts if one.name == name)
        if host.kernel is None:
            return
        if isinstance(letter, Forward):
            host.kernel.deliver(letter)
        else:
            host.kernel.receive(letter)

    def answer(self, host: Host) -> None:
        """Let a handler return, or raise."""
        if host.kernel is None or not host.running:
            return
        start = host.running.pop(self.random.randrange(len(host.running)))
        root, transition, number = start.root, start.transition.index, start.number
        if self.random.random() < 0.05:
            failure = Failure(type="ValueError", message="bad luck", types=("ValueError",))
            failed = Failed(root=root, transition=transition, number=number, attempt=start.attempt, failure=failure)
            host.kernel.deliver(failed)
            return
        value = HANDLERS[start.transition.path](int(str(decode(start.tokens[0][2]))))
        outputs = ((0, encode(value)),)
        host.kernel.deliver(
            Done(root=root, transition=transition, number=number, attempt=start.attempt, outputs=outputs)
        )

    def ask(self, instance: str, message: KernelMessage) -> None:
        host = next(one for one in self.hosts if one.name == self.table[shard_of(instance)].engine)
        if host.kernel is not None:
            host.kernel.deliver(message)

    def spawn(self, instance: str) -> None:
        top = self.definitions[-1]
        plan = make_plan(top.net, top.behaviours)
        wanted = self.wanted[instance]  # in any order: where it has to begin again, another firing has another value
        values = [("begun", value) for value in self.random.sample(wanted, len(wanted))]
        self.ask(
            instance,
            Spawn(
                instance=instance,
                workflow=top.name,
                version=top.version,
                net=Catalog().register(top),
                tokens=tuple((plan.place_index[name], encode(value)) for name, value in values),
                inputs=fingerprint(values),
                incarnation=7,
            ),
        )

    def back_up(self, host: Host) -> None:
        """Make a backup as `placet backup` does, of an engine that runs or not."""
        copy = host.store.snapshot()
        as_stopped(copy) if host.kernel is not None else as_copy(copy)
        host.backups.append(copy)

    def restore(self, host: Host) -> None:
        """Lose a disk, and go on with a backup of it, if there is one that has all shards."""
        whole = [backup for backup in host.backups if self.is_whole(host, backup)]
        is_lost = self.random.random() < 0.2 and not self.coming(host)
        if whole or is_lost:
            self.crash(host)
            self.former[host.name].append(host.store)
            host.store = given_up() if is_lost else self.random.choice(whole).snapshot()
            self.restores += 1

    def is_whole(self, host: Host, backup: MemoryStore) -> bool:
        """Return whether a backup has something of each shard that is its engine's, or about to be."""
        known = {shard for shard, record in read_owners(backup) if isinstance(record, Restored | Staged)}
        mine = {shard for shard, row in self.table.items() if row.engine == host.name}
        staged = {(shard, one.move) for shard, one in read_owners(backup) if isinstance(one, Staged)}
        return mine <= known and self.coming(host) <= staged

    def coming(self, host: Host) -> set[tuple[int, str]]:
        """Return the shards that others have let go of for an engine, or may yet, each with its move."""
        records = [record for other in self.hosts for record in read_owners(other.store)]
        let_go = [(shard, one) for shard, one in records if isinstance(one, Moved) and not one.settled]
        staged = {(shard, one.move) for shard, one in read_owners(host.store) if isinstance(one, Staged)}
        return staged | {(shard, one.move) for shard, one in let_go if one.to == host.name}

    def return_of(self, host: Host) -> None:
        """Start an engine by mistake on a disk it had before a restore; nothing that it says gets anywhere."""
        former = Host(host.name, self.random.choice(self.former[host.name]).snapshot(), is_former=True)
        for _ in range(3):
            self.step(former)

    def move(self, host: Host) -> None:
        kernel = host.kernel
        assert kernel is not None
        assert kernel.shards is not None
        free = sorted(kernel.shards.here - kernel.shards.departures.leaving.keys())
        busy = sorted({key[1] for key, _ in host.store.scan(LIVE)} & set(free))
        target = self.random.choice([one for one in self.hosts if one is not host])
        if host.batch is None and not host.effects and (busy or free):
            self.moves += 1
            kernel.shards.move(self.random.choice(busy or free), target.name, f"m{self.moves}")

    def play(self, steps: int) -> None:
        """Let things happen."""
        random = self.random
        for _ in range(steps):
            luck, host = random.random(), random.choice(self.hosts)
            if luck < 0.35:
                ends = self.at_hand(host) & (OF_RESTORES - self.met) and random.random() < 0.7
                self.crash(host) if ends else self.step(host)
            elif luck < 0.65:
                if self.letters:
                    self.arrive()
            elif luck < 0.80:
                self.answer(host)
            elif luck < 0.83:
                self.want()
            elif luck < 0.85:
                self.crash(host)
            elif luck < 0.86:
                self.back_up(host)
            elif luck < 0.868:
                if host.backups:
                    self.restore(host)
            elif luck < 0.872:
                if self.former[host.name]:
                    self.return_of(host)
            elif luck < 0.88:
                if host.kernel is not None:
                    self.move(host)
            elif luck < 0.90:
                self.tell(host)
            elif luck < 0.93:
                if host.kernel is not None:
                    host.kernel.send_again()
            elif luck < 0.935 and self.wanted:
                instance = random.choice(sorted(self.wanted))
                self.cancelled.add(instance)
                self.ask(instance, Cancel(instance=instance, by="eva"))
            else:
                self.now += random.choice((0.01, 0.6, 2.0, 20.0))

    def want(self) -> None:
        """Have a client ask for an instance, a new one or once more."""
        if self.wanted and self.random.random() < 0.3:
            self.spawn(self.random.choice(sorted(self.wanted)))
        elif len(self.wanted) < 8:
            instance = f"i{len(self.wanted)}"
            self.wanted[instance] = [self.random.randrange(100) for _ in range(self.random.choice((1, 1, 2, 3)))]
            self.spawn(instance)

    # -- the end -------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Lose nothing more, and go on until nothing moves, with clients that ask again and people who retry."""
        self.badness = 0.0
        for host in self.hosts:
            if host.kernel is None:
                self.start(host)
            self.tell(host)
        for _ in range(60):
            self._drive()
            if not self._help():
                return
        raise AssertionError(f"it never ends: {[(one.id, one.image.header.state) for one in self.found()]}")

    def _drive(self) -> None:
        for second in range(40):
            for host in self.hosts:
                assert host.kernel is not None
                host.kernel.send_again()
                if second % 10 == 0:
                    self.tell(host)
            for _ in range(2_000):
                busy = False
                while self.letters:
                    self.arrive()
                for host in self.hosts:
                    assert host.kernel is not None
                    while host.running:
                        self.answer(host)
                    if host.kernel.has_work or host.batch is not None or host.effects:
                        busy = True
                        self.step(host)
                if not busy:
                    break
            self.now += 1.0

    def _help(self) -> bool:
        """Ask for what is missing, and retry what has failed; False: there is nothing to do."""
        found = {one.id: one for one in self.found()}
        helped = False
        for instance in self.wanted:
            if instance not in found:
                self.spawn(instance)
                helped = True
        for one in found.values():
            for number in one.image.incidents:
                self.ask(one.id, RetryIncident(instance=one.id, by="eva", incident=number))
                helped = True
        return helped

    def found(self) -> list[Found]:
        """Return all instances, each in the store of the engine that owns it."""
        found: list[Found] = []
        for host in self.hosts:
            reader = host.view()
            for header in list(reader.headers()):
                shard = shard_of(header.instance)
                root = reader.root(header.instance)
                image = read_image(host.store, root) if root and self.table[shard].engine == host.name else None
                if image is not None:
                    history = tuple(reader.history(header.instance))
                    plan = reader.plan(header)
                    found.append(Found(state=Path(host.name), image=image, plan=plan, history=history))
        return found

    def left_over(self) -> list[str]:
        """Return what is still under way, or owned by two, or neither here nor there."""
        problems: list[str] = []
        for host in self.hosts:
            problems += [f"{host.name} holds {decode_message(value)}" for _, value in host.store.scan(OUTBOX)]
            sent = [split_channel(key) for key, _ in host.store.scan(CHANNEL)]
            problems += [f"{host.name} sends {channel} {number}" for channel, number in sent if number]
        owned = {host.name: dict(read_owners(host.store)) for host in self.hosts}
        for name, known in owned.items():
            moving: dict[int, OwnerRecord] = {
                shard: one for shard, one in known.items() if isinstance(one, Arriving | Staged)
            }
            moving |= {shard: one for shard, one in known.items() if isinstance(one, Moved) and not one.settled}
            problems += [f"{name} has {record} of shard {shard}" for shard, record in moving.items()]
        for shard, row in self.table.items():
            owners = [name for name, known in owned.items() if isinstance(known.get(shard), Owned)]
            if owners != [row.engine] or owned[row.engine][shard].epoch != row.epoch:
                problems.append(f"shard {shard} is {row}, and owned by {owners}")
        return problems
