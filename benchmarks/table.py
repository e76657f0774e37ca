"""The figures as a table for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.figure import AGAINST, Figure


def number(value: float) -> str:
    """Return a number with about three digits that say something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def held_against(figure: Figure, figures: Mapping[str, Figure]) -> str:
    """Return the ratio of a figure to the limit it is held against, or "" where there is none."""
    against = AGAINST.get(figure.name)
    if against is None or against.limit not in figures:
        return ""
    return f"{number(against.ratio(figure.value, figures[against.limit].value))} {against.text}"


def show(figures: Mapping[str, Figure]) -> None:
    """Write a table to standard output."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("beside the machine's limit")
    table.add_column("note")
    for figure in figures.values():
        table.add_row(figure.name, number(figure.value), figure.unit, held_against(figure, figures), figure.note)
    kernels = sorted({figure.kernel for figure in figures.values() if figure.kernel})
    table.caption = f"kernel: {', '.join(kernels)}" if kernels else None
    Console(width=None if Console().is_terminal else 160).print(table)
