"""A workflow's definition as it travels to engines that have not got its file: code, with what it was made by.

Only who may run code on an engine may send one: to open it is to run what is in it.
"""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Final

import msgspec

from placet.actors.catalog import stored_net
from placet.actors.errors import BundleUnusable
from placet.persistence.errors import ValueNotEncodable, ValueNotLoadable
from placet.persistence.likeness import likeness
from placet.persistence.travelling import encode_code_for_others, local_modules
from placet.persistence.values import decode
from placet.petri.behaviour import Behaviour, Definition, Source
from placet.petri.errors import DefinitionError

HERE: Final = (sys.version_info.major, sys.version_info.minor)
FORMAT: Final = 1  # of what is in a bundle: a new one wherever `Definition`, or what it holds, takes another shape
_CHECKSUM_BYTES: Final = 16


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A definition, with those it calls."""

    workflow: str
    version: str
    digest: str  # of what it does: the same code has the same, whoever sends it
    callees: dict[str, str]  # the digest of each workflow it calls, by name
    format: int = FORMAT
    python: tuple[int, int]  # the version whose code it is; another one might crash on it
    checksum: bytes  # of `data`
    data: bytes  # cloudpickle
    replaced: dict[str, str] = {}  # known to others where it came from: digest to the version that came after it

    def digests(self) -> dict[str, str]:
        """Return the digest of each workflow in it, by name."""
        return {**self.callees, self.workflow: self.digest}


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says of its bundles to another."""

    bundles: dict[str, dict[str, str]]  # by their digests, those that are of use: the digest of each workflow, by name
    replaced: dict[str, str]  # digest of what runs no more to the version that came after it


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Bundle).decode


def digest_of(definition: Definition) -> str:
    """Return what tells a definition from others: its net, its functions and policies, and the workflows it calls."""
    return likeness(definition.name, definition.version, stored_net(definition)[0], *_parts(definition))


def _parts(definition: Definition) -> Iterator[object]:
    for path, behaviour in sorted(definition.behaviours.items()):
        yield path
        yield from _behaviour(behaviour)
    for path, declared in sorted(definition.types.items()):
        yield from (path, declared)
    for callee in definition.callees:
        yield digest_of(callee)


def _behaviour(behaviour: Behaviour) -> Iterator[object]:
    yield from (behaviour.handler, *behaviour.guards, *behaviour.keys)
    yield from (behaviour.run, behaviour.timeout_s, behaviour.deadline_s, behaviour.heartbeat_s)
    policy: object = behaviour.retry
    yield repr(policy) if is_dataclass(policy) else policy


def bundled(definition: Definition) -> Bundle:
    """Return a definition for others. Raises `DefinitionError` for one that refers to what cannot be sent."""
    digest = digest_of(definition)
    try:
        data = encode_code_for_others(_without_source(definition), local_modules())
    except ValueNotEncodable as error:
        where = f"workflow `{definition.name}`"
        remedy = "let its functions refer to nothing but what can be pickled"
        raise DefinitionError(f"it cannot be sent to a node ({error.reason})", remedy, where) from error
    return Bundle(
        workflow=definition.name,
        version=definition.version,
        digest=digest,
        callees={callee.name: digest_of(callee) for callee in definition.callees},
        python=HERE,
        checksum=_checksum(data),
        data=data,
    )


def _without_source(definition: Definition) -> Definition:
    """Return a definition that is not looked for in a file, where it goes to."""
    callees = tuple(_without_source(callee) for callee in definition.callees)
    return replace(definition, source=Source(name=definition.source.name), callees=callees)


def opened(bundle: Bundle) -> Definition:
    """Return the definition in a bundle; that runs what is in it. Raises `BundleUnusable`."""
    if bundle.format != FORMAT:
        raise BundleUnusable(bundle.workflow, f"it has format {bundle.format}, and this engine's Placet reads {FORMAT}")
    if bundle.python != HERE:
        theirs, ours = (f"{major}.{minor}" for major, minor in (bundle.python, HERE))
        raise BundleUnusable(bundle.workflow, f"it holds code of Python {theirs}, and this engine runs {ours}")
    if _checksum(bundle.data) != bundle.checksum:
        raise BundleUnusable(bundle.workflow, "it is damaged")
    try:
        found = decode(bundle.data)
    except ValueNotLoadable as error:
        raise BundleUnusable(bundle.workflow, f"it cannot be loaded here: {error.reason}") from error
    if not isinstance(found, Definition) or (found.name, found.version) != (bundle.workflow, bundle.version):
        raise BundleUnusable(bundle.workflow, "it holds something else")
    return found


def encode_bundle(bundle: Bundle) -> bytes:
    """Return a bundle as it lies on disk and crosses the network."""
    return _encode(bundle)


def decode_bundle(data: bytes) -> Bundle:
    """Return a bundle, whose code is not looked at. Raises `BundleUnusable`."""
    try:
        return _decode(data)
    except msgspec.MsgspecError as error:
        raise BundleUnusable("unknown", f"it is no bundle ({error})") from error


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()
