"""Shards spread evenly, by weight, with as few moves as can be."""

from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.actors.shards.records import SHARDS
from placet.net.balance import Move, balance, claims
from placet.net.cluster_table import Held, Owner, ShardTable

ENGINES = ("a/0", "a/1", "b/0", "c/0", "d/0")
weights = st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 2.0, 3.7])
engines = st.dictionaries(st.sampled_from(ENGINES), weights, min_size=1)
owned = st.integers(0, 1 << 32).map(lambda seed: owners_by(Random(seed)))  # a list of 256 takes minutes to shrink
few_owned = st.lists(st.none() | st.sampled_from(ENGINES[:3]), max_size=6)


def owners_by(random: Random) -> list[str | None]:
    """Return owners of all shards: some engines have none, or most."""
    chosen = [random.choice((None, *ENGINES)) for _ in range(random.randint(1, 9))]
    return [random.choice(chosen) for _ in range(SHARDS)]


def table_of(owners: list[str | None]) -> ShardTable:
    held = [None if engine is None else Held(Owner(engine=engine, epoch=1), 1) for engine in owners]
    return ShardTable(revision=1, held=(*held, *[None] * (SHARDS - len(held))))


def after(table: ShardTable, moves: list[Move]) -> ShardTable:
    owners = [table.engine_of(shard) for shard in range(SHARDS)]
    for move in moves:
        assert owners[move.shard] == move.source, "each shard moves once, from where it is"
        owners[move.shard] = move.target
        assert move.source != move.target
    return table_of(owners)


def is_even(counts: dict[str, int], named: dict[str, float]) -> bool:
    """No engine has a whole shard more or less than its share."""
    total, weight = sum(counts.values()), sum(map(Fraction, named.values()))
    return all(abs(counts[engine] - total * Fraction(named[engine]) / weight) < 1 for engine in named)


@given(owners=owned, named=engines)
def test_after_it_all_is_even_and_nothing_more_to_be_done(owners: list[str | None], named: dict[str, float]) -> None:
    table = table_of(owners)
    moves = balance(table, named)
    if not any(named.values()):
        assert moves == []
        return
    balanced = after(table, moves)
    assert is_even({engine: len(balanced.shards_of(engine)) for engine in named}, named)
    assert balance(balanced, named) == []
    for engine in ENGINES:
        if engine not in named:
            assert balanced.shards_of(engine) == table.shards_of(engine), "who is away gives nothing"
        elif named[engine] == 0:
            assert balanced.shards_of(engine) == (), "who drains keeps nothing"
    assert balanced.free_shards() == table.free_shards()


@given(owners=few_owned, named=st.dictionaries(st.sampled_from(ENGINES[:3]), weights, min_size=1))
def test_no_way_to_be_even_takes_fewer_moves(owners: list[str | None], named: dict[str, float]) -> None:
    if not any(named.values()):
        return
    table = table_of(owners)
    have = {engine: len(table.shards_of(engine)) for engine in named}
    total = sum(have.values())
    fewest = min(
        sum(max(0, have[engine] - count) for engine, count in zip(named, counts, strict=True))
        for counts in product(range(total + 1), repeat=len(named))
        if sum(counts) == total and is_even(dict(zip(named, counts, strict=True)), named)
    )
    assert len(balance(table, named)) == fewest


@given(owners=owned, named=engines)
def test_what_nobody_owns_is_given_out_and_nothing_else(owners: list[str | None], named: dict[str, float]) -> None:
    table = table_of(owners)
    given_out = claims(table, named)
    if not any(named.values()):
        assert given_out == []
        return
    assert tuple(shard for shard, _ in given_out) == table.free_shards()
    assert all(named[engine] > 0 for _, engine in given_out)
    claimed = list(owners)
    for shard, engine in given_out:
        claimed[shard] = engine
    assert len(balance(table_of(claimed), named)) <= len(balance(table, named)), "claims spare moves"


@pytest.mark.parametrize(
    ("named", "counts"),
    [
        ({"a/0": 1}, [256]),
        ({"a/0": 1, "a/1": 1}, [128, 128]),
        ({"a/0": 1, "a/1": 1, "b/0": 1}, [86, 85, 85]),
        ({"a/0": 1, "a/1": 3}, [64, 192]),
        ({"a/0": 1, "a/1": 0}, [256, 0]),
    ],
)
def test_a_new_cluster_is_even_at_once(named: dict[str, float], counts: list[int]) -> None:
    given_out = claims(ShardTable(), named)
    assert [sum(engine == one for _, one in given_out) for engine in named] == counts


def test_a_node_that_joins_takes_its_share_and_no_shard_moves_between_others() -> None:
    table = table_of([ENGINES[shard % 2] for shard in range(SHARDS)])
    moves = balance(table, {"a/0": 1, "a/1": 1, "b/0": 1})
    assert len(moves) == 85
    assert {move.target for move in moves} == {"b/0"}
    assert len([move for move in moves if move.source == "a/0"]) in {42, 43}


def test_the_order_in_which_engines_are_named_does_not_matter() -> None:
    table = table_of([ENGINES[shard % 3] for shard in range(SHARDS)])
    named = {"a/0": 1.0, "a/1": 0.0, "b/0": 1.0, "c/0": 0.3}
    turned = dict(reversed(named.items()))
    assert balance(table, named) == balance(table, turned)
    assert claims(ShardTable(), named) == claims(ShardTable(), turned)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    for function in (balance, claims):
        with pytest.raises(ValueError, match="a weight is"):
            function(ShardTable(), {"a/0": weight})


def test_without_engines_there_is_nothing_to_do() -> None:
    assert balance(table_of(["a/0"]), {}) == []
    assert claims(ShardTable(), {}) == []
