"""The cluster's table: records, keys, what watches make of it, and the transactions that change it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.actors.shards.records import SHARDS
from placet.net.cluster_table import (
    MEMBERS_PREFIX,
    SHARDS_PREFIX,
    Held,
    Member,
    Owner,
    ShardTable,
    claim_shards,
    decode_member,
    decode_owner,
    encode_record,
    member_key,
    members_after,
    move_owner,
    note_opened,
    put_member,
    read_members,
    shard_key,
)
from placet.net.coordinator import MOST_KEYS, Changed, Compacted, Entry, Snapshot, check_transaction
from placet.net.coordinator_errors import BadRecord
from placet.net.local_coordinator import LocalCoordinator
from placet.persistence.memory_store import MemoryStore

texts = st.text(max_size=20)
names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=20)
members = st.builds(
    Member,
    name=names,
    address=texts,
    engines=st.lists(texts, max_size=4).map(tuple),
    incarnation=st.integers(0, 1 << 62),
    capabilities=st.dictionaries(texts, texts | st.floats(allow_nan=False, allow_infinity=False)),
    version=texts,
    wire_version=st.integers(0, 100),
    is_draining=st.booleans(),
)
owners = st.builds(Owner, engine=texts, epoch=st.integers(1, 1 << 62), move=texts)


@given(member=members)
def test_a_member_comes_back(member: Member) -> None:
    assert decode_member(member.name, encode_record(member)) == member


@given(owner=owners, shard=st.integers(0, SHARDS - 1))
def test_an_owner_comes_back(owner: Owner, shard: int) -> None:
    assert decode_owner(shard, encode_record(owner)) == owner


def test_what_stands_in_the_table_stays_so() -> None:
    owner = Owner(engine="a/0", epoch=3, move="m1")
    assert encode_record(owner) == b'{"engine":"a/0","epoch":3,"move":"m1","is_new":false,"era":0,"format":1}'
    assert [shard_key(0), shard_key(7), shard_key(255)] == ["shards/000", "shards/007", "shards/255"]
    assert member_key("a") == "members/a"


def test_fields_of_a_later_version_are_left_alone_and_a_later_format_is_refused() -> None:
    assert decode_owner(0, b'{"format": 1, "engine": "a/0", "epoch": 1, "colour": "red"}').engine == "a/0"
    with pytest.raises(BadRecord, match="upgrade Placet"):
        decode_owner(0, b'{"format": 2, "who": ["a/0"]}')


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b'{"format": 1}', b'{"engine": "a/0", "epoch": 1}', b"\xff", b"[" * 9000]
)
def test_what_is_no_record_is_told_with_its_key(value: bytes) -> None:
    with pytest.raises(BadRecord, match="shards/009"):
        decode_owner(9, value)


def test_a_member_under_a_name_that_is_not_its_own_is_refused() -> None:
    with pytest.raises(BadRecord, match="another node, a"):
        decode_member("b", encode_record(member("a")))


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "a/b"}, {"capabilities": {"gpu": float("inf")}}])
def test_a_member_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"name|capabilities"):
        msgspec.structs.replace(member("a"), **fields)


@pytest.mark.parametrize("shard", [-1, 256])
def test_there_are_256_shards(shard: int) -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        shard_key(shard)


def member(name: str, incarnation: int = 1) -> Member:
    return Member(name=name, address="10.0.0.1:1900", engines=(f"{name}/0",), incarnation=incarnation)


def changed(revision: int, **owners: str | None) -> Changed:
    """Return a change of shards, given as `s007="a/0"`."""
    entries = {
        f"shards/{key[1:]}": None if engine is None else owned(engine, revision) for key, engine in owners.items()
    }
    return Changed(revision=revision, entries=entries)


def owned(engine: str, revision: int) -> Entry:
    return Entry(value=encode_record(Owner(engine=engine, epoch=1)), revision=revision)


def test_a_table_follows_what_a_watch_tells() -> None:
    table = ShardTable.read(Snapshot(revision=4, entries={"shards/007": owned("a/0", 2)}))
    assert (table.revision, table.engine_of(7), table.owner_of(8), table.engine_of(8)) == (4, "a/0", None, None)
    assert table.held[7] == Held(Owner(engine="a/0", epoch=1), 2)
    later = table.after(changed(6, s007="b/0", s255="a/0"))
    assert (later.revision, later.shards_of("b/0"), later.shards_of("a/0")) == (6, (7,), (255,))
    assert later.after(changed(5, s007="c/0")) == later, "it was late"
    gone = later.after(changed(7, s007=None))
    assert gone.owner_of(7) is None
    assert gone.free_shards() == tuple(range(255))
    assert table.engine_of(7) == "a/0", "tables are values"


@pytest.mark.parametrize("key", ["shards/256", "shards/7", "shards/x07", "shards/", "shards/²00"])
def test_a_shard_that_cannot_be_is_told(key: str) -> None:
    with pytest.raises(BadRecord, match="no such shard"):
        ShardTable.read(Snapshot(revision=1, entries={key: owned("a/0", 1)}))


def test_members_follow_what_a_watch_tells() -> None:
    entries = {member_key(name): Entry(value=encode_record(member(name)), revision=1) for name in ("b", "a")}
    read = read_members(Snapshot(revision=1, entries=entries))
    assert list(read) == ["a", "b"]
    after = members_after(
        read,
        Changed(
            revision=2,
            entries={
                "members/a": None,
                "members/never": None,
                "members/c": Entry(value=encode_record(member("c", 9)), revision=2),
            },
        ),
    )
    assert {name: one.incarnation for name, one in after.items()} == {"b": 1, "c": 9}


def test_an_owner_is_replaced_once_by_the_next_epoch_only() -> None:
    coordinator = LocalCoordinator(MemoryStore())
    for transaction in claim_shards([(7, "a/0")]):
        assert coordinator.transact(*transaction).result().ok
    held = ShardTable.read(coordinator.read(SHARDS_PREFIX).result()).held[7]
    assert held is not None
    first = move_owner(7, held, Owner(engine="b/0", epoch=2, move="m1"))
    second = move_owner(7, held, Owner(engine="c/0", epoch=2, move="m2"))
    assert coordinator.transact(*first).result().ok
    outcome = coordinator.transact(*second).result()
    assert not outcome.ok
    assert decode_owner(7, outcome.entries[shard_key(7)].value) == Owner(engine="b/0", epoch=2, move="m1")
    for epoch in (0, 1, 3):
        with pytest.raises(ValueError, match="does not follow 1"):
            move_owner(7, held, Owner(engine="b/0", epoch=epoch))


def test_all_shards_are_claimed_in_transactions_that_every_coordinator_takes() -> None:
    coordinator = LocalCoordinator(MemoryStore())
    transactions = claim_shards((shard, f"a/{shard % 2}") for shard in range(SHARDS))
    assert [len(one.changes) for one in transactions] == [MOST_KEYS, MOST_KEYS, SHARDS - 2 * MOST_KEYS]
    for transaction in transactions:
        check_transaction(*transaction)
        assert coordinator.transact(*transaction).result().ok
    table = ShardTable.read(coordinator.read(SHARDS_PREFIX).result())
    assert (table.free_shards(), len(table.shards_of("a/0"))) == ((), 128)
    assert not any(coordinator.transact(*one).result().ok for one in transactions)
    assert claim_shards([]) == []


def test_a_shard_that_was_claimed_is_new_until_it_is_noted_as_opened() -> None:
    coordinator = LocalCoordinator(MemoryStore())
    for transaction in claim_shards((shard, "a/0") for shard in range(SHARDS)):
        coordinator.transact(*transaction)
    table = ShardTable.read(coordinator.read(SHARDS_PREFIX).result())
    claimed = [(shard, held) for shard, held in enumerate(table.held) if held is not None]
    assert all(held.owner.is_new for _, held in claimed)
    noted = note_opened(claimed[1:])
    assert all(coordinator.transact(*one).result().ok for one in noted)
    assert not any(coordinator.transact(*one).result().ok for one in noted)
    after = ShardTable.read(coordinator.read(SHARDS_PREFIX).result())
    assert after.owner_of(0) == Owner(engine="a/0", epoch=1, is_new=True)
    assert {after.owner_of(shard) for shard in range(1, SHARDS)} == {Owner(engine="a/0", epoch=1)}


def test_a_member_is_entered_once_and_described_anew() -> None:
    coordinator = LocalCoordinator(MemoryStore())
    tables: list[dict[str, Member]] = [{}]

    def listener(event: Changed | Compacted) -> None:
        assert isinstance(event, Changed)
        tables.append(members_after(tables[-1], event))

    coordinator.watch(MEMBERS_PREFIX, 0, listener)
    lease = coordinator.grant(10).result()
    entered = coordinator.transact(*put_member(member("a"), 0, lease)).result()
    assert not coordinator.transact(*put_member(member("a", 2), 0, lease)).result().ok
    assert coordinator.transact(*put_member(member("a", 2), entered.revision, lease)).result().ok
    coordinator.revoke(lease)
    assert [{name: one.incarnation for name, one in table.items()} for table in tables] == [{}, {"a": 1}, {"a": 2}, {}]
