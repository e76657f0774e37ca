"""Who has no key gets nothing but a closed connection: no code runs, no memory fills, nobody else waits."""

import os
import pickle
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import psutil
import pytest

from placet.net.address import parse_address
from placet.net.client import Client, connect
from placet.net.errors import NodeUnreachable, WrongKey
from placet.net.keyring import Keyring, load_keyring, make_key_file
from placet.net.preflight import knock
from placet.net.seal import GREETING_BYTES, MAGIC, Kind, Session
from tests.endtoend.processes import PATIENCE_S, until
from tests.net.nodes import RunningNode, listeners, running

SALT = bytes(16)


class RunsCode:
    """Something whose unpickling leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


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


def thespian_frame(value: object) -> bytes:
    """Return a message as Thespian itself would send it: its length, and a pickle."""
    body = pickle.dumps(value)
    return b"%d>" % len(body) + body


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


def test_a_sealed_pickle_under_another_key_runs_nothing(node: RunningNode, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    keyring = Keyring.of(bytes(range(32)))
    for port in ports(node):
        for claimed in (keyring.first.id, load_keyring(node.key_file).first.id):
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                session = Session.connecting(keyring, SALT)
                session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
                sealed = session.seal(thespian_frame(RunsCode(mark)))
                connection.sendall(sealed[:4] + claimed + sealed[12:])
                assert hung_up(connection)
    assert not mark.exists()


def test_what_was_recorded_on_one_connection_is_refused_on_another(node: RunningNode, client: Client) -> None:
    keyring = load_keyring(node.key_file)
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
    assert works(client, "h-2")


def test_four_gigabytes_announced_are_not_waited_for(node: RunningNode, client: Client) -> None:
    before = psutil.Process(node.process.pid).memory_info().rss
    for data in (b"4294967296>" + bytes(1 << 20), struct.pack(">Q", 1 << 32) + bytes(1 << 20)):
        with stranger(node.port) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            assert hung_up(connection)
    session = Session.connecting(load_keyring(node.key_file), SALT)
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
    assert works(client, "h-3")
    assert psutil.Process(node.process.pid).memory_info().rss - before < 8 << 20


def test_a_message_that_breaks_off_is_never_delivered(node: RunningNode, client: Client, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE_S) as connection:
        session = Session.connecting(load_keyring(node.key_file), SALT)
        session.feed(connection.recv(GREETING_BYTES, socket.MSG_WAITALL))
        connection.sendall(session.seal(thespian_frame(RunsCode(mark)))[:-1])
    assert works(client, "h-4")
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


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_within_two_seconds(node: RunningNode, tmp_path: Path) -> None:
    make_key_file(tmp_path / "other")
    begin = monotonic()
    with pytest.raises(WrongKey, match=r"does not take the key in .*other; copy the key file from its host"):
        connect(node.address, key_file=tmp_path / "other")
    assert monotonic() - begin < 2


def test_keys_are_changed_while_clients_with_the_old_and_the_new_one_go_on(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for file in (old, new, tmp_path / "key"):
        make_key_file(file)
    texts = [file.read_text(encoding="ascii").splitlines()[1] for file in (old, new)]
    for keys in ([texts[0]], texts, texts[::-1], [texts[1]]):  # the steps of a rotation
        (tmp_path / "key").write_text("\n".join(keys), encoding="ascii")
        with running(tmp_path) as node:
            for text, file in zip(texts, (old, new), strict=True):
                if text in keys:
                    with connect(node.address, key_file=file, timeout_s=PATIENCE_S) as client:
                        both = len(keys) == 2 or text == keys[0]
                        assert both
                        if text == keys[0]:  # answers come sealed with the node's first key
                            assert works(client, f"{file.name}-{len(keys)}-{texts.index(keys[0])}")
                else:
                    with pytest.raises(WrongKey):
                        connect(node.address, key_file=file, timeout_s=PATIENCE_S)


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
