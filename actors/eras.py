"""Eras: a shard that was brought back from a backup begins a new one, named by the epoch in which it did.

What it had sent, taken in and acknowledged after the backup was made is unknown to it, and to others is not. So each
end of a channel says in which era it is; what is said in an earlier one is for nobody, and where an era begins, the
channel goes on with the oldest message that is not acknowledged. An engine none of whose shards knows of a restore
says nothing of eras.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from placet.actors.messages import Acknowledged, ChannelKey, Parcel
from placet.persistence.keys import era_key
from placet.persistence.store import View

_NUMBER_BYTES = 8
Writes = dict[bytes, bytes | None]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode


class Ends(NamedTuple):
    """The eras of the two ends of a channel; 0: it was never restored."""

    sender: int
    target: int


NEVER = Ends(0, 0)


class Received(NamedTuple):
    """The last parcel of a channel that was taken in, and in which eras."""

    number: int
    ends: Ends

    def encoded(self) -> bytes:
        """Return it as it stands in the store."""
        if self.ends == NEVER:
            return self.number.to_bytes(_NUMBER_BYTES, "big")
        return b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in (self.number, *self.ends))

    @classmethod
    def decoded(cls, data: bytes | None) -> "Received":
        """Return what stands in the store; None: nothing has come yet."""
        starts = range(0, len(data or b""), _NUMBER_BYTES)
        numbers = [int.from_bytes((data or b"")[start : start + _NUMBER_BYTES], "big") for start in starts]
        return cls(numbers[0] if numbers else 0, Ends(*numbers[1:]) if len(numbers) > 1 else NEVER)


class Eras:
    """What the shards of an engine know of restores.

    Durable entries: `ERA` | shard -> the era of each shard it knows one of. They move with their shard.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, dict[int, int]] = {}  # by shard of this engine, and the one that was restored

    @property
    def is_any(self) -> bool:
        """True when any shard here knows of a restore."""
        return bool(self._known)

    def known(self, shard: int, other: int) -> int:
        """Return the era of `other` as far as `shard`, of this engine, knows; 0: it was never restored."""
        return self._known.get(shard, {}).get(other, 0)

    def is_restored(self, shard: int) -> bool:
        """Return whether a shard of this engine was ever restored."""
        return self.known(shard, shard) > 0

    def sending(self, channel: ChannelKey) -> Ends:
        """Return the ends of a channel from here, as its sender knows them."""
        known = self._known.get(channel[0], {})
        return Ends(known.get(channel[0], 0), known.get(channel[1], 0))

    def note(self, shard: int, eras: Mapping[int, int], writes: Writes) -> None:
        """Let a shard of this engine know of restores: the era of each shard that was."""
        known = self._known[shard] = {**self._known.get(shard, {}), **eras}
        writes[era_key(shard)] = _encode(known)

    def news(self, shard: int, eras: Mapping[int, int]) -> dict[int, int]:
        """Return those of `eras` that a shard of this engine does not know of yet."""
        known = self._known.get(shard, {})
        return {other: era for other, era in eras.items() if other != shard and era > known.get(other, 0)}

    def open(self, view: View, shards: Iterable[int]) -> None:
        """Read what some shards know, which this engine has from now on."""
        for shard in shards:
            data = view.get(era_key(shard))
            if data is not None:
                self._known[shard] = _decode(data)

    def close(self, shard: int) -> None:
        """Forget what a shard knows, which this engine has no longer."""
        self._known.pop(shard, None)

    # -- channels ------------------------------------------------------------------------------------------

    def dated(self, parcel: Parcel, oldest: int) -> Parcel:
        """Return a parcel as it is sent now; `oldest` is the first of its channel that nobody has acknowledged."""
        ends = self.sending(parcel.channel)
        if ends == NEVER:
            return parcel
        return Parcel(
            channel=parcel.channel,
            number=parcel.number,
            instance=parcel.instance,
            sender=parcel.sender,
            message=parcel.message,
            sender_era=ends.sender,
            target_era=ends.target,
            oldest=oldest,
        )

    def last_before(self, parcel: Parcel, received: Received) -> Received | None:
        """Return after which parcel the next one of a channel is to come; None: this one is of another era."""
        source, target = parcel.channel
        ends, before = Ends(parcel.sender_era, self.known(target, target)), received.ends
        if parcel.target_era != ends.target or ends.sender < max(before.sender, self.known(target, source)):
            return None
        if ends == before:
            return received
        # What the sender counted after its backup was made it counts once more; what the target has is what it has.
        begin = parcel.oldest - 1
        return Received(begin if ends.sender > before.sender else max(received.number, begin), ends)

    def is_current(self, message: Acknowledged) -> bool:
        """Return whether an acknowledgement is of the eras in which its channel is."""
        return self.sending(message.channel) == (message.sender_era, message.target_era)
