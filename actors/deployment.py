"""The workflows that clients have sent to an engine: kept on disk, loaded at its start, and taken in while it runs."""

import threading
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import msgspec

from placet.actors.bundle import Bundle, Shelved, digest_of, encode_bundle, opened
from placet.actors.bundle_shelf import BundleShelf
from placet.actors.catalog import Catalog
from placet.actors.errors import BundleUnusable, WorkflowTaken
from placet.actors.loading_guard import LoadingGuard, NotLoaded
from placet.petri.behaviour import Definition, Source
from placet.petri.errors import PlacetError

Register = Callable[[Definition], None]
Registered = Callable[[Definition], "Future[None]"]


class Deployment:
    """Knows which definitions an engine runs, by what they do; safe to use from any thread once it runs.

    A definition keeps its place until one of the same name and another version comes; then it does not come back.
    """

    def __init__(self, state: Path, guard: LoadingGuard, catalog: Catalog, spawnable: Container[str]) -> None:
        """`spawnable` are the names of the definitions in the catalog that were given to the engine, or sent to it."""
        self._shelf = BundleShelf(state)
        self._guard = guard
        self._catalog = catalog
        self._spawnable = spawnable
        self._lock = threading.Lock()
        self._current: dict[str, str] = {}  # digest by workflow
        self._replaced: dict[str, str] = {}  # digest to the version that came after it
        self._sent: set[str] = set()  # workflows that clients have sent
        self._kept: dict[str, tuple[Path, Mapping[str, str]]] = {}  # by digest: the file, and what is in it
        self.shelved = Shelved(bundles={}, replaced={})  # what others are told; another one whenever that changes

    # -- at the start ------------------------------------------------------------------------------------------

    def load(self, register: Register) -> Mapping[str, str]:
        """Register what is kept, but for what the engine was given; return why, by workflow, some cannot be loaded."""
        given = {name for name in self._catalog.definitions if name in self._spawnable}
        unknown: dict[str, str] = {}
        kept: list[tuple[Path, Bundle]] = []
        for file in self._shelf.files():
            try:
                bundle = self._shelf.read(file)
            except (OSError, BundleUnusable) as error:
                unknown[file.name] = str(error)
                continue
            kept.append((file, bundle))
            self._kept[bundle.digest] = file, bundle.digests()
            self._replaced |= bundle.replaced
        outdated = frozenset(self._replaced)  # though it may have come later than what has replaced it elsewhere
        for file, bundle in kept:
            if bundle.workflow in given:
                continue
            try:
                definition = self._open(file, bundle)
            except (NotLoaded, PlacetError) as error:
                unknown[bundle.workflow] = str(error)
                continue
            unknown.pop(bundle.workflow, None)
            for one in (*definition.callees, definition):
                if one.name not in given and bundle.digests()[one.name] not in outdated:
                    register(one)
                    self._note(one, bundle)
        self._tell()
        return unknown

    def _open(self, file: Path, bundle: Bundle) -> Definition:
        return self._guard.load(Source(file=str(file)), partial(opened, bundle))

    # -- while it runs -----------------------------------------------------------------------------------------

    def has(self, workflow: str, version: str, digest: str) -> bool:
        """Return whether that very definition is what runs here; False: it may be sent. Raises `WorkflowTaken`."""
        known = self._catalog.definitions.get(workflow)
        if known is None or workflow not in self._spawnable:
            return False
        if self._digest(known) == digest:
            return True
        if workflow not in self._sent:
            raise WorkflowTaken(workflow, version, "a file of the node says what it is", "give it another name")
        if digest in self._replaced:
            newer = f"version {self._replaced[digest]} has taken its place"
            raise WorkflowTaken(workflow, version, newer, "run the newer program, or give this one another version")
        if known.version == version:
            remedy = "give what has changed another version, or another name"
            raise WorkflowTaken(workflow, version, "another one of that version is there", remedy)
        return False

    def was_sent(self, workflow: str) -> bool:
        """Return whether what runs here under a name was sent by a client."""
        return workflow in self._sent

    def runs(self, workflow: str, digest: str) -> bool:
        """Return whether a definition with that digest is what runs here under a name."""
        known = self._catalog.definitions.get(workflow)
        return known is not None and workflow in self._spawnable and self._digest(known) == digest

    def take_in(self, bundle: Bundle, register: Registered, timeout_s: float) -> None:
        """Keep a bundle and have its workflows registered; one that is there already changes nothing.

        Raises `WorkflowTaken`, `BundleUnusable`, `StateUnusable`, and what `register` does.
        """
        with self._lock:
            if self.has(bundle.workflow, bundle.version, bundle.digest):
                return
            definition = self._checked(bundle)
            new = [one for one in definition.callees if not self.has(one.name, one.version, bundle.callees[one.name])]
            self._keep(bundle, (*new, definition), register, timeout_s)

    def _keep(self, bundle: Bundle, new: Iterable[Definition], register: Registered, timeout_s: float) -> None:
        file = self._shelf.keep(bundle)
        for one in new:
            register(one).result(timeout_s)
            self._note(one, bundle)
        self._kept[bundle.digest] = file, bundle.digests()
        self._tell()

    # -- between engines ---------------------------------------------------------------------------------------

    def lacks(self, shelved: Shelved) -> list[str]:
        """Return the digests of those of another engine's bundles that have something for this one."""
        return [
            digest
            for digest, digests in shelved.bundles.items()
            if digest not in self._kept and self._wanted(digests, shelved.replaced)
        ]

    def _wanted(self, digests: Mapping[str, str], replaced: Mapping[str, str]) -> set[str]:
        """Return the workflows in a bundle that are not known here, or that elsewhere came after those that are.

        Of two that do not know of each other none comes after the other: who runs one of them goes on with it.
        """
        return {name for name, digest in digests.items() if self._is_wanted(name, digest, replaced)}

    def _is_wanted(self, name: str, digest: str, replaced: Mapping[str, str]) -> bool:
        if digest in replaced or digest in self._replaced:
            return False
        if name not in self._catalog.definitions or name not in self._spawnable:
            return True
        return name in self._sent and self._current[name] in replaced

    def bundle(self, digest: str) -> bytes | None:
        """Return a bundle that is kept here, as it crosses the network, or None."""
        kept = self._kept.get(digest)
        return None if kept is None else encode_bundle(self._shelf.read(kept[0]))

    def follow(self, bundle: Bundle, replaced: Mapping[str, str], register: Registered, timeout_s: float) -> None:
        """Keep a bundle of another engine, which has `replaced` some, and have registered what is wanted of it.

        Raises `BundleUnusable`, `StateUnusable`, and what `register` does.
        """
        with self._lock:
            wanted = self._wanted(bundle.digests(), replaced)
            if not wanted or bundle.digest in self._kept:
                return
            definition = self._checked(bundle)
            kept = msgspec.structs.replace(bundle, replaced={**bundle.replaced, **replaced})
            self._replaced |= kept.replaced
            new = [one for one in (*definition.callees, definition) if one.name in wanted]
            self._keep(kept, new, register, timeout_s)

    def _tell(self) -> None:
        running = set(self._current.values())
        bundles = {digest: dict(held) for digest, (_, held) in self._kept.items() if running & set(held.values())}
        self.shelved = Shelved(bundles=bundles, replaced=dict(self._replaced))

    # -- inside ------------------------------------------------------------------------------------------------

    def _checked(self, bundle: Bundle) -> Definition:
        """Load what is in a bundle. A file of its own is there meanwhile: should loading it end the process."""
        try:
            return self._guard.load(Source(module=f"the bundle of {bundle.workflow}"), partial(opened, bundle))
        except NotLoaded as error:
            if isinstance(error.__cause__, BundleUnusable):
                raise error.__cause__ from error
            raise BundleUnusable(bundle.workflow, str(error)) from error

    def _digest(self, known: Definition) -> str:
        found = self._current.get(known.name)
        if found is None:
            found = self._current[known.name] = digest_of(known)
        return found

    def _note(self, definition: Definition, bundle: Bundle) -> None:
        """Note what runs from now on under a name."""
        before = self._current.get(definition.name)
        digest = bundle.digest if definition.name == bundle.workflow else bundle.callees[definition.name]
        if before is not None and before != digest:
            self._replaced[before] = definition.version
        self._replaced.pop(digest, None)
        self._sent.add(definition.name)
        self._current[definition.name] = digest
