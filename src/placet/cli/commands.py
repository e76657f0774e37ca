"""The commands and their options; what they do lies in modules of their own, imported when needed."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="placet",
    help="Durable workflows as Petri nets. Any command takes --debug for tracebacks.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

State = Annotated[Path, typer.Option(envvar="PLACET_STATE", help="The state directory.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
STATE = Path("state")


@app.command()
def run(
    file: Annotated[str, typer.Argument(help="x.py, x.py:name, or a WfFormat trace x.json.")],
    id: Annotated[str, typer.Option(help="The instance's id.")],
    state: State = STATE,
    input: Annotated[str | None, typer.Option(help="JSON: {entry: [values]} or one value; or @FILE.")] = None,
    is_json: Json = False,
    time_scale: Annotated[float, typer.Option(min=0.0, help="Of a trace: runtimes times this; 0 is none.")] = 0.0,
    threads: Annotated[int, typer.Option(min=1, help="Handlers that run at once.")] = 64,
    timeout: Annotated[float | None, typer.Option(min=0.0, help="Stop after so many seconds.")] = None,
) -> int:
    """Run an instance to its end; the same command again goes on where it was."""
    from placet.cli.run import RunRequest
    from placet.cli.run import run as run_instance

    request = RunRequest(
        file=file,
        state=state,
        id=id,
        input=input,
        is_json=is_json,
        time_scale=time_scale,
        threads=threads,
        timeout_s=timeout,
        command=_this_command(),
    )
    return run_instance(request)


def _this_command() -> str:
    """Return the command as one would type it again."""
    return shlex.join(["placet", *sys.argv[1:]])


@app.command()
def version(is_json: Json = False) -> int:
    """Say which version of Placet this is."""
    from placet import __version__
    from placet.cli.output import say, say_json

    if is_json:
        say_json({"name": "placet", "version": __version__})
    else:
        say(f"placet {__version__}")
    return 0
