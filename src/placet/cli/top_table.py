"""The view of `placet top` on a terminal: the same words as on plain lines, in tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from placet.cli.faces import Face
from placet.cli.top_view import Section, sections_of, summary_of
from placet.petri.errors import printable


def table_of(face: Face) -> RenderableType:
    """Return the whole view; what does not fit is cut, row by row."""
    parts: list[RenderableType] = []
    for number, line in enumerate(summary_of(face)):
        parts.append(Text(printable(line), "bold" if number == 0 else "", no_wrap=True, overflow="ellipsis"))
    for section in sections_of(face):
        parts += [Text(""), Text(printable(section.title), "bold"), _table(section)]
    return Group(*parts)


def _table(section: Section) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=True)
    for name in section.header:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in section.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
