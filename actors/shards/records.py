"""Whose a shard is, as the store of an engine says: one record a shard, under `OWNER` | shard.

A store without any such record is that of an engine alone, which owns all shards for ever. Of a shard without one
nothing is in the store.
"""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from placet.persistence.keys import OWNER, owner_key
from placet.persistence.store import View

SHARDS = 256  # of every cluster: a shard is one byte of a key
FIRST_EPOCH = 1  # of a shard that nobody has had yet


class Owned(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The shard is this engine's: it may be opened once the coordinator's table says the same, with this epoch."""

    epoch: int


class Arriving(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Some of the shard has come here, and is not to be seen: it is thrown away unless all of it comes."""

    epoch: int  # that it would be owned with
    move: str
    source: str  # the engine it comes from


class Staged(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """All of the shard is here; its owner is still to say that it is so no longer, and the table that this one is."""

    epoch: int  # that it will be owned with
    move: str
    source: str
    is_copy: bool = False  # out of a backup: where the table says that it is owned, more has happened


class Moved(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The shard was this engine's, which commits nothing for it any more."""

    epoch: int  # of its next owner
    move: str
    to: str  # the engine it went to
    settled: bool = False  # the table says so too: what is left of it here can go


class Restored(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """This is what a backup had of the shard: it may be opened once the table says that this very restore counts."""

    epoch: int  # of the shard's owner when the backup was made
    restore: str = ""  # names the restore as no other; "": the engine has not been started on it


OwnerRecord: TypeAlias = Owned | Arriving | Staged | Moved | Restored

encode_owner = msgspec.msgpack.Encoder().encode
decode_owner = msgspec.msgpack.Decoder(OwnerRecord).decode


def read_owner(view: View, shard: int) -> OwnerRecord | None:
    """Return whose a shard is; None: nothing is known of it here."""
    data = view.get(owner_key(shard))
    return None if data is None else decode_owner(data)


def read_owners(view: View) -> Iterator[tuple[int, OwnerRecord]]:
    """Yield (shard, whose it is) for all shards something is known of."""
    for key, data in view.scan(OWNER):
        yield key[1], decode_owner(data)


def owners_of_a_copy(view: View) -> list[tuple[bytes, bytes]]:
    """Return what the owner records of a copy of a store have to be: what it owns is to be restored.

    What was staged still may come, and the table says whether it has. What has moved away stays so.
    """
    found: list[tuple[bytes, bytes]] = []
    for shard, one in read_owners(view):
        if isinstance(one, Owned | Restored):
            found.append((owner_key(shard), encode_owner(Restored(epoch=one.epoch))))
        elif isinstance(one, Staged):
            found.append((owner_key(shard), encode_owner(msgspec.structs.replace(one, is_copy=True))))
    return found


def has_owners(view: View) -> bool:
    """Return whether a store is that of an engine among others."""
    return next(iter(view.scan(OWNER)), None) is not None
