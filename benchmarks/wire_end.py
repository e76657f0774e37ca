"""The far end of a wire that is measured: `python -m benchmarks.wire_end ADDRESS PORT`.

Each connection says first what it wants: `echo`, every message back, or `sink`, one byte once all has arrived.
"""

import socket
import sys

MESSAGE_BYTES = 200
ECHO, SINK = b"echo", b"sink"
PATIENCE_S = 60.0  # what takes longer hangs


def main(address: str, port: str) -> None:
    """Serve one connection after the other, until killed."""
    with socket.create_server((address, int(port))) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _serve(connection)


def _serve(connection: socket.socket) -> None:
    if connection.recv(len(ECHO), socket.MSG_WAITALL) == ECHO:
        while message := connection.recv(MESSAGE_BYTES, socket.MSG_WAITALL):
            connection.sendall(message)
    else:
        while connection.recv(1 << 20):
            pass
        connection.sendall(b".")


if __name__ == "__main__":
    main(*sys.argv[1:])
