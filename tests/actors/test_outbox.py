"""Channels between engines: exactly once and in order, whatever the network and crashes do."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from placet.actors.effects import Batch
from placet.actors.messages import Acknowledged, Cancel, Parcel, Sent, decode_delivery, encode_message
from placet.actors.outbox import WINDOW, Outbox
from placet.persistence.keys import CHANNEL, OUTBOX, outbox_key, shard_of
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import Write

HERE, THERE = "here", "there"
assert shard_of(HERE) != shard_of(THERE)


@dataclass
class Side:
    """One engine's outbox over its store; what it hands out of a batch leaves after the commit only."""

    shards: frozenset[int]
    store: MemoryStore = field(default_factory=MemoryStore)
    handled: list[str] = field(default_factory=list[str])  # what had its effect, in order
    given: int = 0

    def __post_init__(self) -> None:
        self.crash()

    def crash(self) -> list[Sent]:
        """Forget all that is not on disk, and return what is to be handled here."""
        self.outbox = Outbox(self.given, self.shards)
        return self.outbox.recover(self.store)

    def post(self, text: str) -> list[Parcel]:
        """Send a message to the other side, and commit."""
        batch, writes = Batch(), dict[bytes, bytes | None]()
        message = encode_message(Cancel(instance=THERE, by="eva", why=text))
        assert self.outbox.post(HERE, message, self.store.get, writes, batch) is None
        self._commit(writes)
        return batch.parcels

    def take_in(self, parcel: Parcel, *, handles: bool) -> list[Acknowledged]:
        """Take over a message, handle it in the same batch or leave it in the outbox, and commit."""
        batch, writes = Batch(), dict[bytes, bytes | None]()
        sent = self.outbox.take_in(parcel, self.store.get, writes, batch)
        if sent is not None and handles:
            self.handle(sent, writes)
        self._commit(writes)
        return list(batch.acknowledgements.values())

    def handle(self, sent: Sent, writes: dict[bytes, bytes | None]) -> None:
        """Let a message have its effect."""
        message = decode_delivery(sent.message)
        assert isinstance(message, Cancel)
        self.handled.append(message.why)
        writes[outbox_key(sent.entry)] = None

    def handle_all(self) -> None:
        """Let everything in the outbox have its effect, as a start does."""
        writes: dict[bytes, bytes | None] = {}
        for sent in self.crash():
            self.handle(sent, writes)
        self._commit(writes)

    def acknowledged(self, message: Acknowledged) -> None:
        """Forget what the other side has."""
        writes: dict[bytes, bytes | None] = {}
        self.outbox.acknowledged(message, writes)
        self._commit(writes)

    def again(self) -> list[Parcel]:
        """Return what is sent once more."""
        batch = Batch()
        self.outbox.say_again()
        self.outbox.exchange(self.store.get, {}, batch)
        return batch.parcels

    def _commit(self, writes: dict[bytes, bytes | None]) -> None:
        made: list[Write] = list(writes.items())
        self.given = self.outbox.given
        self.store.commit(made)


def sides() -> tuple[Side, Side]:
    there = frozenset({shard_of(THERE)})
    return Side(frozenset(range(256)) - there), Side(there)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.just(0)),
        st.tuples(st.just("arrive"), st.integers(0, 50)),
        st.tuples(st.just("double"), st.integers(0, 50)),
        st.tuples(st.just("lose"), st.integers(0, 50)),
        st.tuples(st.just("again"), st.just(0)),
        st.tuples(st.just("crash here"), st.just(0)),
        st.tuples(st.just("crash there"), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_sent_arrives_once_and_in_order(steps: list[tuple[str, int]], handles: bool) -> None:
    here, there = sides()
    network: list[Parcel | Acknowledged] = []
    posted: list[str] = []

    def arrive(letter: Parcel | Acknowledged) -> None:
        if isinstance(letter, Parcel):
            network.extend(there.take_in(letter, handles=handles))
        else:
            here.acknowledged(letter)

    for step, number in steps:
        if step == "post":
            posted.append(str(len(posted)))
            network += here.post(posted[-1])
        elif step == "again":
            network += here.again()
        elif step == "crash here":
            here.crash()
        elif step == "crash there":
            there.handle_all()
        elif network:
            letter = network[number % len(network)] if step == "double" else network.pop(number % len(network))
            if step != "lose":
                arrive(letter)
    for _ in range(len(posted) + 1):
        network += here.again()
        while network:
            arrive(network.pop(0))
    if not handles:
        there.handle_all()
    assert there.handled == posted
    assert not here.outbox.unacknowledged
    assert [key for key, _ in here.store.scan(CHANNEL)] == ([] if not posted else [next(here.store.scan(CHANNEL))[0]])
    assert not list(there.store.scan(OUTBOX))


def test_a_message_for_an_instance_of_the_same_engine_goes_by_no_channel() -> None:
    side = Side(frozenset(range(256)))
    batch, writes = Batch(), dict[bytes, bytes | None]()
    message = encode_message(Cancel(instance=THERE, by="eva"))
    sent = side.outbox.post(HERE, message, side.store.get, writes, batch)
    assert sent is not None
    assert (sent.sender, sent.instance, batch.parcels) == (HERE, THERE, [])
    assert list(writes) == [outbox_key(sent.entry)]


def test_only_so_many_messages_of_a_channel_are_sent_again_at_a_time() -> None:
    here, _ = sides()
    for number in range(WINDOW + 5):
        here.post(str(number))
    assert [parcel.number for parcel in here.again()] == list(range(1, WINDOW + 1))


def test_a_channel_that_is_in_use_is_not_overtaken_when_its_target_comes_to_the_same_engine() -> None:
    shards = set(range(256)) - {shard_of(THERE)}
    outbox, batch, writes = Outbox(0, shards), Batch(), dict[bytes, bytes | None]()
    message = encode_message(Cancel(instance=THERE, by="eva"))
    assert outbox.post(HERE, message, lambda _key: None, writes, batch) is None
    shards.add(shard_of(THERE))  # it has moved here
    assert outbox.post(HERE, message, writes.get, writes, batch) is None
    assert [parcel.number for parcel in batch.parcels] == [1, 2]
    outbox.acknowledged(Acknowledged(channel=(shard_of(HERE), shard_of(THERE)), number=2), writes)
    assert outbox.post(HERE, message, writes.get, writes, batch) is not None


def test_a_shard_that_is_not_here_takes_in_nothing_and_acknowledges_nothing() -> None:
    here, _ = sides()
    (parcel,) = here.post("one")
    assert here.take_in(parcel, handles=True) == []
    assert here.handled == []


def test_what_was_acknowledged_before_a_restore_does_not_count_for_what_is_sent_after_it() -> None:
    here, _ = sides()
    channel, writes = (shard_of(HERE), shard_of(THERE)), dict[bytes, bytes | None]()
    here.outbox.begin_eras(channel[0], {channel[0]: 7}, writes)
    (parcel,) = here.post("after")
    assert (parcel.sender_era, parcel.target_era, parcel.oldest) == (7, 0, 1)
    here.acknowledged(Acknowledged(channel=channel, number=1))
    assert here.outbox.unacknowledged
    here.acknowledged(Acknowledged(channel=channel, number=1, sender_era=7))
    assert not here.outbox.unacknowledged
