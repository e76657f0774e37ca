"""What the store in memory adds: snapshots."""

from placet.persistence.memory_store import MemoryStore


def test_a_snapshot_and_its_origin_are_independent() -> None:
    store = MemoryStore()
    store.commit([(b"a", b"1"), (b"b", b"2")])
    twin = store.snapshot()
    store.commit([(b"a", None), (b"c", b"3")])
    twin.commit([(b"b", b"new")])
    assert list(store.scan(b"")) == [(b"b", b"2"), (b"c", b"3")]
    assert list(twin.scan(b"")) == [(b"a", b"1"), (b"b", b"new")]
    assert twin.used_bytes() == 6


def test_a_snapshot_of_a_closed_store_is_open() -> None:
    store = MemoryStore()
    store.commit([(b"a", b"1")])
    store.close()
    assert store.snapshot().get(b"a") == b"1"


def test_many_new_keys_and_few_are_kept_in_order() -> None:
    store = MemoryStore()
    store.commit([(b"%05d" % number, b"") for number in range(999, 0, -3)])
    for number in (500, 2, 1000):
        store.commit([(b"%05d" % number, b"")])
    keys = [key for key, _ in store.scan(b"")]
    assert keys == sorted(keys)
    assert len(keys) == 336
