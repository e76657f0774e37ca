"""What belongs to a shard: copied while it changes, it is the same afterwards, but for numbers and times."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from placet.actors.lifecycle import InstanceState
from placet.actors.outbox import Outbox
from placet.actors.reader import StateReader
from placet.actors.records import Delay, Failure, Firing, Header, Phase, Task, decode_firing, decode_header, encode
from placet.actors.shards.arrival import REWRITERS, Arrival, Shifted
from placet.actors.shards.clearing import Clearing
from placet.actors.shards.content import Changes, Content
from placet.actors.shards.messages import Part
from placet.actors.shards.records import Moved, Owned, encode_owner
from placet.actors.shards.visible import Visible
from placet.persistence.history import Record, decode_record, encode_record, walk
from placet.persistence.keys import (
    DELAY,
    FIRING,
    FROZEN,
    HEADER,
    STATE,
    TASK,
    TOKEN,
    WATCHER,
    address_key,
    channel_key,
    entry_key,
    history_key,
    owner_key,
    received_key,
    root_prefix,
    shard_of,
    tasks_key,
)
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import Write

INSTANCES = [f"i{number}" for number in range(2_000) if shard_of(f"i{number}") == 7]
PLACE = 0x8000


class Engine:
    """Counts what an engine counts, over a store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.history = 100
        self.outbox = Outbox(50, None)

    def get(self, key: bytes) -> bytes | None:
        """Return what is committed."""
        return self.store.get(key)

    def root(self, instance: str) -> bytes:
        """Return the root of an instance."""
        return root_prefix(7, INSTANCES.index(instance) + 1)

    def step(self, instance: str, tokens: list[int], gone: list[int]) -> list[Write]:
        """Have something happen to an instance, and return what that wrote."""
        root = self.root(instance)
        key = entry_key(root, 0, HEADER, 0)
        data = self.get(key)
        header = decode_header(data) if data else _header(instance)
        self.history += 1
        record = Record(root=root, link=header.link, at=float(self.history), kind="fired", firing=self.history)
        header.link = self.history
        writes: list[Write] = [(key, encode(header)), (address_key(instance), root)]
        writes.append((history_key(self.history), encode_record(record)))
        writes += [(entry_key(root, PLACE, TOKEN, token), bytes(100)) for token in tokens if token not in gone]
        writes += [(entry_key(root, PLACE, TOKEN, token), None) for token in gone]
        writes.append((channel_key((7, 9), self.history), b"parcel"))
        self.store.commit(writes)
        return writes


def _header(instance: str) -> Header:
    return Header(
        instance=instance,
        workflow="w",
        version="v",
        net=b"net",
        incarnation=1,
        inputs=b"",
        state=InstanceState.RUNNING,
        spawned_at=5.0,
    )


def take(arrival: Arrival, parts: Iterator[Part], target: Engine, *, most: int = 1_000_000) -> None:
    """Let some parts arrive, each in a commit of its own."""
    for _, part in zip(range(most), parts, strict=False):
        writes: dict[bytes, bytes | None] = {}
        arrival.write((part,), writes)
        target.store.commit(list(writes.items()))


def histories(engine: Engine) -> dict[str, list[Record]]:
    """Return the history of each instance, newest first."""
    found: dict[str, list[Record]] = {}
    for instance in INSTANCES:
        data = engine.get(entry_key(engine.root(instance), 0, HEADER, 0))
        if data is not None:
            found[instance] = [record for _, record in walk(engine.store, decode_header(data).link)]
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(INSTANCES[:3]),
        st.lists(st.integers(1, 9), max_size=4, unique=True),
        st.lists(st.integers(1, 9), max_size=4, unique=True),
        st.integers(0, 3),
    ),
    max_size=20,
)


