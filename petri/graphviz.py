"""Graphviz's `dot`, through pygraphviz: an extra, whose wheels bring Graphviz along. It comes without types."""

import importlib
from typing import Protocol, cast

from placet.petri.errors import PlacetError


class LayoutMissing(PlacetError):
    """The library that lays out pictures is not installed."""

    code = "layout_missing"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"drawing needs pygraphviz, which cannot be loaded ({self.reason}); pip install 'placet[draw]'"


class _Graph(Protocol):
    """The little of `pygraphviz.AGraph` that is used here; it comes without types."""

    def layout(self, prog: str) -> None:
        """Compute positions."""
        ...

    def draw(self, *, format: str) -> bytes:
        """Return them."""
        ...

    def close(self) -> None:
        """Free what the graph holds."""
        ...


class _MakeGraph(Protocol):
    def __call__(self, *, string: str) -> _Graph: ...


def positions(graph_text: str) -> bytes:
    """Return where `dot` puts a graph written in its language, as JSON. Raises `LayoutMissing`."""
    try:
        library = importlib.import_module("pygraphviz")
    except ImportError as error:
        raise LayoutMissing(str(error)) from error
    make = cast("_MakeGraph", library.AGraph)
    graph = make(string=graph_text)
    try:
        # Threads need no lock: pygraphviz keeps the interpreter's while Graphviz works, which has global variables.
        graph.layout("dot")  # apart from `draw`, which alone would write warnings about large graphs
        return graph.draw(format="json0")
    finally:
        graph.close()
