"""Messages of connections that are not sealed with the cluster key: msgpack of a closed set of types, never a pickle.

    frame: array of name (of the message's type) | host | port (where its sender listens) | fields, by name

Who has a deploy or client key is trusted with what its messages say, and with nothing else.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, get_args

import msgspec

from placet.net.address import NetAddress
from placet.net.keyring import KeyKind
from placet.net.messages import FromClient, Peer, ToClient
from placet.net.seal import SealBroken

Message: TypeAlias = FromClient | ToClient
_MOST_PORT: Final = 0xFFFF


class _Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One message, and who sent it."""

    name: str
    host: str
    port: int
    fields: msgspec.Raw


Decoders: TypeAlias = "Mapping[str, msgspec.msgpack.Decoder[Any]]"  # `Any`: each has a type of its own


def _decoders(union: Any) -> Decoders:  # `Any`: a union is no type of its own
    return {message.__name__: msgspec.msgpack.Decoder(message) for message in get_args(union)}


FROM_CLIENT: Final = _decoders(FromClient)
TO_CLIENT: Final = _decoders(ToClient)

_encode = msgspec.msgpack.Encoder().encode
_frames: "msgspec.msgpack.Decoder[_Frame]" = msgspec.msgpack.Decoder(_Frame)


def encode_frame(sender: NetAddress, message: object) -> bytes:
    """Return the frame of a message. Raises `TypeError` for one that is not for such a connection."""
    name = type(message).__name__
    if not isinstance(message, get_args(Message)):
        raise TypeError(f"a {name} is for peers with the cluster key alone")
    return _encode(_Frame(name, sender.host, sender.port, msgspec.Raw(_encode(message))))


def decode_frame(data: bytes, kind: KeyKind, known: Decoders) -> tuple[Peer, object]:
    """Return who sent a message, and the message, if it is one of those `known`. Raises `SealBroken`."""
    try:
        frame = _frames.decode(data)
        host = str(ipaddress.IPv4Address(frame.host))
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as error:
        raise _refused(kind, "what came is no message") from error
    if not 0 < frame.port <= _MOST_PORT:
        raise _refused(kind, "its sender listens nowhere")
    decoder = known.get(frame.name)
    if decoder is None:
        raise _refused(kind, "what came is not among the messages that it may send")
    try:
        return Peer(host, frame.port, kind), decoder.decode(frame.fields)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as error:
        raise _refused(kind, f"the fields of a message ({frame.name}) are wrong") from error


def _refused(kind: KeyKind, reason: str) -> SealBroken:
    return SealBroken(f"from a peer with a {kind.word} key, {reason}")
