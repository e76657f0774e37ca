"""Sealing without any network: what is sealed opens once, in its place, on its connection, with the same key."""

import pickle
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.net.keyring import KeyKind, Keyring
from placet.net.seal import (
    GREETING_BYTES,
    HEADER_BYTES,
    HELLO_BYTES,
    MOST_BYTES,
    Frame,
    Kind,
    SealBroken,
    Session,
)

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
RING = Keyring.of(KEY)
CHALLENGE = b"c" * 16
SALT = b"s" * 16
FIRST_BYTES = HELLO_BYTES + HEADER_BYTES  # all that comes before anything is authentic

bodies = st.lists(st.binary(max_size=200), min_size=1, max_size=6)


def pair(
    ring: Keyring = RING, other: Keyring = RING, challenge: bytes = CHALLENGE, salt: bytes = SALT
) -> tuple[Session, Session]:
    """Return (connector, acceptor), greeted."""
    connector, acceptor = Session.connecting(ring, salt), Session.accepting(other, challenge)
    assert connector.feed(acceptor.greeting) is None
    return connector, acceptor


def opened(session: Session, data: bytes, most: int = 1 << 30) -> list[Frame]:
    """Feed all of `data`, at most `most` bytes at a time; return the frames."""
    frames: list[Frame] = []
    while data:
        size = min(session.wanted, most)
        frame = session.feed(data[:size])
        data = data[size:]
        if frame is not None:
            frames.append(frame)
    return frames


def refuses(session: Session, data: bytes) -> str:
    """Return why a session refuses `data`; afterwards it must take and give nothing."""
    with pytest.raises(SealBroken) as caught:
        opened(session, data)
    assert session.wanted == 0
    assert not session.is_ready
    for use in (lambda: session.feed(b"x"), lambda: session.seal(b"x")):
        with pytest.raises(SealBroken):
            use()
    return caught.value.reason


# -- what holds -----------------------------------------------------------------------------------------------------


@given(there=bodies, back=bodies, most=st.integers(1, 70))
def test_what_is_sealed_opens_in_order_both_ways_however_it_is_cut(
    there: list[bytes], back: list[bytes], most: int
) -> None:
    connector, acceptor = pair()
    assert [one.body for one in opened(acceptor, b"".join(map(connector.seal, there)), most)] == there
    assert [one.body for one in opened(connector, b"".join(map(acceptor.seal, back)), most)] == back
    assert connector.is_authenticated
    assert acceptor.is_authenticated


def test_a_knock_has_no_body_and_is_told_from_a_message() -> None:
    connector, acceptor = pair()
    frames = opened(acceptor, connector.seal(b"", Kind.KNOCK) + connector.seal(b"x"))
    assert frames == [Frame(kind=Kind.KNOCK, body=b""), Frame(kind=Kind.DATA, body=b"x")]


@given(body=st.binary(min_size=16, max_size=100))
def test_nothing_of_a_message_can_be_read_on_the_way_and_no_two_frames_are_alike(body: bytes) -> None:
    connector, _ = pair()
    sealed = [connector.seal(body) for _ in range(3)]
    again, _ = pair(salt=b"t" * 16)
    sealed.append(again.seal(body))
    assert all(body not in one and KEY not in one for one in sealed)
    assert len({one[-HEADER_BYTES:] for one in sealed}) == len(sealed)


def test_the_two_directions_have_keys_of_their_own() -> None:
    connector, acceptor = pair()
    sealed = connector.seal(b"same")
    opened(acceptor, sealed)
    assert sealed[HELLO_BYTES:] != acceptor.seal(b"same")


def test_a_new_key_first_and_the_old_one_second_goes_with_who_has_only_the_old_one() -> None:
    rotating = Keyring.of(OTHER, KEY)
    connector, acceptor = pair(ring=RING, other=rotating)
    assert opened(acceptor, connector.seal(b"old to both"))[0].body == b"old to both"
    connector, acceptor = pair(ring=rotating, other=Keyring.of(KEY, OTHER))
    assert opened(acceptor, connector.seal(b"new to both"))[0].body == b"new to both"


