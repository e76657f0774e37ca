"""A shard on its way to another engine, as its owner sees it: copied while it goes on, then frozen, then gone.

Whatever is said is said again until it is answered, and what comes twice or late is not what is waited for. Until
`Moved` is written the move can be called off at any time, also by a crash, and nothing has happened; from then on the
shard is not this engine's, and the move can only be completed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Final

import msgspec

from placet.actors.shards.content import Changes, Content, part_bytes
from placet.actors.shards.messages import (
    CalledOff,
    Chunk,
    Confirm,
    MovedAway,
    MoveEnded,
    Offer,
    Part,
    Ready,
    Row,
    Taken,
)
from placet.actors.shards.moment import Moment
from placet.actors.shards.records import Moved, Owned

SAY_AGAIN_S: Final = 0.5
PATIENCE_S: Final = 15.0  # without an answer for so long a move is called off, while it can be
CHUNK_BYTES: Final = 1 << 20
FEW_CHANGES: Final = 2_000  # with no more than so many left to be read again a shard is frozen
MOST_ROUNDS: Final = 5  # or after reading again so often what was written meanwhile


@dataclass(slots=True, kw_only=True)
class Leaving:
    """One shard that is to go, and what was said last."""

    shard: int
    move: str
    to: str
    epoch: int  # of the next owner
    said: Offer | Chunk
    changes: Changes  # since it began to be copied, or to be read again
    parts: Iterator[Part]
    content: Content | None = None  # None: nobody has accepted the offer
    rounds: int = 0
    is_frozen: bool = False
    say_at: float = -inf
    ends_at: float


class Departures:
    """The shards that are to leave this engine, and those that have left and are not settled in the table yet."""

    def __init__(
        self,
        moment: Moment,
        history: Callable[[], int],
        freeze: Callable[[int], bool],
        thaw: Callable[[int], None],
        leave: Callable[[int], None],
    ) -> None:
        """`freeze` stops all in a shard, or says that it is too early; `leave` forgets one that is gone."""
        self._moment = moment
        self._history = history
        self._freeze = freeze
        self._thaw = thaw
        self._leave = leave
        self.patience_s = PATIENCE_S
        self.chunk_bytes = CHUNK_BYTES
        self.few_changes = FEW_CHANGES
        self.leaving: dict[int, Leaving] = {}
        self._settling: dict[int, float] = {  # when to say again that they have left
            shard: -inf for shard, record in moment.owners.items() if isinstance(record, Moved) and not record.settled
        }

    def begin(self, shard: int, epoch: int, to: str, move: str) -> None:
        """Offer a shard, which is owned with `epoch`, to another engine."""
        self.leaving[shard] = Leaving(
            shard=shard,
            move=move,
            to=to,
            epoch=epoch + 1,
            said=Offer(shard=shard, move=move, sender=self._moment.engine, epoch=epoch + 1, engine_s=0.0, wall_s=0.0),
            changes=Changes(shard),
            parts=iter(()),
            ends_at=inf,
        )

    def note(self, writes: list[tuple[bytes, bytes | None]]) -> None:
        """Take note of what a batch writes of shards that are being copied."""
        for leaving in self.leaving.values():
            if leaving.content is not None and not leaving.is_frozen:
                for key, value in writes:
                    leaving.changes.note(key, value)

    # -- what the other engine says ------------------------------------------------------------------------

    def taken(self, message: Taken) -> None:
        """What was said last has arrived: go on."""
        leaving = self._find(message.shard, message.move)
        if leaving is None:
            return
        if self._moment.now >= leaving.ends_at:  # an offer is not to be taken late: see `Arrivals`
            self._call_off(leaving, f"{leaving.to} does not answer")
            return
        number = leaving.said.number if isinstance(leaving.said, Chunk) else 0
        if message.number != number or (isinstance(leaving.said, Chunk) and leaving.said.is_last):
            return
        if leaving.content is None:
            leaving.content = Content(self._moment.view, leaving.shard, self._history())
            leaving.parts = leaving.content.whole()
        parts, is_last = self._fill(leaving, leaving.content)
        leaving.said = Chunk(
            shard=leaving.shard,
            move=leaving.move,
            sender=self._moment.engine,
            number=number + 1,
            parts=tuple(parts),
            is_last=is_last,
        )
        leaving.ends_at = self._moment.now + self.patience_s
        self._say(leaving)

    def ready(self, message: Ready) -> None:
        """All is there, and on disk: let go for good; or say what has become of a move that is over."""
        leaving = self._find(message.shard, message.move)
        record = self._moment.owners.get(message.shard)
        if leaving is not None:
            if isinstance(leaving.said, Chunk) and leaving.said.is_last:
                del self.leaving[leaving.shard]
                self._moment.note(leaving.shard, Moved(epoch=leaving.epoch, move=leaving.move, to=leaving.to))
                self._leave(leaving.shard)
                self._settling[leaving.shard] = -inf
        elif isinstance(record, Moved) and record.move == message.move:
            self._say_moved(message.shard, record)
        else:
            off = CalledOff(shard=message.shard, move=message.move, sender=self._moment.engine)
            self._moment.say(message.sender, off)

    def declined(self, shard: int, move: str, reason: str) -> None:
        """The other engine does not take part."""
        leaving = self._find(shard, move)
        if leaving is not None:
            self._call_off(leaving, reason)

    # -- the table -----------------------------------------------------------------------------------------

    def settled(self, shard: int, record: Moved) -> None:
        """The table says that a shard which has left is another engine's."""
        self._settling.pop(shard, None)
        self._moment.note(shard, Moved(epoch=record.epoch, move=record.move, to=record.to, settled=True))
        self._moment.batch.moves.append(MoveEnded(shard=shard, move=record.move, done=True))

    # -- time ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Say again what nobody has answered, and give up on who does not answer at all."""
        now = self._moment.now
        for leaving in list(self.leaving.values()):
            if leaving.ends_at == inf:
                leaving.ends_at = now + self.patience_s
            if now >= leaving.ends_at:
                self._call_off(leaving, f"{leaving.to} does not answer")
            elif now >= leaving.say_at:
                self._say(leaving)
        for shard, say_at in list(self._settling.items()):
            record = self._moment.owners.get(shard)
            if now >= say_at and isinstance(record, Moved):
                self._settling[shard] = now + SAY_AGAIN_S
                self._say_moved(shard, record)

    def due(self) -> float:
        """Return when `tick` has something to do."""
        times = [min(leaving.say_at, leaving.ends_at) for leaving in self.leaving.values()]
        return min((*times, *self._settling.values()), default=inf)

    def call_off(self, shard: int, reason: str) -> None:
        """Let a shard stay, if it is to leave."""
        leaving = self.leaving.get(shard)
        if leaving is not None:
            self._call_off(leaving, reason)

    # -- parts -----------------------------------------------------------------------------------------------

    def _find(self, shard: int, move: str) -> Leaving | None:
        leaving = self.leaving.get(shard)
        return leaving if leaving is not None and leaving.move == move else None

    def _fill(self, leaving: Leaving, content: Content) -> tuple[list[Part], bool]:
        """Return the parts of the next chunk, and whether it is the last one."""
        parts: list[Part] = []
        size = 0
        while size < self.chunk_bytes:
            part = next(leaving.parts, None)
            if part is not None:
                parts.append(part)
                size += part_bytes(part)
            elif leaving.is_frozen:
                return parts, True
            elif not self._read_again(leaving, content):
                break
        return parts, False

    def _read_again(self, leaving: Leaving, content: Content) -> bool:
        """Go on with what was written meanwhile; False: nothing can be done now."""
        changes = leaving.changes
        if changes.count > self.few_changes and leaving.rounds < MOST_ROUNDS:
            leaving.rounds += 1
            leaving.parts = content.changed(changes)
        elif self._freeze(leaving.shard):
            leaving.is_frozen = True
            leaving.parts = chain(content.changed(changes), content.posts())
        else:
            return False
        leaving.changes = Changes(leaving.shard)
        return True

    def _say(self, leaving: Leaving) -> None:
        said, moment = leaving.said, self._moment
        leaving.say_at = moment.now + SAY_AGAIN_S
        if isinstance(said, Offer):
            said = msgspec.structs.replace(said, engine_s=moment.now, wall_s=moment.wall)
        moment.say(leaving.to, said)

    def _say_moved(self, shard: int, record: Moved) -> None:
        engine = self._moment.engine
        self._moment.say(record.to, MovedAway(shard=shard, move=record.move, sender=engine, epoch=record.epoch))
        if not record.settled:
            row = Row(shard=shard, epoch=record.epoch, engine=record.to)
            self._moment.batch.confirms.append(Confirm(row=row, move=record.move))

    def _call_off(self, leaving: Leaving, reason: str) -> None:
        assert isinstance(self._moment.owners.get(leaving.shard), Owned), leaving
        del self.leaving[leaving.shard]
        if leaving.is_frozen:
            self._thaw(leaving.shard)
        off = CalledOff(shard=leaving.shard, move=leaving.move, sender=self._moment.engine)
        self._moment.say(leaving.to, off)
        ended = MoveEnded(shard=leaving.shard, move=leaving.move, done=False, reason=reason)
        self._moment.batch.moves.append(ended)
