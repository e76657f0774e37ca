"""A state opened for reading: beside a running engine or without one, and never in its way."""

import shlex
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from placet.actors.errors import no_instance
from placet.actors.reader import InstanceView, StateReader
from placet.actors.records import Header
from placet.cli.errors import WrongUsage
from placet.cli.family import outermost
from placet.persistence.directory import is_initialised, refuse_node
from placet.persistence.errors import FormatTooNew, StateMissing
from placet.persistence.format import FORMAT, read_format
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.lock import owner, was_left
from placet.persistence.probe import probe


@contextmanager
def opened(path: Path) -> Generator[LmdbReader]:
    """Yield the store of a state, read-only.

    Raises `StateMissing`, `StoreDamaged`, `FormatTooNew`, `StateUnusable`, and `WrongUsage` for an old format.
    """
    if not is_initialised(path):
        refuse_node(path)
        raise StateMissing(str(path))
    if owner(path) is None:
        probe(path, unclean=was_left(path))  # LMDB would crash on a truncated file; a running engine has looked already
    store = LmdbReader.open(path)
    try:
        _check_format(store, path)
        yield store
    finally:
        store.close()


def _check_format(store: LmdbReader, path: Path) -> None:
    found = read_format(store) or 0
    if found > FORMAT:
        raise FormatTooNew(str(path), found, FORMAT)
    if found < FORMAT:
        raise WrongUsage(f"state {path} has the older format {found}", f"placet serve --state {path} upgrades it")


def instance_of(reader: StateReader, id: str) -> InstanceView:
    """Return an instance. Raises `NotFound`."""
    view = reader.instance(id)
    if view is None:
        raise no_instance(id)
    return view


def command_to_go_on(reader: StateReader, header: Header, state: Path) -> str:
    """Return the command that runs an instance on, from where its workflow lies; that of a child runs its root."""
    header = outermost(reader, header)
    source = reader.stored_net(header).source
    if not source.file:
        return shlex.join(["placet", "serve", "--state", str(state)])
    target = f"{source.file}:{source.name}" if source.name and source.file.endswith(".py") else source.file
    return shlex.join(["placet", "run", target, "--state", str(state), "--id", header.instance])
