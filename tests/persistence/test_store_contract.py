"""One suite for every store: what `persistence/store.py` promises."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.persistence.errors import StoreFailed, StoreFull, ValueTooLarge
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import MAX_KEY_BYTES, MAX_VALUE_BYTES, Store, Write

Open: TypeAlias = Callable[[Path, int], Store]
UNLIMITED = 1 << 40


def open_lmdb(path: Path, limit_bytes: int) -> Store:
    return LmdbStore.open(path / "state", limit_bytes=limit_bytes)


def open_memory(_: Path, limit_bytes: int) -> Store:
    return MemoryStore(limit_bytes=limit_bytes)


every_store = pytest.mark.parametrize("open_store", [open_lmdb, open_memory])


@pytest.fixture(params=[open_lmdb, open_memory])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = request.param(tmp_path, UNLIMITED)
    yield opened
    opened.close()


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.get(b"a") is None
    assert list(store.scan(b"")) == []


def test_what_is_committed_is_read(store: Store) -> None:
    store.commit([(b"b", b"2"), (b"a", b"1"), (b"empty", b"")])
    assert (store.get(b"a"), store.get(b"b"), store.get(b"empty")) == (b"1", b"2", b"")


def test_a_batch_may_be_any_iterable_and_may_be_empty(store: Store) -> None:
    store.commit(iter([(b"a", b"1")]))
    store.commit(())
    assert list(store.scan(b"")) == [(b"a", b"1")]


def test_a_later_batch_replaces_and_deletes(store: Store) -> None:
    store.commit([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    store.commit([(b"c", None), (b"b", b"new"), (b"never was", None), (b"d", b"4")])
    assert list(store.scan(b"")) == [(b"a", b"1"), (b"b", b"new"), (b"d", b"4")]


def test_keys_are_ordered_as_bytes(store: Store) -> None:
    keys = [b"\x00", b"\x00\x00", b"\x01", b"a", b"a\xff", b"b", b"\xff", b"\xff\xff"]
    store.commit([(key, key) for key in reversed(keys)])
    assert [key for key, _ in store.scan(b"")] == keys


def test_a_scan_yields_the_prefix_only(store: Store) -> None:
    store.commit([(key, b"") for key in (b"a", b"b", b"b\x00", b"b\xff\xff", b"c")])
    assert [key for key, _ in store.scan(b"b")] == [b"b", b"b\x00", b"b\xff\xff"]


def test_a_prefix_of_the_highest_bytes_ends_at_the_end(store: Store) -> None:
    store.commit([(key, b"") for key in (b"a", b"\xff", b"\xff\xff", b"\xff\xff\x01")])
    assert [key for key, _ in store.scan(b"\xff\xff")] == [b"\xff\xff", b"\xff\xff\x01"]


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"b2", [b"b2", b"b3"]),  # itself included
        (b"b25", [b"b3"]),
        (b"a", [b"b1", b"b2", b"b3"]),  # below the prefix: from its first key on
        (b"c", []),
    ],
)
def test_a_scan_begins_at_its_start(store: Store, start: bytes, found: list[bytes]) -> None:
    store.commit([(key, b"") for key in (b"a1", b"b1", b"b2", b"b3", b"c1")])
    assert [key for key, _ in store.scan(b"b", start)] == found


def test_a_scan_of_many_entries_is_complete(store: Store) -> None:
    keys = [b"k" + number.to_bytes(4, "big") for number in range(5000)]
    store.commit([(key, key[::-1]) for key in keys] + [(b"j", b""), (b"l", b"")])
    assert list(store.scan(b"k")) == [(key, key[::-1]) for key in keys]


def test_a_scan_sees_the_state_it_began_in(store: Store) -> None:
    keys = [number.to_bytes(4, "big") for number in range(3000)]
    store.commit([(key, b"old") for key in keys])
    scan = store.scan(b"")
    first = next(scan)
    store.commit([(key, None if key[-1] & 1 else b"new") for key in keys])
    assert [first, *scan] == [(key, b"old") for key in keys]


def test_a_scan_can_be_given_up(store: Store) -> None:
    store.commit([(number.to_bytes(4, "big"), b"") for number in range(3000)])
    next(store.scan(b""))
    store.commit([(b"a", b"1")])
    assert store.get(b"a") == b"1"


@pytest.mark.parametrize("size", [4000, 4096, 1 << 20, (64 << 20) + 1])
def test_big_values_come_back(store: Store, size: int) -> None:
    value = bytes(range(251)) * (size // 251 + 1)
    store.commit([(b"big", value), (b"next", b"1")])
    assert store.get(b"big") == value
    assert [len(found) for _, found in store.scan(b"")] == [len(value), 1]


def test_the_longest_key_fits(store: Store) -> None:
    key = b"k" * MAX_KEY_BYTES
    store.commit([(key, b"1")])
    assert store.get(key) == b"1"
    store.commit([(key, None)])
    assert store.get(key) is None


@pytest.mark.parametrize("key", [b"", b"k" * (MAX_KEY_BYTES + 1)])
@pytest.mark.parametrize("value", [b"1", None])
def test_a_key_of_a_wrong_size_is_refused_with_the_whole_batch(store: Store, key: bytes, value: bytes | None) -> None:
    with pytest.raises(ValueError, match="1 to 511 bytes, not"):
        store.commit([(b"a", b"1"), (key, value)])
    assert list(store.scan(b"")) == []


class Huge(bytes):
    """Says it is over the limit, and costs no memory."""

    def __len__(self) -> int:
        return MAX_VALUE_BYTES + 1


def test_a_value_over_the_limit_is_refused_with_the_whole_batch(store: Store) -> None:
    with pytest.raises(ValueTooLarge):
        store.commit([(b"a", b"1"), (b"b", Huge())])
    assert list(store.scan(b"")) == []


def test_a_batch_that_raises_while_it_is_made_writes_nothing(store: Store) -> None:
    def writes() -> Iterator[Write]:
        yield b"a", b"1"
        raise LookupError

    with pytest.raises(LookupError):
        store.commit(writes())
    assert list(store.scan(b"")) == []


@every_store
def test_a_full_store_refuses_the_whole_batch_and_takes_it_when_there_is_room(open_store: Open, tmp_path: Path) -> None:
    store = open_store(tmp_path, 2_000_000)
    store.commit([(b"old%d" % number, bytes(100_000)) for number in range(15)])
    before = list(store.scan(b""))
    batch: list[Write] = [(b"new%d" % number, bytes(100_000)) for number in range(10)]
    for _ in range(3):
        with pytest.raises(StoreFull) as caught:
            store.commit(batch)
        assert caught.value.limit_bytes == 2_000_000
        assert 1_500_000 < caught.value.used_bytes <= 2_000_000
        assert list(store.scan(b"")) == before
    store.commit([(b"old%d" % number, None) for number in range(10)])
    store.commit(batch)
    assert [key for key, _ in store.scan(b"new")] == [key for key, _ in batch]
    store.close()


@every_store
def test_a_store_over_its_limit_takes_what_makes_it_smaller(open_store: Open, tmp_path: Path) -> None:
    store = open_store(tmp_path, 1_000_000)
    store.commit([(b"a%d" % number, bytes(10_000)) for number in range(60)])
    store.commit([(b"a%d" % number, None) for number in range(60)] + [(b"b", bytes(300_000))])
    assert 300_000 < store.used_bytes() < 400_000
    store.close()


@every_store
def test_a_store_far_over_its_limit_can_be_emptied_in_steps(open_store: Open, tmp_path: Path) -> None:
    store = open_store(tmp_path, UNLIMITED)
    store.commit([(b"a%d" % number, bytes(100_000)) for number in range(10)])
    vars(store)["_limit_bytes"] = vars(store)["limit_bytes"] = 200_000  # as when opened again with a lower limit
    with pytest.raises(StoreFull):
        store.commit([(b"b", bytes(100_000))])
    for number in range(10):
        store.commit([(b"a%d" % number, None)])
    store.commit([(b"b", bytes(100_000))])
    assert [key for key, _ in store.scan(b"")] == [b"b"]
    store.close()


def test_used_bytes_grow_and_shrink(store: Store) -> None:
    empty = store.used_bytes()
    store.commit([(b"a", bytes(1_000_000))])
    assert 1_000_000 <= store.used_bytes() - empty < 1_100_000
    store.commit([(b"a", None)])
    assert store.used_bytes() - empty < 10_000


def test_a_closed_store_refuses_everything(store: Store) -> None:
    store.commit([(b"a", b"1")])
    store.close()
    store.close()
    with pytest.raises(StoreFailed):
        store.get(b"a")
    with pytest.raises(StoreFailed):
        list(store.scan(b""))
    with pytest.raises(StoreFailed):
        store.commit([(b"a", b"2")])


SHORT_KEYS = st.binary(min_size=1, max_size=3)
BATCHES = st.lists(st.dictionaries(SHORT_KEYS, st.none() | st.binary(max_size=40), max_size=12), max_size=8)


@every_store
@settings(max_examples=25, deadline=None)
@given(batches=BATCHES, prefix=st.binary(max_size=2), start=st.none() | SHORT_KEYS)
def test_a_store_is_a_sorted_map(
    open_store: Open, batches: list[dict[bytes, bytes | None]], prefix: bytes, start: bytes | None
) -> None:
    model: dict[bytes, bytes] = {}
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory), UNLIMITED)
        for batch in batches:
            store.commit(batch.items())
            model.update({key: value for key, value in batch.items() if value is not None})
            for key in [key for key, value in batch.items() if value is None]:
                model.pop(key, None)
            expected = [(key, model[key]) for key in sorted(model) if key.startswith(prefix) and key >= (start or b"")]
            assert list(store.scan(prefix, start)) == expected
        store.close()
