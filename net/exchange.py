"""Carries letters between the engines of a cluster: what the kernel sends to others, and what comes.

Nothing here has to be remembered: parcels are on disk until they are acknowledged, and all about shards that move is
said again, so what is lost comes later.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

import msgspec

from placet.actors.clock import monotonic_s
from placet.actors.kernel import Kernel
from placet.actors.messages import Acknowledged, Parcel
from placet.actors.shards.messages import BetweenEngines, Confirm, Forward, MoveEnded
from placet.actors.shards.residents import shard_of_message
from placet.net.freight import Freight
from placet.net.messages import ConfirmMove, EngineAt, Letters, Peer, Whereabouts
from placet.net.outbox import Done

MOST_WAITING_BYTES: Final = 32 << 20  # for one engine; parcels beyond that are left on disk for now
SEND_AGAIN_S: Final = 2.0  # parcels are sent once more to an engine that acknowledges nothing for so long
STRAY_S: Final = 10.0  # and so often, whatever is: one that was turned away while its shard moved may be among them
Letter: TypeAlias = Parcel | Acknowledged | BetweenEngines | Forward
Addressed: TypeAlias = tuple[int | str, Letter]  # to the engine that owns a shard, or to the one with a name
Order: TypeAlias = Callable[[Callable[[Kernel], None]], None]  # has something done on the engine's thread
Send: TypeAlias = Callable[[Peer, object, Done], None]

_log = logging.getLogger("placet")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Letter]).decode


class Exchange:
    """The letters of one engine; all but `carry` is for the one thread of its process that sends."""

    def __init__(
        self, name: str, send: Send, rouse: Callable[[], None], confirm: Callable[[ConfirmMove, Done], None]
    ) -> None:
        """`rouse` has `woken` called soon, on the thread that sends; `confirm` asks the table, as `send` does."""
        self._name = name
        self._rouse = rouse
        self._confirm = confirm
        self._carried: SimpleQueue[Sequence[Addressed]] = SimpleQueue()
        self._confirms: SimpleQueue[ConfirmMove] = SimpleQueue()
        self._asking: set[ConfirmMove] = set()  # those on their way: asked again and again, they must not pile up
        self._freight = Freight(lambda peer, pieces, done: send(peer, Letters(pieces=pieces), done))
        self._where: Whereabouts | None = None
        self._heard_s: dict[str, float] = {}  # by engine: when it acknowledged something last, or was sent all again
        self._again_s = monotonic_s()  # when all engines were sent all again
        self.order: Order | None = None  # None: there is no engine yet

    # -- from the engine's thread --------------------------------------------------------------------------

    def carry(self, parcels: Sequence[Parcel], acknowledgements: Iterable[Acknowledged]) -> None:
        """Take what a batch sends to shards of other engines."""
        letters: list[Addressed] = [(parcel.channel[1], parcel) for parcel in parcels]
        letters += [(acknowledged.channel[0], acknowledged) for acknowledged in acknowledgements]
        self._carry(letters)

    def carry_shards(
        self,
        between: Sequence[tuple[str, BetweenEngines]],
        forwards: Sequence[Forward],
        confirms: Sequence[Confirm],
        ended: Sequence[MoveEnded],
    ) -> None:
        """Take what a batch says about shards that move; how moves have ended, the cluster's table tells."""
        for move in ended:
            if not move.done:
                _log.warning("shard %d stays: %s", move.shard, move.reason)
        self._carry([*between, *((shard_of_message(answer), answer) for answer in forwards)])
        for confirm in confirms:
            row = confirm.row
            asked = ConfirmMove(
                shard=row.shard,
                epoch=row.epoch,
                engine=row.engine,
                move=confirm.move,
                is_restore=row.era == row.epoch,
            )
            self._confirms.put(asked)
        if confirms:
            self._rouse()

    def _carry(self, letters: Sequence[Addressed]) -> None:
        if letters:
            self._carried.put(letters)
            self._rouse()

    # -- out -----------------------------------------------------------------------------------------------

    def look(self, where: Whereabouts) -> None:
        """Take note of where the engines are; one that has just begun is sent at once what it may lack.

        This one is among them: what was sent to a shard of its own comes from before one of the two was here.
        """
        known: Mapping[str, EngineAt] = self._where.engines if self._where is not None else {}
        self._heard_s = {
            name: self._heard_s.get(name, -inf) if known.get(name) == at else -inf for name, at in where.engines.items()
        }
        self._where = where
        self._freight.forget_others(one.peer for one in where.engines.values())

    def woken(self) -> None:
        """Send what was carried here since."""
        letters: dict[str, list[Letter]] = {}  # by engine
        with suppress(Empty):
            while True:
                for target, letter in self._carried.get_nowait():
                    owner = target if isinstance(target, str) else self._owner(target)
                    if owner:  # else it is sent again once there is one
                        letters.setdefault(owner, []).append(letter)
        for engine, found in letters.items():
            self._post(engine, found)
        with suppress(Empty):
            while True:
                self._ask_table(self._confirms.get_nowait())

    def _ask_table(self, message: ConfirmMove) -> None:
        if message not in self._asking:
            self._asking.add(message)
            self._confirm(message, lambda _is_through: self._asking.discard(message))

    def _owner(self, shard: int) -> str:
        return self._where.owners[shard] if self._where is not None else ""

    def _post(self, engine: str, letters: list[Letter]) -> None:
        if engine == self._name:  # a channel from before a shard came here is used up first
            self._hand_over(letters)
            return
        at = self._where.engines.get(engine) if self._where is not None else None
        if at is None:
            return
        if self._freight.waiting_bytes(at.peer) > MOST_WAITING_BYTES:  # it is slow, or away; the rest can wait on disk
            letters = [one for one in letters if not isinstance(one, Parcel)]
        if letters:
            self._freight.put(at.peer, _encode(letters))

    def tick(self) -> None:
        """Have parcels sent again that nobody acknowledges; to be called about once a second."""
        now_s = monotonic_s()
        if self.order is None or self._where is None:
            return
        silent = {name for name, heard_s in self._heard_s.items() if now_s > heard_s + SEND_AGAIN_S}
        if now_s > self._again_s + STRAY_S:
            self._again_s = now_s
            silent = set(self._heard_s)
        if silent:
            self._heard_s |= dict.fromkeys(silent, now_s)
            shards = frozenset(shard for shard, owner in enumerate(self._where.owners) if owner in silent)
            self.order(lambda kernel: kernel.send_again(shards))

    # -- in ------------------------------------------------------------------------------------------------

    def receive(self, sender: Peer, message: Letters) -> None:
        """Give the engine what another one has sent."""
        for whole in self._freight.whole(sender, message.pieces):
            letters = _decode(whole)
            if any(isinstance(letter, Acknowledged) for letter in letters):
                self._heard_s |= {name: monotonic_s() for name in self._heard_s if self._is_at(name, sender)}
            self._hand_over(letters)

    def _is_at(self, name: str, peer: Peer) -> bool:
        return self._where is not None and name in self._where.engines and self._where.engines[name].peer == peer

    def _hand_over(self, letters: Sequence[Letter]) -> None:
        if self.order is None:
            return  # it comes again

        def take(kernel: Kernel) -> None:
            """Take them in."""
            for letter in letters:
                if isinstance(letter, Forward):
                    kernel.deliver(letter)
                else:
                    kernel.receive(letter)

        self.order(take)
