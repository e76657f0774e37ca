"""Errands between one sender and one host: whom one is given to, what is lost, and that each ends once."""

from collections.abc import Mapping

import pytest

from placet.actors.effects import Expire, ExpireReason
from placet.actors.executors.placed import Placed
from placet.actors.messages import Beat, Done, ExecutorMessage, Lost, Withdrawn
from placet.net.errand_host import ErrandHost
from placet.net.errand_messages import ToHost, ToSender, decode_said, encode_said
from placet.net.errand_sender import AGAIN_S, LEASE_S, WELCOME_S, ErrandSender
from placet.petri.requirement import Capability
from tests.net.errands import GPU, Hands, start


class Pair:
    """One sender and one host, between which messages are carried by hand."""

    def __init__(self, capabilities: Mapping[str, Capability]) -> None:
        self.now_s = 0.0
        self.to_host: list[ToHost] = []
        self.to_sender: list[ToSender] = []
        self.answers: list[ExecutorMessage | Beat] = []
        self.hands = Hands()
        self.sender = ErrandSender(
            "a/0.1",
            0.0,
            send=lambda _, said: self.to_host.append(said),
            answer=lambda _, said: self.answers.append(said),
        )
        self.host = ErrandHost(
            "b/0.1",
            0.0,
            send=lambda _, said: self.to_sender.append(said),
            workshop=self.hands,
            capabilities=capabilities,
        )
        self.hands.host = self.host

    def carry(self) -> None:
        """Deliver all there is."""
        while self.to_host or self.to_sender:
            for asked in [self.to_host.pop(0) for _ in self.to_host[:]]:
                self.host.receive(asked, self.now_s)
            for told in [self.to_sender.pop(0) for _ in self.to_sender[:]]:
                self.sender.receive(told, self.now_s)

    def meet(self, placed: Placed = GPU) -> None:
        """Let the two get to know each other."""
        self.sender.join(placed)
        self.sender.look({"b/0": "b/0.1"}, self.now_s)
        self.carry()

    def pass_time(self, seconds: float) -> None:
        """Let time pass for both, with nothing getting through."""
        for _ in range(int(seconds)):
            self.now_s += 1.0
            self.sender.tick(self.now_s)
            self.host.tick(self.now_s)
            self.to_host.clear()
            self.to_sender.clear()


def test_a_host_that_has_what_is_needed_does_an_errand_and_its_answer_comes_once() -> None:
    pair = Pair({"gpu": 2.0})
    pair.meet()
    assert pair.sender.capacity(GPU) == 4
    pair.sender.submit(GPU, [start(1)], 0.0)
    assert pair.sender.capacity(GPU) == 4
    pair.carry()
    (key,) = pair.hands.running
    pair.host.sign(key, b"half")
    pair.hands.finish(key, 0.0)
    pair.carry()
    assert [type(one) for one in pair.answers] == [Beat, Done]
    pair.pass_time(5)
    pair.carry()
    assert len(pair.answers) == 2
    assert (pair.sender.running(GPU), pair.sender.capacity(GPU)) == (0, 4)


@pytest.mark.parametrize(
    ("capabilities", "knows_all", "reason"),
    [
        ({}, True, "no host has gpu=1"),
        ({"gpu": 0.0}, True, "no host has gpu=1"),
        ({"gpu": "1"}, True, "no host has gpu=1"),
        ({"gpu": 1.0}, False, "no host that has gpu=1 knows workflow w as it is here, version 1"),
    ],
)
def test_a_host_that_will_not_do_is_not_used_and_the_reason_is_told(
    capabilities: Mapping[str, Capability], knows_all: bool, reason: str
) -> None:
    pair = Pair(capabilities)
    pair.hands.knows_all = knows_all
    pair.meet()
    assert pair.sender.lack(GPU, WELCOME_S) == reason
    assert pair.sender.capacity(GPU) == 0
    pair.sender.submit(GPU, [start(1)], WELCOME_S)
    assert [type(one) for one in pair.answers] == [Withdrawn]
    assert not pair.hands.begun


