"""What a cluster's coordinator holds, in types: the table of members, and who owns each shard.

Keys:   members/NAME    a node, on the lease it keeps alive
        shards/NNN      the owner of a shard, 000 to 255; for good
Values: JSON with the version of its format; fields that are not known here are left alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from placet.actors.shards.records import SHARDS
from placet.net.coordinator import MOST_KEYS, Change, Changed, Condition, Entry, Snapshot
from placet.net.coordinator_errors import BadRecord

FORMAT: Final = 1
MEMBERS_PREFIX: Final = "members/"
SHARDS_PREFIX: Final = "shards/"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A node, as it describes itself."""

    name: str
    address: str  # HOST:PORT, where other nodes and clients reach it
    engines: tuple[str, ...]  # `NAME/K`
    incarnation: int  # grows with each start of the node
    id: str = ""  # of its state directory: two nodes that were given one name are told apart by it
    capabilities: dict[str, float | str] = {}
    version: str = ""  # of Placet
    wire_version: int = 0
    is_draining: bool = False  # it takes no more shards, and gives away those it has
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"a node's name is a text without '/', not {self.name!r}")
        numbers = [value for value in self.capabilities.values() if isinstance(value, float)]
        if not all(math.isfinite(value) for value in numbers):
            raise ValueError(f"capabilities of {self.name} are texts and finite numbers: {self.capabilities}")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who may commit for a shard."""

    engine: str
    epoch: int  # 1 is the first owner's; grows with each
    move: str = ""  # id of the move that made it the owner; "": it claimed a shard nobody had
    is_new: bool = False  # it was claimed, and was never opened: that nothing is on the owner's disk is no loss
    era: int = 0  # the epoch that began with the last restore of the shard from a backup, which `move` then names
    format: int = FORMAT


class Held(NamedTuple):
    """An owner as the coordinator has it."""

    owner: Owner
    revision: int  # what a transaction that replaces it has to compare with


class Transaction(NamedTuple):
    """What to give to `Coordinator.transact`."""

    conditions: Sequence[Condition]
    changes: Sequence[Change]


Record: TypeAlias = Member | Owner
_T = TypeVar("_T", Member, Owner)
_encode = msgspec.json.Encoder(order="deterministic").encode


class _Format(msgspec.Struct):
    format: int


def encode_record(record: Record) -> bytes:
    """Return a record as it stands in the table."""
    return _encode(record)


def decode_member(name: str, value: bytes) -> Member:
    """Return the node under `members/NAME`. Raises `BadRecord`."""
    member = _decode(member_key(name), value, Member)
    if member.name != name:
        raise BadRecord(member_key(name), f"it describes another node, {member.name}", "delete it")
    return member


def decode_owner(shard: int, value: bytes) -> Owner:
    """Return the owner under `shards/NNN`. Raises `BadRecord`."""
    return _decode(shard_key(shard), value, Owner)


def _decode(key: str, value: bytes, kind: type[_T]) -> _T:
    try:
        found = msgspec.json.decode(value, type=_Format).format
        if found > FORMAT:
            problem = f"it has format {found}, this Placet reads up to {FORMAT}"
            raise BadRecord(key, problem, "upgrade Placet on this host")
        return msgspec.json.decode(value, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadRecord(key, f"it is not what Placet writes ({error})", "find out who has written it") from error


# -- keys ----------------------------------------------------------------------------------------------------------


def member_key(name: str) -> str:
    """Return the key of a node."""
    return MEMBERS_PREFIX + name


def shard_key(shard: int) -> str:
    """Return the key of a shard."""
    if not 0 <= shard < SHARDS:
        raise ValueError(f"a shard is 0 to {SHARDS - 1}, not {shard}")
    return f"{SHARDS_PREFIX}{shard:03}"


def _shard_of_key(key: str) -> int:
    text = key.removeprefix(SHARDS_PREFIX)
    if len(text) != 3 or not text.isascii() or not text.isdigit() or int(text) >= SHARDS:
        raise BadRecord(key, "there is no such shard", "delete it")
    return int(text)


# -- the tables ----------------------------------------------------------------------------------------------------


class ShardTable(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns each shard, at one revision."""

    revision: int = 0
    held: tuple[Held | None, ...] = (None,) * SHARDS

    @classmethod
    def read(cls, snapshot: Snapshot) -> "ShardTable":
        """Return the table in a snapshot of `SHARDS_PREFIX`. Raises `BadRecord`."""
        return _with(cls(), snapshot.revision, snapshot.entries)

    def after(self, changed: Changed) -> "ShardTable":
        """Return the table after what a watch of `SHARDS_PREFIX` has told; an older revision changes nothing.

        Raises `BadRecord`.
        """
        return self if changed.revision <= self.revision else _with(self, changed.revision, changed.entries)

    def owner_of(self, shard: int) -> Owner | None:
        """Return the owner of a shard, or None."""
        held = self.held[shard]
        return held.owner if held else None

    def engine_of(self, shard: int) -> str | None:
        """Return the engine that owns a shard, or None."""
        held = self.held[shard]
        return held.owner.engine if held else None

    def shards_of(self, engine: str) -> tuple[int, ...]:
        """Return the shards of an engine, in order."""
        return tuple(shard for shard in range(SHARDS) if self.engine_of(shard) == engine)

    def free_shards(self) -> tuple[int, ...]:
        """Return the shards that nobody owns, in order."""
        return tuple(shard for shard in range(SHARDS) if self.held[shard] is None)


