"""`placet export` and `import`: an instance as a file, and an instance out of one."""

import shlex
from dataclasses import asdict
from pathlib import Path

from placet.actors.control.client import carry_out
from placet.actors.control.request import ImportRequest
from placet.actors.copies.export import export
from placet.actors.copies.import_request import import_message
from placet.actors.errors import NotFound, RequestRefused, no_instance
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED
from placet.cli.opened import opened
from placet.cli.output import say, say_json
from placet.cli.text import size


def export_instance(state: Path, id: str, file: Path, place: str, *, history: bool, is_json: bool) -> int:
    """Write an instance, or one actor of it, to a file; beside a running engine or without one."""
    with opened(state) as store, store.frozen() as view:
        if StateReader(view).root(id) is None:
            raise no_instance(id)
        try:
            done = export(view, id, file, path=place, history=history)
        except NotFound as error:
            raise NotFound(id, f"{error.reason}; placet draw {id} shows what there is") from error
    if is_json:
        say_json(asdict(done))
        return COMPLETED
    what = f"{id}/{place}" if place else id
    say(f"{what}: {done.entries} entries and {done.records} records of history, {size(done.size_bytes)}, in {file}")
    return COMPLETED


def import_instance(state: Path, file: Path, id: str, by: str, why: str, *, is_json: bool) -> int:
    """Make a paused instance out of a file; beside a running engine or without one."""
    import_message(file, id, by, why)  # what is wrong with the file is told here, and not by an engine
    request = ImportRequest(file=str(file.absolute()), instance=id, by=by, why=why)
    try:
        face = carry_out(state, request)
    except RequestRefused as error:
        reason = f"{error.reason.removesuffix('; use another id')}; give another one with --id"
        raise RequestRefused(
            error.instance, reason if error.refusal == "conflict" else error.reason, error.refusal
        ) from error
    go_on = shlex.join(["placet", "resume", str(face["id"]), "--state", str(state)])
    following = [go_on] if face["state"] == "paused" else []
    if is_json:
        say_json({**face, "next": following})
        return COMPLETED
    say(f"{face['id']}: {face['state']}, imported from {file}")
    for command in following:
        say(f"it does what its original does a second time, if both go on; to let it go on: {command}")
    return COMPLETED
