"""`placet net`: a file's workflow as a net in JSON, and the schema of such files."""

import json
from typing import TYPE_CHECKING

from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.output import say_json, say_lines
from placet.cli.source import load

if TYPE_CHECKING:
    from placet.petri.workflow import Workflow


def net(file: str | None, *, schema: bool, is_json: bool) -> int:
    """Write the net in JSON of a file's workflow, or the schema of nets in JSON, to standard output."""
    from placet.nets.schema import net_schema
    from placet.nets.writer import format_net

    if (file is None) != schema:
        raise WrongUsage("placet net takes a file, or --schema", "write placet net x.py, or placet net --schema")
    text = net_schema() if file is None else format_net(_workflow(file))
    if is_json:
        say_json(json.loads(text))
    else:
        say_lines(text.rstrip("\n"))
    return COMPLETED


def _workflow(file: str) -> "Workflow":
    from placet.petri.workflow import Workflow

    workflow = load(file, 0.0).workflow
    if not isinstance(workflow, Workflow):
        raise WrongUsage(f"{file} is the class of an actor", "a net in JSON has no actors: keep it in Python")
    return workflow
