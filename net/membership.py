"""Which nodes are there: a failure detector that counts silence. Pure; the time is given, on a monotonic clock.

It says what is likely, never what is certain: a node that is `DOWN` may live on behind a broken cable. Ownership is not
decided by it; that takes the coordinator, and what is on the disks.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

STEPS: Final = 3  # parts of `suspect_s`; time that passes unseen counts as one of them at most


class MemberState(Enum):
    """What a node seems to be, by how long nothing was heard of it."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A node seems to be something else than was told before."""

    name: str
    old: MemberState | None  # None: it was not known
    new: MemberState
    incarnation: int  # of the node
    is_new: bool  # another process than was told before; False beside `old` DOWN: it was cut off, and lived on


@dataclass(slots=True, kw_only=True)
class _Peer:
    incarnation: int
    heard_s: float  # on the clock of what was seen
    told: MemberState | None = None
    told_incarnation: int = 0


class Membership:
    """Holds when each node was heard last. To be asked for `changes` several times within `suspect_s`.

    Time in which this process was stopped, or busy with something else, tells nothing of others: what they sent waits
    to be read. So time between two calls counts as `suspect_s / STEPS` at most, whatever the clock says. A node that
    sends a sign of life every `suspect_s / STEPS` or sooner therefore never becomes suspect because we were away, if
    what waits is handed to `heard` before the next long absence. And one that is dead is found by any loop that asks,
    later by as much as the loop is slower than that.
    """

    def __init__(self, *, suspect_s: float = 3.0, down_s: float = 10.0) -> None:
        if not 0 < suspect_s < down_s:
            raise ValueError(f"a node is suspect before it is down: 0 < {suspect_s} < {down_s} does not hold")
        self._suspect_s = suspect_s
        self._down_s = down_s
        self._peers: dict[str, _Peer] = {}
        self._last_s: float | None = None  # of the given clock
        self._seen_s = 0.0  # how much of its time counts

    def heard(self, name: str, incarnation: int, now_s: float) -> bool:
        """Take a sign of life of a node; `incarnation` is above 0 and grows with each process it runs in.

        Return False, and change nothing, for one of a process that a newer one has replaced.
        """
        self._advance(now_s)
        peer = self._peers.get(name)
        if peer is None:
            self._peers[name] = _Peer(incarnation=incarnation, heard_s=self._seen_s)
        elif incarnation < peer.incarnation:
            return False
        else:
            peer.incarnation = incarnation
            peer.heard_s = self._seen_s
        return True

    def names(self) -> tuple[str, ...]:
        """Return the nodes that are known, in order."""
        return tuple(sorted(self._peers))

    def state(self, name: str, now_s: float) -> MemberState | None:
        """Return what a node seems to be, or None if it is not known."""
        self._advance(now_s)
        peer = self._peers.get(name)
        return self._state(peer) if peer else None

    def changes(self, now_s: float) -> list[StateChanged]:
        """Return what has changed since this was asked last, by name."""
        self._advance(now_s)
        changes: list[StateChanged] = []
        for name in self.names():
            peer = self._peers[name]
            new = self._state(peer)
            is_new = peer.incarnation != peer.told_incarnation
            if new is peer.told and not is_new:
                continue
            changes.append(StateChanged(name=name, old=peer.told, new=new, incarnation=peer.incarnation, is_new=is_new))
            peer.told = new
            peer.told_incarnation = peer.incarnation
        return changes

    def _state(self, peer: _Peer) -> MemberState:
        silent_s = self._seen_s - peer.heard_s
        if silent_s >= self._down_s:
            return MemberState.DOWN
        return MemberState.SUSPECT if silent_s >= self._suspect_s else MemberState.ALIVE

    def _advance(self, now_s: float) -> None:
        if self._last_s is not None:
            self._seen_s += min(max(0.0, now_s - self._last_s), self._suspect_s / STEPS)
        self._last_s = now_s if self._last_s is None else max(now_s, self._last_s)
