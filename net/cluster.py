"""How a node comes into its cluster: it keeps the coordinator itself, or asks others where it is."""

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from placet.actors.clock import wall_s
from placet.actors.shards.records import SHARDS
from placet.net.address import NetAddress
from placet.net.cluster_node import ClusterNode
from placet.net.cluster_table import Member
from placet.net.coordinator import Coordinator
from placet.net.coordinator_desk import CoordinatorDesk
from placet.net.coordinator_messages import (
    CoordinatorAnswer,
    CoordinatorRequest,
    decode_answer,
    decode_request,
    encode_coordination,
)
from placet.net.errors import NodeFailed
from placet.net.local_coordinator import LocalCoordinator
from placet.net.messages import (
    Beat,
    ConfirmMove,
    CoordinatorAt,
    EngineAt,
    FromCoordinator,
    Join,
    NotWelcome,
    OpenShards,
    Peer,
    ToCoordinator,
    Welcome,
    Whereabouts,
)
from placet.net.node_state import NodeState
from placet.net.remote_coordinator import RemoteCoordinator
from placet.net.thespian_adapter import peer_of
from placet.net.wire import OLDEST_VERSION, WIRE_VERSION
from placet.persistence.errors import StateUnusable
from placet.petri.errors import PlacetError

ASK_AGAIN_S: Final = 0.5  # between two nodes that are asked for the cluster, or where its coordinator is now
APART_S: Final = 5.0  # two wall clocks that differ by more are not set by time servers
SAY_AGAIN_S: Final = 10.0  # between two lines that say that none has answered
MISSED_S: Final = 3.0  # a coordinator that has not answered for so long may have another address now
TELL_AGAIN_S: Final = 2.0  # between two times that its node says where it is
CHECK_S: Final = 10.0  # for so long its node asks those of --join whether they are of its cluster
NOWHERE: Final = Whereabouts(
    revision=0, owners=("",) * SHARDS, epochs=(0,) * SHARDS, new=frozenset(), engines={}, nodes=()
)
_log = logging.getLogger("placet")


