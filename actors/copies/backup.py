"""Backups of a state: what ran when one was made did not end there with a crash, and is not counted as lost."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from placet.actors.shards.records import owners_of_a_copy
from placet.actors.stamp import decode_stamp, encode_stamp
from placet.persistence.backup import Copyable, Progress, back_up
from placet.persistence.keys import STAMP
from placet.persistence.lock import owner
from placet.persistence.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A backup that was made and looked over."""

    file: str
    size_bytes: int


def backup(source: Copyable, state: Path, target: Path, progress: Progress | None = None) -> BackedUp:
    """Copy the store of a state to the file `target`; `progress` is told (bytes copied, bytes to copy) meanwhile.

    Raises `CopyExists`, `CopyFailed`, and `StoreDamaged` where the state itself is found damaged.
    """
    absolute = target.absolute()
    is_alive = owner(state) is not None
    size_bytes = back_up(source, state.absolute(), absolute, as_stopped if is_alive else as_copy, progress)
    return BackedUp(file=str(absolute), size_bytes=size_bytes)


def as_stopped(store: Store) -> None:
    """Note in the copy that its engine stopped here: the handlers that ran then run on elsewhere."""
    as_copy(store)
    data = store.get(STAMP)
    if data is not None:
        stamp = decode_stamp(data)
        store.commit([(STAMP, encode_stamp(msgspec.structs.replace(stamp, stopped_s=stamp.engine_s)))])


def as_copy(store: Store) -> None:
    """Note in the copy that it is one, should it be of an engine among others; one that crashed has crashed in it too.

    Its shards belong to the engine it was made of, until somebody has the cluster's table say that a restore counts.
    """
    owners = owners_of_a_copy(store)
    if owners:
        store.commit(owners)
