"""Whether a node answers at an address and takes a key: asked over a connection of its own, within two seconds."""

import secrets
import socket

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress
from placet.net.errors import NodeUnreachable, WrongKey
from placet.net.keyring import Keyring
from placet.net.seal import RANDOM_BYTES, Kind, SealBroken, Session

PATIENCE_S = 2.0


def knock(address: NetAddress, keyring: Keyring, key_file: str, patience_s: float = PATIENCE_S) -> None:
    """Return if a node answers there and takes the key. Raises `NodeUnreachable` and `WrongKey`, in time."""
    end_s = monotonic_s() + patience_s
    session = Session.connecting(keyring, secrets.token_bytes(RANDOM_BYTES))
    try:
        with socket.create_connection((address.host, address.port), patience_s) as connection:
            _greet(connection, session, address, end_s)
            connection.sendall(session.seal(b"", Kind.KNOCK))
            _be_let_in(connection, session, address, key_file, end_s)
    except TimeoutError:
        raise NodeUnreachable(str(address), f"no answer within {patience_s:g} s") from None
    except OSError as error:
        raise NodeUnreachable(str(address), error.strerror or str(error)) from error


def _greet(connection: socket.socket, session: Session, address: NetAddress, end_s: float) -> None:
    try:
        while not session.is_ready:
            data = _read(connection, session, end_s)
            if not data:
                said = "what answers there is no Placet node, or has refused this host too often a moment ago"
                raise NodeUnreachable(str(address), said)
            session.feed(data)
    except SealBroken as error:
        raise NodeUnreachable(str(address), error.reason) from error


def _be_let_in(connection: socket.socket, session: Session, address: NetAddress, key_file: str, end_s: float) -> None:
    """Wait for the answer to a knock: a node that does not take the key hangs up."""
    try:
        while data := _read(connection, session, end_s):
            if session.feed(data) is not None:
                return
    except (SealBroken, ConnectionError) as error:
        raise WrongKey(str(address), key_file) from error
    raise WrongKey(str(address), key_file)


def _read(connection: socket.socket, session: Session, end_s: float) -> bytes:
    left_s = end_s - monotonic_s()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
    return connection.recv(session.wanted)
