"""What comes under a deploy or client key is never unpickled, whichever end is attacked, and kinds never mix."""
# pyright: basic, reportPrivateUsage=false
# Strict would report every look into what is Thespian's, which has no types.

import logging
import os
import pickle
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from placet.net.address import NetAddress
from placet.net.keyring import KeyKind, Keyring
from placet.net.messages import Answers, Ask, Asks, FindEngines, Peer, Told
from placet.net.refusals import MOST_REFUSALS, Refusals
from placet.net.seal import GREETING_BYTES, Session
from placet.net.sealed_transport import SealedEndpoint, SealedTransport, address_of, peer_from
from placet.net.thespian_adapter import ClientPort, order_to_send
from tests.endtoend.processes import PATIENCE_S
from tests.net.evil import RunsCode, thespian_frame

HERE = NetAddress(host="127.0.0.1", port=0)
RINGS = {kind: Keyring.of(bytes([kind]) * 32, kind=kind) for kind in KeyKind}
ALL = RINGS[KeyKind.CLUSTER].joined(RINGS[KeyKind.DEPLOY]).joined(RINGS[KeyKind.CLIENT])
LOWER = (KeyKind.DEPLOY, KeyKind.CLIENT)
ASKS = Asks(asks=(Ask(number=1, line=b"line"),))


@contextmanager
def transports(*rings: Keyring) -> Generator[list[SealedTransport]]:
    made = [SealedTransport(SealedEndpoint(None, None, None, HERE, ring)) for ring in rings]
    try:
        yield made
    finally:
        for one in made:
            one.close()


def peer(one: SealedTransport, kind: KeyKind) -> Peer:
    return Peer(one.listens_at.host, one.listens_at.port, kind)


def send(one: SealedTransport, to: Peer, message: object) -> list[bool]:
    """Begin to send, and return a list that will say whether it got through."""
    done: list[bool] = []
    one.scheduleTransmit(None, order_to_send(to, message, done.append))
    return done


def received(*ones: SealedTransport, until: Callable[[], object]) -> list[tuple[Peer, object]]:
    """Let transports work until something holds; return what came, with who sent it."""
    came: list[tuple[Peer, object]] = []
    end = monotonic() + PATIENCE_S
    while not until():
        assert monotonic() < end
        for one in ones:
            envelope = one.run_for(0.005)
            if hasattr(envelope, "sender"):
                came.append((peer_from(envelope.sender), envelope.message))
    return came


@contextmanager
def connected(to: SealedTransport, ring: Keyring) -> Generator[tuple[socket.socket, Session]]:
    """Yield a connection of a hostile peer that has a key."""
    with socket.create_connection((to.listens_at.host, to.listens_at.port), PATIENCE_S) as raw:
        while not select_greeting(raw, to):
            pass
        session = Session.connecting(ring, bytes(16))
        session.feed(raw.recv(GREETING_BYTES, socket.MSG_WAITALL))
        raw.setblocking(False)
        yield raw, session


def select_greeting(raw: socket.socket, to: SealedTransport) -> bool:
    to.run_for(0.005)
    raw.setblocking(False)
    with suppress(BlockingIOError):
        return len(raw.recv(GREETING_BYTES, socket.MSG_PEEK)) == GREETING_BYTES
    return False


def is_over(raw: socket.socket) -> bool:
    """Return whether the other side has closed a connection."""
    try:
        while raw.recv(1000):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def attack(to: SealedTransport, ring: Keyring, body: bytes) -> list[tuple[Peer, object]]:
    """Send one sealed message, wait for the end of the connection, and return what was delivered."""
    with connected(to, ring) as (raw, session):
        raw.sendall(session.seal(body))
        return received(to, until=lambda: is_over(raw))


# -- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOWER)
def test_a_request_and_its_answer_go_over_one_connection_of_that_kind(kind: KeyKind) -> None:
    with transports(ALL, RINGS[kind]) as (node, client):
        sent = send(client, peer(node, kind), ASKS)
        assert received(client, node, until=lambda: sent) == [(peer(client, kind), ASKS)]
        answers = Answers(told=(Told(number=1, line=b"answer"),))
        answered = send(node, peer(client, kind), answers)
        assert received(client, node, until=lambda: answered) == [(peer(node, kind), answers)]
        assert (sent, answered) == ([True], [True])
        assert len(client._openSockets) == len(node._openSockets) == 1  # the same one, kept


