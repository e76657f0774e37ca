"""Large values: cut into chunks next to their instance's live state, with a short reference in their place.

A page of LMDB holds 4 KiB; a value of 1 GiB needs as many neighbouring pages. Chunks of 1 MiB find room in the
pages that were freed, and need not lie in memory all at once to be written.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from placet.persistence.errors import StoreDamaged, ValueTooLarge
from placet.persistence.keys import BLOB, entry_key
from placet.persistence.store import MAX_VALUE_BYTES, Write

INLINE_BYTES = 64 << 10  # values up to here stay where they are
CHUNK_BYTES = 1 << 20
BLOB_ACTOR = 0xFFFF  # sorts after everything else of an instance, so that no scan of its actors meets a chunk
TAG = b"B"  # no codec of `values.py` begins with it
REF = TAG[0]  # the first byte of what stands for a large value

_CHUNK_BITS = 10  # MAX_VALUE_BYTES / CHUNK_BYTES is 2 ** 10
_reference = struct.Struct(">cQQ")


class Gets(Protocol):
    """What chunks are read from: any `View`, or part of one."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        ...


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Stands in for a large value. `id` is unique within its instance, below 2 ** 54; `size` is in bytes."""

    id: int
    size: int

    def encode(self) -> bytes:
        """Return the 17 bytes that are stored in the value's place."""
        return _reference.pack(TAG, self.id, self.size)


def is_ref(value: bytes) -> bool:
    """Return whether a stored value is a reference to chunks."""
    return value.startswith(TAG)


def decode_ref(value: bytes) -> BlobRef:
    """Return the reference stored as `value`. Raises `StoreDamaged`."""
    if len(value) != _reference.size or not is_ref(value):
        raise StoreDamaged(f"{value[:32]!r} is no reference to a large value")
    _, number, size = _reference.unpack(value)
    return BlobRef(number, size)


def split(root: bytes, blob_id: int, value: bytes) -> tuple[bytes, list[Write]]:
    """Return (reference to store in the value's place, writes of its chunks). Raises `ValueTooLarge`."""
    if len(value) > MAX_VALUE_BYTES:
        raise ValueTooLarge(len(value), MAX_VALUE_BYTES)
    reference = BlobRef(blob_id, len(value))
    offsets = range(0, len(value), CHUNK_BYTES)
    writes: list[Write] = [
        (key, value[offset : offset + CHUNK_BYTES])
        for key, offset in zip(chunk_keys(root, reference), offsets, strict=True)
    ]
    return reference.encode(), writes


def join(view: Gets, root: bytes, value: bytes) -> bytes:
    """Return the large value that the reference `value` stands for. Raises `StoreDamaged` if a chunk is missing."""
    reference = decode_ref(value)
    whole = b"".join(_chunks(view, root, reference))
    if len(whole) != reference.size:
        raise StoreDamaged(f"a large value has {len(whole)} of {reference.size} bytes")
    return whole


def chunk_keys(root: bytes, reference: BlobRef) -> list[bytes]:
    """Return the keys of all chunks of a large value, to delete them with it."""
    first = reference.id << _CHUNK_BITS
    count = -(-reference.size // CHUNK_BYTES)
    return [entry_key(root, BLOB_ACTOR, BLOB, first + index) for index in range(count)]


def _chunks(view: Gets, root: bytes, reference: BlobRef) -> Iterator[bytes]:
    for key in chunk_keys(root, reference):
        chunk = view.get(key)
        if chunk is None:
            raise StoreDamaged(f"a chunk of a large value is missing ({key.hex()})")
        yield chunk
