"""Net definitions: places, transitions, arcs and composites as frozen, comparable, serialisable values.

A `Net` holds structure only. What a transition does when it fires (handler, guards, policies) is a
`Behaviour`, kept apart, so that a net can be stored, compared and hashed without touching user code.
"""

import hashlib
from typing import TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool

CONSUME, READ, INHIBIT, RESET = "consume", "read", "inhibit", "reset"  # kinds of input arcs
MOST_TOKENS = 1_000_000  # of one arc: a firing takes and gives them in one piece
MANY = 0  # the weight of an arc for as many tokens as there are


# Fields at their defaults are left out of the stored form: a field that comes later changes no version of a net.


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place: where tokens wait."""

    name: str
    entry: bool = False  # may receive the tokens of a spawn although it has incoming arcs
    external: bool = False  # may receive tokens from outside while the instance runs
    capacity: int = 0  # tokens it holds at most; 0 is no limit
    type: str = ""  # name of the declared Python type of its values, for people; "" is any
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Arc(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One arc between a transition and the named place; the side it stands on gives its direction.

    `weight`, >= 1, is how many tokens one firing takes, gives or reads; the transition with an inhibitor arc of
    weight n is not enabled while the place holds n tokens or more. A reset arc empties the place and has none.
    An output of weight `MANY` gives a token for each value of the list that the handler returns. An input of
    weight `MANY` has a join key, a tuple whose last part says how many tokens of that key are taken.
    """

    place: str
    weight: int = 1
    guarded: bool = False  # inputs only: a guard decides, token by token, which may be taken or read
    keyed: bool = False  # inputs only: tokens taken together have equal join keys
    kind: str = CONSUME  # inputs only


class Manual(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may decide the tasks of a manual transition, and how; nobody named means anybody."""

    roles: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    approval: bool = False  # True: people say yes or no, for the first or the second of its two outputs


class Called(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The workflow that each firing of a transition starts as a child instance of its own, and waits for.

    `entries` names the child's place for each argument, `exits` its place for each output; empty: its entries, or
    exits, in the order in which it declares them. `near` is the instance in whose shard the child lives; "": its
    caller, None: anywhere.
    """

    workflow: str
    entries: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()
    near: str | None = None


class Transition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transition: takes tokens from its inputs, runs its handler, gives tokens to its outputs."""

    name: str
    inputs: tuple[Arc, ...]
    outputs: tuple[Arc, ...] = ()
    choice: bool = False  # True: one firing gives to exactly one of the outputs, named by the handler
    handler: str = ""  # `module:qualname` of the declared handler; "" moves values through unchanged
    priority: int = 0  # higher goes first within an instance
    delay_s: float = 0.0  # how long a token waits in a place before this may take it
    manual: Manual | None = None  # it is offered to people, a task for each token, and never fires by itself
    called: Called | None = None  # it has no handler: each firing calls a child instance
    error: str = ""  # place that gets a `FailedFiring` for a firing that failed for good; "" makes it an incident
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Composite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node that holds a whole net, fused into its parent: port places are one and the same place."""

    name: str
    net: "Net"
    ports: tuple[tuple[str, str], ...]  # (place of the inner net, place of the outer net)
    category: str = ""
    properties: tuple[tuple[str, Scalar], ...] = ()


class Net(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
