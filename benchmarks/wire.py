"""Two hosts on this machine, network namespaces, for figures that need a network; and what that network can do."""

import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median

from benchmarks.figure import Figure
from benchmarks.peer import Unavailable
from benchmarks.setting import Setting
from benchmarks.wire_end import ECHO, MESSAGE_BYTES, PATIENCE_S, SINK
from tests.hosts.fixture import lacking
from tests.hosts.hosts import Host, Hosts, Wiring
from tests.project.sources import ROOT

PORT = 4000
BULK_BYTES = 1 << 16


@contextmanager
def joined_hosts(number: int = 2, wiring: Wiring = Wiring.BRIDGE) -> Generator[Hosts]:
    """Yield hosts, joined by the kernel's bridge unless the switch of the tests is wanted.

    Start programs by `host.start`; make sockets and clients of this process within `host.entered()`.
    Raises `Unavailable` where there can be none.
    """
    if reason := lacking():
        raise Unavailable(reason)
    with Hosts(number, wiring=wiring) as hosts:
        yield hosts


def wire(setting: Setting) -> list[Figure]:
    """Measure plain TCP between two hosts: what no node can exceed."""
    figures: list[Figure] = []
    for wiring in Wiring:
        with joined_hosts(wiring=wiring) as hosts:
            here, there = hosts
            far = there.start(["-m", "benchmarks.wire_end", there.address, str(PORT)], cwd=ROOT)
            assert far.stdout is not None
            assert far.stdout.readline() == "ready\n"
            duration_s = setting.pick(2.0, 0.1)
            rounds = setting.pick(5, 1)
            messages = median(_sent(here, there, MESSAGE_BYTES, duration_s) for _ in range(rounds))
            bulk = median(_sent(here, there, BULK_BYTES, duration_s) for _ in range(rounds))
            round_trip_s = _round_trip(here, there, setting.pick(2_000, 50))
        note = f"plain TCP, {wiring.value}"
        figures += [
            Figure(name=f"wire.{wiring.value}_messages", value=messages / MESSAGE_BYTES, unit="messages/s", note=note),
            Figure(name=f"wire.{wiring.value}_bytes", value=bulk / 1e6, unit="MB/s", note=note),
            Figure(name=f"wire.{wiring.value}_round_trip", value=round_trip_s * 1e3, unit="ms", note=note),
        ]
    return figures


@contextmanager
def _connected(here: Host, there: Host, wish: bytes) -> Generator[socket.socket]:
    with here.entered():
        connection = socket.create_connection((there.address, PORT), PATIENCE_S)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(wish)
        yield connection


def _sent(here: Host, there: Host, size: int, duration_s: float) -> float:
    """Return how many bytes a second arrive, sent in messages of a size, one system call each."""
    message, sent = bytes(size), 0
    with _connected(here, there, SINK) as connection:
        begin_s = time.perf_counter()
        while time.perf_counter() - begin_s < duration_s:
            for _ in range(10):
                connection.sendall(message)
            sent += 10 * size
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        return sent / (time.perf_counter() - begin_s)


def _round_trip(here: Host, there: Host, count: int) -> float:
    """Return the median of what a message takes there and back."""
    message = bytes(MESSAGE_BYTES)
    times_s: list[float] = []
    with _connected(here, there, ECHO) as connection:
        for _ in range(count):
            begin_s = time.perf_counter()
            connection.sendall(message)
            connection.recv(MESSAGE_BYTES, socket.MSG_WAITALL)
            times_s.append(time.perf_counter() - begin_s)
    return median(times_s)
