"""The checker finds nothing wrong with what is right, and finds what is wrong."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from placet import Runtime, Workflow
from placet.persistence.history import Record, RecordKind
from tests.endtoend.processes import PATIENCE_S
from tests.hosts.checker import Found, check_cluster, check_instance, engine_stores, instances
from tests.hosts.places import misplaced


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
    owners = iter([True] * 13 + [False] * 13)
    assert len(check_cluster([state, copy], owns=lambda _view, _id: next(owners))) == 13


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
    with pytest.raises(AssertionError, match=r"p-0/ask\.\d+ was called 0 times by p-0"):
        check_cluster([state], owns=lambda _view, id: id != "p-0")
    with pytest.raises(AssertionError, match=r"p-0 counted a result of p-0/ask\.\d+, which is nowhere"):
        check_cluster([state], owns=lambda _view, id: not id.startswith("p-0/"))


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
