"""Packets between hosts, through the switch: real sockets, real namespaces."""

from contextlib import suppress
from time import monotonic

import pytest

from tests.endtoend.processes import until
from tests.hosts.fixture import need_hosts
from tests.hosts.hosts import Host, Hosts, Wiring
from tests.hosts.sockets import PORT, connection, datagrams, has_arrived, send_numbers, waiting_numbers
from tests.hosts.switch_control import Shape, SwitchFailed

pytestmark = pytest.mark.hosts

FEW = range(50)


def reached(hosts: Hosts, source: Host, destination: Host) -> list[int]:
    """Return which of a few datagrams arrive."""
    with datagrams(source) as here, datagrams(destination) as there:
        send_numbers(hosts, here, source, destination, FEW)
        return waiting_numbers(there)


@pytest.mark.hosts(3)
def test_every_host_reaches_every_other(hosts: Hosts) -> None:
    for source in hosts:
        for destination in hosts:
            if source is not destination:
                assert reached(hosts, source, destination) == list(FEW)
                assert hosts.counts(source, destination).carried == len(FEW)


def test_a_stream_of_megabytes_arrives_whole(hosts: Hosts) -> None:
    data = bytes(range(256)) * 4 * 4096
    with connection(hosts["a"], hosts["b"]) as (here, there):
        here.setblocking(False)
        sent, received = 0, bytearray()
        while len(received) < len(data):
            with suppress(BlockingIOError):
                sent += here.send(data[sent : sent + (1 << 16)])
            received += there.recv(1 << 16) if sent > len(received) else b""
        assert received == data
    assert hosts.counts(hosts["a"], hosts["b"]).carried >= len(data) / 1500


def test_as_much_is_lost_as_asked_for_and_each_run_with_a_seed_loses_the_same(hosts: Hosts) -> None:
    def arrived(hosts: Hosts) -> list[int]:
        a, b = hosts
        hosts.loss(0.2)
        found: list[int] = []
        with datagrams(a) as here, datagrams(b) as there:
            for start in range(0, 2000, 100):  # few enough for the buffer of a socket
                send_numbers(hosts, here, a, b, range(start, start + 100))
                found += waiting_numbers(there)
        return found

    first = arrived(hosts)
    assert len(first) == pytest.approx(1600, rel=0.1)
    assert hosts.counts(*hosts).lost == 2000 - len(first)
    with Hosts(seed=1) as same, Hosts(seed=2) as other:
        assert arrived(same) == first
        assert arrived(other) != first


def test_a_delayed_packet_is_late_and_in_order(hosts: Hosts) -> None:
    a, b = hosts
    hosts.delay(0.3)
    with datagrams(a) as here, datagrams(b) as there:
        begin_s = monotonic()
        for number in FEW:
            here.sendto(bytes([number]), (b.address, PORT))
        assert there.recv(1) == b"\0"
        assert 0.3 <= monotonic() - begin_s < 5.0
        assert [there.recv(1)[0] for _ in FEW[1:]] == list(FEW[1:])
        there.sendto(b"back", (a.address, PORT))
        here.recv(4)
        assert monotonic() - begin_s >= 0.6


def test_with_jitter_packets_overtake_each_other(hosts: Hosts) -> None:
    a, b = hosts
    hosts.delay(0.0, jitter_s=0.2)
    with datagrams(a) as here, datagrams(b) as there:
        for number in FEW:
            here.sendto(bytes([number]), (b.address, PORT))
        arrived = [there.recv(1)[0] for _ in FEW]
    assert sorted(arrived) == list(FEW)
    assert arrived != list(FEW)


def test_a_one_way_cut_lets_the_other_way_through(hosts: Hosts) -> None:
    a, b = hosts
    hosts.cut_one_way(a, b)
    assert reached(hosts, a, b) == []
    assert reached(hosts, b, a) == list(FEW)
    assert hosts.counts(a, b).lost == len(FEW)
    hosts.heal()
    assert reached(hosts, a, b) == list(FEW)


@pytest.mark.hosts(3)
def test_a_cut_is_between_two_and_leaves_the_others_alone(hosts: Hosts) -> None:
    a, b, c = hosts
    with hosts.cut_off(a, b):
        assert reached(hosts, a, b) == reached(hosts, b, a) == []
        assert reached(hosts, a, c) == reached(hosts, c, b) == list(FEW)
    assert reached(hosts, a, b) == list(FEW)
    hosts.isolate(c)
    assert reached(hosts, a, c) == reached(hosts, c, b) == []
    assert reached(hosts, a, b) == list(FEW)


def test_faults_of_several_kinds_hold_together_until_they_are_healed(hosts: Hosts) -> None:
    a, b = hosts
    hosts.delay(0.2)
    hosts.cut(a, b)
    hosts.loss(0.0)
    assert reached(hosts, a, b) == []
    hosts.heal(a, b)
    begin_s = monotonic()
    with connection(a, b):
        pass
    hosts.delay(0.2, a, b)
    with connection(a, b):
        assert monotonic() - begin_s >= 0.4


def test_what_is_on_its_way_when_the_network_is_cut_is_lost(hosts: Hosts) -> None:
    a, b = hosts
    hosts.delay(0.5)
    with datagrams(a) as here, datagrams(b) as there:
        here.sendto(b"lost", (b.address, PORT))
        hosts.cut(a, b)
        until(lambda: hosts.counts(a, b).lost == 1, "it is lost")
        hosts.heal()
        here.sendto(b"kept", (b.address, PORT))
        assert there.recv(4) == b"kept"


def test_a_connection_outlives_a_cut(hosts: Hosts) -> None:
    a, b = hosts
    with connection(a, b) as (here, there):
        here.sendall(b"before")
        assert there.recv(6) == b"before"
        hosts.cut(a, b)
        here.sendall(b"meanwhile")
        until(lambda: hosts.counts(a, b).lost > 0, "something is lost")
        assert not has_arrived(there)
        hosts.heal()
        assert there.recv(9) == b"meanwhile"


def test_what_the_switch_cannot_do_is_an_error_and_it_goes_on(hosts: Hosts) -> None:
    switch = hosts.switch
    with pytest.raises(SwitchFailed, match="KeyError"):
        switch.tell(Shape(source="10.0.0.1", destination="10.0.0.2", faults=hosts.faults(*hosts)))
    assert reached(hosts, *hosts) == list(FEW)
    with pytest.raises(ValueError, match="between two hosts or among all"):
        hosts.loss(0.5, hosts["a"])


def test_a_bridge_carries_everything_and_has_no_faults() -> None:
    need_hosts()
    with Hosts(wiring=Wiring.BRIDGE) as hosts:
        a, b = hosts
        with datagrams(a) as here, datagrams(b) as there:
            here.sendto(b"over", (b.address, PORT))
            assert there.recv(4) == b"over"
        with pytest.raises(ValueError, match=r"need Wiring\.SWITCH"):
            hosts.cut(a, b)
