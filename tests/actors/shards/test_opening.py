"""Which shards an engine may run: what its store says, and the table as well."""

import pytest

from placet.actors.answers import RefusalCode, Refused, Spawned
from placet.actors.catalog import Catalog
from placet.actors.kernel import Kernel
from placet.actors.messages import Pause
from placet.actors.shards.errors import ForeignShard, WrongEpoch
from placet.actors.shards.messages import Assigned, Row
from placet.actors.shards.records import Owned, encode_owner, read_owner
from placet.actors.shards.shards import Shards
from placet.persistence.keys import owner_key, shard_of
from tests.actors.shards.flows import orders
from tests.actors.shards.group import Group, Member, cancel

SHARD = shard_of("one")


def shards(member: Member) -> Shards:
    assert member.kernel.shards is not None
    return member.kernel.shards


def refused(member: Member, reply: int) -> Refused:
    answer = member.answers[reply]
    assert isinstance(answer, Refused)
    return answer


def test_a_shard_nobody_has_had_is_claimed_only_when_the_table_says_that_it_is_new() -> None:
    group = Group(orders, engines="a")
    fresh = Member("b", group)
    group.table[SHARD] = (1, "b")
    fresh.hear()
    fresh.run()
    assert read_owner(fresh.store, SHARD) is None
    fresh.hear(is_new=True)
    fresh.run()
    assert read_owner(fresh.store, SHARD) == Owned(epoch=1)
    assert fresh.here == {SHARD}


def test_nothing_runs_before_the_table_has_confirmed_it() -> None:
    group = Group(orders, engines="a")
    engine = group["a"]
    engine.spawn(orders, "one", {"received": [1]})
    engine.start()
    engine.tell(cancel("one", reply=1))
    assert refused(engine, 1).code is RefusalCode.MOVED
    assert str(SHARD) in refused(engine, 1).reason
    assert not engine.here
    engine.hear()
    engine.run()
    assert SHARD in engine.here
    engine.tell(Pause(instance="one", by="eva", reply=2))
    assert not isinstance(engine.answers[2], Refused)


def test_a_shard_is_opened_with_the_epoch_of_its_record_only() -> None:
    engine = Group(orders, engines="a")["a"]
    engine.start()
    for epochs in ({SHARD: 2}, {SHARD: 0}, {SHARD: 1, 3: 7}):
        with pytest.raises(WrongEpoch):
            shards(engine).open(epochs)
        assert not engine.here
    shards(engine).open({SHARD: 1})
    assert engine.here == {SHARD}


@pytest.mark.parametrize("row", [Row(SHARD, 2, "a"), Row(SHARD, 1, "b"), Row(SHARD, 2, "b"), Row(SHARD, 0, "a")])
def test_a_table_that_says_otherwise_opens_nothing(row: Row) -> None:
    engine = Group(orders, engines="a")["a"]
    engine.start()
    engine.kernel.receive(Assigned((row,)))
    engine.run()
    assert not engine.here


def test_an_engine_that_hears_of_a_later_owner_closes_the_shard() -> None:
    group = Group(orders, engines="a")
    engine = group["a"]
    engine.spawn(orders, "one", {"received": [1]})
    engine.kernel.receive(Assigned((Row(SHARD, 9, "b"),)))
    engine.run()
    assert SHARD not in engine.here
    before = engine.store.snapshot()
    engine.tell(cancel("one", reply=1))
    assert refused(engine, 1).code is RefusalCode.MOVED
    assert list(engine.store.scan(b"L")) == list(before.scan(b"L"))


def test_a_row_from_before_changes_nothing() -> None:
    group = Group(orders, engines="a")
    engine = group["a"]
    engine.kernel.receive(Assigned((Row(SHARD, 0, "b"),)))
    engine.run()
    assert SHARD in engine.here


def test_a_batch_for_a_shard_whose_record_has_changed_is_not_committed() -> None:
    group = Group(orders, engines="a")
    engine = group["a"]
    engine.spawn(orders, "one", {"received": [1]})
    engine.store.commit([(owner_key(SHARD), encode_owner(Owned(epoch=5)))])
    engine.kernel.deliver(cancel("one"))
    with pytest.raises(ForeignShard):
        engine.kernel.run(group.clock.now())
    engine.start()
    engine.hear()  # of epoch 1
    engine.run()
    assert SHARD not in engine.here
    other = next(f"i{number}" for number in range(99) if shard_of(f"i{number}") != SHARD)
    engine.spawn(orders, other, {"received": [1]}, reply=7)
    assert isinstance(engine.answers[7], Spawned)


def test_a_kernel_of_its_own_runs_nothing_of_a_store_among_others() -> None:
    group = Group(orders, engines="a")
    group["a"].spawn(orders, "one", {"received": [1]})
    for visiting in (False, True):
        alone = Kernel(group["a"].store, Catalog(), visiting=visiting)
        alone.recover()
        alone.deliver(cancel("one", reply=1))
        batch = alone.run(group.clock.now())
        assert not batch.writes
        (reply,) = batch.replies
        assert isinstance(reply.answer, Refused)
        assert reply.answer.code is RefusalCode.MOVED
        assert not alone.has_work
