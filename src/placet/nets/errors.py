"""What can be wrong with the text of a net's file, as one error that says where."""

from placet.petri.errors import PlacetError, printable


class NetError(PlacetError):
    """The file of a net cannot be read or written; nothing has been started.

    Fields: `problem` and `remedy` for people, the `file`, and `where` in it: `line 3, column 7` or a JSON path
    such as `$.transitions[0].inputs`; it may be empty.
    """

    code = "net"

    def __init__(self, problem: str, remedy: str, file: str, where: str = "") -> None:
        super().__init__(problem, remedy, file, where)
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.where = where

    def __str__(self) -> str:
        where = f" at {self.where}" if self.where else ""
        return printable(f"{self.file}: {self.problem}{where}; {self.remedy}")
