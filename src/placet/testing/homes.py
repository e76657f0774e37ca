"""Where each shard of a simulation lives, and what must hold of that: found by reading the stores, never by asking.

A shard is at home in the engine that may commit for it next: from the commit of `Moved` on that is the one it went to,
whose staged copy is then compared with what was left behind, entry by entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from placet.actors.messages import ClientMessage, Sent, decode_message
from placet.actors.records import decode_firing, decode_header, encode
from placet.actors.shards.records import Arriving, Moved, Owned, OwnerRecord, Staged, decode_owner
from placet.persistence.history import Record, walk
from placet.persistence.keys import (
    ADDRESS,
    CHANNEL,
    FIRING,
    HEADER,
    LIVE,
    OUTBOX,
    OWNER,
    RECEIVED,
    SHARD,
    TASKS,
    shard_of,
    split_entry,
)
from placet.persistence.store import View, Write
from placet.testing.checks import Checks
from placet.testing.errors import require
from placet.testing.image import read_image
from placet.testing.network import Network, number_of
from placet.testing.people import People

ROOT_BYTES = 10
_BESIDE = (LIVE, TASKS, SHARD, CHANNEL, RECEIVED)
Facts: TypeAlias = dict[str, object]


@dataclass(slots=True)
class Homes:
    """Looks at every commit of every engine, before the checks of that engine do."""

    network: Network
    checks: list[Checks] = field(default_factory=list[Checks])  # by engine
    people: list[People] = field(default_factory=list[People])
    home: dict[int, int] = field(default_factory=dict[int, int])  # engine by shard
    owners: list[dict[int, OwnerRecord]] = field(default_factory=list[dict[int, OwnerRecord]])  # as last committed
    _committers: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])  # by (shard, epoch)
    _epochs: dict[int, int] = field(default_factory=dict[int, int])  # the latest anybody has committed in

    def settle(self, checks: Checks, people: People) -> Callable[[list[Write]], None]:
        """Let one more engine take part, and return what is to be told of its commits.

        At home in it are the shards of its people, whose records are in its store already.
        """
        number, shards = len(self.checks), people.shards
        self.checks.append(checks)
        self.people.append(people)
        self.home |= dict.fromkeys(shards, number)
        self.owners.append({shard: Owned(epoch=1) for shard in shards})
        checks.is_home = lambda shard: self.home[shard] == number
        people.name, people.send_on = f"{number}.", self._send_on
        return self._hook(number)

    def _send_on(self, message: ClientMessage) -> None:
        """Let a request be made again, of the engine that has the instance."""
        self.people[self.home[shard_of(message.instance)]].lost.append(message)

    def of(self, number: int) -> frozenset[int]:
        """Return the shards at home in an engine."""
        return frozenset(shard for shard, home in self.home.items() if home == number)

    def _hook(self, number: int) -> Callable[[list[Write]], None]:
        def committed(writes: list[Write]) -> None:
            """Look at who owns what, then at the rest."""
            self._committed(number, writes)
            self.checks[number].committed(writes)

        return committed

    def _committed(self, number: int, writes: list[Write]) -> None:
        before = self.owners[number]
        after = before | {
            key[1]: decode_owner(value) for key, value in writes if key[:1] == OWNER and value is not None
        }
        for shard in [key[1] for key, value in writes if key[:1] == OWNER and value is None]:
            del after[shard]
        self.owners[number] = after
        for shard in sorted({key[1] for key, _ in writes if key[:1] in (LIVE, SHARD, TASKS)}):
            mine = [write for write in writes if write[0][:1] in (LIVE, SHARD, TASKS) and write[0][1] == shard]
            self._check_writer(number, shard, before.get(shard), after.get(shard), mine)
        for shard, record in after.items():
            known = before.get(shard)
            if isinstance(record, Moved) and not isinstance(known, Moved):
                self._moved(number, shard, known, record)
            elif isinstance(record, Owned) and known != record:
                self._owned(number, shard, record)

    def _check_writer(
        self, number: int, shard: int, before: OwnerRecord | None, after: OwnerRecord | None, writes: list[Write]
    ) -> None:
        """Only its owner writes to a shard, in its epoch; what comes may be written, what has left be removed."""
        what = f"engine {number} writes {len(writes)} entries of shard {shard}, which was {before} and is {after}"
        if isinstance(after, Owned):
            require(self.home[shard] == number, "only its owner commits for a shard", what)
            committer = self._committers.setdefault((shard, after.epoch), number)
            require(committer == number, "one engine commits in an epoch", f"{what}; {committer} has too")
            require(after.epoch >= self._epochs.get(shard, 0), "epochs grow", what)
            self._epochs[shard] = after.epoch
        elif not isinstance(before, Owned | Staged | Moved) and isinstance(after, Arriving | Staged | None):
            pass
        else:
            removed = isinstance(after, Moved) and after.settled and not any(value for _, value in writes)
            require(removed, "only its owner commits for a shard", what)

    def _owned(self, number: int, shard: int, record: Owned) -> None:
        epoch, engine = self.network.rows[shard]
        what = f"engine {number} takes shard {shard} with {record}; the table has engine {engine}, epoch {epoch}"
        require((record.epoch, number) == (epoch, engine), "the table says who owns a shard", what)
        require(self.home[shard] == number, "a shard is let go of before it is taken", what)

    # -- a move ----------------------------------------------------------------------------------------------

    def _moved(self, number: int, shard: int, known: OwnerRecord | None, record: Moved) -> None:
        target = number_of(record.to)
        staged = self.owners[target].get(shard)
        what = f"engine {number} lets go of shard {shard}, {known}, with {record}; engine {target} has {staged}"
        require(isinstance(known, Owned) and record.epoch == known.epoch + 1, "epochs grow", what)
        whole = isinstance(staged, Staged) and (staged.epoch, staged.move) == (record.epoch, record.move)
        require(whole, "a shard is let go of when it is whole elsewhere", what)
        source, other = self.checks[number], self.checks[target]
        ours, theirs = facts(source.view, shard), facts(other.view, shard)
        missing = {name: (value, theirs.get(name)) for name, value in ours.items() if theirs.get(name) != value}
        require(not missing, "all of a shard moves", f"{what}: {missing}")
        require(ours.keys() == theirs.keys(), "nothing but a shard moves", f"{what}: {theirs.keys() - ours.keys()}")
        histories = history_of(other.view, shard)
        for root, records in history_of(source.view, shard).items():  # what was trimmed meanwhile may be there still
            kept = histories[root][: len(records)]
            require(kept == records, "history moves with its instance", f"{what}: {root.hex()}")
        self.home[shard] = target
        for root in [root for root in source.images if root[1] == shard]:
            image = read_image(other.view, root)
            assert image is not None, root
            other.adopt(source, image)
        moved = [name for name in self.people[number].instances if shard_of(name) == shard]
        self.people[target].instances += moved
        for name in moved:
            self.people[number].instances.remove(name)
        self.people[number].shards, self.people[target].shards = self.of(number), self.of(target)

    # -- the end ---------------------------------------------------------------------------------------------

    def check_end(self) -> None:
        """Every shard has one owner, whom the table names, and nobody else has anything of it."""
        for shard in range(256):
            owners = [number for number, known in enumerate(self.owners) if isinstance(known.get(shard), Owned)]
            require(owners == [self.home[shard]], "a shard has one owner", f"shard {shard}: {owners}")
            record = self.owners[owners[0]][shard]
            require((record.epoch, owners[0]) == self.network.rows[shard], "the table says who owns a shard", shard)
        for number, known in enumerate(self.owners):
            view = self.checks[number].view
            for shard, record in known.items():
                is_over = isinstance(record, Owned) or (isinstance(record, Moved) and record.settled)
                require(is_over, "every move ends", f"engine {number}, shard {shard}: {record}")
            for key, value in view.scan(b""):
                of = _shard_of_entry(key, value)
                ours = of is None or self.home[of] == number
                require(ours, "what has left is removed", f"engine {number}, shard {of}: {key.hex()}")


def _shard_of_entry(key: bytes, value: bytes) -> int | None:
    if key[:1] in _BESIDE:
        return key[1]
    if key[:1] == ADDRESS:
        return value[1]
    return _post_shard(value) if key[:1] == OUTBOX else None


def _post_shard(value: bytes) -> int:
    sent = decode_message(value)
    assert isinstance(sent, Sent), sent
    return shard_of(sent.instance)


def facts(view: View, shard: int) -> Facts:
    """Return all there is of a shard but its history, by name, without what counts within an engine."""
    found: Facts = {}
    for prefix in _BESIDE:
        for key, value in view.scan(prefix + bytes((shard,))):
            found[key.hex()] = _plain(key, value)
    for key, root in view.scan(ADDRESS):
        if root[1] == shard:
            found[f"address {key.hex()}"] = root
    posts = [decode_message(value) for _, value in view.scan(OUTBOX) if _post_shard(value) == shard]
    plain = [msgspec.structs.replace(sent, entry=0) for sent in posts if isinstance(sent, Sent)]
    for number, sent in enumerate(plain):
        found[f"post {number}"] = sent
    return found


def history_of(view: View, shard: int) -> dict[bytes, list[Record]]:
    """Return the history of each instance of a shard, newest first, without links, by root."""
    found: dict[bytes, list[Record]] = {}
    for root in sorted({key[:ROOT_BYTES] for key, _ in view.scan(LIVE + bytes((shard,)))}):
        image = read_image(view, root)
        last = image.last_link if image is not None else 0
        found[root] = [msgspec.structs.replace(record, link=0) for _, record in walk(view, last)]
    return found


def _plain(key: bytes, value: bytes) -> object:
    """Return an entry without the links to history in it."""
    if key[:1] != LIVE:
        return value
    _, kind, _ = split_entry(key)
    if kind == HEADER and key[ROOT_BYTES : ROOT_BYTES + 2] == b"\0\0":
        header = decode_header(value)
        header.link = 0
        return encode(header)
    if kind == FIRING:
        firing = decode_firing(value)
        firing.link = 0
        return encode(firing)
    return value
