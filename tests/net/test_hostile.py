"""Who has no key gets nothing but a closed connection, and who has one no more than is its kind's.

No code runs, no memory fills, nobody else waits.
"""

import pickle
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import msgspec
import psutil
import pytest

from placet.net.address import parse_address
from placet.net.client import Client, connect
from placet.net.errors import NodeUnreachable, WrongKey
from placet.net.keyring import KeyKind, Keyring, key_file_beside, load_keyring, make_key_file
from placet.net.preflight import knock
from placet.net.seal import GREETING_BYTES, MAGIC, Kind, Session
from tests.endtoend.processes import PATIENCE_S, until
from tests.net.evil import RunsCode, thespian_frame
from tests.net.nodes import RunningNode, listeners, running

SALT = bytes(16)
any_kind = pytest.mark.parametrize("kind", KeyKind)


@contextmanager
def stranger(port: int) -> Generator[socket.socket]:
    """Yield a plain connection that has read the greeting."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        assert len(connection.recv(GREETING_BYTES, socket.MSG_WAITALL)) == GREETING_BYTES
        yield connection


def hung_up(connection: socket.socket) -> bool:
    """Return whether the other side closes without another byte."""
    connection.settimeout(PATIENCE_S)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def ports(node: RunningNode) -> list[int]:
    found = [port for _, port in sorted(listeners(node.process.pid))]
    assert len(found) == 2
    return found


def works(client: Client, id: str) -> bool:
    return client.spawn("echo", {"given": [id]}, id=id).result(PATIENCE_S) == {"got": [{"got": id}]}


def test_a_pickle_sent_to_every_port_runs_nothing(node: RunningNode, client: Client, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attack = RunsCode(mark)
    for port in ports(node):
        for data in (thespian_frame(attack), thespian_frame((attack, attack)), pickle.dumps(attack) * 20):
            with stranger(port) as connection:
                connection.sendall(data)
                assert hung_up(connection)
    assert works(client, "h-1")
    assert not mark.exists()
    pickle.loads(pickle.dumps(attack))
    assert mark.exists()  # it does run code, where somebody unpickles it


@any_kind
def test_a_sealed_pickle_under_another_key_runs_nothing(node: RunningNode, tmp_path: Path, kind: KeyKind) -> None:
    mark = tmp_path / "mark"
    keyring = Keyring.of(bytes(range(32)), kind=kind)
    for port in ports(node):
        for claimed in (keyring.first.id, load_keyring(node.key_of(kind)).first.id):
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                session = Session.connecting(keyring, SALT)
                session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
                sealed = session.seal(thespian_frame(RunsCode(mark)))
                connection.sendall(sealed[:4] + claimed + sealed[12:])
                assert hung_up(connection)
    assert not mark.exists()


@pytest.mark.parametrize("kind", [KeyKind.CLIENT, KeyKind.DEPLOY])
def test_a_sealed_pickle_under_a_key_of_a_client_runs_nothing(
    node: RunningNode, client: Client, tmp_path: Path, kind: KeyKind
) -> None:
    mark, engine = tmp_path / "mark", node.engine()
    bodies = (thespian_frame(RunsCode(mark)), thespian_frame((None, RunsCode(mark))), pickle.dumps(RunsCode(mark)))
    for port in ports(node):
        for body in bodies:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                session = Session.connecting(load_keyring(node.key_of(kind)), SALT)
                session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
                connection.sendall(session.seal(body))
                assert hung_up(connection)
    assert works(client, f"h-7-{kind}")
    assert not mark.exists()
    assert node.engine() == engine
    assert "refused a peer at 127.0.0.1: " in node.said("refused a peer")
    secrets = [key.secret.hex() for one in KeyKind for key in load_keyring(node.key_of(one)).keys]
    assert not any(secret in line for line in node.lines for secret in secrets)


def test_what_only_a_node_may_say_is_refused_of_a_client(node: RunningNode, client: Client) -> None:
    engine = node.engine()
    for port in ports(node):
        for name in ("Begin", "NotBegun", "EngineAt", "ActorExitRequest"):
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                session = Session.connecting(load_keyring(node.key_file), SALT)
                session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
                connection.sendall(session.seal(msgspec.msgpack.encode([name, "127.0.0.1", 9, {}])))
                assert hung_up(connection)
    assert works(client, "h-8")
    assert node.engine() == engine


@any_kind
def test_what_was_recorded_on_one_connection_is_refused_on_another(
    node: RunningNode, client: Client, kind: KeyKind
) -> None:
    keyring = load_keyring(node.key_of(kind))
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE_S) as connection:
        session = Session.connecting(keyring, SALT)
        session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
        recorded = session.seal(b"", Kind.KNOCK)
        connection.sendall(recorded)
        assert connection.recv(1)  # it is let in
        connection.sendall(recorded[-24:])  # the same frame, again
        connection.settimeout(PATIENCE_S)
        with suppress(ConnectionResetError):
            while connection.recv(100):
                pass
    with stranger(node.port) as connection:
        connection.sendall(recorded)
        assert hung_up(connection)
    assert works(client, f"h-2-{kind}")


@any_kind
def test_four_gigabytes_announced_are_not_waited_for(node: RunningNode, client: Client, kind: KeyKind) -> None:
    before = psutil.Process(node.process.pid).memory_info().rss
    for data in (b"4294967296>" + bytes(1 << 20), struct.pack(">Q", 1 << 32) + bytes(1 << 20)):
        with stranger(node.port) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            assert hung_up(connection)
    session = Session.connecting(load_keyring(node.key_of(kind)), SALT)
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE_S) as connection:
        session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
        hello = session.seal(b"", Kind.KNOCK)
        outward = session._outward  # pyright: ignore[reportPrivateUsage] - a hostile peer uses what it has
        assert outward is not None
        connection.sendall(hello + outward.seal(struct.pack(">B3xI", Kind.DATA, 0xFFFFFFFF)))
        connection.settimeout(PATIENCE_S)
        with suppress(ConnectionResetError):
            while connection.recv(100):  # the answer to the knock, then the end
                pass
    assert works(client, f"h-3-{kind}")
    assert psutil.Process(node.process.pid).memory_info().rss - before < 8 << 20


@any_kind
def test_a_message_that_breaks_off_is_never_delivered(
    node: RunningNode, client: Client, tmp_path: Path, kind: KeyKind
) -> None:
    mark = tmp_path / "mark"
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE_S) as connection:
        session = Session.connecting(load_keyring(node.key_of(kind)), SALT)
        session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
        connection.sendall(session.seal(thespian_frame(RunsCode(mark)))[:-1])
    assert works(client, f"h-4-{kind}")
    assert not mark.exists()


def test_many_silent_strangers_are_cut_off_and_hold_up_nobody(node: RunningNode, client: Client) -> None:
    engine_port = next(port for port in ports(node) if port != node.port)
    for port in (node.port, engine_port):
        silent = [socket.create_connection(("127.0.0.1", port), PATIENCE_S) for _ in range(200)]
        try:
            with connect(node.address, key_file=node.key_file, timeout_s=PATIENCE_S) as another:
                assert works(another, f"h-5-{port}")
            assert works(client, f"h-6-{port}")
            for connection in silent[:100]:  # the oldest went for the newest
                connection.settimeout(PATIENCE_S)
                with suppress(ConnectionResetError):
                    while connection.recv(100):
                        pass
        finally:
            for connection in silent:
                connection.close()


def test_a_stranger_that_dribbles_is_cut_off_in_time(node: RunningNode) -> None:
    begin = monotonic()
    with stranger(node.port) as connection:
        stop = threading.Event()

        def dribble() -> None:
            with suppress(OSError):
                for byte in MAGIC + bytes(48):  # half a minute for what is wanted before a key is shown
                    connection.send(bytes([byte]))
                    if stop.wait(1.0):
                        return

        thread = threading.Thread(target=dribble)
        thread.start()
        assert hung_up(connection)
        stop.set()
        thread.join()
    assert monotonic() - begin < 15


@any_kind
def test_a_peer_that_shows_its_key_and_then_dribbles_holds_up_nobody(
    node: RunningNode, client: Client, kind: KeyKind
) -> None:
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE_S) as connection:
        session = Session.connecting(load_keyring(node.key_of(kind)), SALT)
        session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
        sealed = session.seal(bytes(1 << 20))
        for number in range(5):
            connection.sendall(sealed[number * 100 : (number + 1) * 100])
            assert works(client, f"h-9-{kind}-{number}")


# -- keys -----------------------------------------------------------------------------------------------------------


@any_kind
def test_a_wrong_key_is_told_within_two_seconds(node: RunningNode, tmp_path: Path, kind: KeyKind) -> None:
    make_key_file(tmp_path / "other", kind)
    begin = monotonic()
    with pytest.raises(WrongKey, match=r"does not take the key in .*other; copy the key file from its host"):
        connect(node.address, key_file=tmp_path / "other")
    assert monotonic() - begin < 2


@any_kind
def test_a_client_works_with_a_key_of_any_kind(node: RunningNode, kind: KeyKind) -> None:
    with connect(node.address, key_file=node.key_of(kind), timeout_s=PATIENCE_S) as client:
        assert works(client, f"h-10-{kind}")


def test_keys_of_each_kind_are_changed_while_clients_with_the_old_and_the_new_one_go_on(tmp_path: Path) -> None:
    files = {(kind, age): tmp_path / f"{kind.word}.{age}" for kind in KeyKind for age in ("old", "new")}
    for (kind, _), file in files.items():
        make_key_file(file, kind)
    lines = {name: file.read_text(encoding="ascii").splitlines()[1] for name, file in files.items()}
    for ages in (["old"], ["old", "new"], ["new", "old"], ["new"]):  # the steps of a rotation
        for kind in KeyKind:
            rotated = key_file_beside(tmp_path / "key", kind)
            rotated.write_text("\n".join(lines[kind, age] for age in ages), encoding="ascii")
            rotated.chmod(0o600)
        with running(tmp_path) as node:
            for (kind, age), file in files.items():
                if age not in ages:
                    with pytest.raises(WrongKey):
                        connect(node.address, key_file=file, timeout_s=PATIENCE_S)
                    continue
                with connect(node.address, key_file=file, timeout_s=PATIENCE_S) as client:
                    if age == ages[0]:  # the node connects to clients with its first key
                        assert works(client, f"{kind.word}-{'-'.join(ages)}")


# -- what answers is no node ----------------------------------------------------------------------------------------


@contextmanager
def answering(data: bytes, *, hang_up: bool) -> Generator[str]:
    """Yield the address of a program that says `data` to whoever connects."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()

        def serve() -> None:
            connection, _ = listener.accept()
            connection.sendall(data)
            held.append(connection)
            if hang_up:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"{host}:{port}"
        finally:
            thread.join()
            for connection in held:
                connection.close()


