"""What a command refuses, and the exit codes of everything it may end with."""

from collections.abc import Mapping
from typing import Final

from placet.petri.errors import PlacetError, printable

COMPLETED: Final = 0
ENDED: Final = 1  # failed, cancelled, stuck, with incidents; or a request that was refused
USAGE: Final = 2  # a wrong command, a bad file, a state that cannot be used
INTERNAL: Final = 70  # an error of Placet's own, as EX_SOFTWARE of sysexits.h
TIMED_OUT: Final = 124  # as `timeout` has it
SIGNALLED: Final = 128  # plus the number of the signal: 130 after Ctrl-C, 143 after SIGTERM
BROKEN_PIPE: Final = 141  # nobody reads on: 128 + SIGPIPE

EXIT_CODES: Mapping[str, int] = {
    "not_completed": ENDED,
    "not_answered": ENDED,
    "refused": ENDED,
    "engine_stopped": ENDED,
    "engine_silent": ENDED,
    "node_failed": ENDED,
    "unreachable": ENDED,
    "shards_missing": ENDED,
    "coordinator_failed": ENDED,
    "coordinator_closed": ENDED,
    "store_failed": ENDED,
    "copy_failed": ENDED,
    "busy": ENDED,
    "machine_limit": ENDED,
    "not_written": ENDED,
    "timeout": TIMED_OUT,
    "internal": INTERNAL,
}
"""By the code of the error; any other is `USAGE`."""


class WrongUsage(PlacetError):
    """A command was given something it cannot use; nothing has been done."""

    code = "usage"

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.problem}; {self.remedy}")


class MachineLimit(PlacetError):
    """The machine, or a limit on this process, has no more of what it takes; what was committed is on disk."""

    code = "machine_limit"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.what}; {self.remedy}")


class BadFile(PlacetError):
    """A file cannot be run: it is not there, is none of ours, or loading it raised."""

    code = "bad_file"

    def __init__(self, file: str, problem: str, remedy: str, line: int = 0) -> None:
        super().__init__(file, problem, remedy, line)
        self.file = file
        self.problem = problem
        self.remedy = remedy
        self.line = line  # 0: no line is to blame

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return printable(f"{where}: {self.problem}; {self.remedy}")


class BadJson(PlacetError):
    """A text given as JSON is not JSON; says where it stops being so."""

    code = "bad_json"

    def __init__(self, origin: str, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(origin, problem, line, column)
        self.origin = origin  # `--input`, or a file
        self.problem = problem
        self.line = line  # 1 is the first; 0: no place is known
        self.column = column

    def __str__(self) -> str:
        place = f" at line {self.line}, column {self.column}" if self.line else ""
        return printable(f"{self.origin} is not JSON ({self.problem}){place}; quote it for the shell, or use @FILE")


def exit_code(error: PlacetError) -> int:
    """Return the exit code of a command that ends with `error`."""
    return EXIT_CODES.get(error.code, USAGE)


def error_face(error: PlacetError) -> dict[str, object]:
    """Return an error for programs: its code, its message, and its fields where JSON can hold them."""
    fields = {name: value for name, value in vars(error).items() if isinstance(value, str | int | float | bool)}
    return {"code": error.code, "message": str(error), **fields}
