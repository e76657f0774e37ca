"""What a person asks of an instance, such as `placet pause` or `placet approve`: carried out, and recorded."""

from pathlib import Path
from typing import TYPE_CHECKING

from placet.actors.control.client import carry_out
from placet.actors.control.request import PersonalRequests
from placet.actors.errors import NotFound, RequestRefused, no_instance
from placet.actors.lifecycle import TERMINAL
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED
from placet.cli.opened import command_to_go_on, opened
from placet.cli.output import say, say_json
from placet.cli.where import Where
from placet.persistence.directory import is_initialised
from placet.persistence.errors import StateMissing

if TYPE_CHECKING:
    from placet.net.client import Client


def intervene(where: Where, request: PersonalRequests, *, is_json: bool) -> int:
    """Carry out an intervention, with an engine or without, here or at a node, and write what came of it."""
    state = where.state
    if not where.node and not is_initialised(state):
        raise StateMissing(str(state))
    face = _carried_out(where, request)
    go_on = None if where.node or face["engine"] else _to_go_on(state, request.instance)
    if is_json:
        say_json({**face, "next": [go_on] if go_on else []})
        return COMPLETED
    before = "it was so before; " if face["already"] else ""
    say(f"{request.instance}: {before}{face['state']}")
    if go_on:
        say(f"no engine runs over {state}; to go on: {go_on}")
    return COMPLETED


def _carried_out(where: Where, request: PersonalRequests) -> dict[str, object]:
    """Carry it out; what is refused is told with what to do."""
    try:
        return _asked(where, request) if where.node else carry_out(where.state, request)
    except NotFound as error:
        raise no_instance(request.instance) from error
    except RequestRefused as error:
        reason = error.reason if "; " in error.reason else f"{error.reason}; placet show tells where it stands"
        raise RequestRefused(error.instance, reason, error.refusal, error.by, error.at) from error


def _asked(where: Where, request: PersonalRequests) -> dict[str, object]:
    with where.connected() as client:
        return {**carried_out_there(client, request), "engine": None, "node": where.node}


def carried_out_there(client: "Client", request: PersonalRequests) -> dict[str, object]:
    """Have the engine that has an instance carry out an intervention, and return what that told."""
    from placet.net.client import node_of
    from placet.net.twins import blocked

    done = blocked(node_of(client).carry_out(request, None))
    return {"id": done.id, "at": done.at, "already": done.already, "state": done.state}


def _to_go_on(state: Path, id: str) -> str | None:
    with opened(state) as store:
        reader = StateReader(store)
        header = reader.header(id)
        return None if header is None or header.state in TERMINAL else command_to_go_on(reader, header, state)
