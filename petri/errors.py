"""The base of every error Placet raises on purpose, and the errors of definitions and handlers' results."""

from typing import ClassVar


class PlacetError(Exception):
    """Base: `except PlacetError` catches all of Placet's errors and nothing else.

    `code` is stable, for programs; `str()` is one line for people: what happened; what to do.
    """

    code: ClassVar[str] = "placet"


def printable(text: str) -> str:
    """Return `text` as one line, with what could move a terminal's cursor written as an escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class DefinitionError(PlacetError):
    """A workflow's definition is wrong. Names where and says how to mend it.

    Fields: `problem` and `remedy` for people, `where` (workflow and node) and `location` (`file:line` of
    the call) to find it; all but the first may be empty.
    """

    code = "definition"

    def __init__(self, problem: str, remedy: str = "", where: str = "", location: str = "") -> None:
        super().__init__(problem, remedy, where, location)
        self.problem = problem
        self.remedy = remedy
        self.where = where
        self.location = location

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        location = f" ({self.location})" if self.location else ""
        return printable(f"{where}{self.problem}{remedy}{location}")


class OutputError(PlacetError):
    """What a handler returned does not fit the outputs of its transition; it counts as a failure of the firing."""

    code = "output"

    def __init__(self, transition: str, problem: str, expected: str) -> None:
        super().__init__(transition, problem, expected)
        self.transition = transition
        self.problem = problem
        self.expected = expected

    def __str__(self) -> str:
        return printable(f"transition `{self.transition}` {self.problem}; return {self.expected}")


class MapError(PlacetError, TypeError):
    """A map was given what is no list, or a token between its steps is none of its pieces: a failure of the firing."""

    code = "map"

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.problem}; {self.remedy}")


class WrongType(PlacetError, TypeError):
    """A value is not of the type its place was declared with; nothing was done."""

    code = "wrong_type"

    def __init__(self, place: str, expected: str, found: str) -> None:
        super().__init__(place, expected, found)
        self.place = place
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return printable(f"place `{self.place}` takes {self.expected}, not {self.found}; give it such a value")
