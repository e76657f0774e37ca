"""Plain sockets on hosts, in the hands of the test: they stay on the host they were made on."""

import select
import socket
from collections.abc import Generator
from contextlib import contextmanager

from tests.endtoend.processes import PATIENCE_S, until
from tests.hosts.hosts import Host, Hosts

PORT = 4000


@contextmanager
def datagrams(host: Host) -> Generator[socket.socket]:
    """Yield a UDP socket at `PORT` of a host."""
    with host.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:
        made.settimeout(PATIENCE_S)
        made.bind((host.address, PORT))
        yield made


@contextmanager
def connection(client: Host, server: Host) -> Generator[tuple[socket.socket, socket.socket]]:
    """Yield the two ends of a TCP connection: of the one that connects, and of the other."""
    with server.entered():
        listening = socket.create_server((server.address, PORT))
    with listening:
        listening.settimeout(PATIENCE_S)
        with client.entered():
            here = socket.create_connection((server.address, PORT), PATIENCE_S)
        with here:
            there, _ = listening.accept()
            with there:
                there.settimeout(PATIENCE_S)
                yield here, there


def send_numbers(hosts: Hosts, source: socket.socket, here: Host, there: Host, numbers: range) -> None:
    """Send a datagram for each number, and wait until the switch has decided over all of them."""
    before = hosts.counts(here, there)
    for number in numbers:
        source.sendto(number.to_bytes(4, "big"), (there.address, PORT))
    wanted = before.carried + before.lost + len(numbers)

    def is_through() -> bool:
        now = hosts.counts(here, there)
        return now.carried + now.lost >= wanted

    until(is_through, f"{len(numbers)} packets have gone through the switch")


def has_arrived(receiver: socket.socket) -> bool:
    """Return whether there is something to receive by now."""
    return bool(select.select([receiver], [], [], 0)[0])


def waiting_numbers(receiver: socket.socket) -> list[int]:
    """Return the numbers that have arrived by now."""
    found: list[int] = []
    while has_arrived(receiver):
        found.append(int.from_bytes(receiver.recv(4), "big"))
    return found
