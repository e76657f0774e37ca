"""`placet token list`: the free tokens of an instance, with the numbers that other commands name them by."""

from pathlib import Path

from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED
from placet.cli.faces import token_faces
from placet.cli.opened import instance_of, opened
from placet.cli.output import say, say_json, shown
from placet.cli.text import columns


def list_tokens(state: Path, id: str, *, is_json: bool) -> int:
    """Write a line for each free token of an instance."""
    with opened(state) as store:
        faces = token_faces(instance_of(StateReader(store), id))
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