@pytest.mark.parametrize(
    ("data", "hang_up", "said"),
    [
        (b"", False, "no answer within 0.3 s"),
        (b"Pt", False, "no answer within 0.3 s"),
        (b"", True, "is no Placet node"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "no Placet node"),
    ],
)
def test_what_is_no_node_is_told_from_one_with_another_key(data: bytes, hang_up: bool, said: str) -> None:
    with answering(data, hang_up=hang_up) as address, pytest.raises(NodeUnreachable, match=said):
        knock(parse_address(address), Keyring.of(bytes(32)), "key", 0.3)


def test_a_node_that_greets_and_then_says_nothing_is_no_wrong_key() -> None:
    greeting = Session.accepting(Keyring.of(bytes(32)), bytes(16)).greeting
    with answering(greeting, hang_up=False) as address, pytest.raises(NodeUnreachable, match="no answer"):
        knock(parse_address(address), Keyring.of(bytes(32)), "key", 0.3)


def test_engines_are_asked_for_nothing_by_the_flood(node: RunningNode) -> None:
    """The sockets that the tests above left are gone: the node keeps none of a stranger's."""
    top = psutil.Process(node.process.pid)
    until(lambda: len([c for c in top.net_connections("inet") if c.status == psutil.CONN_ESTABLISHED]) < 10, "they go")
