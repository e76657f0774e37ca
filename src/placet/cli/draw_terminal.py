"""A net on a terminal: one line a place or transition, in the order of the flow, with tokens and what runs."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from placet.cli.text import columns
from placet.petri.drawing import flows
from placet.petri.errors import printable
from placet.petri.net import Net
from placet.petri.picture import Shape, flow_order, make_picture
from placet.petri.scene import Scene, Standing

MOST_DOTS = 5  # more tokens are a number
STYLES: Mapping[Standing, str] = {
    Standing.INCIDENT: "bold red",
    Standing.STUCK: "bold magenta",
    Standing.RUNNING: "bold blue",
    Standing.WAITING: "yellow",
    Standing.PAUSED: "cyan",
}
_SIGNS = {Shape.PLACE: "○", Shape.BOX: "▭", Shape.BAR: "▮"}
_FULL = "●"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One place or transition in words."""

    sign: str
    path: str
    standing: Standing | None  # the gravest
    now: str  # tokens, or what runs, waits or failed
    flow: str  # of a transition: what it takes and gives

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row without colours."""
        return self.sign, self.path, self.now, self.flow


def rows(net: Net, scene: Scene) -> Iterator[Row]:
    """Yield a row for each place and transition, in the order of the flow."""
    picture = make_picture(net)
    counts, written = picture.counts(scene.tokens), flows(picture)
    for node in flow_order(picture):
        if node.shape is Shape.PLACE:
            count = counts.get(node.key, 0)
            sign = _FULL if count else _SIGNS[node.shape]
            yield Row(sign=sign, path=printable(node.path), standing=None, now=_tokens(count), flow="")
            continue
        marks = scene.marks_of(node.path)
        told = "; ".join(f"{mark}{f' ({mark.detail})' if mark.detail else ''}" for mark in marks)
        yield Row(
            sign=_SIGNS[node.shape],
            path=printable(node.path),
            standing=marks[0].standing if marks else None,
            now=printable(told),
            flow=" → ".join(written[node.key]),
        )


def _tokens(count: int) -> str:
    return "•" * count if count <= MOST_DOTS else f"{count} tokens"


def heading(net: Net, scene: Scene) -> str:
    """Return the first line: net, instance and state."""
    return printable("  ".join(part for part in (net.name, scene.title, scene.state) if part))


def plain(net: Net, scene: Scene) -> str:
    """Return the drawing without colours."""
    return "\n".join([heading(net, scene), *columns([row.cells for row in rows(net, scene)])]) + "\n"


def print_on_terminal(net: Net, scene: Scene) -> None:
    """Write the drawing to standard output, in colours where the terminal has them, each row on one line."""
    from rich.console import Console  # takes 0.1 s
    from rich.table import Table
    from rich.text import Text

    styles = {standing.value: style for standing, style in STYLES.items()}
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
    for row in rows(net, scene):
        style = STYLES[row.standing] if row.standing else "bold" if row.sign == _FULL else ""
        table.add_row(Text(row.sign, style), Text(row.path, style), Text(row.now, style), Text(row.flow))
    console = Console(file=sys.stdout, highlight=False, markup=False)
    console.print(Text(heading(net, scene), styles.get(scene.state, "bold")))
    console.print(table)
