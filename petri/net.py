"""Net definitions: places, transitions, arcs and composites as frozen, comparable, serialisable values.

A `Net` holds structure only. What a transition does when it fires (handler, guards, policies) is a
`Behaviour`, kept apart, so that a net can be stored, compared and hashed without touching user code.
"""

import hashlib
from typing import TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place: where tokens wait."""

    name: str
    entry: bool = False  # may receive the tokens of a spawn although it has incoming arcs
    type: str = ""  # name of the declared Python type of its values, for people; "" is any
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Arc(msgspec.Struct, frozen=True, kw_only=True):
    """One arc between a transition and the named place; the side it stands on gives its direction."""

    place: str
    weight: int = 1  # tokens moved by one firing, >= 1
    guarded: bool = False  # inputs only: a guard decides, token by token, which may be taken


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A transition: takes tokens from its inputs, runs its handler, gives tokens to its outputs."""

    name: str
    inputs: tuple[Arc, ...]
    outputs: tuple[Arc, ...] = ()
    choice: bool = False  # True: one firing gives to exactly one of the outputs, named by the handler
    handler: str = ""  # `module:qualname` of the declared handler; "" moves values through unchanged
    priority: int = 0  # higher goes first within an instance
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Composite(msgspec.Struct, frozen=True, kw_only=True):
    """A node that holds a whole net, fused into its parent: port places are one and the same place."""

    name: str
    net: "Net"
    ports: tuple[tuple[str, str], ...]  # (place of the inner net, place of the outer net)
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Net(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable net. Names of places, transitions and composites are unique within one net."""

    name: str
    places: tuple[Place, ...] = ()
    transitions: tuple[Transition, ...] = ()
    composites: tuple[Composite, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Net)


def encode_net(net: Net) -> bytes:
    """Return the bytes a net is stored as; equal nets give equal bytes."""
    return _encoder.encode(net)


def decode_net(data: bytes) -> Net:
    """Return the net stored as `data`. Raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(data)


def net_version(net: Net, version: str = "") -> str:
    """Return the version of a net: a digest of its structure and handler ids, plus the author's own `version`."""
    digest = hashlib.blake2b(encode_net(net), digest_size=8).hexdigest()
    return f"{version}+{digest}" if version else digest
