"""What an engine says of shards that are its own, and that it cannot open."""

from placet.actors.shards.records import Arriving, Moved, Owned, OwnerRecord, Restored, Staged
from placet.net.lost_shards import said_of_lost

EPOCHS = (5,) * 256


def said(known: dict[int, OwnerRecord], *missing: int) -> list[str]:
    return [line.partition(";")[0] for line in said_of_lost("a/0", missing, known, EPOCHS)]


def test_each_way_of_losing_shards_has_a_line_with_their_number() -> None:
    known: dict[int, OwnerRecord] = {2: Owned(epoch=4), 3: Owned(epoch=6), 4: Restored(epoch=7), 5: Owned(epoch=3)}
    assert said(known, 0, 1, 2, 3, 4, 5) == [
        "the cluster gives engine a/0 2 shards that its state knows nothing of",
        "the cluster gives engine a/0 2 shards that its state has an old copy of",
        "the cluster gives engine a/0 2 shards that its state has a newer copy of than the table knows",
    ]
    (line,) = said_of_lost("a/0", [3], known, EPOCHS)
    assert "restore the newest one of the coordinator" in line


def test_nothing_is_said_of_shards_that_are_on_their_way() -> None:
    known: dict[int, OwnerRecord] = {
        0: Owned(epoch=5),  # it is about to be opened
        1: Restored(epoch=5, restore="now"),  # the table is asked
        2: Staged(epoch=6, move="m", source="b/0"),
        3: Arriving(epoch=6, move="m", source="b/0"),
        4: Moved(epoch=6, move="m", to="b/0"),
    }
    assert said(known, *known) == []
