"""A switch in user space: `python -m tests.hosts.switch DESCRIPTOR SEED`, started by `switch_control.Switch`.

Each host has a TUN device, whose other end is here: what a host sends is read here, one IP packet a read, and written
to the device of the host it is for, unless the link says that it is late or lost. One thread does all of it.
"""

import os
import select
import socket
import struct
import sys
from contextlib import suppress
from fcntl import ioctl
from random import Random
from time import monotonic
from typing import TypeAlias, assert_never

import msgspec

from tests.hosts.link import Air, Link
from tests.hosts.namespaces import entered
from tests.hosts.switch_control import MOST_BYTES, Answer, AskCounts, Attach, Command, Shape

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000  # IP packets, with nothing before them
IFF_REQUEST = "16sH22x"  # struct ifreq: name, flags
LARGEST_PACKET = 1 << 16
DESTINATION = slice(16, 20)  # of an IPv4 packet. In one of IPv6, part of its source: no address of a host here
MOST_AT_ONCE = 64  # packets of one host before the others have their turn
NICENESS = -10  # a wire does not wait for the processors of the hosts it joins

Routes: TypeAlias = dict[bytes, tuple[int, Link]]  # by packed address: whose device, by what link


def open_device(namespace: str, name: str) -> int:
    """Make a TUN device in a network namespace and return the descriptor of our end; it goes when that is closed."""
    with entered(namespace):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        ioctl(descriptor, TUNSETIFF, struct.pack(IFF_REQUEST, name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Switching:
    """Carries packets between devices, and does what it is told in between."""

    def __init__(self, control: socket.socket, seed: int) -> None:
        self._control = control
        self._seed = seed
        self._devices: dict[str, int] = {}  # by address
        self._routes: dict[int, Routes] = {}  # by the device a packet comes from
        self._air = Air()
        self._poll = select.epoll()
        self._poll.register(control, select.EPOLLIN)

    def run(self) -> None:
        """Work until the other end of the control socket is closed."""
        while True:
            for descriptor, _ in self._poll.poll(self._air.wait_s(monotonic())):
                routes = self._routes.get(descriptor)
                if routes is not None:
                    self._carry(descriptor, routes)
                elif not self._obey():
                    return
            for held in self._air.arrived(monotonic()):
                self._write(held.device, held.link, held.packet)

    # -- packets ---------------------------------------------------------------------------------------------

    def _carry(self, source: int, routes: Routes) -> None:
        read = os.read
        try:
            for _ in range(MOST_AT_ONCE):
                packet = read(source, LARGEST_PACKET)
                route = routes.get(packet[DESTINATION])
                if route is None:
                    continue
                device, link = route
                if link.is_plain:
                    self._write(device, link, packet)
                elif (hold_s := link.hold_s()) is None:
                    continue
                elif hold_s:
                    self._air.hold(monotonic() + hold_s, device, link, packet)
                else:
                    self._write(device, link, packet)
        except BlockingIOError:
            return  # there is no more

    def _write(self, device: int, link: Link, packet: bytes) -> None:
        try:
            os.write(device, packet)
            link.carried += 1
        except OSError:  # the device is down, or full: a packet on a wire may be lost
            link.lost += 1

    # -- commands --------------------------------------------------------------------------------------------

    def _obey(self) -> bool:
        """Carry out one command; return whether there was one."""
        data = self._control.recv(MOST_BYTES)
        if not data:
            return False
        try:
            answer = self._do(msgspec.json.decode(data, type=Command))
        except (OSError, KeyError) as error:
            answer = Answer(error=f"{type(error).__name__}: {error}")
        self._control.send(msgspec.json.encode(answer))
        return True

    def _do(self, command: Command) -> Answer:
        match command:
            case Attach():
                self._attach(command)
            case Shape():
                self._link(command.source, command.destination).faults = command.faults
            case AskCounts():
                link = self._link(command.source, command.destination)
                return Answer(carried=link.carried, lost=link.lost)
            case _:
                assert_never(command)
        return Answer()

    def _attach(self, command: Attach) -> None:
        device = open_device(command.namespace, command.device)
        routes = self._routes[device] = {}
        for address, other in self._devices.items():
            routes[socket.inet_aton(address)] = other, self._new_link(command.address, address)
            self._routes[other][socket.inet_aton(command.address)] = device, self._new_link(address, command.address)
        self._devices[command.address] = device
        self._poll.register(device, select.EPOLLIN)

    def _new_link(self, source: str, destination: str) -> Link:
        """Return a link whose chance depends on the seed and its two ends, not on what other links carry."""
        return Link(Random(f"{self._seed} {source} {destination}"))

    def _link(self, source: str, destination: str) -> Link:
        return self._routes[self._devices[source]][socket.inet_aton(destination)][1]


def main(descriptor: str, seed: str) -> None:
    """Be a switch until whoever started it closes the control socket, or ends."""
    with suppress(PermissionError):  # slower on a busy machine, no more
        os.nice(NICENESS)
    with socket.socket(fileno=int(descriptor)) as control:
        Switching(control, int(seed)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
