"""`placet token list`: the free tokens of an instance, with the numbers that other commands name them by."""

from placet.actors.reader import InstanceView, StateReader
from placet.cli.errors import COMPLETED
from placet.cli.faces import token_faces
from placet.cli.opened import instance_of, opened
from placet.cli.output import say, say_json, shown
from placet.cli.text import columns
from placet.cli.where import Where


def list_tokens(where: Where, id: str, *, is_json: bool) -> int:
    """Write a line for each free token of an instance."""
    faces = token_faces(_view(where, id))
    if is_json:
        for face in faces:
            say_json(face)
        return COMPLETED
    rows = [
        (str(face["token"]), str(face["place"]), "frozen" if face["frozen"] else "-", shown(face["value"]))
        for face in faces
    ]
    for line in columns([("TOKEN", "PLACE", "FROZEN", "VALUE"), *rows] if rows else []):
        say(line)
    return COMPLETED


def _view(where: Where, id: str) -> InstanceView:
    if where.node:
        with where.connected() as client:
            return client.instance(id).view()
    with opened(where.state) as store:
        return instance_of(StateReader(store), id)
