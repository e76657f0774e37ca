"""Sending workflows to the engines of a cluster: once each, by what they do, and to those alone that lack them."""

from placet.actors.bundle import bundled, digest_of, encode_bundle
from placet.net.answer import Deployed
from placet.net.gathering import ask_running
from placet.net.node_client import NodeClient
from placet.net.request import DeployRequest, OfferBundleRequest
from placet.petri.behaviour import Definition

MOST_REMEMBERED = 1_000


class Deployer:
    """Remembers what it has sent; safe to use from any thread."""

    def __init__(self, client: NodeClient) -> None:
        self._client = client
        self._digests: dict[int, tuple[Definition, str]] = {}  # by id of the definition, which is kept
        self._sent: set[str] = set()

    async def deploy(self, definition: Definition, timeout_s: float | None) -> str:
        """Return the digest of a definition once every engine runs it, or one of a file that does the same.

        Raises `WorkflowTaken`, `BundleUnusable`, `DefinitionError` for what cannot be sent, and as `ask_running`.
        """
        digest = self._digest(definition)
        if digest in self._sent:
            return digest
        offer = OfferBundleRequest(workflow=definition.name, version=definition.version, digest=digest)
        standing = await ask_running(self._client, offer, Deployed, timeout_s)
        wanted = [engine for engine, one in standing.items() if not one.is_known]
        if wanted or any(one.was_sent for one in standing.values()):
            self._client.sends_code = True
            request = DeployRequest(
                bundle=encode_bundle(bundled(definition))
            )  # its classes have their names from now on
            for engine in wanted:
                await self._client.ask_engine(request, Deployed, engine, timeout_s)
        self._sent.add(digest)
        return digest

    def forget(self, digest: str) -> None:
        """Some engine lacks it after all: offer it again."""
        self._sent.discard(digest)

    def _digest(self, definition: Definition) -> str:
        found = self._digests.get(id(definition))
        if found is None:
            if len(self._digests) >= MOST_REMEMBERED:
                self._digests.clear()
            found = self._digests[id(definition)] = definition, digest_of(definition)
        return found[1]
