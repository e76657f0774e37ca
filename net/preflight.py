"""Whether a node answers at an address and takes a key: asked over a connection of its own, within two seconds."""

import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress

from placet.actors.clock import monotonic_s
from placet.net.address import NetAddress
from placet.net.errors import NodeUnreachable, OtherVersion, WrongKey
from placet.net.keyring import Keyring
from placet.net.seal import RANDOM_BYTES, VERSION, Kind, SealBroken, Session

PATIENCE_S = 2.0


def knock(address: NetAddress, keyring: Keyring, key_file: str, patience_s: float = PATIENCE_S) -> None:
    """Return if a node answers there and takes the key.

    Raises in time: `NodeUnreachable`, which may be an `OtherVersion`, and `WrongKey`.
    """
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


def knock_at_one(addresses: Iterable[NetAddress], keyring: Keyring, key_file: str) -> None:
    """Return if one of some nodes takes the key, or if none is there yet. Raises `OtherVersion` and `WrongKey`."""
    refused: OtherVersion | WrongKey | None = None
    for address in addresses:
        try:
            return knock(address, keyring, key_file)
        except (OtherVersion, WrongKey) as error:
            refused = refused or error
        except NodeUnreachable:
            pass  # it may come later
    if refused is not None:
        raise refused
    return None


def _greet(connection: socket.socket, session: Session, address: NetAddress, end_s: float) -> None:
    try:
        while not session.is_ready:
            data = _read(connection, session, end_s)
            if not data:
                said = "what answers there is no Placet node, or has refused this host too often a moment ago"
                raise NodeUnreachable(str(address), said)
            session.feed(data)
    except SealBroken as error:
        if session.peer_version is None:
            raise NodeUnreachable(str(address), error.reason) from error
        with suppress(OSError):  # it is for the other side's log alone
            connection.sendall(session.farewell)
        raise OtherVersion(str(address), session.peer_version, VERSION) from error


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
