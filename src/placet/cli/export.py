"""`placet export` and `import`: an instance as a file, and an instance out of one."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from placet.actors.control.client import carry_out
from placet.actors.control.request import ImportRequest
from placet.actors.control.tokens import ImportPlaceRequest
from placet.actors.copies.export import Exported, export
from placet.actors.copies.import_request import import_message
from placet.actors.copies.part_import import read_part
from placet.actors.errors import NotFound, RequestRefused, no_instance
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED
from placet.cli.intervene import intervene
from placet.cli.opened import opened
from placet.cli.output import say, say_json
from placet.cli.text import size
from placet.cli.where import Where
from placet.cli.who import Who
from placet.persistence.workshop import publish, workshop

if TYPE_CHECKING:
    from placet.net.client import Client


def export_instance(where: Where, id: str, file: Path, place: str, *, history: bool, is_json: bool) -> int:
    """Write an instance, or one actor of it, to a file; beside a running engine or without one, or from a node."""
    done = (
        _exported_there(where, id, file, place, history=history)
        if where.node
        else _exported_here(where.state, id, file, place, history=history)
    )
    if is_json:
        say_json(asdict(done))
        return COMPLETED
    what = f"{id}/{place}" if place else id
    say(f"{what}: {done.entries} entries and {done.records} records of history, {size(done.size_bytes)}, in {file}")
    return COMPLETED


def _exported_there(where: Where, id: str, file: Path, place: str, *, history: bool) -> Exported:
    from placet.net.answer import ExportedCopy
    from placet.net.client import node_of
    from placet.net.request import ExportCopyRequest
    from placet.net.twins import blocked

    with workshop(file) as folder, where.connected() as client:
        request = ExportCopyRequest(instance=id, path=place, history=history)
        copy = blocked(node_of(client).ask(request, ExportedCopy, id, None))
        made = folder / file.name
        made.write_bytes(copy.data)
        publish(made, file)
    return Exported(
        file=str(file),
        instance=id,
        path=place,
        entries=copy.entries,
        records=copy.records,
        size_bytes=len(copy.data),
    )


def _exported_here(state: Path, id: str, file: Path, place: str, *, history: bool) -> Exported:
    with opened(state) as store, store.frozen() as view:
        if StateReader(view).root(id) is None:
            raise no_instance(id)
        try:
            return export(view, id, file, path=place, history=history)
        except NotFound as error:
            raise NotFound(id, f"{error.reason}; placet draw {id} shows what there is") from error


def import_instance(where: Where, file: Path, id: str, by: str, why: str, *, is_json: bool) -> int:
    """Make a paused instance out of a file; beside a running engine or without one, or on a node."""
    chosen = import_message(file, id, by, why).instance  # what is wrong with the file is told here, not by an engine
    try:
        if where.node:
            face = _imported_there(where, file, chosen, by, why)
        else:
            face = carry_out(where.state, ImportRequest(file=str(file.absolute()), instance=id, by=by, why=why))
    except RequestRefused as error:
        reason = f"{error.reason.removesuffix('; use another id')}; give another one with --id"
        raise RequestRefused(
            error.instance, reason if error.refusal == "conflict" else error.reason, error.refusal
        ) from error
    go_on = shlex.join(["placet", "resume", str(face["id"]), *where.options()])
    following = [go_on] if face["state"] == "paused" else []
    if is_json:
        say_json({**face, "next": following})
        return COMPLETED
    say(f"{face['id']}: {face['state']}, imported from {file}")
    for command in following:
        say(f"it does what its original does a second time, if both go on; to let it go on: {command}")
    return COMPLETED


def import_place(where: Where, file: Path, into: str, who: Who, *, is_json: bool) -> int:
    """Put the tokens of an exported part into that of an instance, with an engine or without, here or at a node."""
    read_part(file)  # what is wrong with the file is told here, not by an engine
    request = ImportPlaceRequest(
        instance=into,
        file="" if where.node else str(file.absolute()),
        data=file.read_bytes() if where.node else b"",
        by=who.by,
        why=who.why,
        request_id=who.request_id,
    )
    return intervene(where, request, is_json=is_json)


def _imported_there(where: Where, file: Path, id: str, by: str, why: str) -> dict[str, object]:
    with where.connected() as client:
        return {**send_copy(client, file, id, by, why), "engine": None, "node": where.node}


def send_copy(client: "Client", file: Path, id: str, by: str, why: str) -> dict[str, object]:
    """Have the engine that is to have an instance make it of a file, and return what that told."""
    from placet.net.client import node_of
    from placet.net.request import ImportCopyRequest
    from placet.net.twins import blocked

    request = ImportCopyRequest(instance=id, data=file.read_bytes(), by=by, why=why)
    return blocked(node_of(client).ask(request, dict[str, object], id, None))
