"""What must be true of a cluster after it has run: read from every engine's store, once its nodes have stopped."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from placet.actors.calls import child_id
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import StateReader
from placet.actors.shards.records import Owned, OwnerRecord, Staged, read_owners
from placet.net.cluster_table import Owner
from placet.persistence.directory import ABOUT
from placet.persistence.history import Record, RecordKind
from placet.persistence.lmdb_store import LmdbReader
from placet.petri.plan import Plan
from placet.testing.errors import Violation
from placet.testing.image import Image, read_image
from placet.testing.ledger import InstanceLedger
from tests.hosts.places import misplaced

ANSWERED = (RecordKind.FIRED, RecordKind.ATTEMPT_FAILED, RecordKind.STALE)  # by a child's return


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An instance as a store has it."""

    state: Path  # the store's directory
    image: Image
    plan: Plan
    history: tuple[tuple[int, Record], ...]  # oldest first

    @property
    def id(self) -> str:
        return self.image.header.instance

    def records(self, *kinds: str) -> list[Record]:
        """Return the records of some kinds."""
        return [record for _, record in self.history if record.kind in kinds]


def engine_stores(*folders: Path) -> list[Path]:
    """Return the stores of all engines below the state directories of nodes."""
    return sorted(about.parent for folder in folders for about in folder.rglob(f"engine-*/{ABOUT}"))


def owner_records(state: Path) -> dict[int, OwnerRecord]:
    """Return whose each shard is, as the store of one engine says."""
    with closing(LmdbReader.open(state)) as view:
        return dict(read_owners(view))


def check_owners(states: Mapping[str, Path], table: Sequence[Owner | None]) -> list[str]:
    """Return what is wrong with the owners of shards: the table says one for each, and no other store is to say so.

    `states` are the directories of all engines, by their names; none of them runs.
    """
    records = {engine: owner_records(state) for engine, state in states.items()}
    problems: list[str] = []
    for shard, owner in enumerate(table):
        if owner is None:
            problems.append(f"shard {shard} has no owner in the table")
            continue
        said = {engine: of_engine.get(shard) for engine, of_engine in records.items()}
        own = said.pop(owner.engine, None)
        fits = isinstance(own, Owned | Staged) and own.epoch == owner.epoch
        if not fits and not (own is None and owner.is_new):
            problems.append(f"shard {shard} is {owner.engine}'s with epoch {owner.epoch}, which has {own}")
        for engine, other in said.items():
            if isinstance(other, Owned) or (other is not None and other.epoch > owner.epoch + 1):
                problems.append(f"shard {shard} is {owner.engine}'s with epoch {owner.epoch}; {engine} has {other}")
    return problems


def check_cluster(states: Iterable[Path], *, unfinished: Collection[str] = ()) -> dict[str, Found]:
    """Return every instance of a cluster by id, or fail with all that is wrong.

    `states` are the directories of all engines; `unfinished` names the instances that need not have completed. What a
    store has of shards that are not its engine's does not count.
    """
    found: dict[str, Found] = {}
    problems: list[str] = []
    owners: dict[int, Path] = {}
    for state in states:
        for shard in [shard for shard, record in owner_records(state).items() if isinstance(record, Owned)]:
            if owners.setdefault(shard, state) != state:
                problems.append(f"shard {shard} is owned in {owners[shard]} and in {state}")
        for one in instances(state):
            if one.id in found:
                problems.append(f"{one.id} is in {found[one.id].state} and in {state}")
            found[one.id] = one
    for one in found.values():
        if one.image.header.state is not InstanceState.COMPLETED and one.id not in unfinished:
            problems.append(f"{one.id} is {one.image.header.state}: {[record for _, record in one.history[-3:]]}")
        problems += check_instance(one)
    problems += _check_calls(found)
    assert not problems, "\n".join(problems)
    return found


def instances(state: Path) -> Iterator[Found]:
    """Yield the instances that the engine of one state directory owns."""
    with closing(LmdbReader.open(state)) as view:
        reader = StateReader(view)  # which leaves out what is of no shard of the engine's own
        for header in reader.headers():
            root = reader.root(header.instance)
            image = read_image(view, root) if root else None
            if image is not None:
                history = tuple(reader.history(header.instance))
                yield Found(state=state, image=image, plan=reader.plan(header), history=history)


def check_instance(one: Found) -> list[str]:
    """Return what is wrong with one instance by itself: results counted once, tokens neither lost nor doubled."""
    ledger = InstanceLedger(one.image.root)
    try:
        for sequence, record in one.history:
            ledger.enter(sequence, record, one.plan)
        ledger.check_marking(one.image)
    except Violation as violation:
        return [f"{one.id} in {one.state}: {violation.invariant}: {violation.detail}"]
    return list(misplaced(one.image, one.plan, [record for _, record in one.history]))


def _check_calls(found: dict[str, Found]) -> Iterator[str]:
    """Each call has its child and each child its caller, which took what it returned, once."""
    children = Counter[str]()
    for parent in found.values():
        for call in parent.records(RecordKind.CALLED):
            child = child_id(parent.id, call.transition, call.firing, call.attempt)
            children[child] += 1
            answers = _answers(parent, call)
            if child not in found and RecordKind.FIRED in answers:
                yield f"{parent.id} counted a result of {child}, which is nowhere"
            if child in found and _has_ended(found[child]) and len(answers) != 1:
                yield f"{parent.id} took what {child} returned {len(answers)} times: {answers}"
    for one in found.values():
        if one.image.header.caller is not None and children[one.id] != 1:
            yield f"{one.id} was called {children[one.id]} times by {one.image.header.caller.instance}"


def _answers(parent: Found, call: Record) -> Sequence[str]:
    key = (call.transition, call.firing, call.attempt)
    records = parent.records(*ANSWERED)
    return [one.kind for one in records if (one.transition, one.firing, one.attempt) == key]


def _has_ended(child: Found) -> bool:
    return child.image.is_over
