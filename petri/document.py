"""The JSON form of a net: its parts as they stand in a file, with handlers and types by import path.

A `NetDocument` says all that a workflow is made of. `reading.py` makes a workflow of one, `writing.py` one of a
workflow; the schema that is published is generated from these classes.
"""

import json
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from placet.petri.net import MOST_TOKENS, Scalar

FORMAT: Final = 1
SCHEMA_ID: Final = f"urn:placet:net:{FORMAT}"  # what a file may name as its `$schema`, wherever the schema is

ImportPath: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$",
        description="`package.module:name`; modules beside the file are found.",
    ),
]
Weight: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]


class PlaceDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A place. One of which there is no more to say may be given as its name alone."""

    name: str
    type: Annotated[
        str, Meta(description="Type of its values: `int`, `orders:Order`, `dict[str, orders:Order] | None`.")
    ] = ""
    entry: Annotated[bool, Meta(description="A spawn may put tokens here although arcs lead here.")] = False
    external: Annotated[bool, Meta(description="Anyone may put tokens here while the instance runs.")] = False
    capacity: Annotated[int, Meta(ge=0, description="Tokens it holds at most; 0 is no limit.")] = 0
    category: str = ""
    properties: dict[str, Scalar] = {}


class InputDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An input of a transition. A plain one may be given as the name of its place alone."""

    place: str
    weight: Annotated[Weight, Meta(description="Tokens taken or read; of an inhibitor: from how many on.")] = 1
    many: Annotated[
        bool, Meta(description="Takes, instead, as many tokens as the join key says: it ends with how many.")
    ] = False
    kind: Literal["consume", "read", "inhibit", "reset"] = "consume"
    guard: Annotated[ImportPath | None, Meta(description="A function of one value: may its token be taken?")] = None
    key: Annotated[ImportPath | None, Meta(description="A function of one value: its join key.")] = None


class OutputDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An output of a transition. A plain one may be given as the name of its place alone."""

    place: str
    weight: Annotated[Weight, Meta(description="Tokens given: the handler returns a list of so many.")] = 1
    many: Annotated[bool, Meta(description="Gives, instead, a token for each value of the list.")] = False


class RetryDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a failed firing is tried again."""

    attempts: Annotated[int, Meta(ge=1, description="In all, the first included.")] = 3
    first_s: Annotated[Seconds, Meta(description="Delay before the second attempt.")] = 1.0
    factor: Annotated[float, Meta(ge=1, description="Each delay is so many times the one before.")] = 2.0
    most_s: Annotated[Seconds, Meta(description="No delay is longer.")] = 300.0
    jitter: Annotated[float, Meta(ge=0, le=1, description="Share of each delay left to chance.")] = 0.1
    only: Annotated[list[str], Meta(description="Exceptions tried again: `ValueError`, `orders:Unlucky`.")] = []
    never: Annotated[list[str], Meta(description="Exceptions not tried again; wins over `only`.")] = []


class ManualDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who may decide the tasks of a transition that people decide, and how; nobody named means anybody."""

    roles: list[str] = []
    assignees: list[str] = []
    approval: Annotated[
        bool, Meta(description="People say yes or no: its two outputs, a choice, are for the one and the other.")
    ] = False


class CallDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The workflow that each firing starts as a child instance, and waits for."""

    workflow: Annotated[str, Meta(description="Its name.")]
    path: Annotated[
        ImportPath | None, Meta(description="Where it is; without, one that is registered where it runs.")
    ] = None
    entries: Annotated[list[str], Meta(description="Its place for each input; without, its entries in order.")] = []
    exits: Annotated[list[str], Meta(description="Its place for each output; without, its exits in order.")] = []
    near: Annotated[
        str | None,
        Meta(description="Instance in whose shard the child lives; empty: that of the caller; without, anywhere."),
    ] = None


class TransitionDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A transition: takes tokens from its inputs, runs its handler, gives tokens to its outputs."""

    name: str
    inputs: Annotated[list[str | InputDocument], Meta(min_length=1)]
    outputs: list[str | OutputDocument] = []
    choice: Annotated[bool, Meta(description="A firing gives to one of the outputs, not to all.")] = False
    handler: Annotated[
        ImportPath | None, Meta(description="The function it runs; without one values move on unchanged.")
    ] = None
    each: Annotated[
        bool, Meta(description="It is the second step of a map: the handler is given the item of a piece.")
    ] = False
    run: Annotated[
        Literal["inline", "thread", "async", "process", "parallel", "parallel_threads", "hybrid"] | None,
        Meta(description="The executor; without it an `async def` runs as `async`, all else as `thread`."),
    ] = None
    requires: Annotated[
        dict[str, float | str],
        Meta(description="What the host that runs it must have: so much of a number or more, or the same text."),
    ] = {}
    remote: Annotated[bool, Meta(description="Any host that has it will do, wherever there is room.")] = False
    retry: RetryDocument | None = None
    timeout_s: Annotated[Seconds | None, Meta(description="For each attempt.")] = None
    deadline_s: Annotated[Seconds | None, Meta(description="For all attempts together.")] = None
    heartbeat_s: Annotated[Seconds | None, Meta(description="The longest time without a sign of life.")] = None
    delay_s: Annotated[
        Seconds | None, Meta(description="How long a token waits in a place before this may take it.")
    ] = None
    error: Annotated[str, Meta(description="The place that gets what failed for good.")] = ""
    priority: Annotated[int, Meta(description="Higher goes first.")] = 0
    manual: Annotated[ManualDocument | None, Meta(description="It is offered to people, a task a token.")] = None
    call: Annotated[CallDocument | None, Meta(description="It has no handler, and calls a workflow.")] = None
    category: str = ""
    properties: dict[str, Scalar] = {}


class CompositeDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole net inside another, which share the places at its ports."""

    name: str
    net: "PartDocument"
    ports: Annotated[dict[str, str], Meta(description="Place of the inner net to the place it is in the outer one.")]
    category: str = ""
    properties: dict[str, Scalar] = {}


class PartDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A net: names of places, transitions and composites are unique within it."""

    name: str
    places: list[str | PlaceDocument]
    transitions: list[TransitionDocument] = []
    composites: list[CompositeDocument] = []


class NetDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A workflow of Placet as a Petri net. `placet run x.net.json` runs it."""

    schema: Annotated[str, Meta(description="Where this schema is: for editors.")] = msgspec.field(
        name="$schema", default=""
    )
    format: Annotated[Literal[1], Meta(description="The form of this file.")]
    name: str
    version: Annotated[str, Meta(description="The author's own, before the digest of the net.")] = ""
    places: list[str | PlaceDocument]
    transitions: list[TransitionDocument] = []
    composites: list[CompositeDocument] = []


_decode = msgspec.json.Decoder(NetDocument).decode
_encode = msgspec.json.Encoder().encode


def decode_document(data: bytes) -> NetDocument:
    """Return the document in a JSON text. Raises `msgspec.ValidationError`, or `DecodeError` for what is no JSON."""
    return _decode(data)


def encode_document(document: NetDocument) -> str:
    """Return the JSON text of a document, laid out for people; what cannot be printed is written as an escape."""
    text = msgspec.json.format(_encode(document), indent=2).decode()
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text) + "\n"


def document_schema() -> str:
    """Return the JSON Schema of documents, draft 2020-12."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **msgspec.json.schema(NetDocument),
    }
    return msgspec.json.format(_encode(schema), indent=2).decode() + "\n"