def test_before_a_host_has_reported_nothing_is_said_to_be_lacking() -> None:
    pair = Pair({})
    pair.sender.join(GPU)
    assert not pair.sender.lack(GPU, WELCOME_S / 2)
    assert pair.sender.lack(GPU, WELCOME_S) == "no host has gpu=1"
    pair.sender.look({"b/0": "b/0.1"}, WELCOME_S)
    assert not pair.sender.lack(GPU, WELCOME_S + 1.0)


def test_a_lost_errand_is_sent_again_and_a_doubled_one_runs_once() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.to_host.clear()
    pair.pass_time(AGAIN_S - 1)
    assert not pair.to_host
    pair.now_s += 1.0
    pair.sender.tick(pair.now_s)
    pair.to_host += pair.to_host
    pair.carry()
    assert len(pair.hands.begun) == 1


def test_what_is_at_a_host_that_is_silent_beyond_the_lease_is_lost_and_a_late_answer_is_handed_on_as_stale() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.carry()
    (key,) = pair.hands.running
    for _ in range(int(LEASE_S)):  # the host hears of the sender, but not the other way round
        pair.now_s += 1.0
        pair.sender.tick(pair.now_s)
        for asked in pair.to_host:
            pair.host.receive(asked, pair.now_s)
        pair.to_host.clear()
        pair.to_sender.clear()
    assert [type(one) for one in pair.answers] == [Lost]
    assert pair.sender.capacity(GPU) == 0
    assert pair.hands.told == [(key, ExpireReason.CANCELLED)]
    pair.now_s += 1.0
    pair.sender.tick(pair.now_s)
    pair.carry()
    pair.hands.finish(key, pair.now_s)
    pair.carry()
    pair.carry()
    assert [type(one) for one in pair.answers] == [Lost, Done]
    pair.now_s += 1.0
    pair.sender.tick(pair.now_s)
    pair.carry()
    assert pair.sender.capacity(GPU) == 4


def test_a_process_that_was_stopped_itself_gives_hosts_time_to_be_heard() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.carry()
    pair.now_s = 100.0
    pair.sender.tick(pair.now_s)
    pair.host.tick(pair.now_s)
    assert not pair.answers
    assert not pair.hands.told


def test_a_new_process_of_the_host_s_engine_means_that_all_is_lost_there() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1), start(2)], 0.0)
    pair.carry()
    pair.sender.look({}, 1.0)
    assert not pair.answers  # it may be no more than slow
    pair.sender.look({"b/0": "b/0.2"}, 1.0)
    assert [type(one) for one in pair.answers] == [Lost, Lost]


def test_a_sender_that_is_silent_is_given_up_by_its_host_and_hears_so_when_it_comes_back() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.carry()
    for _ in range(int(LEASE_S)):  # the sender hears something, but is not heard
        pair.now_s += 1.0
        pair.host.tick(pair.now_s)
        pair.sender.tick(pair.now_s)
        pair.host.sign(next(iter(pair.hands.running)), None)
        for told in pair.to_sender:
            pair.sender.receive(told, pair.now_s)
        pair.to_host.clear()
        pair.to_sender.clear()
    assert [reason for _, reason in pair.hands.told] == [ExpireReason.CANCELLED]
    pair.now_s += 1.0
    pair.sender.tick(pair.now_s)
    pair.carry()
    assert [type(one) for one in pair.answers if not isinstance(one, Beat)] == [Lost]


def test_what_a_sender_s_last_process_has_sent_is_not_begun_any_more() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    late = list(pair.to_host)
    pair.carry()
    pair.host.gone("a/0.1")
    assert [reason for _, reason in pair.hands.told] == [ExpireReason.CANCELLED]
    for asked in late:
        pair.host.receive(asked, 1.0)
    assert len(pair.hands.begun) == 1


