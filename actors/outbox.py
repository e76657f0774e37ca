"""Messages of instances to each other, on disk from the commit that sent them until they have had their effect.

Within an engine a message stands in the outbox until the batch in which it has been handled. What is for a shard of
another engine goes through a channel, one for each pair of shards: numbered without gaps, sent again until the other
engine has said that it has it on disk, and dropped there when it comes twice or too early. So it arrives exactly once
and in order, over a transport that promises neither.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import islice

from placet.actors.credit import Credit
from placet.actors.effects import Batch
from placet.actors.eras import Eras, Received, Writes
from placet.actors.messages import (
    Acknowledged,
    ChannelKey,
    Parcel,
    Sent,
    SpawnNamed,
    decode_delivery,
    decode_message,
    decode_parcel,
    encode_message,
)
from placet.persistence.keys import (
    CHANNEL,
    OUTBOX,
    channel_key,
    outbox_key,
    received_key,
    shard_of,
    split_channel,
)
from placet.persistence.store import View

WINDOW = 256  # parcels of a channel sent again at a time
PORTION = 2_048  # parcels of all channels, likewise
Get = Callable[[bytes], bytes | None]


class Outbox:
    """What an engine has to pass on: to its own instances, and to the shards of other engines.

    Durable entries: `OUTBOX` | number -> `Sent`; `CHANNEL` | from | to | number -> `Parcel`, with the last number given
    under number 0; `RECEIVED` | to | from -> the last number taken in, and in which eras.
    """

    def __init__(self, given: int, shards: Set[int] | None) -> None:
        self.given = given  # last number given out in this engine
        self._shards = shards  # those of this engine; None: all there are
        self._last: dict[ChannelKey, int] = {}  # number of the last parcel given to a channel
        self._open: dict[ChannelKey, deque[int]] = {}  # parcels that nobody has acknowledged
        self._received: dict[ChannelKey, Received] = {}  # the last parcel taken in
        self.eras = Eras()
        self.come: list[Parcel | Acknowledged] = []  # from other engines, for the next batch
        self.credit = Credit(shards)
        self._due: dict[ChannelKey, None] = {}  # channels to be sent again, the next one first
        self._said: dict[ChannelKey, int] = {}  # up to which number the others were, where that was not all
        self._says_again = False

    def owns(self, instance: str) -> bool:
        """Return whether an instance lives, or would live, in this engine."""
        return self._shards is None or shard_of(instance) in self._shards

    def _has(self, shard: int) -> bool:
        return self._shards is None or shard in self._shards

    def say_again(self, shards: Set[int] | None = None) -> None:
        """Send with the next batch some of what nobody has acknowledged once more, and the rest as that arrives.

        `shards` are those it is for; None: all.
        """
        for channel in self._open:
            if shards is None or channel[1] in shards:
                self._send_from_oldest(channel)
        self._says_again = bool(self._due)

    @property
    def has_work(self) -> bool:
        """True when `exchange` has something to do, or somebody who waited for room."""
        return bool(self.come) or self._says_again or bool(self.credit.roomy)

    def exchange(self, get: Get, writes: Writes, batch: Batch) -> list[Sent]:
        """Take in what has come from other engines, and send what is due; return what is to be handled here."""
        found: list[Sent] = []
        for message in self.come:
            if isinstance(message, Acknowledged):
                self.acknowledged(message, writes)
                self._says_again = self._says_again or bool(self._due)
            elif sent := self.take_in(message, get, writes, batch):
                found.append(sent)
        self.come.clear()
        if self._says_again:
            self._says_again = False
            self.send_again(get, batch)
        return found

    @property
    def unacknowledged(self) -> bool:
        """True when some parcel may have to be sent again."""
        return bool(self._open)

    # -- out -----------------------------------------------------------------------------------------------

    def post(self, sender: str, message: bytes, get: Get, writes: Writes, batch: Batch) -> Sent | None:
        """Put a message of an instance into the outbox; return it if its target is in this engine."""
        target = decode_delivery(message).instance
        # Past a channel only while nothing is under way in it: that was sent before, and has to come before.
        if self.owns(target) and not (self._open and (shard_of(sender), shard_of(target)) in self._open):
            self.given += 1
            sent = Sent(instance=target, entry=self.given, sender=sender, message=message)
            writes[outbox_key(self.given)] = encode_message(sent)
            return sent
        channel = (shard_of(sender), shard_of(target))
        number = self._last_given(channel, get) + 1
        parcel = Parcel(channel=channel, number=number, instance=target, sender=sender, message=message)
        writes[channel_key(channel, number)] = encode_message(parcel)
        writes[channel_key(channel, 0)] = number.to_bytes(8, "big")
        self._last[channel] = number
        self._open.setdefault(channel, deque()).append(number)
        self.credit.spend(channel[1])
        batch.parcels.append(self._dated(parcel))
        return None

    def _dated(self, parcel: Parcel) -> Parcel:
        return self.eras.dated(parcel, self._open[parcel.channel][0]) if self.eras.is_any else parcel

    def _last_given(self, channel: ChannelKey, get: Get) -> int:
        if channel not in self._last:
            self._last[channel] = int.from_bytes(get(channel_key(channel, 0)) or b"", "big")
        return self._last[channel]

    def acknowledged(self, message: Acknowledged, writes: Writes) -> None:
        """Forget what another engine has on disk."""
        if not self._has(message.channel[0]):
            return  # it is said to an engine that has, or will have, the shard
        if (self.eras.is_any or message.sender_era or message.target_era) and not self.eras.is_current(message):
            return  # it is of what was before a restore
        channel, numbers = message.channel, self._open.get(message.channel)
        if numbers is None:
            return
        before = len(numbers)
        while numbers and numbers[0] <= message.number:
            writes[channel_key(channel, numbers.popleft())] = None
        if len(numbers) < before:
            self.credit.give_back(channel[1], before - len(numbers))
        if not numbers:
            self._forget(channel)
        elif message.number >= self._said.get(channel, message.number + 1):
            del self._said[channel]
            self._due[channel] = None

    def send_again(self, get: Get, batch: Batch) -> None:
        """Send some of what nobody has acknowledged once more: of each channel what is oldest, one after the other."""
        left = PORTION
        while self._due and left > 0:
            channel = next(iter(self._due))
            del self._due[channel]
            numbers = self._open[channel]
            for number in islice(numbers, WINDOW):
                data = get(channel_key(channel, number))
                if data is not None:
                    batch.parcels.append(self._dated(decode_parcel(data)))
            left -= min(len(numbers), WINDOW)
            if len(numbers) > WINDOW:
                self._said[channel] = numbers[WINDOW - 1]

    def _send_from_oldest(self, channel: ChannelKey) -> None:
        """Have all that nobody has acknowledged of a channel sent again, whatever of it was sent last."""
        self._said.pop(channel, None)
        self._due[channel] = None

    def _forget(self, channel: ChannelKey) -> None:
        """Nothing of a channel waits any more."""
        for known in (self._open, self._due, self._said):
            known.pop(channel, None)

    # -- in ------------------------------------------------------------------------------------------------

    def take_in(self, parcel: Parcel, get: Get, writes: Writes, batch: Batch) -> Sent | None:
        """Take over a message of another engine; None: it was here before, or others have to come first."""
        channel = parcel.channel
        if not self._has(channel[1]):
            return None  # it comes again, to whoever has the shard by then
        last = self._received.get(channel)
        if last is None:
            last = self._received[channel] = Received.decoded(get(received_key(channel)))
        if self.eras.is_any or parcel.sender_era or parcel.target_era:
            last = self.eras.last_before(parcel, last)
            if last is None:
                return None  # it, or what this engine knows, is of before a restore: it is said again
        sent = None
        if parcel.number == last.number + 1:
            last = self._received[channel] = Received(parcel.number, last.ends)
            writes[received_key(channel)] = last.encoded()
            self.given += 1
            sent = Sent(instance=parcel.instance, entry=self.given, sender=parcel.sender, message=parcel.message)
            writes[outbox_key(self.given)] = encode_message(sent)
        batch.acknowledgements[channel] = Acknowledged(
            channel=channel, number=last.number, sender_era=last.ends.sender, target_era=last.ends.target
        )
        return sent

    # -- a start -------------------------------------------------------------------------------------------

    def recover(self, view: View) -> list[Sent]:
        """Find what is on its way, and return what is to be handled here, in order."""
        self._find_parcels(view, CHANNEL)
        return list(_posts(view))

    def open(self, view: View, shards: Set[int]) -> list[Sent]:
        """Do what `recover` does for some shards, which this engine has from now on."""
        self.eras.open(view, shards)
        for shard in sorted(shards):
            self._find_parcels(view, CHANNEL + bytes((shard,)))
        return [sent for sent in _posts(view) if shard_of(sent.instance) in shards]

    def close(self, shard: int) -> None:
        """Forget the channels from and to a shard, which this engine has no longer."""
        for channel in [channel for channel in self._last if channel[0] == shard]:
            del self._last[channel]
        for channel in [channel for channel in self._open if channel[0] == shard]:
            self.credit.give_back(channel[1], len(self._open[channel]))
            self._forget(channel)
        for channel in [channel for channel in self._received if channel[1] == shard]:
            del self._received[channel]
        self.eras.close(shard)

    def begin_eras(self, shard: int, eras: Mapping[int, int], writes: Writes) -> None:
        """Let a shard of this engine know that some were restored, or it was; what it has for them is sent again."""
        self.eras.note(shard, eras, writes)
        for channel in [one for one in self._open if one[0] == shard and (shard in eras or one[1] in eras)]:
            self._send_from_oldest(channel)
            self._says_again = True

    def _find_parcels(self, view: View, prefix: bytes) -> None:
        for key, _ in view.scan(prefix):
            channel, number = split_channel(key)
            if number:
                self._open.setdefault(channel, deque()).append(number)
                self.credit.spend(channel[1])


def spawns_of(view: View, workflow: str) -> list[Sent]:
    """Return what is to be handled once a workflow is known: the spawns of it that handlers have asked for."""
    spawns = [(sent, decode_delivery(sent.message)) for sent in _posts(view)]
    return [sent for sent, message in spawns if isinstance(message, SpawnNamed) and message.workflow == workflow]


def _posts(view: View) -> Iterator[Sent]:
    for _, data in view.scan(OUTBOX):
        sent = decode_message(data)
        assert isinstance(sent, Sent), sent
        yield sent
