"""Finding the handlers of stored instances again: from the file or module their workflow was defined in."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from importlib.abc import Loader as ModuleLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast, runtime_checkable

from placet.actors.catalog import Catalog, StoredNet, decode_stored_net, encode_stored_net, net_key
from placet.actors.loading_guard import LoadingGuard, NotLoaded
from placet.actors.own.actor import Actor
from placet.actors.own.definition import workflow_name
from placet.persistence.errors import StoreFull
from placet.persistence.keys import NET
from placet.persistence.store import Store, View
from placet.petri.behaviour import Definition, Source


@runtime_checkable
class _Definable(Protocol):
    def definition(self) -> Definition:
        """Return the checked workflow."""
        ...


Loader = Callable[[Source], Definition]

_loaders: dict[str, Loader] = {}


def register_loader(suffix: str, loader: Loader) -> None:
    """Use `loader` for workflows whose source is a file that ends in `suffix`, such as `.json`."""
    _loaders[suffix] = loader


def load_stored(view: View, catalog: Catalog, guard: LoadingGuard) -> Mapping[str, str]:
    """Register the workflows of stored nets that are not registered yet, where they can be loaded.

    Returns the reason by workflow name for those that cannot: their firings wait, and no attempt is spent.
    """
    unknown: dict[str, str] = {}
    for _, data in view.scan(NET):
        stored = decode_stored_net(data)
        if stored.workflow in catalog.definitions or stored.workflow in unknown:
            continue
        try:
            guard.load(stored.source, partial(_register, catalog, stored))
        except NotLoaded as error:
            unknown[stored.workflow] = str(error)
    return unknown


def _register(catalog: Catalog, stored: StoredNet) -> None:
    catalog.register(load(stored.source, stored.workflow))


def record_options(store: Store, catalog: Catalog, digests: Iterable[bytes]) -> None:
    """Record the options that registered workflows are loaded with today, where their stored nets have others.

    With no room for that, what was recorded stays.
    """
    writes: list[tuple[bytes, bytes | None]] = []
    for digest in digests:
        known, today = store.get(net_key(digest)), catalog.bytes_of(digest)
        if known is not None and today is not None and known != today:
            before = decode_stored_net(known)
            options = decode_stored_net(today).options
            if options != before.options:
                writes.append((net_key(digest), encode_stored_net(before, options)))
    if writes:
        with suppress(StoreFull):
            store.commit(writes)


def load(source: Source, workflow: str) -> Definition:
    """Return the definition of a workflow from where it was defined.

    Raises `LookupError` where the source does not say or no longer has it, and whatever importing raises.
    """
    suffix = Path(source.file).suffix
    if suffix in _loaders:
        return _loaders[suffix](source)
    module = _module(source)
    for candidate in vars(module).values():
        if isinstance(candidate, type):
            if candidate is not Actor and issubclass(candidate, Actor):
                actor = cast("type[Actor[object]]", candidate)
                if workflow_name(actor) == workflow:
                    return actor.definition()
        elif isinstance(candidate, _Definable):
            definition = candidate.definition()
            if definition.name == workflow:
                return definition
    raise LookupError(f"{source.file or source.module} defines no workflow {workflow!r}")


def _module(source: Source) -> ModuleType:
    if source.module and source.module != "__main__":
        module = _importable(source.module, source.file)
        if module is not None:
            return module
    if source.file:
        return load_file(Path(source.file))
    raise LookupError("it was not recorded where it is defined; pass it to Runtime(workflows=[…])")


def _importable(name: str, file: str) -> ModuleType | None:
    """Return the module of that name; None where there is none, or it is another file's and the file is known."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # no parent package, or a module that was put together by hand
        spec = None
    if spec is None:
        return None if file else importlib.import_module(name)
    return importlib.import_module(name) if not file or _is_same_file(spec.origin, file) else None


def _is_same_file(one: object, other: str | Path) -> bool:
    return isinstance(one, str) and os.path.realpath(one) == os.path.realpath(other)


def load_file(path: Path) -> ModuleType:
    """Run a Python file as a module named by its stem (never `__main__`) and return it; once a process.

    Its folder is put first on `sys.path`, as for a script. Where a module of the standard library has that name, the
    file's is `placet_file_…`. Raises `LookupError` for what is no Python file, and where a module of that name was
    loaded from another file: stored values name their classes by module, so it must be one and the same in every
    process. Raises whatever running it raises.
    """
    path = path.absolute()
    name = f"placet_file_{path.stem}" if path.stem in sys.stdlib_module_names else path.stem
    loaded = sys.modules.get(name)
    if loaded is not None:
        origin = getattr(loaded, "__file__", None)
        if _is_same_file(origin, path):
            return loaded
        taken = f"a module called {name} is there already, from {origin or 'elsewhere'}"
        raise LookupError(f"{path} is not loaded: {taken}; give each a state of its own, or another name")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LookupError(f"{path} is not a Python file")
    return _run(path, name, spec, spec.loader)


def _run(path: Path, name: str, spec: ModuleSpec, loader: ModuleLoader) -> ModuleType:
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:  # whatever it is, SystemExit too: half a module helps nobody
        del sys.modules[name]
        raise
    return module
