"""Handlers that run where their instance was moved from: the answer comes from there, or is waited for no longer.

The former owner says from time to time which of them run still. When it has not for a while, or has ended, the attempt
is given up as after a clean stop: it is made again, and not counted as lost. What it may say later is stale.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from placet.actors.messages import KernelMessage, Recover
from placet.actors.shards.messages import StillRunning
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import Moved
from placet.actors.slots import FlightKey, Slots
from placet.persistence.keys import shard_prefix

LEASE_S: Final = 30.0  # an attempt of which nothing is heard for so long is given up
TELL_S: Final = LEASE_S / 3


class Elsewhere:
    """What runs elsewhere for instances of this engine, and here for instances of others."""

    def __init__(self, moment: Moment, slots: Slots, deliver: Callable[[KernelMessage], None]) -> None:
        self._moment = moment
        self._slots = slots
        self._deliver = deliver
        self._leases: dict[FlightKey, float] = {}  # until when
        self._guests: dict[int, float] = {}  # when to say again what of a shard that has left runs here

    def begin(self, running: Iterable[tuple[FlightKey, int]]) -> None:
        """Wait for the answers of attempts, each (firing, attempt)."""
        for key, attempt in running:
            self._slots.elsewhere[key] = attempt
            self._leases[key] = self._moment.now + LEASE_S

    def leave(self, shard: int) -> None:
        """A shard has left: others wait for what runs of it."""
        prefix = shard_prefix(shard)
        for key in [key for key in self._leases if key[0].startswith(prefix)]:
            del self._leases[key]
            self._slots.elsewhere.pop(key, None)
        if self._slots.of_shard(prefix):
            self._guests[shard] = self._moment.now + TELL_S

    def heard(self, message: StillRunning) -> None:
        """Some attempts run still; who has the shard no longer passes it on."""
        owner = self._moment.owners.get(message.shard)
        if isinstance(owner, Moved):
            self._moment.say(owner.to, message)
        for root, number, attempt in message.firings:
            key = (root, number)
            if self._slots.elsewhere.get(key) == attempt:
                self._leases[key] = self._moment.now + LEASE_S

    def tick(self) -> None:
        """Give up on attempts that nothing was heard of, and say what runs here."""
        now = self._moment.now
        if not self._leases and not self._guests:
            return
        over = [key for key, until in self._leases.items() if now >= until or key not in self._slots.elsewhere]
        given_up: dict[bytes, None] = {}
        for key in over:
            del self._leases[key]
            if self._slots.elsewhere.pop(key, None) is not None:
                given_up[key[0]] = None
        for root in given_up:
            self._deliver(Recover(root=root, stopped_s=inf))
        for shard in [shard for shard, at in self._guests.items() if now >= at]:
            self._tell(shard)

    def _tell(self, shard: int) -> None:
        firings = tuple(self._slots.of_shard(shard_prefix(shard)))
        owner = self._moment.owners.get(shard)
        if not firings or not isinstance(owner, Moved):
            del self._guests[shard]
            return
        self._guests[shard] = self._moment.now + TELL_S
        engine = self._moment.engine
        self._moment.say(owner.to, StillRunning(shard=shard, move=owner.move, sender=engine, firings=firings))

    def due(self) -> float:
        """Return when `tick` has something to do."""
        return min((*self._leases.values(), *self._guests.values()), default=inf)
