"""`placet import` of a directory: the instances of a state, one by one, into another state or a cluster."""

import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from placet.actors.control.client import carry_out
from placet.actors.control.request import ImportRequest, ResumeRequest
from placet.actors.copies.export import export
from placet.actors.errors import RequestRefused
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.export import send_copy
from placet.cli.intervene import carried_out_there
from placet.cli.opened import opened
from placet.cli.output import is_terminal, say, say_json
from placet.cli.where import Where
from placet.cli.who import Who
from placet.persistence.lock import owner
from placet.persistence.store import View

Face: TypeAlias = dict[str, object]
Take: TypeAlias = Callable[[Path, str], Face]  # has an exported instance imported
Release: TypeAlias = Callable[[str], Face]  # lets an instance go on


def import_state(where: Where, directory: Path, who: Who, *, resume: bool, is_json: bool) -> int:
    """Make paused instances of all of a state that no other has called; `resume`: and let them go on.

    What is there already is left as it is, so that the command can be given again. Raises `WrongUsage` where the
    instances would go on twice.
    """
    if resume and (pid := owner(directory)) is not None:
        raise WrongUsage(f"process {pid} runs the instances of {directory}", "stop it, or leave out --resume")
    came, left = 0, 0
    with opened(directory) as store, store.frozen() as view, _taking(where, who) as (take, release):
        ids = [header.instance for header in StateReader(view).headers() if header.caller is None]
        for number, id in enumerate(ids):
            _show(number, len(ids), is_json=is_json)
            face = _brought(view, id, take, release if resume else None)
            came, left = came + (not face["already"]), left + bool(face["already"])
            if is_json:
                say_json(face)
    _show(len(ids), len(ids), is_json=is_json)
    if not is_json:
        there = f"; {left} were there already, and were left as they are" if left else ""
        say(f"{came} of {len(ids)} instances imported from {directory}{there}")
        if came and not resume:
            again = shlex.join(["placet", "resume", "ID", *where.options()])
            say(f"they are paused: each does a second time what its original does, if both go on; to let one: {again}")
    return COMPLETED


def _brought(view: View, id: str, take: Take, release: Release | None) -> Face:
    """Import one instance, unless it is there, and let it go on where that is wanted and it has not ended."""
    with TemporaryDirectory(prefix="placet-") as folder:
        file = Path(folder) / "copy"
        export(view, id, file, history=True)
        try:
            face = take(file, id)
        except RequestRefused as error:
            if error.refusal != "conflict":
                raise
            return {"id": id, "already": True}
    if release is not None and face["state"] == "paused" and not face["already"]:
        face = {**face, "state": release(id)["state"]}
    return face


@contextmanager
def _taking(where: Where, who: Who) -> Generator[tuple[Take, Release]]:
    """Yield what imports and resumes an instance, beside an engine, without one, or over one connection to nodes."""

    def resuming(id: str) -> ResumeRequest:
        """Return what lets an instance go on."""
        return ResumeRequest(instance=id, by=who.by, why=who.why)

    if not where.node:

        def take_here(file: Path, id: str) -> Face:
            """Import a file into the state on this host."""
            return carry_out(where.state, ImportRequest(file=str(file), instance=id, by=who.by, why=who.why))

        yield take_here, lambda id: carry_out(where.state, resuming(id))
        return
    with where.connected() as client:
        yield (
            lambda file, id: send_copy(client, file, id, who.by, who.why),
            lambda id: carried_out_there(client, resuming(id)),
        )


def _show(number: int, all_: int, *, is_json: bool) -> None:
    if is_terminal(sys.stderr) and not is_json:
        sys.stderr.write("\r\x1b[K" + (f"placet: imported {number} of {all_}" if number < all_ else ""))
        sys.stderr.flush()
