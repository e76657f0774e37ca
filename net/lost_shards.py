"""Shards that the cluster's table gives an engine, and that its state does not let it open: what is said of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from placet.actors.shards.records import Owned, OwnerRecord, Restored


def said_of_lost(
    engine: str, missing: Collection[int], known: Mapping[int, OwnerRecord], epochs: Sequence[int]
) -> Iterator[str]:
    """Yield a line for each way in which shards are lost; none for those that are on their way.

    `missing` are not open here though they are the engine's, `known` is what its state says of shards, `epochs` what
    the table says of all.
    """
    gone = [shard for shard in missing if shard not in known]
    found = [(epochs[shard], known[shard]) for shard in missing if shard in known]
    # Given to this engine anew, elsewhere: by a restore, while this state lay aside.
    old = [one for epoch, one in found if isinstance(one, Owned) and one.epoch < epoch]
    newer = [one for epoch, one in found if isinstance(one, Owned | Restored) and one.epoch > epoch]
    lost = "was it removed or exchanged? restore it, or a backup of it"
    table = "is the table that of an old backup? stop all nodes, and restore the newest one of the coordinator"
    for count, what, remedy in (
        (len(gone), "knows nothing of", lost),
        (len(old), "has an old copy of", lost),
        (len(newer), "has a newer copy of than the table knows", table),
    ):
        if count:
            yield f"the cluster gives engine {engine} {count} shards that its state {what}; {remedy}"
