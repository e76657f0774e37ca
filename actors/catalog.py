"""The workflows this process knows, and the nets its instances run on."""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from placet.actors.records import Header
from placet.persistence.keys import NET
from placet.petri.behaviour import Behaviour, Definition, Source
from placet.petri.entrance import entrance_of
from placet.petri.net import Net
from placet.petri.plan import Plan, forget_callees, make_plan
from placet.petri.result import prepare


class StoredNet(msgspec.Struct, array_like=True, frozen=True):
    """A net as an engine keeps it for its instances, with where its handlers can be found again."""

    workflow: str
    version: str
    net: Net
    file: str = ""
    module: str = ""
    name: str = ""
    options: str = ""

    @property
    def source(self) -> Source:
        """Where the workflow can be loaded from."""
        return Source(file=self.file, module=self.module, name=self.name, options=self.options)


_encode = msgspec.msgpack.Encoder().encode
decode_stored_net = msgspec.msgpack.Decoder(StoredNet).decode


def stored_net(definition: Definition) -> tuple[bytes, bytes]:
    """Return (digest, bytes) a definition's net is stored as."""
    source = definition.source
    stored = StoredNet(
        definition.name,
        definition.version,
        definition.net,
        source.file,
        source.module,
        source.name,
        source.options,
    )
    identity = _encode((definition.name, definition.version, definition.net))
    return hashlib.blake2b(identity, digest_size=12).digest(), _encode(stored)


class Registered(NamedTuple):
    """What a definition is made into once, however many instances are spawned of it."""

    definition: Definition
    plan: Plan
    digest: bytes  # of its stored net


_registered: dict[int, Registered] = {}  # by id of the definition, which is kept so that the id stays its own
MOST_REGISTERED: Final = 1_000


def registered(definition: Definition) -> Registered:
    """Return plan and digest of a definition, made when it is first asked for: both take time for a large net."""
    found = _registered.get(id(definition))
    if found is None:
        if len(_registered) >= MOST_REGISTERED:
            _registered.clear()
        plan = make_plan(definition.net, definition.behaviours)
        found = _registered[id(definition)] = Registered(definition, plan, stored_net(definition)[0])
    return found


def encode_stored_net(stored: StoredNet, options: str) -> bytes:
    """Return the bytes of a stored net with other options of its source."""
    return _encode(msgspec.structs.replace(stored, options=options))


def net_key(digest: bytes) -> bytes:
    """Return the key a net is stored under."""
    return NET + digest


def is_same(one: Definition, other: Definition) -> bool:
    """Return whether two definitions are made of equal nets and of the same code, as twice the same builder's are."""
    if one is other:
        return True
    if (one.name, one.version, one.net) != (other.name, other.version, other.net):
        return False
    return all(
        _is_same_code(mine, theirs)
        for path, behaviour in one.behaviours.items()
        for mine, theirs in zip(_functions(behaviour), _functions(other.behaviours[path]), strict=True)
    )


def _functions(behaviour: Behaviour) -> tuple[object, ...]:
    return behaviour.handler, *behaviour.guards, *behaviour.keys


def _is_same_code(one: object, other: object) -> bool:
    """Compare functions by their code, which knows file and line: a builder called twice makes two of each closure."""
    if type(one) is type(other) and hasattr(one, "func"):  # partials, and handlers of pieces
        return _is_same_code(getattr(one, "func"), getattr(other, "func"))  # noqa: B009
    code = getattr(one, "__code__", None)
    return type(one) is type(other) if code is None else code == getattr(other, "__code__", None)


class Catalog:
    """Definitions by workflow name, as registered in this process; the last one registered counts."""

    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self._stored: dict[bytes, bytes] = {}
        self._plans: dict[bytes, Plan] = {}
        self._entrances: dict[str, Definition] = {}

    def register(self, definition: Definition) -> bytes:
        """Make a definition and those it calls known, and return the digest of its net."""
        self.definitions[definition.name] = definition
        digest, data = stored_net(definition)
        self._stored[digest] = data
        self._plans.clear()  # stored nets run with today's handlers
        self._entrances = {}
        for callee in definition.callees:
            if callee.name not in self.definitions:
                self.register(callee)
        return digest

    def adopt(self, digest: bytes, data: bytes) -> None:
        """Make a net known that comes with an instance; one that is registered stays as it is."""
        self._stored.setdefault(digest, data)

    def bytes_of(self, digest: bytes) -> bytes | None:
        """Return what is to be stored for a registered net."""
        return self._stored.get(digest)

    def planned(self, header: Header) -> Plan | None:
        """Return the plan of a net that was planned before, or None."""
        return self._plans.get(header.net)

    def plan(self, header: Header, stored: bytes) -> Plan:
        """Return the plan of a stored net with today's handlers."""
        plan = self._plans.get(header.net)
        if plan is None:
            definition = self.definitions.get(header.workflow)
            behaviours: Mapping[str, Behaviour] = definition.behaviours if definition else {}
            plan = self._plans[header.net] = prepare(make_plan(decode_stored_net(stored).net, behaviours))
            forget_callees(plan, self.definitions)
            for transition in plan.transitions:
                if transition.behaviour is not None and transition.behaviour.takes_context:
                    transition.workflows = self.entrances()
        return plan

    def entrances(self) -> Mapping[str, Definition]:
        """Return what handlers need to know of each registered workflow, by name."""
        if not self._entrances:
            self._entrances = {name: entrance_of(definition) for name, definition in self.definitions.items()}
        return self._entrances