def test_a_full_host_refuses_and_nothing_more_is_sent_until_it_has_room() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.hands.places = 1
    pair.sender.submit(GPU, [start(1), start(2)], 0.0)
    pair.carry()
    assert [type(one) for one in pair.answers] == [Withdrawn]
    assert pair.sender.capacity(GPU) == 1
    pair.sender.submit(GPU, [start(2, attempt=2)], 0.0)
    pair.carry()
    assert pair.sender.queued(GPU) == 1
    pair.hands.finish(next(iter(pair.hands.running)), 0.0)
    pair.carry()
    assert [key.number for key in pair.hands.running] == [3]


def test_deadlines_reach_the_handler_and_what_is_not_sent_is_taken_back() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.hands.places = 1
    pair.sender.tick(2.0)
    pair.carry()
    pair.sender.submit(GPU, [start(1), start(2)], 0.0)
    pair.carry()
    for number in (1, 2):
        pair.sender.expire(Expire(executor=GPU.name, root=b"0123456789", number=number, attempt=1))
    pair.carry()
    assert [reason for _, reason in pair.hands.told] == [ExpireReason.TIME]
    assert [(type(one), one.number) for one in pair.answers if not isinstance(one, Beat)] == [(Withdrawn, 2)]


def test_a_host_that_stops_cleanly_says_so_and_that_loss_is_not_to_count() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.carry()
    pair.host.close()
    pair.carry()
    (lost,) = pair.answers
    assert isinstance(lost, Lost)
    assert lost.clean
    assert pair.sender.capacity(GPU) == 0, "it gets nothing more"
    assert pair.sender.lack(GPU, WELCOME_S) == "no host has gpu=1"
    pair.now_s += 2.0
    pair.sender.tick(pair.now_s)
    pair.carry()
    assert pair.sender.capacity(GPU) == 0


def test_all_that_is_said_can_be_written_and_read() -> None:
    pair = Pair({"gpu": 1.0})
    said: list[ToHost | ToSender] = []
    pair.meet()
    pair.sender.submit(GPU, [start(1)], 0.0)
    pair.sender.expire(Expire(executor=GPU.name, root=b"0123456789", number=1, attempt=1))
    said += pair.to_host
    pair.carry()
    key = next(iter(pair.hands.running))
    pair.host.sign(key, None)
    pair.hands.finish(key, 0.0)
    said += pair.to_sender
    for told in list(pair.to_sender):
        pair.sender.receive(told, 0.0)
    pair.sender.tick(2.0)
    said += pair.to_host
    pair.to_sender.clear()
    pair.carry()
    said += pair.to_sender
    assert decode_said(encode_said(said)) == said
    assert len({type(one) for one in said}) >= 6


def test_what_comes_out_of_order_changes_nothing() -> None:
    pair = Pair({"gpu": 1.0})
    pair.meet()
    pair.sender.tick(2.0)
    (round_before,) = pair.to_host
    pair.sender.submit(GPU, [start(1)], 2.0)
    pair.to_host.remove(round_before)
    pair.carry()
    pair.host.receive(round_before, 2.0)  # of a time when there was no such errand
    assert not pair.hands.told
    (late,) = pair.to_sender
    pair.hands.places = 9
    pair.sender.tick(4.0)
    pair.to_sender.clear()
    pair.carry()
    assert pair.sender.capacity(GPU) == 9
    pair.sender.receive(late, 4.0)  # of a time when there was less room
    assert pair.sender.capacity(GPU) == 9
    (key,) = pair.hands.running
    pair.host.sign(key, b"old")
    pair.host.sign(key, b"new")
    for told in reversed(pair.to_sender):
        pair.sender.receive(told, 4.0)
    assert [one.progress for one in pair.answers if isinstance(one, Beat)] == [b"new"]
