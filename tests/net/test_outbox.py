"""The outbox: one batch under way a peer, in order, and what did not get through is told."""

from hypothesis import given
from hypothesis import strategies as st

from placet.net.messages import Peer
from placet.net.outbox import BATCH_BYTES, BATCH_MESSAGES, Done, Outbox


def at(name: str) -> Peer:
    return Peer(name, 1)


class Wire:
    """Batches under way; the test says when, and how, each of them ends."""

    def __init__(self) -> None:
        self.under_way: list[tuple[str, tuple[int, ...], Done]] = []
        self.arrived: dict[str, list[int]] = {}
        self.lost: list[int] = []
        self.outbox: Outbox[int] = Outbox(self.transmit, self.lost.extend)

    def transmit(self, peer: Peer, batch: tuple[int, ...], done: Done) -> None:
        assert peer.host not in [other for other, _, _ in self.under_way]
        assert batch
        self.under_way.append((peer.host, batch, done))

    def end(self, position: int, *, is_through: bool) -> None:
        peer, batch, done = self.under_way.pop(position)
        if is_through:
            self.arrived.setdefault(peer, []).extend(batch)
        done(is_through)


puts = st.tuples(st.just("put"), st.sampled_from("ab"), st.integers(0, BATCH_BYTES * 2))
ends = st.tuples(st.just("end"), st.integers(0, 1), st.booleans())


@given(steps=st.lists(puts | ends, max_size=60))
def test_each_message_arrives_once_in_order_or_is_told_as_lost(steps: list[tuple[str, str | int, int | bool]]) -> None:
    wire, sent = Wire(), dict[str, list[int]]()
    for number, (what, which, more) in enumerate(steps):
        if what == "put":
            wire.outbox.put(at(str(which)), number, int(more))
            sent.setdefault(str(which), []).append(number)
        elif wire.under_way:
            wire.end(int(which) % len(wire.under_way), is_through=bool(more))
    while wire.under_way:
        wire.end(0, is_through=True)
    for peer, numbers in sent.items():
        arrived = wire.arrived.get(peer, [])
        assert arrived == [number for number in numbers if number not in wire.lost]
    assert len(wire.lost) == len(set(wire.lost))


def test_what_comes_meanwhile_goes_in_one_batch() -> None:
    wire = Wire()
    for number in range(10):
        wire.outbox.put(at("a"), number, 10)
    assert [batch for _, batch, _ in wire.under_way] == [(0,)]
    wire.end(0, is_through=True)
    assert [batch for _, batch, _ in wire.under_way] == [tuple(range(1, 10))]


def test_batches_are_bounded_in_number_and_in_bytes_and_a_large_one_goes_alone() -> None:
    wire = Wire()
    for number in range(BATCH_MESSAGES + 5):
        wire.outbox.put(at("a"), number, 1)
    wire.end(0, is_through=True)
    assert len(wire.under_way[0][1]) == BATCH_MESSAGES
    wire.end(0, is_through=True)
    wire.end(0, is_through=True)
    for number, size in enumerate([1, 10, BATCH_BYTES * 5, 10, 10]):
        wire.outbox.put(at("a"), number, size)
    seen: list[tuple[int, ...]] = []
    while wire.under_way:
        seen.append(wire.under_way[0][1])
        wire.end(0, is_through=True)
    assert seen == [(0,), (1,), (2,), (3, 4)]


def test_a_slow_peer_does_not_hold_up_another() -> None:
    wire = Wire()
    wire.outbox.put(at("slow"), 1, 1)
    wire.outbox.put(at("slow"), 2, 1)
    wire.outbox.put(at("quick"), 3, 1)
    wire.end(1, is_through=True)
    wire.outbox.put(at("quick"), 4, 1)
    wire.end(1, is_through=True)
    assert wire.arrived == {"quick": [3, 4]}


def test_a_peer_that_failed_can_be_sent_to_again() -> None:
    wire = Wire()
    wire.outbox.put(at("a"), 1, 1)
    wire.outbox.put(at("a"), 2, 1)
    wire.end(0, is_through=False)
    assert wire.lost == [1, 2]
    wire.outbox.put(at("a"), 3, 1)
    wire.end(0, is_through=True)
    assert wire.arrived == {"a": [3]}
