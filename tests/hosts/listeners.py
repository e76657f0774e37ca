"""Every socket of a network namespace that waits for strangers: who has it, and where."""

import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

TABLES = ("tcp", "tcp6", "udp", "udp6")
WAITING = {"tcp": "0A", "udp": "07"}  # of a TCP socket: it listens; of a UDP one: anybody may send to it
INODE = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A socket that takes connections, or packets, from anybody."""

    protocol: str  # tcp, tcp6, udp, udp6
    address: str
    port: int
    pid: int  # 0: no process of the namespace holds it
    process: str  # its name


def listeners(pids: Iterable[int]) -> list[Listener]:
    """Return the listeners of the network namespace that this thread is in; `pids` are the processes there."""
    owners = dict(_sockets(pids))
    found: list[Listener] = []
    for protocol in TABLES:
        for address, port, inode in _waiting(protocol):
            pid = owners.get(inode, 0)
            found.append(Listener(protocol, address, port, pid, _name(pid)))
    return sorted(found)


def _waiting(protocol: str) -> Iterator[tuple[str, int, int]]:
    table = Path(f"/proc/thread-self/net/{protocol}")
    for line in table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else ():
        fields = line.split()
        if fields[3] == WAITING[protocol.removesuffix("6")]:
            address, _, port = fields[1].partition(":")
            yield unpacked(address), int(port, 16), int(fields[9])


def unpacked(address: str) -> str:
    """Return an address as people write it; the kernel shows words of four bytes in the machine's own order."""
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def _sockets(pids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (inode, pid) for the sockets that processes hold."""
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for name in os.listdir(folder):
                with suppress(FileNotFoundError):  # it has closed that one
                    if match := INODE.fullmatch(os.readlink(f"{folder}/{name}")):
                        yield int(match[1]), pid


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name() if pid else ""
    except psutil.NoSuchProcess:
        return ""
