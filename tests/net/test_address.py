"""Addresses, and where a node may listen."""

import pytest

from placet.net.address import NetAddress, check_listen, parse_address
from placet.net.errors import BadAddress


def test_host_and_port() -> None:
    assert parse_address("127.0.0.1:2000") == NetAddress(host="127.0.0.1", port=2000)
    assert parse_address("127.0.0.1") == NetAddress(host="127.0.0.1", port=1900)
    assert parse_address("localhost:7").host == "127.0.0.1"
    assert str(NetAddress(host="10.0.0.1", port=5)) == "10.0.0.1:5"


@pytest.mark.parametrize("text", ["", ":1900", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


def test_beyond_loopback_a_key_must_have_been_chosen() -> None:
    outside = NetAddress(host="10.0.0.1", port=1900)
    check_listen(outside, has_key=True)
    check_listen(NetAddress(host="127.0.0.2", port=1900), has_key=False)
    with pytest.raises(BadAddress, match="can be reached from other hosts; give --key-file"):
        check_listen(outside, has_key=False)


def test_a_node_never_listens_on_every_address() -> None:
    with pytest.raises(BadAddress, match="not on all"):
        check_listen(NetAddress(host="0.0.0.0", port=1900), has_key=True)
