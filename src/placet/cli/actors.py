"""`placet inspect`, `restart` and `sleep`: one actor of an instance, by its address."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from placet.actors.answers import Entries
from placet.actors.control.client import ask_engine
from placet.actors.control.desk import entry_face
from placet.actors.control.line import LineTooLong
from placet.actors.control.request import ActorRequests, InspectRequest, RestartRequest, SleepRequest
from placet.actors.errors import EngineSilent, EngineStopped, no_instance
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED
from placet.cli.faces import Face
from placet.cli.opened import opened
from placet.cli.output import say, say_json, shown
from placet.cli.where import Where
from placet.persistence.lock import owner


def inspect(where: Where, address: str, *, is_json: bool) -> int:
    """Write the durable entries of an actor."""
    face = _asked(where, address, InspectRequest)
    if is_json:
        say_json(face)
        return COMPLETED
    for entry in cast("Sequence[Face]", face["entries"]):
        say(f"kind {entry['kind']}, number {entry['number']}: {shown(entry['value'])}")
    return COMPLETED


def restart(where: Where, address: str, *, is_json: bool) -> int:
    """Bring an actor back from its durable entries."""
    return _done(_asked(where, address, RestartRequest), address, "restarted", is_json=is_json)


def sleep(where: Where, address: str, *, is_json: bool) -> int:
    """Put an actor to sleep."""
    return _done(_asked(where, address, SleepRequest), address, "asleep", is_json=is_json)


def _done(face: Face, address: str, what: str, *, is_json: bool) -> int:
    if is_json:
        say_json(face)
    else:
        say(f"{address}: {what}")
    return COMPLETED


def _asked(where: Where, address: str, kind: type[ActorRequests]) -> Face:
    return _asked_there(where, address, kind) if where.node else _asked_here(where.state, address, kind)


def _asked_here(state: Path, address: str, kind: type[ActorRequests]) -> Face:
    """Ask the engine of a state. Raises `NotFound`, `EngineStopped` where none runs, and `EngineSilent`."""
    with opened(state) as store:
        instance, path = _split(StateReader(store), address)
    pid = owner(state)
    if pid is None:
        raise EngineStopped(f"no engine runs over {state}; placet serve --state {state} starts one")
    try:
        return {**ask_engine(state, kind(instance=instance, path=path)), "engine": pid}
    except (OSError, LineTooLong) as error:
        raise EngineSilent(str(state), pid, getattr(error, "strerror", None) or str(error)) from error


def _split(reader: StateReader, address: str) -> tuple[str, str]:
    """Return (instance, path in it): children of calls have ids with a `/`. Raises `NotFound`."""
    parts = address.split("/")
    for count in range(len(parts), 0, -1):
        instance = "/".join(parts[:count])
        if reader.root(instance) is not None:
            return instance, "/".join(parts[count:])
    raise no_instance(parts[0])


def _asked_there(where: Where, address: str, kind: type[ActorRequests]) -> Face:
    from placet.net.client import node_of
    from placet.net.remote_part import RemoteActorHandle
    from placet.net.twins import blocked

    with where.connected() as client:
        handle = client.find(address)
        instance, path = (handle.instance, handle.path) if isinstance(handle, RemoteActorHandle) else (handle.id, "")
        request, node = kind(instance=instance, path=path), {"engine": None, "node": where.node}
        if kind is not InspectRequest:
            return {**blocked(node_of(client).ask(request, dict[str, object], instance, None)), **node}
        found = blocked(node_of(client).ask(request, Entries, instance, None))
    entries = [entry_face(*entry) for entry in found.entries]
    return {"instance": instance, "path": path, "entries": entries, **node}
