"""The options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from placet.cli.output import is_text


def _of_text(path: Path) -> Path:
    """Raise for a path out of the environment that is not UTF-8: the store takes no other."""
    if not is_text(str(path)):
        raise typer.BadParameter(f"{str(path)!r} is not UTF-8 text")
    return path


State = Annotated[Path, typer.Option(envvar="PLACET_STATE", callback=_of_text, help="The state directory.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
Id = Annotated[str, typer.Argument(help="The instance's id.")]
STATE = Path("state")
