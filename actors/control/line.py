"""One line from a socket, with bounds on its size and on how long it takes."""

import socket

from placet.actors.clock import monotonic_s

MOST_BYTES = 4 << 20  # of one line


class LineTooLong(Exception):
    """A peer sent more than `MOST_BYTES` without a newline."""


def read_line(connection: socket.socket, rest: bytes, patience_s: float) -> tuple[bytes, bytes] | None:
    """Return (line, what came after it), or None at the end; `rest` is what came after the last one.

    Raises `TimeoutError` when the whole line is not there in time, `LineTooLong`, and `OSError`.
    """
    end_s = monotonic_s() + patience_s
    buffer = bytearray(rest)
    scanned = 0
    while (position := buffer.find(b"\n", scanned)) < 0:
        scanned = len(buffer)
        if scanned > MOST_BYTES:
            raise LineTooLong
        left_s = end_s - monotonic_s()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        received = connection.recv(1 << 16)
        if not received:
            return None
        buffer += received
    return bytes(buffer[:position]), bytes(buffer[position + 1 :])