@pytest.mark.parametrize("kind", LOWER)
def test_an_answer_finds_its_way_when_the_connection_of_the_request_is_gone(kind: KeyKind) -> None:
    with transports(ALL, RINGS[kind]) as (node, client):
        sent = send(client, peer(node, kind), ASKS)
        received(client, node, until=lambda: sent)
        for idle in (*client._openSockets.values(), *node._openSockets.values()):
            idle.close()
        client._openSockets.clear()
        node._openSockets.clear()
        answered = send(node, peer(client, kind), Answers(told=()))
        assert received(client, node, until=lambda: answered) == [(peer(node, kind), Answers(told=()))]


def test_peers_are_told_apart_by_kind() -> None:
    cluster, deploy, client = (Peer("127.0.0.1", 5, kind) for kind in sorted(KeyKind, reverse=True))
    addresses = [address_of(one).addressDetails for one in (cluster, deploy, client)]
    assert len({str(one) for one in (cluster, deploy, client)}) == len({str(one) for one in addresses}) == 3
    assert len(set(addresses)) == 3
    assert [peer_from(address_of(one)) for one in (cluster, deploy, client)] == [cluster, deploy, client]
    again = pickle.loads(pickle.dumps(address_of(client)))
    assert peer_from(again) == client
    assert again == address_of(client)
    assert again != address_of(cluster)
    assert address_of(cluster) != again


def test_nothing_is_sent_to_a_peer_for_whose_kind_there_is_no_key() -> None:
    with transports(RINGS[KeyKind.CLIENT], ALL) as (client, node):
        sent = send(client, peer(node, KeyKind.CLUSTER), ASKS)
        assert received(client, node, until=lambda: sent) == []
        assert sent == [False]
        client.interrupt_wait()  # as a signal does: it needs no key


def test_a_message_for_the_cluster_is_not_sent_to_a_client() -> None:
    with transports(ALL, RINGS[KeyKind.CLIENT]) as (node, client), pytest.raises(TypeError, match="alone"):
        send(node, peer(client, KeyKind.CLIENT), {"any": "thing"})


def test_a_kept_connection_of_another_kind_is_not_used() -> None:
    with transports(ALL, RINGS[KeyKind.CLIENT]) as (node, client):
        sent = send(client, peer(node, KeyKind.CLIENT), ASKS)
        received(client, node, until=lambda: sent)
        ((address, idle),) = node._openSockets.items()
        assert idle.socket.kind is KeyKind.CLIENT
        as_cluster = address_of(peer(client, KeyKind.CLUSTER))
        assert address != as_cluster.addressDetails
        node._openSockets[as_cluster.addressDetails] = idle  # however that may have come about
        outgoing = send(node, peer(client, KeyKind.CLUSTER), "for the cluster alone")
        assert idle.socket.fileno() == -1
        assert received(client, node, until=lambda: not client._openSockets) == []  # it ended, and nothing came
        assert outgoing == []  # it is tried again, over a connection of its own


# -- attacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOWER)
@pytest.mark.parametrize("of_client", [False, True])
def test_a_sealed_pickle_runs_nothing_and_ends_the_connection(
    tmp_path: Path, kind: KeyKind, of_client: bool, caplog: pytest.LogCaptureFixture
) -> None:
    evil = RunsCode(tmp_path / "mark")
    with transports(RINGS[kind] if of_client else ALL) as (one,):
        for body in (
            thespian_frame((address_of(Peer("127.0.0.1", 5)), evil)),
            thespian_frame(evil),
            pickle.dumps(evil),
        ):
            assert attack(one, RINGS[kind], body) == []
        assert not (tmp_path / "mark").exists()
        assert (
            f"refused a peer at 127.0.0.1: from a peer with a {kind.word} key, what came is no message" in caplog.text
        )
        assert not one._openSockets
        assert not one._incomingSockets


def test_with_the_cluster_key_it_would_have_run(tmp_path: Path) -> None:
    with transports(ALL) as (one,):
        attack(one, RINGS[KeyKind.CLUSTER], thespian_frame(RunsCode(tmp_path / "mark")))
        assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", LOWER)
