"""What is overridden of Thespian is what was looked into: its version, and its source to the byte.

When this fails after an upgrade: read what has changed in these modules beside net/sealed_transport.py and
net/thespian_adapter.py, run tests/net, and only then write the new version and the new hashes down.
"""

import hashlib
import importlib
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from placet.net.address import NetAddress
from placet.net.keyring import Keyring
from placet.net.seal import GREETING_BYTES
from placet.net.sealed_transport import MOST_STRANGERS_A_HOST, SealedEndpoint, SealedTransport
from placet.net.thespian_adapter import PINNED
from tests.project.sources import EVERYTHING, imported_modules, sources

SEEN = {
    "thespian.actors": "cdb2fcd9091be118",
    "thespian.system.actorManager": "ef63efe7ab4f9b5e",
    "thespian.system.addressManager": "bde03286ba816a81",
    "thespian.system.admin.adminCore": "7a805625903e45bb",
    "thespian.system.admin.convention": "7791a9fcbea84bdd",
    "thespian.system.admin.globalNames": "2e970ad5ac6a7d89",
    "thespian.system.multiprocCommon": "fe2c4c348eac187d",
    "thespian.system.systemCommon": "6d8a54fdf089d749",
    "thespian.system.transport": "432692dd0d8969b9",
    "thespian.system.transport.IPBase": "ff75cc8eb35019a3",
    "thespian.system.transport.TCPTransport": "303b9a9b3871ca94",
    "thespian.system.transport.asyncTransportBase": "67ed9591a1703bea",
    "thespian.system.transport.errmgmt": "07a25132e781a3db",
    "thespian.system.transport.streamBuffer": "3aa2191109c9aec9",
    "thespian.system.transport.wakeupTransportBase": "26cb1a58eb4f93ff",
    "thespian.system.utilis": "69b676a1b7c148f4",
}


def source_hash(module: str) -> str:
    file = importlib.import_module(module).__file__
    assert file is not None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]


def test_thespian_has_the_version_that_was_looked_into() -> None:
    assert version("thespian") == PINNED


@pytest.mark.parametrize("module", SEEN)
def test_the_source_that_is_overridden_is_the_one_that_was_looked_into(module: str) -> None:
    assert source_hash(module) == SEEN[module]


def test_every_method_that_is_overridden_is_still_there() -> None:
    own = {name for name, value in vars(SealedTransport).items() if callable(value) and not name.startswith("__")}
    inherited = {name for base in SealedTransport.__mro__[1:] for name in vars(base)}
    assert own - inherited == {"_admit", "_filled", "_limit_strangers", "_refuse", "run_for"}


def test_of_many_strangers_the_oldest_are_cut_off_at_once() -> None:
    at = NetAddress(host="127.0.0.1", port=0)
    transport = SealedTransport(SealedEndpoint(None, None, None, at, Keyring.of(bytes(32))))
    address = (transport.listens_at.host, transport.listens_at.port)
    strangers: list[socket.socket] = []
    try:
        for _ in range(3 * MOST_STRANGERS_A_HOST):
            strangers.append(socket.create_connection(address))
            transport.run_for(0.001)
        for _ in range(100):  # each look takes in what is there
            transport.run_for(0.001)
        assert transport.strangers == MOST_STRANGERS_A_HOST
        for connection in strangers[:-MOST_STRANGERS_A_HOST]:
            assert connection.recv(GREETING_BYTES, socket.MSG_WAITALL)
            assert connection.recv(1) == b""
    finally:
        for connection in strangers:
            connection.close()
        transport.close()


def test_two_modules_alone_import_thespian() -> None:
    importing = {
        source.path
        for source in sources(*EVERYTHING)
        if any(name.split(".")[0] == "thespian" for name in imported_modules(source))
    }
    assert importing == {"net/sealed_transport.py", "net/thespian_adapter.py"}
