"""Letters between engines: to whoever owns the shard, in order, never in the way of others; and what comes."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

import placet.net.exchange
from placet.actors.kernel import Kernel
from placet.actors.messages import Acknowledged, Done, Parcel
from placet.actors.shards.messages import Confirm, MovedAway, MoveEnded, Row
from placet.net.exchange import Exchange
from placet.net.keyring import KeyKind
from placet.net.messages import ConfirmMove, EngineAt, Letters, Peer, Whereabouts
from placet.net.outbox import Done as IsThrough


def peer(port: int) -> Peer:
    return Peer(host="127.0.0.1", port=port, kind=KeyKind.CLUSTER)


HERE, THERE = peer(1), peer(2)


class FakeKernel:
    """Remembers what it is given."""

    def __init__(self) -> None:
        self.received: list[object] = []
        self.delivered: list[object] = []
        self.sent_again: list[frozenset[int]] = []

    def receive(self, message: object) -> None:
        self.received.append(message)

    def deliver(self, message: object) -> None:
        self.delivered.append(message)

    def send_again(self, shards: frozenset[int]) -> None:
        self.sent_again.append(shards)


class Engine:
    """An exchange, a kernel, and a wire whose batches the test ends."""

    def __init__(self, name: str = "a/0") -> None:
        self.kernel = FakeKernel()
        self.sent: list[tuple[Peer, Letters, IsThrough]] = []
        self.confirmed: list[ConfirmMove] = []
        self.asked: list[IsThrough] = []  # ends of the questions to the table
        self.roused = 0
        self.exchange = Exchange(name, self._send, self._rouse, self._confirm)
        self.exchange.order = self._order
        self.exchange.look(whereabouts())

    def _order(self, act: Callable[[Kernel], None]) -> None:
        act(cast("Kernel", self.kernel))

    def _rouse(self) -> None:
        self.roused += 1

    def _confirm(self, message: ConfirmMove, done: IsThrough) -> None:
        self.confirmed.append(message)
        self.asked.append(done)

    def _send(self, to: Peer, message: object, done: IsThrough) -> None:
        assert isinstance(message, Letters)
        self.sent.append((to, message, done))


def whereabouts() -> Whereabouts:
    """Return that a/0 owns the shards below 100, b/0 those below 200, and c/0, which is away, the rest."""
    owners = ("a/0",) * 100 + ("b/0",) * 100 + ("c/0",) * 55 + ("",)
    engines = {"a/0": EngineAt(peer=HERE, incarnation="1"), "b/0": EngineAt(peer=THERE, incarnation="1")}
    return Whereabouts(
        revision=1, owners=owners, epochs=(1,) * 255 + (0,), new=frozenset(), engines=engines, nodes=(HERE,)
    )


def parcel(to: int, number: int = 1, message: bytes = b"x") -> Parcel:
    return Parcel(channel=(7, to), number=number, instance="one", sender="two", message=message)


def test_letters_go_to_the_owner_of_the_shard_in_order() -> None:
    here, there = Engine(), Engine("b/0")
    parcels = [parcel(150, number) for number in range(1, 6)]
    here.exchange.carry(parcels, [Acknowledged(channel=(120, 7), number=9)])
    assert here.roused == 1
    here.exchange.woken()
    ((to, letters, _),) = here.sent
    assert to == THERE
    there.exchange.receive(HERE, letters)
    assert there.kernel.received == [*parcels, Acknowledged(channel=(120, 7), number=9)]


def test_what_is_for_nobody_that_is_there_is_left_on_disk() -> None:
    here = Engine()
    here.exchange.carry([parcel(230), parcel(255)], {})
    here.exchange.woken()
    assert not here.sent
    assert not here.kernel.received


def test_what_is_for_a_shard_that_has_come_here_meanwhile_is_handed_over() -> None:
    here = Engine()
    here.exchange.carry([parcel(5)], {})
    here.exchange.woken()
    assert here.kernel.received == [parcel(5)]
    assert not here.sent


def test_one_batch_is_under_way_and_what_comes_meanwhile_is_the_next() -> None:
    here, there = Engine(), Engine("b/0")
    for number in range(1, 4):
        here.exchange.carry([parcel(150, number)], {})
        here.exchange.woken()
    assert len(here.sent) == 1
    here.sent[0][2](True)
    assert len(here.sent) == 2
    for _, letters, _ in here.sent:
        there.exchange.receive(HERE, letters)
    assert there.kernel.received == [parcel(150, number) for number in range(1, 4)]


def test_a_peer_that_takes_nothing_costs_a_bounded_amount_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placet.net.exchange, "MOST_WAITING_BYTES", 1_000)
    here, there = Engine(), Engine("b/0")
    for number in range(1, 20):
        here.exchange.carry([parcel(150, number, b"y" * 200)], [Acknowledged(channel=(120, 7), number=number)])
        here.exchange.woken()
    for _, _, done in here.sent:
        done(True)
    for _, letters, _ in here.sent:
        there.exchange.receive(HERE, letters)
    taken = [letter for letter in there.kernel.received if isinstance(letter, Parcel)]
    acknowledged = [letter.number for letter in there.kernel.received if isinstance(letter, Acknowledged)]
    assert 1 < len(taken) < 10
    assert acknowledged == list(range(1, 20))  # they have room of their own


OF_A, OF_B, OF_D = frozenset(range(100)), frozenset(range(100, 200)), frozenset({250})


def sent_again(here: Engine) -> list[frozenset[int]]:
    """Return what others were sent again, by shards."""
    return [shards - OF_A for shards in here.kernel.sent_again if shards - OF_A]


def acknowledges(here: Engine, sender: Peer, number: int = 1) -> None:
    """Let the engine at a peer say that it has something."""
    there = Engine("b/0")
    there.exchange.carry([], [Acknowledged(channel=(3, 150), number=number)])
    there.exchange.woken()
    here.exchange.receive(sender, there.sent[0][1])


def test_what_nobody_acknowledges_is_sent_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(placet.net.exchange, "monotonic_s", lambda: now_s)
    here = Engine()
    here.exchange.tick()
    assert sent_again(here) == [OF_B], "it has just come"
    now_s += 1.5
    here.exchange.tick()
    assert len(sent_again(here)) == 1
    now_s += 1.5
    here.exchange.tick()
    here.exchange.tick()
    assert sent_again(here) == [OF_B, OF_B]
    now_s += 1.5
    acknowledges(here, THERE)
    now_s += 1.0
    here.exchange.tick()
    assert len(sent_again(here)) == 2


def test_an_engine_that_says_nothing_is_sent_again_what_it_lacks_while_another_says_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr(placet.net.exchange, "monotonic_s", lambda: now_s)
    here = Engine()
    where = whereabouts()
    engines = {**where.engines, "d/0": EngineAt(peer=peer(4), incarnation="1")}
    here.exchange.look(replace(where, owners=(*where.owners[:250], "d/0", *where.owners[251:]), engines=engines))
    here.exchange.tick()
    for number in range(1, 4):
        now_s += 1.0
        acknowledges(here, THERE, number)
        here.exchange.tick()
    assert sent_again(here) == [OF_B | OF_D, OF_D]
    engines = {**engines, "d/0": EngineAt(peer=peer(4), incarnation="2")}
    here.exchange.look(replace(where, owners=(*where.owners[:250], "d/0", *where.owners[251:]), engines=engines))
    here.exchange.tick()
    assert sent_again(here)[2:] == [OF_D], "it has been started again"


def test_what_was_turned_away_is_sent_again_though_other_parcels_are_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr(placet.net.exchange, "monotonic_s", lambda: now_s)
    here = Engine()
    here.exchange.tick()
    for number in range(1, 12):
        now_s += 1.0
        acknowledges(here, THERE, number)
        here.exchange.tick()
    assert sent_again(here) == [OF_B, OF_B]


def test_what_waits_for_a_shard_of_ones_own_is_sent_again_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(placet.net.exchange, "monotonic_s", lambda: now_s)
    here = Engine()
    for number in range(1, 7):
        acknowledges(here, THERE, number)
        here.exchange.tick()
        now_s += 1.0
    assert [shards for shards in here.kernel.sent_again if shards & OF_A] == [OF_A, OF_A]


def test_what_is_said_about_a_move_goes_to_the_engine_it_names_and_answers_to_the_owner() -> None:
    here, there = Engine(), Engine("b/0")
    said = MovedAway(shard=3, move="m", sender="a/0", epoch=2)
    answer = Done(root=bytes((76, 150)) + bytes(8), transition=0, number=1, attempt=1, outputs=())
    row = Row(shard=3, epoch=2, engine="b/0")
    here.exchange.carry_shards(
        [("b/0", said)], [answer], [Confirm(row=row, move="m")], [MoveEnded(shard=3, move="m", done=True)]
    )
    here.exchange.woken()
    for _, letters, done in list(here.sent):
        there.exchange.receive(HERE, letters)
        done(True)
    assert there.kernel.received == [said]
    assert there.kernel.delivered == [answer]
    assert here.confirmed == [ConfirmMove(shard=3, epoch=2, engine="b/0", move="m")]


def test_the_table_is_not_asked_again_while_the_question_is_on_its_way() -> None:
    here = Engine("b/0")

    def ask() -> None:
        """Ask twice, as an engine does that has no answer."""
        confirm = Confirm(row=Row(shard=3, epoch=2, engine="b/0"), move="m")
        here.exchange.carry_shards([], [], [confirm, confirm], [])
        here.exchange.woken()

    ask()
    ask()
    assert len(here.confirmed) == 1
    here.asked[0](False)
    ask()
    assert len(here.confirmed) == 2
