"""The checker finds nothing wrong with what is right, and finds what is wrong."""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from placet import Runtime, Workflow
from placet.actors.shards.records import SHARDS, Moved, Owned, OwnerRecord, Staged, encode_owner
from placet.net.cluster_table import Owner
from placet.persistence.history import Record, RecordKind
from placet.persistence.keys import owner_key, shard_of
from placet.persistence.lmdb_store import LmdbStore
from tests.endtoend.processes import PATIENCE_S
from tests.hosts.checker import Found, check_cluster, check_instance, check_owners, engine_stores, instances
from tests.hosts.places import misplaced

MOVED = Moved(epoch=2, move="m", to="a/0", settled=True)


def split(number: int) -> tuple[int, int]:
    return number, number


def join(number: int, _same: int) -> int:
    return number


def keep(number: int) -> int:
    return number


def workflows() -> list[Workflow]:
    """Return one that splits and joins its tokens and calls another, that other one, and one that chooses."""
    called = Workflow("called")
    given, kept = called.places("given kept")
    called.transition(given >> kept, "keep", handler=keep)
    chooser = Workflow("chooser")
    asked, even, odd = chooser.places("asked even odd")

    def choose(number: int) -> object:
        return odd(number) if number % 2 else even(number)

    chooser.transition(asked >> (even | odd), "choose", handler=choose, run="inline")
    parent = Workflow("parent")
    todo, left, right, both, done = parent.places("todo left right both done")
    parent.transition(todo >> (left & right), "split", handler=split, run="inline")
    parent.transition((left & right) >> both, "join", handler=join, run="inline")
    parent.call(both >> done, "ask", called)
    return [parent, called, chooser]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state in which everything has completed."""
    (tmp_path / "a").mkdir()
    with Runtime(tmp_path / "a" / "engine-0", workflows()) as runtime:
        spawned = [runtime.spawn("parent", {"todo": [n, n + 1]}, id=f"p-{n}") for n in range(3)]
        spawned += [runtime.spawn("chooser", {"asked": [n]}, id=f"c-{n}") for n in range(4)]
        for one in spawned:
            one.result(PATIENCE_S)
    return tmp_path / "a" / "engine-0"


def test_what_is_right_is_found_whole(state: Path) -> None:
    found = check_cluster(engine_stores(state.parents[1]))
    assert len(found) == 3 + 4 + 6
    assert {one.state for one in found.values()} == {state}
    assert sum(len(one.records(RecordKind.CALLED)) for one in found.values()) == 6


def test_an_instance_in_two_stores_is_found_unless_only_one_owns_it(state: Path) -> None:
    copy = state.parents[1] / "b" / "engine-0"
    copy.mkdir(parents=True)
    for name in ("data.mdb", "about.txt"):
        shutil.copy(state / name, copy)
    assert engine_stores(state.parents[1]) == [state, copy]
    with pytest.raises(AssertionError, match=r"p-1 is in .* and in "):
        check_cluster(engine_stores(state.parents[1]))
    note(copy, dict.fromkeys(range(SHARDS), MOVED))
    assert len(check_cluster([state, copy])) == 13
    note(state, dict.fromkeys(range(SHARDS), Owned(epoch=2)))
    assert len(check_cluster([state, copy])) == 13
    note(copy, {7: Owned(epoch=1)})
    with pytest.raises(AssertionError, match=r"shard 7 is owned in .* and in "):
        check_cluster([state, copy])


@pytest.mark.parametrize(
    ("owner", "first", "second", "problem"),
    [
        (Owner(engine="a/0", epoch=2), Owned(epoch=2), MOVED, ""),
        (Owner(engine="a/0", epoch=2), Owned(epoch=2), Staged(epoch=3, move="m", source="a/0"), ""),
        (Owner(engine="a/0", epoch=2), Staged(epoch=2, move="m", source="b/0"), MOVED, ""),
        (Owner(engine="a/0", epoch=1, is_new=True), None, None, ""),
        (None, Owned(epoch=1), None, "shard 7 has no owner in the table"),
        (Owner(engine="a/0", epoch=2), None, None, "shard 7 is a/0's with epoch 2, which has None"),
        (Owner(engine="a/0", epoch=2), Owned(epoch=1), None, "which has Owned.epoch=1."),
        (Owner(engine="a/0", epoch=2), MOVED, Owned(epoch=2), "which has Moved"),
        (Owner(engine="a/0", epoch=2), Owned(epoch=2), Owned(epoch=1), "epoch 2; b/0 has Owned.epoch=1."),
        (Owner(engine="a/0", epoch=2), Owned(epoch=2), Staged(epoch=4, move="m", source="a/0"), "b/0 has Staged"),
    ],
)
def test_stores_that_do_not_say_what_the_table_says_are_found(
    tmp_path: Path, owner: Owner | None, first: OwnerRecord | None, second: OwnerRecord | None, problem: str
) -> None:
    states = {"a/0": tmp_path / "a", "b/0": tmp_path / "b"}
    note(states["a/0"], {7: first})
    note(states["b/0"], {7: second})
    table: list[Owner | None] = [Owner(engine="a/0", epoch=1, is_new=True)] * SHARDS
    table[7] = owner
    found = check_owners(states, table)
    assert re.search(problem, "\n".join(found)) if problem else not found


def test_what_has_not_completed_is_found_unless_it_is_listed(tmp_path: Path) -> None:
    workflow = Workflow("waits")
    asked, done = workflow.places("asked done")
    workflow.task(asked >> done, "decide")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        runtime.spawn(workflow, {"asked": [1]}, id="w-1").wait_until("waiting", PATIENCE_S)
    with pytest.raises(AssertionError, match="w-1 is waiting"):
        check_cluster([tmp_path / "state"])
    check_cluster([tmp_path / "state"], unfinished=["w-1"])


def test_a_child_without_its_caller_and_a_caller_without_its_child_are_found(state: Path) -> None:
    child = next(one.id for one in instances(state) if one.id.startswith("p-0/"))
    assert shard_of(child) != shard_of("p-0")
    note(state, {shard_of("p-0"): MOVED})
    with pytest.raises(AssertionError, match=rf"{re.escape(child)} was called 0 times by p-0"):
        check_cluster([state])
    note(state, {shard_of("p-0"): Owned(epoch=1), shard_of(child): MOVED})
    with pytest.raises(AssertionError, match=rf"p-0 counted a result of {re.escape(child)}, which is nowhere"):
        check_cluster([state])


def note(state: Path, records: Mapping[int, OwnerRecord | None]) -> None:
    """Write whose shards are into a store that nobody has open."""
    with closing(LmdbStore.open(state)) as store:
        said = records.items()
        store.commit((owner_key(shard), encode_owner(record) if record else None) for shard, record in said)


Change = Callable[[list[Record]], list[Record]]


def changed(found: Found, kind: str, **changes: object) -> Found:
    """Return an instance whose first record of a kind says something else."""
    position = next(n for n, (_, record) in enumerate(found.history) if record.kind == kind)
    history = list(found.history)
    sequence, record = history[position]
    history[position] = sequence, msgspec.structs.replace(record, **changes)
    return replace(found, history=tuple(history))


def without(found: Found, place: str) -> Found:
    """Return an instance that lacks the tokens of a place."""
    image = replace(found.image, places=dict(found.image.places))
    del image.places[found.plan.place_index[place]]
    return replace(found, image=image)


def test_books_that_do_not_close_are_found(state: Path) -> None:
    parent = next(one for one in instances(state) if one.id == "p-1")
    assert check_instance(parent) == []
    assert "the history explains the marking" in check_instance(without(parent, "done"))[0]
    first, *others = parent.records(RecordKind.FIRED)
    again = next(record for record in others if record.transition == first.transition)
    assert "ids are new" in check_instance(changed(parent, "fired", produced=again.produced))[0]
    assert "consumed tokens were there" in check_instance(changed(parent, "fired", consumed=again.produced[:1]))[0]
    twice = changed(parent, "fired", firing=parent.records(RecordKind.FIRED)[-1].firing)
    assert "a firing counts once" in check_instance(twice)[0]


def test_a_token_in_a_place_that_nothing_put_it_into_is_found(state: Path) -> None:
    for name, wrong in (("p-1", "todo"), ("c-1", "even")):
        found = next(one for one in instances(state) if one.id == name)
        records = [record for _, record in found.history]
        assert list(misplaced(found.image, found.plan, records)) == []
        (tokens,) = found.image.places.values()
        image = replace(found.image, places={found.plan.place_index[wrong]: tokens})
        if name == "p-1":
            assert "was found in [['todo']]" in next(misplaced(image, found.plan, records))
        else:
            assert list(misplaced(image, found.plan, records)) == []  # a choice: the history does not say which
        assert "are nowhere" in next(misplaced(replace(image, places={}), found.plan, records))
