"""A line between a worker process and its engine's, beside loky: signs of life go one way, the end of an attempt back.

It never blocks: what finds the line full is lost, and its sender is told so.
"""

import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from placet.actors.messages import MOST_PROGRESS_BYTES

ROOM_BYTES: Final = 8 * MOST_PROGRESS_BYTES  # some systems give less by default than one message may take
LONGEST_BYTES: Final = 2 * MOST_PROGRESS_BYTES


class Signal(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A sign of life of an attempt, or that it begins; or, to the worker, why it is over."""

    instance: str
    number: int
    attempt: int
    progress: bytes | None = None
    begins: bool = False
    over: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Signal).decode


def new_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a line. A worker is given its own when it starts."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
        end.setblocking(False)
    return ends


def send(end: socket.socket, signal: Signal) -> bool:
    """Send a signal; False: it did not get through."""
    try:
        end.send(_encode(signal), socket.MSG_DONTWAIT)
    except OSError:  # the line is full, or there is nobody at its other end: not this side's trouble
        return False
    return True


def received(end: socket.socket) -> Iterator[Signal]:
    """Yield the signals that have come, without waiting for any."""
    while True:
        try:
            data = end.recv(LONGEST_BYTES, socket.MSG_DONTWAIT)
        except OSError:  # there are none, or the line is closed
            return
        yield _decode(data)