@given(STEPS, STEPS)
@settings(max_examples=150, deadline=None)
def test_a_copy_made_while_the_shard_changes_is_exact_in_the_end(
    before: list[tuple[str, list[int], list[int], int]], meanwhile: list[tuple[str, list[int], list[int], int]]
) -> None:
    source, target = Engine(), Engine()
    target.history = 7_000
    for instance, tokens, gone, _ in before:
        source.step(instance, tokens, gone)
    content, changes = Content(source.store, 7, source.history), Changes(7)
    arrival = Arrival(target, 0.0)
    parts = content.whole()
    for instance, tokens, gone, most in meanwhile:
        take(arrival, parts, target, most=most)
        for key, value in source.step(instance, tokens, gone):
            changes.note(key, value)
    take(arrival, parts, target)
    take(arrival, content.changed(changes), target)
    for prefix in (b"T", b"S", b"C", b"R", b"A"):
        assert list(target.store.scan(prefix)) == list(source.store.scan(prefix))
    ours = [entry for entry in source.store.scan(b"L") if entry[0][12] != HEADER]
    assert [entry for entry in target.store.scan(b"L") if entry[0][12] != HEADER] == ours
    told = {name: [record.firing for record in records] for name, records in histories(source).items()}
    assert {name: [record.firing for record in records] for name, records in histories(target).items()} == told
    assert target.history - 7_000 == len({*source.store.scan(b"Z")})


@given(STEPS, st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_a_shard_is_removed_whole_whatever_the_portions(
    steps: list[tuple[str, list[int], list[int], int]], most: int
) -> None:
    engine = Engine()
    engine.store.commit([(b"Nnet", b"a net"), (history_key(1), b"of others"), (received_key((3, 4)), b"1")])
    others = list(engine.store.scan(b""))
    for instance, tokens, gone, _ in steps:
        engine.step(instance, tokens, gone)
    while keys := Clearing(engine.store, 7).portion(most):  # as after a crash: nothing is remembered
        assert len(keys) <= most
        engine.store.commit([(key, None) for key in dict.fromkeys(keys)])
    assert list(engine.store.scan(b"")) == others


def test_readers_see_no_shard_that_is_not_the_engines_own() -> None:
    engine = Engine()
    engine.step(INSTANCES[0], [1], [])
    root = engine.root(INSTANCES[0])
    engine.store.commit([(tasks_key(root), b"\x01"), (owner_key(7), encode_owner(Owned(epoch=1)))])
    view = Visible(engine.store)
    assert list(view.scan(b"L")) == list(engine.store.scan(b"L"))
    assert StateReader(engine.store).header(INSTANCES[0]) is not None
    engine.store.commit([(owner_key(7), encode_owner(Moved(epoch=2, move="m", to="b")))])
    assert not [*view.scan(b"L"), *view.scan(b"A"), *view.scan(b"T"), *view.scan(root)]
    assert StateReader(engine.store).header(INSTANCES[0]) is None
    assert StateReader(engine.store).tasks_offered() == 0
    assert view.get(entry_key(root, 0, HEADER, 0)) is None


def test_times_are_those_of_the_engine_that_has_the_shard() -> None:
    failure = Failure(type="Lost", message="", at=3.0)
    firing = Firing(
        number=1, transition=0, tokens=(), phase=Phase.BACKOFF, due=9.0, since=4.0, link=7, failures=(failure,)
    )
    arrived = decode_firing(REWRITERS[FIRING](Shifted(100.0), encode(firing)))
    assert (arrived.due, arrived.since, arrived.chosen, arrived.link) == (109.0, 104.0, 0.0, 0)
    assert arrived.failures[0].at == 103.0
    assert REWRITERS[DELAY](Shifted(5.0), encode(Delay(place=1, arrived=2.0))) == encode(Delay(place=1, arrived=7.0))
    task = Task(number=1, transition=0, place=0, token=3, offered_at=1.0)
    assert REWRITERS[TASK](Shifted(1.0), encode(task)) == encode(
        Task(number=1, transition=0, place=0, token=3, offered_at=2.0)
    )


def test_records_are_shifted_and_linked_anew() -> None:
    source, target = Engine(), Engine()
    source.step(INSTANCES[0], [1], [])
    source.step(INSTANCES[0], [2], [])
    take(Arrival(target, 1_000.0), Content(source.store, 7, source.history).whole(), target)
    found = [decode_record(data) for _, data in target.store.scan(b"Z")]
    assert [(record.at, record.link) for record in found] == [(1_101.0, 0), (1_102.0, 101)]


def test_every_kind_of_entry_with_a_time_is_rewritten() -> None:
    """The others have none; a new kind has to be put here or there."""
    assert {*REWRITERS} | {HEADER, TOKEN, FROZEN, STATE, WATCHER, 6} == {*range(13)}