@pytest.mark.parametrize("of_client", [False, True])
def test_a_pickle_in_place_of_an_acknowledgement_runs_nothing(tmp_path: Path, kind: KeyKind, of_client: bool) -> None:
    """The attacked one has connected itself, and waits for the word that its message has come."""
    evil = thespian_frame(RunsCode(tmp_path / "mark"))
    with transports(RINGS[kind] if of_client else ALL) as (one,), socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        send(one, Peer(host, port, kind), ASKS if of_client else Answers(told=()))
        raw, _ = listener.accept()
        with raw:
            session = Session.accepting(RINGS[kind], bytes(16))
            raw.sendall(session.greeting)
            raw.setblocking(False)
            frame = None
            while frame is None:
                one.run_for(0.005)
                with suppress(BlockingIOError):
                    frame = session.feed(raw.recv(session.wanted))
            raw.sendall(session.seal(evil))
            assert received(one, until=lambda: is_over(raw)) == []
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("name", ["ActorExitRequest", "Begin", "EngineAt", "Answers", "PendingActor"])
def test_what_is_for_the_cluster_or_for_clients_is_refused(name: str) -> None:
    with transports(ALL) as (node,):
        body = msgspec.msgpack.encode([name, "127.0.0.1", 5, {"engine": None, "incarnation": "", "told": []}])
        assert attack(node, RINGS[KeyKind.CLIENT], body) == []


def test_a_client_takes_nothing_from_who_claims_the_cluster_key(tmp_path: Path) -> None:
    with transports(RINGS[KeyKind.CLIENT]) as (client,):
        assert attack(client, RINGS[KeyKind.CLUSTER], thespian_frame(RunsCode(tmp_path / "mark"))) == []
    assert not (tmp_path / "mark").exists()


def test_a_client_that_calls_itself_an_engine_gets_nothing_that_is_for_the_engine() -> None:
    with transports(ALL, ALL) as (node, engine), connected(node, RINGS[KeyKind.CLIENT]) as (raw, session):
        at = engine.listens_at
        raw.sendall(session.seal(msgspec.msgpack.encode(["FindEngines", at.host, at.port, {}])))
        came = first(node)
        assert came == (peer(engine, KeyKind.CLIENT), FindEngines())
        sent = send(node, peer(engine, KeyKind.CLUSTER), "secret")
        assert received(node, engine, until=lambda: sent) == [(peer(node, KeyKind.CLUSTER), "secret")]
        with suppress(BlockingIOError):
            while data := raw.recv(session.wanted):
                frame = session.feed(data)
                assert frame is None or frame.body == b""  # the word that its own message has come


def first(one: SealedTransport) -> tuple[Peer, object]:
    """Return the first message that comes, and who sent it."""
    end = monotonic() + PATIENCE_S
    while not hasattr(envelope := one.run_for(0.005), "sender"):
        assert monotonic() < end
    return peer_from(envelope.sender), envelope.message


# -- who is refused -------------------------------------------------------------------------------------------------


def test_who_is_refused_is_told_of_without_any_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "placet")
    stranger = Keyring.of(bytes([99]) * 32)
    with transports(ALL) as (node,):
        for _ in range(5):
            attack(node, stranger, b"let me in")
    (record,) = (record for record in caplog.records if record.name == "placet")
    assert record.getMessage() == "refused a peer at 127.0.0.1: it was sealed with a key that is unknown here"
    for key in (*ALL.keys, *stranger.keys):
        assert key.secret.hex() not in caplog.text
        assert key.id.hex() not in caplog.text


def test_a_host_that_is_refused_too_often_is_dropped_before_it_is_greeted() -> None:
    stranger = Keyring.of(bytes([99]) * 32)
    with transports(ALL) as (node,):
        node.refusals = SparesNobody()
        for _ in range(MOST_REFUSALS + 1):
            attack(node, stranger, b"let me in")
        with socket.create_connection((node.listens_at.host, node.listens_at.port), PATIENCE_S) as raw:
            raw.setblocking(False)
            said: list[bytes] = []

            def has_said() -> bool:
                with suppress(BlockingIOError):
                    said.append(raw.recv(1000))
                return bool(said)

            assert received(node, until=has_said) == []
            assert said == [b""]  # it hangs up, and does not greet
            assert not node._incomingSockets


class SparesNobody(Refusals):
    """As if this were another host."""

    def _is_spared(self, host: str, now_s: float) -> bool:
        del host, now_s
        return False


@pytest.mark.parametrize("kind", KeyKind)
def test_a_client_port_sends_with_the_kind_of_key_it_has(kind: KeyKind) -> None:
    woken, wake = os.pipe()
    done: list[bool] = []
    with transports(ALL) as (node,):
        port = ClientPort(HERE, [node.listens_at], RINGS[kind], woken)
        port.send(port.nodes[0], ASKS, done.append, 10.0)
        sender = None
        while not done:
            port.receive(0.005)
            envelope = node.run_for(0.005)
            sender = peer_from(envelope.sender) if hasattr(envelope, "sender") else sender
        port.close()
    os.close(woken)
    os.close(wake)
    assert sender is not None
    assert sender.kind is kind