def of_all_kinds() -> Keyring:
    cluster, deploy, client = (Keyring.of(bytes([kind]) * 32, kind=kind) for kind in sorted(KeyKind, reverse=True))
    return cluster.joined(deploy).joined(client)


@pytest.mark.parametrize("kind", KeyKind)
def test_the_acceptor_learns_the_kind_of_key_and_both_ends_know_it(kind: KeyKind) -> None:
    alone = Keyring.of(bytes([kind]) * 32, kind=kind)
    connector, acceptor = Session.connecting(alone, SALT), Session.accepting(of_all_kinds(), CHALLENGE)
    assert (connector.peer_kind, acceptor.peer_kind) == (kind, None)
    connector.feed(acceptor.greeting)
    opened(acceptor, connector.seal(b"x"))
    assert acceptor.peer_kind is kind
    assert opened(connector, acceptor.seal(b"y"))[0].body == b"y"


@pytest.mark.parametrize("kind", KeyKind)
def test_a_node_connects_with_the_kind_it_is_told_to_and_else_with_its_highest(kind: KeyKind) -> None:
    ring, alone = of_all_kinds(), Keyring.of(bytes([kind]) * 32, kind=kind)
    connector, acceptor = Session.connecting(ring, SALT, kind), Session.accepting(alone, CHALLENGE)
    connector.feed(acceptor.greeting)
    assert opened(acceptor, connector.seal(b"x"))[0].body == b"x"
    assert acceptor.peer_kind is kind
    assert Session.connecting(ring, SALT).peer_kind is KeyKind.CLUSTER
    if kind is not KeyKind.CLUSTER:
        with pytest.raises(ValueError, match="no key of that kind"):
            Session.connecting(alone, SALT, KeyKind.CLUSTER)


# -- hostile peers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [OTHER, KEY])
def test_another_key_is_refused_under_its_own_id_and_under_a_known_one(known: bytes) -> None:
    connector, acceptor = pair(ring=Keyring.of(OTHER))
    hello_and_frame = connector.seal(b"let me in")
    forged = hello_and_frame[:4] + Keyring.of(known).first.id + hello_and_frame[12:]
    reason = refuses(acceptor, forged)
    assert reason == (
        "it was sealed with a key that is unknown here"
        if known is OTHER
        else "a frame is not authentic: another key, or altered, repeated or out of order"
    )
    assert not acceptor.is_authenticated


@pytest.mark.parametrize("claimed", [KeyKind.CLUSTER, KeyKind.DEPLOY])
def test_a_client_key_is_not_taken_for_one_of_a_higher_kind(claimed: KeyKind) -> None:
    client = Keyring.of(bytes([KeyKind.CLIENT]) * 32, kind=KeyKind.CLIENT)
    higher = of_all_kinds().first_of(claimed)
    assert higher is not None
    connector, acceptor = Session.connecting(client, SALT), Session.accepting(of_all_kinds(), CHALLENGE)
    connector.feed(acceptor.greeting)
    sealed = connector.seal(b"x")
    assert "not authentic" in refuses(acceptor, sealed[:4] + higher.id + sealed[12:])
    relabelled = Keyring.of(bytes([KeyKind.CLIENT]) * 32, kind=claimed)  # as in a file that says what it is not
    connector, acceptor = Session.connecting(relabelled, SALT), Session.accepting(of_all_kinds(), CHALLENGE)
    connector.feed(acceptor.greeting)
    assert "unknown" in refuses(acceptor, connector.seal(b"x"))


@given(data=st.binary(min_size=FIRST_BYTES, max_size=FIRST_BYTES))
def test_noise_is_refused_within_the_first_bytes(data: bytes) -> None:
    _, acceptor = pair()
    refuses(acceptor, data)
    assert not acceptor.is_authenticated


def test_a_pickle_is_refused_before_anything_looks_at_it() -> None:
    _, acceptor = pair()
    assert "no Placet node" in refuses(acceptor, b"400>" + pickle.dumps(["x"] * 100))


@given(body=st.binary(max_size=60), data=st.data())
def test_any_flipped_bit_breaks_the_connection_and_nothing_is_delivered(body: bytes, data: st.DataObject) -> None:
    connector, acceptor = pair()
    sealed = bytearray(connector.seal(body))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    refuses(acceptor, bytes(sealed))


