"""Importing an exported instance: a file becomes a message, for an engine, or for a state that has none."""

import random
from pathlib import Path

from placet.actors.answers import Answer, Refused, Spawned
from placet.actors.arguments import check_text, chosen_id
from placet.actors.clock import wall_s
from placet.actors.control.answer import Face
from placet.actors.control.request import ImportRequest
from placet.actors.control.visit import carry_out
from placet.actors.errors import BadRequest, RequestRefused
from placet.actors.messages import Import
from placet.actors.reader import StateReader
from placet.persistence.copy_errors import BadCopy
from placet.persistence.export_file import Export, read_export
from placet.persistence.state import open_state

_random = random.Random()  # seeded by the system; incarnations need to differ, not to be secret


def import_message(file: Path, instance: str, by: str, why: str) -> Import:
    """Return what an engine is told to import a file; without an id it gets the one it had.

    Raises `BadCopy`, `InvalidId`, and `BadRequest` for what is no text.
    """
    found = read_export(file)
    if found.head.path:
        reason = f"it holds one actor, {found.head.instance}/{found.head.path}, and not a whole instance"
        remedy = "import it into an instance, with --into; or export the instance without --place"
        raise BadCopy(str(file), reason, remedy)
    if not check_text("by", by):
        raise BadRequest("it does not say by whom it is")
    age_s = max(0.0, wall_s() - found.head.wall_s)
    return to_message(found, chosen_id(instance, found.head.instance), by, check_text("why", why), age_s)


def to_message(found: Export, instance: str, by: str, why: str, age_s: float) -> Import:
    """Return what an engine is told to import an instance that was exported `age_s` ago."""
    return Import(
        instance=instance,
        origin=found.head.instance,
        net=found.head.net,
        stored_net=found.net,
        entries=found.entries,
        records=found.records,
        incarnation=_random.getrandbits(32),
        engine_s=found.head.engine_s,
        age_s=age_s,
        by=by,
        why=why,
    )


def import_alone(directory: Path, request: ImportRequest) -> Face:
    """Import a file into a state that no engine has, making the state where there is none.

    Raises `StoreInUse` when there is an engine, `RequestRefused`, and the errors of `import_message` and `open_state`.
    """
    message = import_message(Path(request.file), request.instance, request.by, request.why)
    state = open_state(directory)
    try:
        spawned = imported(carry_out(state.store, message))
        return import_face(spawned, StateReader(state.store))
    finally:
        state.close()


def imported(answer: Answer) -> Spawned:
    """Return the answer that the instance exists. Raises `RequestRefused`."""
    match answer:
        case Spawned():
            return answer
        case Refused(instance=instance, reason=reason, code=code):
            raise RequestRefused(instance, reason, code)
        case _:
            raise AssertionError(answer)


def import_face(spawned: Spawned, reader: StateReader) -> Face:
    """Return what a command gets back for an import."""
    header = reader.header(spawned.instance)
    return {"id": spawned.instance, "already": spawned.already, "state": header.state.value if header else ""}
