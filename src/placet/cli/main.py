"""The entry of the command `placet`: parses, runs one command, and turns whatever comes of it into an exit code."""

import signal
import sys
import threading
import traceback

import typer

from placet.actors.errors import OwnError
from placet.cli.commands import app
from placet.cli.errors import BROKEN_PIPE, ENDED, SIGNALLED, MachineLimit, WrongUsage, error_face, exit_code
from placet.cli.output import (
    NobodyReads,
    NotWritten,
    accept_any_text,
    finish,
    forget_stdout,
    is_text,
    note,
    say_json,
)
from placet.cli.where import HERE_ALONE
from placet.persistence.shortage import shortage
from placet.petri.errors import PlacetError

# The base of Typer's errors of usage: a public class of Click, of which newer versions of Typer carry their own copy.
_CLICK_ERROR: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given[: given.index("--")] if "--" in given else given
    accept_any_text()
    before = threading.excepthook
    threading.excepthook = before if "--debug" in own else _hushed
    try:
        return _ended(given, debug="--debug" in own, is_json="--json" in own)
    finally:
        threading.excepthook = before


def _ended(given: list[str], *, debug: bool, is_json: bool) -> int:
    """Run one command; whatever it raises becomes a line and an exit code."""
    try:
        _check_text(given)
        code = _run([argument for argument in given if argument != "--debug"])
        finish()
        return code
    except NobodyReads:
        forget_stdout()
        return BROKEN_PIPE
    except NotWritten as error:
        forget_stdout()
        return _failed(error, exit_code(error), debug=debug, is_json=False)
    except PlacetError as error:
        return _failed(error, exit_code(error), debug=debug, is_json=is_json)
    except KeyboardInterrupt:
        note("stopped by SIGINT; run the same command again")
        return SIGNALLED + signal.SIGINT
    except Exception as error:  # a bug of ours: still one line, and a code of its own
        told = _told(error)
        code = exit_code(told)
        if code == ENDED:
            forget_stdout()
        return _failed(told, code, debug=debug, is_json=is_json)


def _told(error: Exception) -> PlacetError:
    """Return what an unforeseen error is told as: it is no bug where standard output takes nothing."""
    lacking = shortage(error)
    if lacking is not None:
        return MachineLimit(lacking.what, lacking.remedy)
    if isinstance(error, OSError) and _is_of_echo(error):
        return NotWritten(error.strerror or str(error))
    try:
        finish()
    except NotWritten as unwritten:
        forget_stdout()
        return unwritten
    except NobodyReads:
        forget_stdout()
    return OwnError(repr(error), "please report it with the output of --debug")


def _is_of_echo(error: OSError) -> bool:
    """Return whether an error came out of Typer while it wrote, as it does `--help`."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name == "echo"


def _check_text(given: list[str]) -> None:
    """Raise for an argument that is not UTF-8: what Python makes of it can be neither sent nor stored."""
    for argument in given:
        if not is_text(argument):
            raise WrongUsage(f"the argument {argument!r} is not UTF-8 text", "type it again, or mend the encoding")


def _run(arguments: list[str]) -> int:
    try:
        result: object = app(args=arguments, prog_name="placet", standalone_mode=False, obj=arguments)
    except _CLICK_ERROR as error:
        named = next((word for word in arguments if not word.startswith("-")), "")
        if "--connect" in _message(error) and named in HERE_ALONE:
            raise WrongUsage(f"placet {named} takes no --connect", HERE_ALONE[named]) from error
        raise WrongUsage(_message(error), "placet --help lists commands and options") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else 0


def _message(error: Exception) -> str:
    """Return what Click has to say, on one line."""
    of = getattr(error, "format_message", None)
    return " ".join(str(of() if callable(of) else error).split()).rstrip(".")


def _failed(error: PlacetError, code: int, *, debug: bool, is_json: bool) -> int:
    if debug:
        traceback.print_exc()
    try:
        note(str(error))
        if is_json:
            say_json({"error": error_face(error)})
    except (NobodyReads, NotWritten):
        forget_stdout()
    return code


def _hushed(failure: threading.ExceptHookArgs) -> None:
    """An engine that ended by an error says so in one line elsewhere; other threads show their traceback."""
    if failure.thread is None or failure.thread.name != "placet-engine":
        threading.__excepthook__(failure)