@given(there=bodies, data=st.data())
def test_a_truncated_stream_gives_its_whole_frames_and_no_part_of_another(
    there: list[bytes], data: st.DataObject
) -> None:
    connector, acceptor = pair()
    stream = b"".join(map(connector.seal, there))
    cut = data.draw(st.integers(0, len(stream) - 1))
    frames = [one.body for one in opened(acceptor, stream[:cut])]
    assert frames == there[: len(frames)]
    assert len(frames) < len(there)


def test_a_frame_that_comes_twice_or_out_of_order_is_refused() -> None:
    connector, acceptor = pair()
    first, second = connector.seal(b"first"), connector.seal(b"second")
    assert opened(acceptor, first)[0].body == b"first"
    refuses(acceptor, first[HELLO_BYTES:])
    _, acceptor = pair()
    refuses(acceptor, first[:HELLO_BYTES] + second + first[HELLO_BYTES:])


def test_a_recorded_connection_is_refused_by_another_one_and_by_a_restarted_process() -> None:
    connector, _ = pair()
    recorded = connector.seal(b"pay 100")
    _, later = pair(challenge=b"d" * 16)  # a new connection, or a process that has forgotten everything
    refuses(later, recorded)


def test_a_frame_sent_back_to_its_sender_is_refused() -> None:
    connector, _ = pair()
    refuses(connector, connector.seal(b"echo")[HELLO_BYTES:])


def test_a_peer_with_the_key_that_announces_four_gigabytes_is_refused_at_once() -> None:
    connector, acceptor = pair()
    outward = connector._outward  # pyright: ignore[reportPrivateUsage] - a hostile peer uses what it has
    assert outward is not None
    hello = connector.seal(b"", Kind.KNOCK)
    header = outward.seal(struct.pack(">B3xI", Kind.DATA, 0xFFFFFFFF))
    assert str(0xFFFFFFFF) in refuses(acceptor, hello + header)


def test_a_kind_that_is_unknown_is_refused() -> None:
    connector, acceptor = pair()
    outward = connector._outward  # pyright: ignore[reportPrivateUsage] - as above
    assert outward is not None
    hello = connector.seal(b"", Kind.KNOCK)
    assert "kind 9" in refuses(acceptor, hello + outward.seal(struct.pack(">B3xI", 9, 0)))


def test_before_it_is_authentic_no_more_than_52_bytes_are_taken() -> None:
    connector, acceptor = pair()
    sealed = connector.seal(b"x" * 1000)
    taken = 0
    while not acceptor.is_authenticated:
        size = acceptor.wanted
        acceptor.feed(sealed[taken : taken + size])
        taken += size
    assert taken == FIRST_BYTES == 52


def test_more_than_is_wanted_is_refused() -> None:
    connector, acceptor = pair()
    with pytest.raises(SealBroken):
        acceptor.feed(connector.seal(b"x"))
    assert acceptor.wanted == 0


def test_a_greeting_of_something_else_is_refused() -> None:
    connector = Session.connecting(RING, SALT)
    assert "no Placet node" in refuses(connector, b"SSH-2.0-OpenSSH_9.9\r\n"[:GREETING_BYTES].ljust(GREETING_BYTES))


def test_a_body_over_the_limit_is_not_sealed_and_the_connection_goes_on() -> None:
    connector, acceptor = pair()
    with pytest.raises(ValueError, match="over the limit"):
        connector.seal(bytes(MOST_BYTES + 1))
    assert opened(acceptor, connector.seal(b"small"))[0].body == b"small"


def test_nothing_can_be_sealed_before_the_greeting() -> None:
    with pytest.raises(SealBroken):
        Session.connecting(RING, SALT).seal(b"x")


def test_equal_salts_under_different_challenges_agree_on_different_keys() -> None:
    sealed = [pair(challenge=bytes([n]) * 16)[0].seal(b"same")[HELLO_BYTES:] for n in range(4)]
    assert all(one != other for one, other in pairwise(sealed))


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_challenge_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        Session.accepting(RING, bytes(size))
