"""A node's part in its cluster: it enters itself in the table, hears of others, and knows where every engine is.

No socket and no clock in here: messages and the time come in, messages go out through `send`. All of it, and the
coordinator's futures, are for one thread.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from math import inf
from typing import Final, TypeVar

import msgspec

from placet.actors.shards.records import SHARDS
from placet.net.balance import Move, balance, claims
from placet.net.cluster_table import (
    MEMBERS_PREFIX,
    SHARDS_PREFIX,
    Member,
    Owner,
    ShardTable,
    Transaction,
    claim_shards,
    member_key,
    members_after,
    move_owner,
    note_opened,
    put_member,
    read_members,
)
from placet.net.coordinator import Changed, Compacted, Coordinator, Listener, Outcome, Snapshot
from placet.net.coordinator_errors import BadRecord
from placet.net.errors import NotPossible
from placet.net.membership import Membership, MemberState
from placet.net.messages import Beat, ConfirmMove, EngineAt, MoveShard, OpenShards, Peer, Restore, Whereabouts
from placet.petri.errors import PlacetError

BEAT_S: Final = 1.0  # between two signs of life
LEASE_S: Final = 30.0  # so long silent, a node leaves the table of members; that it is `down` is said long before
KEEP_S: Final = 5.0  # between two times that lease is kept alive
AGAIN_S: Final = 1.0  # after something the coordinator could not do
ORDER_AGAIN_S: Final = 2.0  # between two times that one move is asked for
WANTED_S: Final = 30.0  # for so long a move that people asked for is asked for again
MOVES_AT_ONCE: Final = 8  # shards that one engine gives away at the same time
T = TypeVar("T")
_log = logging.getLogger("placet")


class ClusterNode:
    """What one node knows of its cluster. Begin with `start`, then call `tick` several times a second."""

    def __init__(
        self,
        member: Member,
        cluster: str,
        coordinator: Coordinator,
        *,
        is_keeper: bool,
        peer_of: Callable[[str], Peer],
        send: Callable[[Peer, object], None],
        moved: Callable[[Whereabouts], None],
        failed: Callable[[PlacetError], None],
        membership: Membership | None = None,
    ) -> None:
        """`is_keeper`: the coordinator is in this node.

        `moved` hears where the engines are, whenever that changes; `failed`, why this node cannot be in the cluster:
        the table says what is not understood here, or has another node of its name.
        """
        self._member = member
        self._cluster = cluster
        self._coordinator = coordinator
        self._is_keeper = is_keeper
        self._peer_of = peer_of
        self._send = send
        self._moved = moved
        self._failed = failed
        self._membership = membership or Membership()
        self._members: dict[str, Member] = {}
        self._member_revision = 0  # of this node's own entry
        self._shards = ShardTable()
        self._has_read: set[str] = set()  # prefixes that were read, and are watched
        self._lease = 0
        self._taken_s: float | None = None  # since when another node is seen to have this one's name
        self._engines: dict[str, dict[str, EngineAt]] = {member.name: {}}  # by node, by name
        self._due: dict[str, float] = {}  # what is done again and again, and when next
        self._busy: set[str] = set()  # and what of it is under way
        self._now_s = 0.0
        self._wanted: dict[int, tuple[str, float]] = {}  # moves that people asked for: where to, and until when
        self._ordered: dict[Move, float] = {}  # moves that are to be made, and when that was said last
        self.where = self._look()  # where the engines are, as far as it is known here

    @property
    def name(self) -> str:
        """This node's name."""
        return self._member.name

    @property
    def members(self) -> Mapping[str, Member]:
        """The nodes in the table, by name."""
        return self._members

    @property
    def knows_owners(self) -> bool:
        """True once it has read who owns what."""
        return "shards" in self._has_read

    def states(self, now_s: float) -> dict[str, MemberState]:
        """Return how each node in the table seems to be."""
        found = {name: self._membership.state(name, now_s) or MemberState.SUSPECT for name in self._members}
        return found | {self._member.name: MemberState.ALIVE}

    def hears(self, name: str, now_s: float) -> bool:
        """Return whether signs of life of a node come."""
        return self._membership.state(name, now_s) is MemberState.ALIVE

    def _look(self) -> Whereabouts:
        owners = [self._shards.owner_of(shard) for shard in range(SHARDS)]
        return Whereabouts(
            revision=self._shards.revision,
            owners=tuple(owner.engine if owner else "" for owner in owners),
            epochs=tuple(owner.epoch if owner else 0 for owner in owners),
            new=frozenset(shard for shard, owner in enumerate(owners) if owner is not None and owner.is_new),
            restored={shard: _restore_of(owner) for shard, owner in enumerate(owners) if owner and owner.era},
            engines={name: at for engines in self._engines.values() for name, at in engines.items()},
            nodes=tuple(self._peer_of(member.address) for member in self._members.values()),
        )

    # -- its own engines -------------------------------------------------------------------------------------------

    def engine_started(self, name: str, at: EngineAt) -> None:
        """An engine of this node can be asked."""
        self._engines[self._member.name][name] = at
        self._tell_all()

    def engine_ended(self, name: str) -> None:
        """An engine of this node cannot be asked any more."""
        self._engines[self._member.name].pop(name, None)
        self._tell_all()

    def opened(self, message: OpenShards) -> None:
        """An engine of this node has opened shards: those it had claimed are new no more."""
        held = [(shard, self._shards.held[shard], epoch) for shard, epoch in message.epochs.items()]
        opened = [
            (shard, one)
            for shard, one, epoch in held
            if one is not None and one.owner.is_new and one.owner.epoch == epoch and one.owner.engine == message.name
        ]
        for transaction in note_opened(opened):
            self._when("opened", self._transact(transaction), lambda _outcome: None)

    def confirm(self, message: ConfirmMove) -> None:
        """Have the table say that a shard has moved, or was restored; who asks hears of it, or asks again."""
        held, what = self._shards.held[message.shard], f"confirm {message.shard}"
        if what not in self._busy and held is not None and held.owner.epoch + 1 == message.epoch:
            era = message.epoch if message.is_restore else held.owner.era
            owner = Owner(engine=message.engine, epoch=message.epoch, move=message.move, era=era)
            self._when(what, self._transact(move_owner(message.shard, held, owner)), lambda _outcome: None)

    def drain(self, *, is_draining: bool) -> None:
        """Give all shards of this node away, or take its share again."""
        self._member = msgspec.structs.replace(self._member, is_draining=is_draining)
        if self._lease:
            entered = self._transact(put_member(self._member, self._member_revision, self._lease))
            self._when("lease", entered, lambda outcome: self._entered(outcome, self._lease))

    def leave(self) -> None:
        """Tell the others that this node's engines are going away; it does not wait until they know."""
        self._engines[self._member.name].clear()
        self._beat("beat")
        if self._lease:
            self._coordinator.revoke(self._lease)
            self._lease = 0

    def _tell_all(self) -> None:
        self._due["beat"] = 0.0
        self._tell()

    def _tell(self) -> None:
        where = self._look()
        if where != self.where:
            self.where = where
            self._moved(where)

    # -- time ------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        self._now_s = now_s
        self._at(now_s, "members", AGAIN_S, self._read_members)
        self._at(now_s, "shards", AGAIN_S, self._read_shards)
        self._at(now_s, "lease", KEEP_S if self._lease else AGAIN_S, self._keep_lease)
        self._at(now_s, "beat", BEAT_S, self._beat)
        if self._is_keeper:
            self._at(now_s, "claims", AGAIN_S, self._claim)
            self._at(now_s, "moves", AGAIN_S, self._balance)
        self._at(now_s, "wanted", ORDER_AGAIN_S, self._order_wanted)
        for change in self._membership.changes(now_s):
            if change.old is not None:
                _log.info("node %s is %s (was %s)", change.name, change.new.value, change.old.value)
            if change.new is MemberState.DOWN:
                self._engines.pop(change.name, None)
                self._tell()

    def _at(self, now_s: float, what: str, period_s: float, act: Callable[[str], None]) -> None:
        if what not in self._busy and now_s >= self._due.get(what, 0.0):
            self._due[what] = now_s + period_s
            act(what)

    def _when(self, what: str, future: "Future[T]", then: Callable[[T], None]) -> None:
        """Call `then` with the result; what fails is done again when it is due."""
        self._busy.add(what)

        def done(ended: "Future[T]") -> None:
            """Take the result."""
            self._busy.discard(what)
            error = ended.exception() if not ended.cancelled() else None
            if error is not None:
                _log.warning("the coordinator: %s", error)
            elif not ended.cancelled():
                self._guarded(lambda: then(ended.result()))

        future.add_done_callback(done)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BadRecord as error:  # of a newer Placet, most likely
            self._failed(error)

    # -- the tables ------------------------------------------------------------------------------------------------

    def _read_members(self, what: str) -> None:
        if what not in self._has_read:
            self._when(what, self._coordinator.read(MEMBERS_PREFIX), self._members_read)

    def _members_read(self, snapshot: Snapshot) -> None:
        self._has_read.add("members")
        self._take_members(read_members(snapshot))
        own = snapshot.entries.get(member_key(self._member.name))
        self._member_revision = own.revision if own else 0
        self._watch(MEMBERS_PREFIX, snapshot.revision, self._members_changed)

    def _watch(self, prefix: str, revision: int, changed: Listener) -> None:
        self._coordinator.watch(prefix, revision, lambda what: self._guarded(lambda: changed(what)))

    def _members_changed(self, changed: Changed | Compacted) -> None:
        if isinstance(changed, Compacted):
            self._has_read.discard("members")
            return
        key = member_key(self._member.name)
        if key in changed.entries:
            own = changed.entries[key]
            self._member_revision = own.revision if own else 0
            if own is None and self._lease:  # the lease ended while this node was away
                self._lease = 0
                self._due["lease"] = 0.0
        self._take_members(members_after(self._members, changed))

    def _take_members(self, members: Mapping[str, Member]) -> None:
        self._members = dict(members)
        self._tell()

    def _read_shards(self, what: str) -> None:
        if what not in self._has_read:
            self._when(what, self._coordinator.read(SHARDS_PREFIX), self._shards_read)

    def _shards_read(self, snapshot: Snapshot) -> None:
        self._has_read.add("shards")
        self._shards = ShardTable.read(snapshot)
        self._watch(SHARDS_PREFIX, snapshot.revision, self._shards_changed)
        self._tell()

    def _shards_changed(self, changed: Changed | Compacted) -> None:
        if isinstance(changed, Compacted):
            self._has_read.discard("shards")
            return
        self._shards = self._shards.after(changed)
        for shard in [one for one, (to, _) in self._wanted.items() if self._shards.engine_of(one) == to]:
            del self._wanted[shard]
        self._due["moves"] = 0.0  # some are over: others can begin
        self._tell()

    # -- itself ----------------------------------------------------------------------------------------------------

    def _keep_lease(self, what: str) -> None:
        if self._lease:
            self._when(what, self._coordinator.keep_alive(self._lease), self._kept)
        elif "members" in self._has_read and not self._is_name_taken():
            self._when(what, self._coordinator.grant(LEASE_S), self._granted)

    def _is_name_taken(self) -> bool:
        """Return whether another node has this one's name; it may be one that is gone, until its lease is over."""
        other = self._members.get(self._member.name)
        if other is None or other.id == self._member.id:
            self._taken_s = None
            return False
        if self._taken_s is None:
            self._taken_s = self._now_s
        elif self._now_s >= self._taken_s + 2 * LEASE_S:
            known = f"another node called {other.name} is in the cluster, at {other.address}"
            self._failed(NotPossible(known, "give this one another --name, and a state of its own"))
        return True

    def _kept(self, is_alive: bool) -> None:
        if not is_alive:
            self._lease = 0
            self._due["lease"] = 0.0

    def _granted(self, lease: int) -> None:
        entered = self._transact(put_member(self._member, self._member_revision, lease))
        self._when("lease", entered, lambda outcome: self._entered(outcome, lease))

    def _entered(self, outcome: Outcome, lease: int) -> None:
        if outcome.ok:
            self._lease = lease
            self._member_revision = outcome.revision
            return
        self._lease = 0  # it is entered anew
        found = outcome.entries.get(member_key(self._member.name))
        self._member_revision = found.revision if found else 0  # of the process before this one, most likely

    def _transact(self, transaction: Transaction) -> "Future[Outcome]":
        return self._coordinator.transact(transaction.conditions, transaction.changes)

    def _beat(self, _what: str) -> None:
        name = self._member.name
        beat = Beat(
            name=name,
            cluster=self._cluster,
            incarnation=self._member.incarnation,
            engines=dict(self._engines[name]),
        )
        for other in self._members.values():
            if other.name != name:
                self._send(self._peer_of(other.address), beat)

    # -- others ----------------------------------------------------------------------------------------------------

    def heard(self, beat: Beat, now_s: float) -> None:
        """Take a sign of life of another node."""
        if beat.cluster == self._cluster and self._membership.heard(beat.name, beat.incarnation, now_s):
            self._engines[beat.name] = dict(beat.engines)
            self._tell()

    # -- for the node that keeps the coordinator -------------------------------------------------------------------

    def _claim(self, what: str) -> None:
        """Give shards that nobody owns to the engines there are."""
        if not {"members", "shards"} <= self._has_read:
            return
        weights = _weights(self._members.values())
        for transaction in claim_shards(claims(self._shards, weights)):
            self._when(what, self._transact(transaction), lambda _outcome: None)

    def _balance(self, _what: str) -> None:
        """Have shards moved so that all engines that are there have as many, a few at a time."""
        there = {name for engines in self._engines.values() for name in engines}
        weights = {name: weight for name, weight in _weights(self._members.values()).items() if name in there}
        leaving: Counter[str] = Counter()
        ordered: dict[Move, float] = {}
        for move in balance(self._shards, weights):
            leaving[move.source] += 1
            if leaving[move.source] <= MOVES_AT_ONCE:
                ordered[move] = self._ordered.get(move, -inf)
                if self._now_s >= ordered[move] + ORDER_AGAIN_S:
                    ordered[move] = self._now_s
                    self.move(move.shard, move.target)
        self._ordered = ordered

    def want(self, shard: int, to: str) -> None:
        """Have a shard move, as people ask for it: its owner may not have opened it yet, and is asked again."""
        self._wanted[shard] = to, self._now_s + WANTED_S
        self.move(shard, to)

    def _order_wanted(self, _what: str) -> None:
        self._wanted = {shard: one for shard, one in self._wanted.items() if self._now_s < one[1]}
        for shard, (to, _) in self._wanted.items():
            self.move(shard, to)

    def move(self, shard: int, to: str) -> None:
        """Ask the owner of a shard to give it to another engine, where both are known."""
        owner = self._shards.engine_of(shard)
        at = next((engines[owner] for engines in self._engines.values() if owner in engines), None)
        if at is not None and owner != to:
            self._send(at.peer, MoveShard(shard=shard, to=to))


def _weights(members: Iterable[Member]) -> dict[str, float]:
    """Return how much of the work each engine should have."""
    return {engine: 0.0 if member.is_draining else 1.0 for member in members for engine in member.engines}


def _restore_of(owner: Owner) -> Restore:
    return Restore(era=owner.era, name=owner.move if owner.era == owner.epoch else "")
