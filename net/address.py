"""Addresses of nodes: HOST:PORT, IPv4."""

import ipaddress
import socket
from dataclasses import dataclass

from placet.net.errors import BadAddress

DEFAULT_PORT = 1900


@dataclass(frozen=True, slots=True, kw_only=True)
class NetAddress:
    """Where a process listens."""

    host: str  # IPv4, as numbers
    port: int  # 0: whichever is free

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach it."""
        return ipaddress.IPv4Address(self.host).is_loopback


def parse_address(text: str) -> NetAddress:
    """Return the address in `HOST:PORT` or `HOST`; a name is looked up. Raises `BadAddress`."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(DEFAULT_PORT)
    if not host or not port.isdecimal() or not int(port) <= 0xFFFF:
        raise BadAddress(text, "it is not HOST:PORT", "write one such as 127.0.0.1:1900")
    try:
        numbers = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError) as error:
        raise BadAddress(text, f"{host} is no IPv4 address and no known name", "check the host") from error
    return NetAddress(host=str(numbers), port=int(port))


def check_listen(address: NetAddress, *, has_key: bool) -> None:
    """Raise `BadAddress` unless a node may listen there: beyond loopback only with a key that was chosen."""
    if ipaddress.IPv4Address(address.host).is_unspecified:
        raise BadAddress(str(address), "a node listens on one address, not on all", "name the one its peers use")
    if not has_key and not address.is_loopback:
        raise BadAddress(
            str(address), "it can be reached from other hosts", "give --key-file as well, or use 127.0.0.1"
        )
