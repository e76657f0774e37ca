"""The sealed socket over real loopback sockets: one message a read, no bytes left behind, only `OSError`."""

import errno
import select
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from placet.net.keyring import KeyKind, Keyring
from placet.net.seal import GREETING_BYTES, Kind, SealBroken, Session
from placet.net.sealed_socket import SealedSocket, Speech

RING = Keyring.of(bytes(range(32)))
OTHER = Keyring.of(bytes(32))
ACK = b"ACK"
CLIENTS = Keyring.of(bytes(range(2, 34)), kind=KeyKind.CLIENT)


def admit(body: bytes, kind: KeyKind) -> bytes:
    if body == b"evil":
        raise SealBroken("it is evil")
    return body + b" of a " + kind.word.encode()


SPEECH = Speech(acknowledgements={ACK: Kind.TAKEN}, admit=admit)
PATIENCE_S = 30.0


@contextmanager
def listening() -> Generator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextmanager
def pair(ring: Keyring = RING, other: Keyring = RING) -> Generator[tuple[SealedSocket, SealedSocket]]:
    """Yield (connector, acceptor), connected, nothing read yet."""
    with listening() as listener, socket.socket() as raw:
        connector = SealedSocket.connecting(raw, ring, SPEECH)
        connector.connect(listener.getsockname())
        connector.setblocking(False)
        accepted, address = listener.accept()
        with accepted:
            yield connector, SealedSocket.accepted(accepted, address[0], other, SPEECH)


def readable(one: SealedSocket, patience_s: float = PATIENCE_S) -> bool:
    return bool(select.select([one], [], [], patience_s)[0])


def filled(one: SealedSocket) -> None:
    """Read until there is something to receive."""
    while not one.fill():
        assert readable(one)


def sent(one: SealedSocket, other: SealedSocket, data: bytes) -> None:
    """Send all of `data`; the other side reads meanwhile."""
    while one.send(data) != len(data):
        other.fill()


def send_for_ever(one: SealedSocket) -> None:
    while True:
        one.send(b"x" * 10_000)


def greet(connector: SealedSocket) -> None:
    while connector.awaits_greeting:
        assert readable(connector)
        connector.fill()


@pytest.mark.parametrize("size", [1, 1000, 5_000_000])
def test_one_read_returns_one_whole_message_whatever_size_is_asked_for(size: int) -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        message = bytes([7]) * size
        sent(connector, acceptor, message)
        filled(acceptor)
        assert acceptor.recv(20) == message
        assert acceptor.peer == "127.0.0.1"


def test_what_comes_next_stays_where_select_sees_it() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        for message in (b"one", b"two"):
            sent(connector, acceptor, message)
        filled(acceptor)
        assert acceptor.recv(1) == b"one"
        assert readable(acceptor)
        filled(acceptor)
        assert acceptor.recv(1) == b"two"
        assert not readable(acceptor, 0.0)
        with pytest.raises(BlockingIOError):
            acceptor.recv(1)


def test_it_answers_a_knock_by_itself_and_goes_on() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        session = connector._session  # pyright: ignore[reportPrivateUsage] - a knock is sent by a preflight alone
        connector._raw.sendall(session.seal(b"", Kind.KNOCK))  # pyright: ignore[reportPrivateUsage] - as above
        while not acceptor.is_authenticated:
            assert readable(acceptor)
            assert not acceptor.fill()
        assert readable(connector)
        sent(connector, acceptor, b"and now")
        filled(acceptor)
        assert acceptor.recv(1) == b"and now"


def test_an_acknowledgement_counts_as_sent_and_raises_nothing_even_when_the_peer_has_gone() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        sent(connector, acceptor, b"message")
        filled(acceptor)
        connector.close()
        assert [acceptor.send(ACK) for _ in range(5)] == [len(ACK)] * 5


@pytest.mark.parametrize("reading", [True, False])
def test_a_peer_that_has_gone_is_a_reset_never_a_broken_pipe(reading: bool) -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        acceptor.close()
        if reading:
            filled(connector)
            assert connector.recv(1) == b""
            return
        with pytest.raises(ConnectionResetError) as caught:
            send_for_ever(connector)
        assert caught.value.errno == errno.ECONNRESET


def test_another_key_is_a_reset_and_nothing_comes_out() -> None:
    with pair(ring=OTHER) as (connector, acceptor):
        greet(connector)
        sent(connector, acceptor, b"let me in")
        filled(acceptor)
        with pytest.raises(ConnectionResetError, match="key that is unknown"):
            acceptor.recv(1)
        assert not acceptor.is_authenticated


def test_half_a_message_and_then_the_end_is_the_end() -> None:
    with listening() as listener, socket.create_connection(listener.getsockname()) as raw:
        accepted, address = listener.accept()
        with accepted:
            acceptor = SealedSocket.accepted(accepted, address[0], RING, SPEECH)
            session = Session.connecting(RING, bytes(16))
            session.feed(raw.recv(GREETING_BYTES, socket.MSG_WAITALL))
            raw.sendall(session.seal(b"x" * 1000)[:-1])
            raw.shutdown(socket.SHUT_WR)
            filled(acceptor)
            assert acceptor.recv(1) == b""


def test_a_message_that_is_too_large_is_a_reset_for_the_sender() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        with pytest.raises(ConnectionResetError, match="over the limit"):
            connector.send(bytes((64 << 20) + 1))
        assert acceptor.fileno() != connector.fileno()


def test_an_acknowledgement_crosses_as_a_kind_of_frame_and_comes_out_as_what_it_was() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        sent(connector, acceptor, b"message")
        filled(acceptor)
        acceptor.recv(1)
        assert acceptor.send(ACK) == len(ACK)
        filled(connector)
        assert connector.recv(1) == ACK


def test_what_comes_from_a_peer_without_the_cluster_key_comes_out_as_it_is_admitted_on_both_ends() -> None:
    with pair(ring=CLIENTS, other=RING.joined(CLIENTS)) as (connector, acceptor):
        greet(connector)
        sent(connector, acceptor, b"word")
        filled(acceptor)
        assert acceptor.recv(1) == b"word of a client"
        assert (connector.kind, acceptor.kind) == (KeyKind.CLIENT, KeyKind.CLIENT)
        sent(acceptor, connector, b"answer")
        filled(connector)
        assert connector.recv(1) == b"answer of a client"


@pytest.mark.parametrize("evil", ["connector", "acceptor"])
def test_what_is_not_admitted_ends_the_connection_and_says_why(evil: str) -> None:
    with pair(ring=CLIENTS, other=RING.joined(CLIENTS)) as (connector, acceptor):
        greet(connector)
        sent(connector, acceptor, b"word")
        filled(acceptor)
        acceptor.recv(1)
        sender, receiver = (connector, acceptor) if evil == "connector" else (acceptor, connector)
        sent(sender, receiver, b"evil")
        filled(receiver)
        with pytest.raises(ConnectionResetError, match="it is evil"):
            receiver.recv(1)
        assert receiver.refusal == "it is evil"
        assert receiver.peer == "127.0.0.1"


def test_a_peer_that_goes_is_not_refused() -> None:
    with pair() as (connector, acceptor):
        greet(connector)
        connector.close()
        filled(acceptor)
        assert acceptor.recv(1) == b""
        assert acceptor.refusal == ""
