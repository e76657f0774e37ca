"""The history log: records of many instances, linked per instance, trimmed from the old end."""

import pytest

from placet.persistence.errors import StoreDamaged
from placet.persistence.history import Record, decode_record, encode_record, trim, walk
from placet.persistence.keys import history_key, root_prefix
from placet.persistence.memory_store import MemoryStore

A, B = root_prefix(1, 1), root_prefix(200, 2)


def log_of_two_instances() -> tuple[MemoryStore, dict[bytes, int]]:
    """Records 1 to 20, two in three of them of instance A."""
    store = MemoryStore()
    last = {A: 0, B: 0}
    for sequence in range(1, 21):
        root = B if sequence % 3 == 0 else A
        record = Record(root=root, link=last[root], at=sequence / 2, kind="fired", firing=sequence)
        store.commit([(history_key(sequence), encode_record(record))])
        last[root] = sequence
    return store, last


def test_a_record_comes_back() -> None:
    record = Record(
        root=A,
        link=4,
        at=12.25,
        kind="fired",
        transition="fulfil/pack",
        firing=3,
        attempt=2,
        consumed=(1 << 40, 2),
        produced=(3,),
        detail={"by": "eva", "rounds": 2, "share": 0.5, "sure": True},
    )
    assert decode_record(encode_record(record)) == record
    small = Record(root=A, link=0, at=0.0, kind="spawned")
    assert decode_record(encode_record(small)) == small
    packed = Record(root=A, link=0, at=0.0, kind="moved", detail=b"\x00packed")
    assert decode_record(encode_record(packed)).detail == b"\x00packed"


def test_records_of_a_later_minor_version_with_more_fields_are_read() -> None:
    longer = b"\x9b" + encode_record(Record(root=A, link=0, at=0.0, kind="spawned"))[1:] + b"\x07"
    assert decode_record(longer).kind == "spawned"


def test_damaged_records_are_damage() -> None:
    with pytest.raises(StoreDamaged):
        decode_record(b"\xc1")


def test_an_instance_is_walked_newest_first() -> None:
    store, last = log_of_two_instances()
    assert [sequence for sequence, _ in walk(store, last[B])] == [18, 15, 12, 9, 6, 3]
    assert {record.root for _, record in walk(store, last[A])} == {A}
    assert list(walk(store, 0)) == []


@pytest.mark.parametrize("keep", [0, 1, 4, 6, 100])
def test_trimming_keeps_the_newest_of_one_instance(keep: int) -> None:
    store, last = log_of_two_instances()
    others = [sequence for sequence, _ in walk(store, last[A])]
    before = [sequence for sequence, _ in walk(store, last[B])]
    keys = trim(store, last[B], keep)
    store.commit([(key, None) for key in keys])
    assert [sequence for sequence, _ in walk(store, last[B])] == before[:keep]
    assert [sequence for sequence, _ in walk(store, last[A])] == others
    assert trim(store, last[B], keep) == []


@pytest.mark.parametrize(("link", "root"), [(18, B), (19, B), (17, B)])
def test_a_wrong_link_is_damage_and_never_a_loop(link: int, root: bytes) -> None:
    store, _ = log_of_two_instances()
    store.commit([(history_key(18), encode_record(Record(root=root, link=link, at=0.0, kind="fired")))])
    with pytest.raises(StoreDamaged):
        list(walk(store, 18))
