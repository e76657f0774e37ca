r"""How keys are laid out, so that an instance is one range scan and no place needs an id of its own.

Live state:  b"L" | shard (1) | root (8) | actor (2) | kind (1) | id (8)      all big-endian
History:     b"Z" | sequence (8)             an append near the end of the tree
Addresses:   b"A" | instance id (utf-8, or its blake2b digest when long)
Nets:        b"N" | digest
Shards:      b"S" | shard (1)
Tasks:       b"T" | shard (1) | root (8)      of instances with tasks that wait for people, how many
Outbox:      b"O" | number (8)               messages of instances to each other, in order
Channels:    b"C" | from (1) | to (1) | number (8)     messages between shards of two engines; 0: the last number given
Received:    b"R" | to (1) | from (1)        number of the last message taken in from a shard of another engine
Owners:      b"W" | shard (1)                whose a shard is, in the store of an engine among others
Eras:        b"B" | shard (1)                what a shard knows: with which epoch others, and it, were last restored
Engine:      b"E" | name                     format, suspects
Stamp:       b"\xff"                      where the engine stood at its last commit

Actor 0 is the root; other composites follow in the order of the plan; places start at `FIRST_PLACE`.
So a scan at start reads an instance's header and firings, then leaps over its tokens to the next root.
"""

import hashlib
import struct
from functools import lru_cache

LIVE, HISTORY, ADDRESS, NET, SHARD, TASKS, OUTBOX, ENGINE = b"L", b"Z", b"A", b"N", b"S", b"T", b"O", b"E"
CHANNEL, RECEIVED, OWNER, ERA = b"C", b"R", b"W", b"B"
STAMP = b"\xff"  # beside the newest history record, so that a commit writes one page less
FIRST_PLACE = 0x8000  # actor index of the first place; also the limit on composites, and on places

# kinds of entry
HEADER, FIRING, TOKEN, GUARD_INCIDENT, REQUEST, PARKED, BLOB = 0, 1, 2, 3, 4, 5, 6
DELAY, TASK, FROZEN, STATE, SCHEDULED, WATCHER = 7, 8, 9, 10, 11, 12

LONGEST_ID_BYTES = 400

_unpack_entry = struct.Struct(">cBQHBQ").unpack
_id = struct.Struct(">Q").pack
_root = struct.Struct(">cBQ").pack


@lru_cache(1 << 14)
def shard_of(instance_id: str) -> int:
    """Return the shard of an instance, 0 to 255: a hash of its id that is the same on every host and version."""
    return hashlib.blake2b(instance_id.encode(), digest_size=1).digest()[0]


def root_prefix(shard: int, root: int) -> bytes:
    """Return the prefix of everything one instance has in live state (10 bytes)."""
    return _root(LIVE, shard, root)


def kind_prefix(root: bytes, actor: int, kind: int) -> bytes:
    """Return the prefix (13 bytes) of one kind of entries of one actor; append `pack_id` for a key."""
    return root + actor.to_bytes(2, "big") + bytes((kind,))


pack_id = _id
"""Return the last 8 bytes of an entry's key."""


def entry_key(root: bytes, actor: int, kind: int, number: int) -> bytes:
    """Return the key of one entry."""
    return root + actor.to_bytes(2, "big") + bytes((kind,)) + _id(number)


def split_entry(key: bytes) -> tuple[int, int, int]:
    """Return (actor, kind, id) of a key in live state."""
    _, _, _, actor, kind, number = _unpack_entry(key)
    return actor, kind, number


def history_key(sequence: int) -> bytes:
    """Return the key of a history record."""
    return HISTORY + _id(sequence)


def outbox_key(number: int) -> bytes:
    """Return the key of a message that is on its way."""
    return OUTBOX + _id(number)


def channel_key(channel: tuple[int, int], number: int) -> bytes:
    """Return the key of a message from one shard to another, or, for number 0, of the last number given."""
    return CHANNEL + bytes(channel) + _id(number)


def split_channel(key: bytes) -> tuple[tuple[int, int], int]:
    """Return ((from, to), number) of a channel's key."""
    return (key[1], key[2]), int.from_bytes(key[3:], "big")


def received_key(channel: tuple[int, int]) -> bytes:
    """Return the key of the last number that one shard has taken in from another."""
    source, target = channel
    return RECEIVED + bytes((target, source))


def owner_key(shard: int) -> bytes:
    """Return the key that says whose a shard is."""
    return OWNER + bytes((shard,))


def era_key(shard: int) -> bytes:
    """Return the key of what a shard knows of the restores of others, and of its own."""
    return ERA + bytes((shard,))


def shard_prefix(shard: int) -> bytes:
    """Return the prefix of what the instances of one shard have in live state."""
    return LIVE + bytes((shard,))


def tasks_key(root: bytes) -> bytes:
    """Return the key that says that an instance has tasks which wait for people."""
    return TASKS + root[1:]


def address_key(instance_id: str) -> bytes:
    """Return the key under which an instance's shard and root are found; ids of any length fit."""
    encoded = instance_id.encode()
    if len(encoded) > LONGEST_ID_BYTES:
        encoded = b"\x00" + hashlib.blake2b(encoded, digest_size=32).digest()
    return ADDRESS + encoded


def below_prefixes(instance_id: str) -> tuple[bytes, bytes]:
    """Return what keys of instances below another begin with: their ids, or a digest of those that are too long."""
    return ADDRESS + instance_id.encode() + b"/", ADDRESS + b"\x00"
