"""The nets that instances run on, as the store has them: stored with the first of each, read back for a plan."""

from collections.abc import Callable

from placet.actors.catalog import Catalog, net_key
from placet.actors.messages import FirstMessage, Import
from placet.actors.records import Header
from placet.actors.turn import Turn
from placet.petri.plan import Plan


class StoredNets:
    """What a kernel knows of the nets in its store, beside the catalog of those registered in this process."""

    def __init__(self, catalog: Catalog, get: Callable[[bytes], bytes | None]) -> None:
        self._catalog = catalog
        self._get = get
        self._known: set[bytes] = set()  # digests of nets known to be stored

    def store(self, message: FirstMessage, turn: Turn) -> None:
        """Store the net of a new instance, unless it is there. Raises `LookupError` if nobody knows it."""
        digest = message.net
        if isinstance(message, Import):
            self._catalog.adopt(digest, message.stored_net)
        if digest in self._known:
            return
        key = net_key(digest)
        if self._get(key) is not None:
            self._known.add(digest)
        else:
            data = self._catalog.bytes_of(digest)
            if data is None:
                raise LookupError(f"net {digest.hex()} is not registered")
            turn.rare().engine_writes[key] = data

    def plan(self, header: Header) -> Plan:
        """Return the plan of an instance's stored net, with today's handlers. Raises `LookupError` without one."""
        plan = self._catalog.planned(header)
        if plan is not None:
            return plan
        stored = self._get(net_key(header.net)) or self._catalog.bytes_of(header.net)
        if stored is None:
            raise LookupError(f"the net of {header.instance} is not in the store")
        return self._catalog.plan(header, stored)
