"""One suite for every coordinator: what `net/coordinator.py` promises, also over restarts and a bad network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from placet.net.coordinator import (
    MOST_BYTES,
    MOST_KEYS,
    MOST_VALUE_BYTES,
    Change,
    Changed,
    Compacted,
    Condition,
    Coordinator,
    Entry,
    Watch,
)
from placet.net.coordinator_errors import CoordinatorClosed, LeaseGone
from tests.net.coordinators import DiskPlace, Heard, MemoryPlace, Model, Place, RemotePlace

Open: TypeAlias = Callable[[Path], Place]


def in_memory(_: Path) -> Place:
    return MemoryPlace()


def on_disk(path: Path) -> Place:
    return DiskPlace(path / "coordinator")


def far_away(_: Path) -> Place:
    return RemotePlace(seed=7)


@pytest.fixture(params=[in_memory, on_disk, far_away])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    opened: Place = request.param(tmp_path)
    yield opened
    opened.close()


def put(key: str, value: bytes, lease: int = 0) -> Change:
    return Change(key=key, value=value, lease=lease)


def is_at(key: str, revision: int) -> Condition:
    return Condition(key=key, revision=revision)


def test_a_new_one_is_empty(place: Place) -> None:
    snapshot = place.result(place.coordinator.read(""))
    assert (snapshot.revision, snapshot.entries) == (0, {})


def test_a_transaction_has_one_revision_for_all_its_keys(place: Place) -> None:
    done = place.result(place.coordinator.transact([is_at("a", 0)], [put("a", b"1"), put("b", b"2")]))
    assert (done.ok, done.revision) == (True, 1)
    snapshot = place.result(place.coordinator.read(""))
    assert snapshot.entries == {"a": Entry(value=b"1", revision=1), "b": Entry(value=b"2", revision=1)}


def test_one_condition_that_does_not_hold_is_enough_and_tells_what_is_there(place: Place) -> None:
    place.result(place.coordinator.transact([], [put("a", b"1")]))
    place.result(place.coordinator.transact([], [put("b", b"2")]))
    done = place.result(place.coordinator.transact([is_at("a", 1), is_at("b", 1), is_at("c", 0)], [put("d", b"")]))
    assert (done.ok, done.revision) == (False, 2)
    assert done.entries == {"a": Entry(value=b"1", revision=1), "b": Entry(value=b"2", revision=2)}
    assert "d" not in place.result(place.coordinator.read("")).entries


def test_what_changes_nothing_has_no_revision_of_its_own(place: Place) -> None:
    place.result(place.coordinator.transact([], [put("a", b"1")]))
    assert place.result(place.coordinator.transact([], [])).revision == 1
    assert place.result(place.coordinator.transact([], [Change(key="never was", value=None)])).revision == 1
    assert place.result(place.coordinator.transact([], [put("a", b"1")])).revision == 2, "the same value is a change"


def test_a_key_that_was_deleted_is_absent(place: Place) -> None:
    place.result(place.coordinator.transact([], [put("a", b"1")]))
    assert place.result(place.coordinator.transact([is_at("a", 1)], [Change(key="a", value=None)])).ok
    assert place.result(place.coordinator.transact([is_at("a", 0)], [put("a", b"2")])).ok


def test_a_read_finds_the_prefix_only(place: Place) -> None:
    place.result(place.coordinator.transact([], [put(key, b"") for key in ("a", "b", "b/1", "b0", "c", "é")]))
    assert list(place.result(place.coordinator.read("b")).entries) == ["b", "b/1", "b0"]
    assert list(place.result(place.coordinator.read("b/")).entries) == ["b/1"]


def test_the_largest_transaction_passes_and_larger_ones_are_refused(place: Place) -> None:
    keys = [f"{number:0400}" for number in range(MOST_KEYS)]
    large = [put(key, bytes(MOST_VALUE_BYTES // 8)) for key in keys]
    assert place.result(place.coordinator.transact([is_at(key, 0) for key in keys], large)).ok
    for conditions, changes in [
        ([is_at(str(number), 0) for number in range(MOST_KEYS + 1)], []),
        ([], [put(str(number), b"") for number in range(MOST_KEYS + 1)]),
        ([is_at("a", 0), is_at("a", 1)], []),
        ([is_at("a", -1)], []),
        ([], [put("a", b"1"), put("a", b"2")]),
        ([], [put("", b"")]),
        ([], [put("k" * 401, b"")]),
        ([], [put("a", bytes(MOST_VALUE_BYTES + 1))]),
        ([], [put(key, bytes(MOST_VALUE_BYTES)) for key in keys[: MOST_BYTES // MOST_VALUE_BYTES]]),
        ([], [Change(key="a", value=None, lease=1)]),
    ]:
        with pytest.raises(ValueError, match=r"a key|a transaction|a revision|a value|a lease"):
            place.coordinator.transact(conditions, changes)
    assert place.result(place.coordinator.read("")).revision == 1


def test_a_watch_hears_what_was_and_what_comes(place: Place) -> None:
    place.result(place.coordinator.transact([], [put("b/1", b"1"), put("a", b"")]))
    place.result(place.coordinator.transact([], [put("a", b"2")]))
    heard = Heard("b/", 0)
    place.coordinator.watch("b/", 0, heard)
    place.result(place.coordinator.transact([], [Change(key="b/1", value=None), put("b/2", b"3")]))
    place.settle()
    assert [(one.revision, one.entries) for one in heard.changes] == [
        (1, {"b/1": Entry(value=b"1", revision=1)}),
        (3, {"b/1": None, "b/2": Entry(value=b"3", revision=3)}),
    ]


def test_a_cancelled_watch_hears_nothing_more(place: Place) -> None:
    heard = Heard("", 0)
    watch = place.coordinator.watch("", 0, heard)
    place.result(place.coordinator.transact([], [put("a", b"1")]))
    place.settle()
    watch.cancel()
    watch.cancel()
    place.result(place.coordinator.transact([], [put("a", b"2")]))
    place.settle()
    assert [one.revision for one in heard.changes] == [1]


def test_a_watch_that_ends_itself_hears_no_more(place: Place) -> None:
    seen: list[Changed | Compacted] = []

    def once(event: Changed | Compacted) -> None:
        seen.append(event)
        watch.cancel()

    watch = place.coordinator.watch("", 0, once)
    for number in range(3):
        place.result(place.coordinator.transact([], [put("a", b"%d" % number)]))
    place.settle()
    assert len(seen) == 1


def test_a_listener_may_use_the_coordinator(place: Place) -> None:
    heard, last = Heard("", 0), Heard("", 0)

    def answer(event: Changed | Compacted) -> None:
        heard(event)
        if len(heard.changes) < 4:
            place.coordinator.transact([], [put(f"answer {len(heard.changes)}", b"")])

    place.coordinator.watch("", 0, answer)
    place.coordinator.watch("", 0, last)
    place.result(place.coordinator.transact([], [put("question", b"")]))
    place.settle()
    place.settle()
    assert [one.revision for one in heard.changes] == [1, 2, 3, 4]
    assert last.changes == heard.changes


@pytest.mark.parametrize("after", [1, 1 << 40])
def test_a_watch_from_a_revision_that_is_not_there_ends_at_once(place: Place, after: int) -> None:
    heard = Heard("", after)
    place.coordinator.watch("", after, heard)
    place.result(place.coordinator.transact([], []))
    place.settle()
    assert not heard.changes
    assert [one.revision for one in heard.compacted] == [0]


def test_after_a_restart_a_watch_from_today_goes_on_and_one_from_long_ago_ends(place: Place) -> None:
    for number in range(3):
        place.result(place.coordinator.transact([], [put("a", b"%d" % number)]))
    place.restart()
    old, new = Heard("", 1), Heard("", 3)
    place.coordinator.watch("", 1, old)
    place.coordinator.watch("", 3, new)
    place.result(place.coordinator.transact([], [put("a", b"new")]))
    place.settle()
    assert ([one.revision for one in new.changes], new.compacted) == ([4], [])
    assert not old.changes
    assert len(old.compacted) == 1


def test_keys_go_with_their_lease_at_one_revision(place: Place) -> None:
    heard = Heard("", 0)
    place.coordinator.watch("", 0, heard)
    lease = place.result(place.coordinator.grant(10))
    assert lease > 0
    place.result(place.coordinator.transact([], [put("a", b"", lease), put("b", b"", lease), put("c", b"")]))
    place.pass_s(9)
    assert place.result(place.coordinator.keep_alive(lease)) is True
    place.pass_s(9)
    assert len(place.result(place.coordinator.read("")).entries) == 3
    place.pass_s(1)
    assert list(place.result(place.coordinator.read("")).entries) == ["c"]
    assert place.result(place.coordinator.keep_alive(lease)) is False
    place.settle()
    assert (heard.changes[-1].revision, heard.changes[-1].entries) == (2, {"a": None, "b": None})


def test_a_key_that_was_put_again_without_its_lease_stays(place: Place) -> None:
    lease = place.result(place.coordinator.grant(10))
    place.result(place.coordinator.transact([], [put("a", b"", lease), put("b", b"", lease)]))
    place.result(place.coordinator.transact([], [put("a", b"mine")]))
    place.result(place.coordinator.revoke(lease))
    place.result(place.coordinator.revoke(lease))
    assert list(place.result(place.coordinator.read("")).entries) == ["a"]


def test_a_lease_that_is_not_there_is_told_only_where_the_conditions_hold(place: Place) -> None:
    future = place.coordinator.transact([], [put("a", b"", 77), put("b", b"")])
    with pytest.raises(LeaseGone) as caught:
        place.result(future)
    assert caught.value.lease == 77
    assert not place.result(place.coordinator.transact([is_at("a", 1)], [put("a", b"", 77)])).ok
    assert place.result(place.coordinator.read("")).revision == 0


def test_a_restart_gives_leases_their_whole_time_and_no_id_twice(place: Place) -> None:
    lease = place.result(place.coordinator.grant(10))
    place.result(place.coordinator.transact([], [put("a", b"", lease)]))
    place.pass_s(9)
    place.restart()
    place.pass_s(9)
    assert place.result(place.coordinator.read("")).entries == {"a": Entry(value=b"", revision=1, lease=lease)}
    place.pass_s(1)
    assert place.result(place.coordinator.read("")).entries == {}
    assert place.result(place.coordinator.grant(10)) == lease + 1


@pytest.mark.parametrize("ttl_s", [0.5, 0.0, -1.0, float("nan"), float("inf"), 86_401.0])
def test_a_lease_for_a_time_that_no_coordinator_grants_is_refused(place: Place, ttl_s: float) -> None:
    with pytest.raises(ValueError, match="a lease lasts"):
        place.coordinator.grant(ttl_s)


def test_a_closed_one_says_so(place: Place) -> None:
    coordinator = place.coordinator
    coordinator.close()
    coordinator.close()
    heard = Heard("", 0)
    coordinator.watch("", 0, heard).cancel()
    for future in (
        coordinator.transact([], []),
        coordinator.read(""),
        coordinator.grant(5),
        coordinator.keep_alive(1),
        coordinator.revoke(1),
    ):
        assert isinstance(future.exception(timeout=0), CoordinatorClosed)
    assert not heard.changes


# -- against the model ---------------------------------------------------------------------------------------------

KEYS = ("a", "a/1", "b")
keys = st.sampled_from(KEYS)
values = st.binary(max_size=3)


class AgainstTheModel(RuleBasedStateMachine):
    """One caller that waits for each answer: it has to see just what the model does."""

    place: Place
    watches_survive = False

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.leases: list[int] = []
        self.heard: list[tuple[Heard, Watch]] = []

    @property
    def coordinator(self) -> Coordinator:
        return self.place.coordinator

    def conditions(self, drawn: dict[str, int]) -> list[Condition]:
        """Return conditions that hold (0), or are so many revisions away."""
        return [is_at(key, max(0, self.model.revision_of(key) - back)) for key, back in drawn.items()]

    @rule(
        drawn=st.dictionaries(keys, st.sampled_from([0, 0, 0, 1, 2])),
        changed=st.dictionaries(keys, st.none() | values),
        lease=st.integers(0, 2),
    )
    def transact(self, drawn: dict[str, int], changed: dict[str, bytes | None], lease: int) -> None:
        chosen = self.leases[-lease] if 0 < lease <= len(self.leases) else 0
        conditions = self.conditions(drawn)
        changes = [Change(key=key, value=one, lease=0 if one is None else chosen) for key, one in changed.items()]
        future = self.coordinator.transact(conditions, changes)
        uses_lost = chosen and chosen not in self.model.ttl_s and any(one.lease for one in changes)
        if uses_lost and self.model.holds(conditions):
            with pytest.raises(LeaseGone):
                self.place.result(future)
        else:
            assert self.place.result(future) == self.model.transact(conditions, changes)

    @rule(prefix=st.sampled_from(["", "a", "a/", "c"]))
    def read(self, prefix: str) -> None:
        assert self.place.result(self.coordinator.read(prefix)) == self.model.read(prefix)

    @rule(ttl_s=st.integers(1, 20))
    def grant(self, ttl_s: int) -> None:
        lease = self.place.result(self.coordinator.grant(ttl_s))
        assert lease not in self.leases
        self.leases.append(lease)
        self.model.grant(lease, ttl_s)

    @precondition(lambda self: bool(self.leases))
    @rule(data=st.data(), is_revoked=st.booleans())
    def use_lease(self, data: st.DataObject, is_revoked: bool) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        if is_revoked:
            self.place.result(self.coordinator.revoke(lease))
            self.model.end_lease(lease)
        else:
            assert self.place.result(self.coordinator.keep_alive(lease)) == self.model.keep_alive(lease)

    @rule(seconds=st.integers(1, 15))
    def pass_time(self, seconds: int) -> None:
        self.place.pass_s(seconds)
        self.model.pass_s(seconds)

    @rule(prefix=st.sampled_from(["", "a", "b"]), back=st.integers(0, 5))
    def watch(self, prefix: str, back: int) -> None:
        after = max(0, self.model.revision - back)
        heard = Heard(prefix, after)
        self.heard.append((heard, self.coordinator.watch(prefix, after, heard)))

    @rule()
    def restart(self) -> None:
        if not self.watches_survive:
            self.place.settle()
            self.compare_watches()
            self.heard.clear()
        self.place.restart()
        self.model.restart()

    @invariant()
    def watches_have_heard_nothing_wrong(self) -> None:
        for heard, _ in self.heard:
            expected = self.model.changes(heard.prefix, heard.after)
            assert heard.changes == expected[: len(heard.changes)]

    def compare_watches(self) -> None:
        for heard, _ in self.heard:
            if not heard.compacted:
                assert heard.changes == self.model.changes(heard.prefix, heard.after)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.settle()
            self.compare_watches()
            assert self.place.result(self.coordinator.read("")) == self.model.read("")
            self.place.close()


class InMemory(AgainstTheModel):
    @initialize()
    def begin(self) -> None:
        self.place = MemoryPlace()


class OnDisk(AgainstTheModel):
    @initialize()
    def begin(self) -> None:
        self.directory = TemporaryDirectory()
        self.place = DiskPlace(Path(self.directory.name) / "coordinator")

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "directory"):
            self.directory.cleanup()


class FarAway(AgainstTheModel):
    watches_survive = True

    @initialize(seed=st.integers(0, 1 << 32))
    def begin(self, seed: int) -> None:
        self.place = RemotePlace(seed)


few = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(few, max_examples=60)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = few
TestFarAway = FarAway.TestCase
TestFarAway.settings = settings(few, max_examples=60)
