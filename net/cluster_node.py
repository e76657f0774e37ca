"""A node's part in its cluster: it enters itself in the table, hears of others, and knows where every engine is.

No socket and no clock in here: messages and the time come in, messages go out through `send`. All of it, and the
coordinator's futures, are for one thread.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Final, TypeVar

from placet.net.balance import claims
from placet.net.cluster_table import (
    MEMBERS_PREFIX,
    SHARDS,
    SHARDS_PREFIX,
    Member,
    ShardTable,
    Transaction,
    claim_shards,
    member_key,
    members_after,
    put_member,
    read_members,
)
from placet.net.coordinator import Changed, Compacted, Coordinator, Outcome, Snapshot
from placet.net.membership import Membership, MemberState
from placet.net.messages import Beat, EngineAt, Peer, Whereabouts

BEAT_S: Final = 1.0  # between two signs of life
LEASE_S: Final = 10.0  # a node that is silent for so long is taken out of the table of members
KEEP_S: Final = 3.0  # between two times that lease is kept alive
AGAIN_S: Final = 1.0  # after something the coordinator could not do
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
        membership: Membership | None = None,
    ) -> None:
        """`moved` hears where the engines are, whenever that changes; `is_keeper`: the coordinator is in this node."""
        self._member = member
        self._cluster = cluster
        self._coordinator = coordinator
        self._is_keeper = is_keeper
        self._peer_of = peer_of
        self._send = send
        self._moved = moved
        self._membership = membership or Membership()
        self._members: dict[str, Member] = {}
        self._member_revision = 0  # of this node's own entry
        self._shards = ShardTable()
        self._has_read: set[str] = set()  # prefixes that were read, and are watched
        self._lease = 0
        self._engines: dict[str, dict[str, EngineAt]] = {member.name: {}}  # by node, by name
        self._due: dict[str, float] = {}  # what is done again and again, and when next
        self._busy: set[str] = set()  # and what of it is under way
        self._told: Whereabouts | None = None

    @property
    def members(self) -> Mapping[str, Member]:
        """The nodes in the table, by name."""
        return self._members

    def states(self, now_s: float) -> dict[str, MemberState]:
        """Return how each node in the table seems to be."""
        found = {name: self._membership.state(name, now_s) or MemberState.SUSPECT for name in self._members}
        return found | {self._member.name: MemberState.ALIVE}

    @property
    def where(self) -> Whereabouts:
        """Where the engines are, as far as it is known here."""
        return Whereabouts(
            revision=self._shards.revision,
            owners=tuple(self._shards.engine_of(shard) or "" for shard in range(SHARDS)),
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

    def _tell_all(self) -> None:
        self._due["beat"] = 0.0
        self._tell()

    def _tell(self) -> None:
        where = self.where
        if where != self._told:
            self._told = where
            self._moved(where)

    # -- time ------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        self._at(now_s, "members", AGAIN_S, self._read_members)
        self._at(now_s, "shards", AGAIN_S, self._read_shards)
        self._at(now_s, "lease", KEEP_S if self._lease else AGAIN_S, self._keep_lease)
        self._at(now_s, "beat", BEAT_S, self._beat)
        if self._is_keeper:
            self._at(now_s, "claims", AGAIN_S, self._claim)
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
                then(ended.result())

        future.add_done_callback(done)

    # -- the tables ------------------------------------------------------------------------------------------------

    def _read_members(self, what: str) -> None:
        if what not in self._has_read:
            self._when(what, self._coordinator.read(MEMBERS_PREFIX), self._members_read)

    def _members_read(self, snapshot: Snapshot) -> None:
        self._has_read.add("members")
        self._take_members(read_members(snapshot))
        own = snapshot.entries.get(member_key(self._member.name))
        self._member_revision = own.revision if own else 0
        self._coordinator.watch(MEMBERS_PREFIX, snapshot.revision, self._members_changed)

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
        self._coordinator.watch(SHARDS_PREFIX, snapshot.revision, self._shards_changed)
        self._tell()

    def _shards_changed(self, changed: Changed | Compacted) -> None:
        if isinstance(changed, Compacted):
            self._has_read.discard("shards")
            return
        self._shards = self._shards.after(changed)
        self._tell()

    # -- itself ----------------------------------------------------------------------------------------------------

    def _keep_lease(self, what: str) -> None:
        if self._lease:
            self._when(what, self._coordinator.keep_alive(self._lease), self._kept)
        elif "members" in self._has_read:
            self._when(what, self._coordinator.grant(LEASE_S), self._granted)

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


def _weights(members: Iterable[Member]) -> dict[str, float]:
    """Return how much of the work each engine should have."""
    return {engine: 0.0 if member.is_draining else 1.0 for member in members for engine in member.engines}