class Cluster:
    """The cluster of a node, which is looked for at first; for the thread of the node alone."""

    def __init__(
        self,
        member: Member,
        state: NodeState,
        seeds: Sequence[NetAddress],
        *,
        send: Callable[[Peer, object], None],
        moved: Callable[[Whereabouts], None],
        failed: Callable[[PlacetError], None],
    ) -> None:
        """`moved` hears where the engines are, whenever that changes; `failed` why this node cannot be in a cluster.

        Raises what opening the coordinator's state does, and `StateUnusable` where nothing leads to the coordinator.
        """
        self._member = member
        self._state = state
        self._seeds = list(seeds)
        self._send = send
        self._moved = moved
        self._failed = failed
        self._engines: dict[str, EngineAt] = {}  # of this node
        self._node: ClusterNode | None = None
        self._local: LocalCoordinator | None = None
        self._desk: CoordinatorDesk | None = None
        self._remote: RemoteCoordinator | None = None
        self._keeper = member.address  # of the coordinator
        self._opening = 0  # of the coordinator, when it was known to be there
        self._turn = 0  # of those that are asked
        self._ask_s = 0.0
        self._say_s: float | None = None
        self._has_said_clock = False
        self._tell_s = 0.0
        self._peers: dict[str, str] = {}  # addresses of the other members, as they were seen last
        self._unchecked: set[str] = set()  # seeds of a node that keeps the coordinator and needs none
        if state.keeps_coordinator:
            self._unchecked = {str(seed) for seed in seeds} - {member.address}
            self._local = LocalCoordinator.open(state.coordinator)
            self._opening = self._local.opening
            if self._local.opening == 1 and state.record.starts > 1 and state.engines():
                self._local.close()  # it would give shards away that have an owner: two engines would run them
                problem = f"its engines have run, and {state.coordinator}, where it says who owns what, is new"
                raise StateUnusable(str(state.path), f"{problem}; restore that folder from a backup")
            self._desk = CoordinatorDesk(self._local)
            self._begin(self._local, is_keeper=True)
        elif not self._seeds:
            problem = "another node keeps the coordinator of its cluster"
            remedy = f"name a node of it with --join; if this one kept it, restore {state.coordinator} from a backup"
            raise StateUnusable(str(state.path), f"{problem}; {remedy}")

    def leave(self) -> None:
        """Tell the others that this node is going away."""
        if self._node is not None:
            self._node.leave()
            self._node = None

    def close(self) -> None:
        """Let go of the coordinator."""
        for one in (self._desk, self._local, self._remote):
            if one is not None:
                one.close()

    @property
    def where(self) -> Whereabouts:
        """Where the engines are, as far as it is known here."""
        return NOWHERE if self._node is None else self._node.where

    @property
    def id(self) -> str:
        """The cluster's id; "" where it is not known yet."""
        return self._state.record.cluster

    @property
    def keeper(self) -> str:
        """Address of the node that keeps the coordinator."""
        return self._keeper

    @property
    def node(self) -> ClusterNode | None:
        """This node's part in the cluster, once it is in one."""
        return self._node

    def drain(self, *, is_draining: bool) -> None:
        """Give all shards of this node away, or take its share again; a restart changes nothing about that."""
        if self._member.is_draining == is_draining:
            return
        try:
            self._state.drain(is_draining=is_draining)
        except StateUnusable as error:  # who asked for it sees that it has not come about, and asks again
            _log.warning("draining is not changed: %s", error)
            return
        self._member = msgspec.structs.replace(self._member, is_draining=is_draining)
        if self._node is not None:
            self._node.drain(is_draining=is_draining)

    # -- its own engines -------------------------------------------------------------------------------------------

    def engine_started(self, name: str, at: EngineAt) -> None:
        """An engine of this node can be asked."""
        self._engines[name] = at
        if self._node is not None:
            self._node.engine_started(name, at)

    def engine_ended(self, name: str) -> None:
        """An engine of this node cannot be asked any more."""
        self._engines.pop(name, None)
        if self._node is not None:
            self._node.engine_ended(name)

    # -- joining ---------------------------------------------------------------------------------------------------

    def _begin(self, coordinator: Coordinator, *, is_keeper: bool) -> None:
        self._node = ClusterNode(
            self._member,
            self._state.record.cluster,
            coordinator,
            is_keeper=is_keeper,
            peer_of=peer_of,
            send=self._send,
            moved=self._moved,
            failed=self._failed,
        )
        for name, at in self._engines.items():
            self._node.engine_started(name, at)

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        if self._local is not None:
            self._local.tick(now_s)
        if self._remote is not None:
            self._remote.tick(now_s)
        if self._desk is not None:
            self._desk.tick(now_s)
        if self._node is not None:
            self._node.tick(now_s)
            self._remember(self._node.members.values())
        if self._node is not None and self._local is not None:
            self._tell_where(self._node, now_s)
            self._check_seeds(now_s)
        elif self._remote is None or self._remote.waiting_s(now_s) >= MISSED_S:
            self._ask_for_cluster(now_s)

    def _remember(self, members: Iterable[Member]) -> None:
        """Keep where the others are, for the next start."""
        peers = {one.name: one.address for one in members if one.name != self._member.name}
        if peers != self._peers:
            self._peers = peers
            try:
                self._state.remember(peers)
            except StateUnusable as error:  # it is known to this process, which can do all else
                _log.warning("the addresses of other nodes are not remembered: %s", error)

    def _ask_for_cluster(self, now_s: float) -> None:
        """Ask one node after the other which cluster it is in, and where the coordinator of that is."""
        if now_s < self._ask_s:
            return
        known = dict.fromkeys([*map(str, self._seeds), *self._state.record.peers.values()])
        asked = [one for one in known if one != self._member.address] or list(known)
        self._ask(asked[self._turn % len(asked)], now_s)
        if self._node is not None:
            return
        if self._say_s is None:
            self._say_s = now_s + SAY_AGAIN_S
        elif now_s >= self._say_s:
            self._say_s = now_s + SAY_AGAIN_S
            there = ", ".join(sorted(asked))
            _log.warning("no node of a cluster has answered at %s so far; it goes on asking", there)

    def _ask(self, address: str, now_s: float) -> None:
        self._turn += 1
        self._ask_s = now_s + ASK_AGAIN_S
        join = Join(name=self._member.name, wire_version=WIRE_VERSION, oldest_version=OLDEST_VERSION)
        self._send(peer_of(address), join)

    def _welcomed(self, sender: Peer, message: Welcome) -> None:
        if message.cluster == self._state.record.cluster:
            self._unchecked.discard(str(sender))
        elif self._local is not None and str(sender) in self._unchecked:
            problem = f"it keeps the coordinator of cluster {self._state.record.cluster}"
            remedy = "leave --join out, or join with another --state"
            reason = f"{problem}, and --join names a node of {message.cluster}, {sender}; {remedy}"
            self._failed(StateUnusable(str(self._state.path), reason))
            return
        elif str(sender) not in map(str, self._seeds):
            return  # another cluster has the address now that a member of this one had
        self._check_clock(sender, message.wall_s - wall_s())
        self._found(message)

    def _check_clock(self, sender: Peer, ahead_s: float) -> None:
        """Say once that the clocks of two hosts differ: nothing is lost by it, and histories read oddly."""
        if abs(ahead_s) > APART_S and not self._has_said_clock:
            self._has_said_clock = True
            apart = f"{abs(ahead_s):,.0f} s {'behind' if ahead_s > 0 else 'ahead of'}"
            _log.warning("the clock of this host is %s that of %s; set both by one time server", apart, sender)

    def _found(self, place: Welcome | CoordinatorAt) -> None:
        """Take note of where the coordinator is; those who know less than this node are not believed."""
        if self._node is None:
            self._join(place)
        elif self._remote is not None and place.opening > self._opening:
            self._opening = place.opening
            if place.coordinator != self._keeper:
                _log.warning("the coordinator is at %s now (was at %s)", place.coordinator, self._keeper)
                self._keeper = place.coordinator
                self._remote.lost()

    def _join(self, place: Welcome | CoordinatorAt) -> None:
        try:
            self._state.join(place.cluster)
            if place.coordinator == self._member.address:  # it would ask itself for ever
                problem = f"the cluster has its coordinator here, and {self._state.coordinator} is missing"
                raise StateUnusable(str(self._state.path), f"{problem}; restore it from a backup")
        except StateUnusable as error:
            self._failed(error)
            return
        self._keeper, self._opening = place.coordinator, place.opening
        client = f"{self._member.name}.{self._member.incarnation}.{secrets.token_hex(4)}"
        self._remote = RemoteCoordinator(client, self._to_coordinator)
        self._begin(self._remote, is_keeper=False)

    def _to_coordinator(self, request: CoordinatorRequest) -> None:
        line = encode_coordination(request)
        self._send(peer_of(self._keeper), ToCoordinator(cluster=self._state.record.cluster, line=line))

    def _asked_to_join(self, sender: Peer, message: Join) -> None:
        if message.wire_version < OLDEST_VERSION or message.oldest_version > WIRE_VERSION:
            versions = f"version {WIRE_VERSION} of the protocol, and {message.name} version {message.wire_version}"
            reason = f"this cluster speaks {versions}; install the same Placet on both"
            _log.warning("refused node %s at %s: %s", message.name, sender, reason)
            self._send(sender, NotWelcome(reason=reason))
        elif self._node is not None:
            cluster = self._state.record.cluster
            place = Welcome(cluster=cluster, coordinator=self._keeper, opening=self._opening, wall_s=wall_s())
            self._send(sender, place)

    # -- for the node that keeps the coordinator -------------------------------------------------------------------

    def _tell_where(self, node: ClusterNode, now_s: float) -> None:
        """Tell those that this node has known and hears nothing of: they may look for it where it was."""
        if now_s < self._tell_s:
            return
        self._tell_s = now_s + TELL_AGAIN_S
        message = CoordinatorAt(cluster=self.id, coordinator=self._keeper, opening=self._opening)
        for name, address in self._state.record.peers.items():
            if not node.hears(name, now_s):
                self._send(peer_of(address), message)

    def _check_seeds(self, now_s: float) -> None:
        """Ask those of --join whether they are of this cluster: a user may believe that it is joined."""
        if not self._unchecked or now_s < self._ask_s:
            return
        if self._say_s is None:
            self._say_s = now_s + CHECK_S
        asked = sorted(self._unchecked)
        if now_s < self._say_s:
            self._ask(asked[self._turn % len(asked)], now_s)
            return
        self._unchecked.clear()
        needless = "this node keeps the coordinator of its cluster, and joins no other"
        _log.warning("--join: nothing has answered at %s; %s", ", ".join(asked), needless)

    # -- messages --------------------------------------------------------------------------------------------------

    def _answer(self, peer: Peer, answer: CoordinatorAnswer) -> None:
        line = encode_coordination(answer)
        self._send(peer, FromCoordinator(cluster=self._state.record.cluster, line=line))

    def receive(self, sender: Peer, message: object, now_s: float) -> None:
        """Take a message of another node; what is not for this cluster is left alone."""
        match message:
            case Beat() if self._node is not None:
                self._node.heard(message, now_s)
            case OpenShards() if self._node is not None:
                self._node.opened(message)
            case ConfirmMove() if self._node is not None:
                self._node.confirm(message)
            case Join():
                self._asked_to_join(sender, message)
            case Welcome():
                self._welcomed(sender, message)
            case CoordinatorAt() if message.cluster == self._state.record.cluster:
                self._found(message)
            case NotWelcome():
                if self._node is None:
                    self._failed(NodeFailed(message.reason))
            case ToCoordinator() if self._desk is not None and message.cluster == self._state.record.cluster:
                self._desk.receive(decode_request(message.line), lambda answer: self._answer(sender, answer))
            case FromCoordinator() if self._remote is not None and message.cluster == self._state.record.cluster:
                self._remote.receive(decode_answer(message.line))
            case _:
                pass  # of another cluster, or of another version of Placet
