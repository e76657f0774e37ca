"""Frames of peers without the cluster key: every message of the closed set crosses, and nothing else does."""

import pickle
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.net.address import NetAddress
from placet.net.client_frame import FROM_CLIENT, TO_CLIENT, Decoders, Message, decode_frame, encode_frame
from placet.net.keyring import KeyKind
from placet.net.messages import (
    Answers,
    Ask,
    Asks,
    Begin,
    EngineAt,
    EngineConfig,
    FindEngines,
    FromClient,
    NotBegun,
    Peer,
    ToClient,
    Told,
    Whereabouts,
)
from placet.net.seal import SealBroken

HOSTS = st.ip_addresses(v=4).map(str)
PORTS = st.integers(1, 0xFFFF)
ADDRESSES = st.builds(NetAddress, host=HOSTS, port=PORTS)
PEERS = st.builds(Peer, HOSTS, PORTS, st.sampled_from(KeyKind))
NUMBERS, LINES, NAMES = st.integers(0, (1 << 63) - 1), st.binary(max_size=50), st.text(max_size=20)
FROM = {
    FindEngines: st.builds(FindEngines),
    Asks: st.builds(Asks, asks=st.lists(st.builds(Ask, number=NUMBERS, line=LINES), max_size=3).map(tuple)),
}
TO = {
    Whereabouts: st.builds(
        Whereabouts,
        revision=NUMBERS,
        owners=st.lists(NAMES, max_size=3).map(tuple),
        epochs=st.lists(NUMBERS, max_size=3).map(tuple),
        new=st.frozensets(NUMBERS, max_size=3),
        engines=st.dictionaries(NAMES, st.builds(EngineAt, peer=PEERS, incarnation=NAMES), max_size=3),
        nodes=st.lists(PEERS, max_size=3).map(tuple),
    ),
    Answers: st.builds(Answers, told=st.lists(st.builds(Told, number=NUMBERS, line=LINES), max_size=3).map(tuple)),
}
SAID, TOLD = st.one_of(*FROM.values()), st.one_of(*TO.values())
KINDS = st.sampled_from([KeyKind.CLIENT, KeyKind.DEPLOY])


def refuses(data: bytes, known: Decoders = FROM_CLIENT) -> str:
    with pytest.raises(SealBroken) as caught:
        decode_frame(data, KeyKind.CLIENT, known)
    return caught.value.reason


@given(sender=ADDRESSES, message=SAID, kind=KINDS)
def test_what_a_client_may_say_crosses_unchanged(sender: NetAddress, message: FromClient, kind: KeyKind) -> None:
    came = decode_frame(encode_frame(sender, message), kind, FROM_CLIENT)
    assert came == (Peer(sender.host, sender.port, kind), message)


@given(sender=ADDRESSES, message=TOLD, kind=KINDS)
def test_what_a_client_is_told_crosses_unchanged(sender: NetAddress, message: ToClient, kind: KeyKind) -> None:
    came = decode_frame(encode_frame(sender, message), kind, TO_CLIENT)
    assert came == (Peer(sender.host, sender.port, kind), message)


@given(sender=ADDRESSES, from_client=SAID, to_client=TOLD)
def test_neither_side_takes_what_is_for_the_other(
    sender: NetAddress, from_client: FromClient, to_client: ToClient
) -> None:
    assert "not among the messages" in refuses(encode_frame(sender, to_client), FROM_CLIENT)
    assert "not among the messages" in refuses(encode_frame(sender, from_client), TO_CLIENT)


def test_every_message_of_the_two_unions_is_known_and_no_other() -> None:
    assert set(FROM_CLIENT) == {message.__name__ for message in get_args(FromClient)}
    assert set(TO_CLIENT) == {message.__name__ for message in get_args(ToClient)}
    assert set(get_args(Message)) == {*get_args(FromClient), *get_args(ToClient)}
    assert not set(FROM_CLIENT) & set(TO_CLIENT)
    assert (set(FROM), set(TO)) == (set(get_args(FromClient)), set(get_args(ToClient)))  # tested here


@given(data=st.binary(max_size=200), known=st.sampled_from([FROM_CLIENT, TO_CLIENT]))
def test_noise_is_refused(data: bytes, known: Decoders) -> None:
    refuses(data, known)


@given(message=SAID, data=st.data())
def test_a_frame_with_a_flipped_bit_is_another_message_or_refused(message: FromClient, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(NetAddress(host="10.0.0.1", port=9), message))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    try:
        _, came = decode_frame(bytes(frame), KeyKind.CLIENT, FROM_CLIENT)
    except SealBroken:
        return
    assert isinstance(came, get_args(FromClient))


@given(message=SAID, data=st.data())
def test_a_frame_that_is_cut_short_is_refused(message: FromClient, data: st.DataObject) -> None:
    frame = encode_frame(NetAddress(host="10.0.0.1", port=9), message)
    refuses(frame[: data.draw(st.integers(0, len(frame) - 1))])


@pytest.mark.parametrize(
    ("host", "port"),
    [("somewhere.example", 1), ("", 1), ("::1", 1), ("1.2.3", 1), ("10.0.0.1", 0), ("10.0.0.1", 65536)],
)
def test_a_sender_is_an_address_in_numbers(host: str, port: int) -> None:
    refuses(framed("FindEngines", host=host, port=port))


@pytest.mark.parametrize("name", ["Begin", "NotBegun", "ActorExitRequest", "Ask", "", "Message", "os.mkdir"])
def test_a_message_of_another_name_is_refused(name: str) -> None:
    assert "not among the messages" in refuses(framed(name))


def test_fields_of_another_type_are_refused() -> None:
    wrong: list[object] = [
        {"asks": 1},
        {"asks": [{"number": "1", "line": b""}]},
        {"asks": [{"number": 1}]},
        {},
        [],
        None,
    ]
    for fields in wrong:
        assert "fields of a message (Asks) are wrong" in refuses(framed("Asks", fields))


def test_what_is_nested_beyond_reason_is_refused() -> None:
    refuses(b"\x91" * 100_000)
    refuses(b"\x94\xa4Asks\xa91.2.3.4.5" + b"\x91" * 100_000)
    deep = (
        b"\x94" + b"".join(map(msgspec.msgpack.encode, ("Asks", "10.0.0.1", 9))) + b"\x81\xa4asks" + b"\x91" * 100_000
    )
    refuses(deep + b"\xc0")


def test_a_pickle_is_refused_by_both_ends() -> None:
    for known in (FROM_CLIENT, TO_CLIENT):
        refuses(pickle.dumps(("a", "b")), known)


def test_what_is_for_the_cluster_alone_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="a Begin is for peers with the cluster key alone"):
        encode_frame(NetAddress(host="10.0.0.1", port=9), Begin.__new__(Begin))
    assert EngineConfig not in get_args(Message)
    assert NotBegun not in get_args(Message)


def framed(name: str, fields: object = None, host: str = "10.0.0.1", port: int = 9) -> bytes:
    """Return a frame as an evil peer may write it."""
    return msgspec.msgpack.encode([name, host, port, {} if fields is None and name != "Asks" else fields])
