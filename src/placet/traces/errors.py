"""What can be wrong with a trace, as one error that says where."""

from placet.petri.errors import PlacetError

_SHOWN = 80  # characters of a text from a file that a message repeats


class TraceError(PlacetError):
    """A trace cannot be read, run, generated or written; nothing has been started.

    Fields: `problem` and `remedy` for people, the `file`, and `where` in it: `line 3, column 7` or a JSON path
    such as `$.workflow.specification.tasks[0]`. All but the first may be empty.
    """

    code = "trace"

    def __init__(self, problem: str, remedy: str = "", file: str = "", where: str = "") -> None:
        super().__init__(problem, remedy, file, where)
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.where = where

    def __str__(self) -> str:
        file = f"{self.file}: " if self.file else ""
        where = f" at {self.where}" if self.where else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{file}{self.problem}{where}{remedy}"


def quoted(text: str) -> str:
    """Return a text from a file as it may stand in a message: on one line, and not without end."""
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"`{short}`" if short.isprintable() else ascii(short)
