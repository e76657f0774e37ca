"""Large values in chunks."""

import pytest

from placet.persistence.blobs import CHUNK_BYTES, BlobRef, chunk_keys, decode_ref, is_ref, join, split
from placet.persistence.errors import StoreDamaged, ValueTooLarge
from placet.persistence.keys import BLOB, HEADER, TOKEN, entry_key, root_prefix, split_entry
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import MAX_VALUE_BYTES
from placet.persistence.values import ENCODERS, encode

ROOT = root_prefix(3, 17)
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5]


@pytest.mark.parametrize("size", SIZES)
def test_a_value_comes_back_and_can_be_deleted(size: int) -> None:
    store = MemoryStore()
    value = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    reference, writes = split(ROOT, 5, value)
    other, more = split(ROOT, 6, b"another")
    store.commit([*writes, *more])
    assert len(writes) == -(-size // CHUNK_BYTES)
    assert join(store, ROOT, reference) == value
    store.commit([(key, None) for key in chunk_keys(ROOT, decode_ref(reference))])
    assert [key for key, _ in store.scan(b"")] == [key for key, _ in more]
    assert join(store, ROOT, other) == b"another"


def test_a_reference_is_short_and_no_value_begins_like_it() -> None:
    reference, _ = split(ROOT, 5, bytes(100))
    assert len(reference) == 17
    assert is_ref(reference)
    assert decode_ref(reference) == BlobRef(5, 100)
    assert not any(is_ref(encoder({"a": 1})) for encoder in ENCODERS.values())
    assert not is_ref(encode(lambda: None))


def test_chunks_sort_after_everything_else_of_their_instance_and_before_the_next() -> None:
    chunk = chunk_keys(ROOT, BlobRef((1 << 54) - 1, MAX_VALUE_BYTES))[-1]
    assert entry_key(ROOT, 0xFFFE, TOKEN, (1 << 64) - 1) < chunk < entry_key(root_prefix(3, 18), 0, HEADER, 0)
    assert split_entry(chunk) == (0xFFFF, BLOB, (1 << 64) - 1)


def test_neighbouring_blobs_share_no_key() -> None:
    largest = [chunk_keys(ROOT, BlobRef(number, MAX_VALUE_BYTES)) for number in (7, 8)]
    assert not set(largest[0]) & set(largest[1])


def test_a_missing_chunk_is_damage() -> None:
    store = MemoryStore()
    reference, writes = split(ROOT, 5, bytes(2 * CHUNK_BYTES))
    store.commit(writes[1:])
    with pytest.raises(StoreDamaged, match="a chunk of a large value is missing"):
        join(store, ROOT, reference)


def test_a_short_chunk_is_damage() -> None:
    store = MemoryStore()
    reference, writes = split(ROOT, 5, bytes(100))
    store.commit([(key, b"short") for key, _ in writes])
    with pytest.raises(StoreDamaged, match="5 of 100 bytes"):
        join(store, ROOT, reference)


@pytest.mark.parametrize("value", [b"B", b"B123", b"\x80\x05", b""])
def test_what_is_no_reference_is_damage(value: bytes) -> None:
    with pytest.raises(StoreDamaged):
        decode_ref(value)


class Huge(bytes):
    def __len__(self) -> int:
        return MAX_VALUE_BYTES + 1


def test_a_value_over_the_hard_limit_is_refused() -> None:
    with pytest.raises(ValueTooLarge):
        split(ROOT, 5, Huge())
