"""Bringing a state back: out of a backup, and, for an engine among others, without what there is no backup of."""

from contextlib import closing
from pathlib import Path
from typing import Final

from placet.actors.copies.backup import as_copy
from placet.actors.shards.records import SHARDS, Restored, encode_owner, has_owners, read_owners
from placet.persistence.errors import StateUnusable
from placet.persistence.keys import LIVE, owner_key
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.restore import restore as put_in_place
from placet.persistence.state import open_state

NEVER_OWNED: Final = 0  # an epoch below all others: whatever the table says of the shard is newer


def restore(backup: Path, state: Path, *, replace: bool = False) -> Path | None:
    """Make `state` what it was when `backup` was made; return where its data went before, if there was any.

    The state of an engine among others is marked as a copy, whatever the file is: another disk may know more. Raises as
    `persistence.restore` does.
    """
    return put_in_place(backup, state, as_copy, replace=replace)


def is_of_a_cluster(state: Path) -> bool:
    """Return whether a state is that of an engine among others."""
    with closing(LmdbReader.open(state)) as view:
        return has_owners(view)


def give_up(state: Path) -> int:
    """Note that an engine is to begin with nothing of the shards its state knows nothing of; return how many those are.

    It is as if a backup without any instance had been restored: the engine takes those that the cluster's table gives
    it, each with the next epoch. Raises `StateUnusable` for the state of an engine alone, and as `open_state` does.
    """
    with closing(open_state(state)) as opened:
        store = opened.store
        known = dict(read_owners(store))
        if not known and next(iter(store.scan(LIVE)), None) is not None:
            raise StateUnusable(str(state), "it is that of an engine alone, which lacks nothing; name one of a node")
        missing = [shard for shard in range(SHARDS) if shard not in known]
        store.commit([(owner_key(shard), encode_owner(Restored(epoch=NEVER_OWNED))) for shard in missing])
    return len(missing)