def _with(table: ShardTable, revision: int, entries: Mapping[str, Entry | None]) -> ShardTable:
    held = list(table.held)
    for key, entry in entries.items():
        shard = _shard_of_key(key)
        held[shard] = Held(decode_owner(shard, entry.value), entry.revision) if entry else None
    return ShardTable(revision=revision, held=tuple(held))


def read_members(snapshot: Snapshot) -> dict[str, Member]:
    """Return the nodes in a snapshot of `MEMBERS_PREFIX`, by name. Raises `BadRecord`."""
    return members_after({}, Changed(revision=snapshot.revision, entries=dict(snapshot.entries)))


def members_after(members: Mapping[str, Member], changed: Changed) -> dict[str, Member]:
    """Return the nodes after what a watch of `MEMBERS_PREFIX` has told, by name. Raises `BadRecord`."""
    after = dict(members)
    for key, entry in changed.entries.items():
        name = key.removeprefix(MEMBERS_PREFIX)
        if entry is None:
            after.pop(name, None)
        else:
            after[name] = decode_member(name, entry.value)
    return dict(sorted(after.items()))


# -- transactions --------------------------------------------------------------------------------------------------


def put_member(member: Member, revision: int, lease: int) -> Transaction:
    """Enter a node, or describe it anew: its entry has `revision` so far, 0 where it has none."""
    key = member_key(member.name)
    change = Change(key=key, value=encode_record(member), lease=lease)
    return Transaction([Condition(key=key, revision=revision)], [change])


def move_owner(shard: int, held: Held, new: Owner) -> Transaction:
    """Give a shard to another owner, if it is still held as it was. Refuses an epoch that is not the next.

    The new owner may be the same engine: what was restored from a backup owns its shards anew, and an old copy of them
    that comes back does not.
    """
    if new.epoch != held.owner.epoch + 1:
        raise ValueError(f"epoch {new.epoch} of shard {shard} does not follow {held.owner.epoch}")
    return _put_owner(shard, held.revision, new)


def claim_shards(claims: Iterable[tuple[int, str]]) -> list[Transaction]:
    """Give shards that nobody owns to engines, at epoch 1: transactions, each of which may fail alone."""
    return _together([_put_owner(shard, 0, Owner(engine=engine, epoch=1, is_new=True)) for shard, engine in claims])


def note_opened(shards: Iterable[tuple[int, Held]]) -> list[Transaction]:
    """Note that shards were opened by those who had claimed them: transactions, each of which may fail alone."""
    return _together(
        [_put_owner(shard, held.revision, msgspec.structs.replace(held.owner, is_new=False)) for shard, held in shards]
    )


def _together(single: Sequence[Transaction]) -> list[Transaction]:
    """Return as few transactions as can be, of those that have one key each."""
    return [
        Transaction(
            [one.conditions[0] for one in single[start : start + MOST_KEYS]],
            [one.changes[0] for one in single[start : start + MOST_KEYS]],
        )
        for start in range(0, len(single), MOST_KEYS)
    ]


def _put_owner(shard: int, revision: int, owner: Owner) -> Transaction:
    key = shard_key(shard)
    return Transaction([Condition(key=key, revision=revision)], [Change(key=key, value=encode_record(owner))])
