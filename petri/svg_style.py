"""How the parts of a picture look: strokes by kind of arc, colours by standing, for light and dark."""

from collections.abc import Mapping
from dataclasses import dataclass

from placet.petri.net import CONSUME, INHIBIT, READ, RESET
from placet.petri.picture import ERROR, PRODUCE
from placet.petri.scene import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """How arcs of one kind are drawn, in the common notation of the field."""

    head: str  # name of a marker at the arc's end; "" is none
    verb: str  # `begin takes from received`: what the transition does
    preposition: str
    meaning: str = ""  # for the legend; "" needs no explanation
    classes: str = ""


STROKES: Mapping[str, Stroke] = {
    CONSUME: Stroke(head="arrow", verb="takes", preposition="from"),
    PRODUCE: Stroke(head="arrow", verb="gives", preposition="to"),
    READ: Stroke(head="", verb="reads", preposition="from", meaning="reads, and leaves the token"),
    INHIBIT: Stroke(head="circle", verb="is held up by tokens", preposition="in", meaning="not while tokens are there"),
    RESET: Stroke(head="double", verb="removes all", preposition="from", meaning="removes all tokens"),
    ERROR: Stroke(
        head="arrow", verb="gives failures", preposition="to", meaning="after failing for good", classes="error"
    ),
}

HEADS: Mapping[str, tuple[int, int, str]] = {  # marker: (width, height, what is in it); its right edge meets the node
    "arrow": (9, 8, '<path class="head" d="M0,0L9,4L0,8z"/>'),
    "circle": (9, 9, '<circle class="hollow" cx="4.5" cy="4.5" r="3.7"/>'),
    "double": (17, 8, '<path class="head" d="M0,0L9,4L0,8zM8,0L17,4L8,8z"/>'),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """A scheme of colours."""

    ground: str
    ink: str
    faint: str  # frames, notes
    fill: str  # of places and transitions
    standing: Mapping[Standing, tuple[str, str]]  # (stroke and text, fill)


LIGHT = Colours(
    ground="#ffffff",
    ink="#1f2328",
    faint="#656d76",
    fill="#f6f8fa",
    standing={
        Standing.INCIDENT: ("#b3261e", "#fde3e1"),
        Standing.STUCK: ("#7b2d9b", "#f3e3fa"),
        Standing.RUNNING: ("#0b5cad", "#ddecfb"),
        Standing.WAITING: ("#8a5300", "#fdf0d5"),
        Standing.PAUSED: ("#4b5563", "#e5e7eb"),
    },
)
DARK = Colours(
    ground="#0d1117",
    ink="#e6edf3",
    faint="#9aa4af",
    fill="#1c232c",
    standing={
        Standing.INCIDENT: ("#ff8f85", "#46150f"),
        Standing.STUCK: ("#d9a5f0", "#36174a"),
        Standing.RUNNING: ("#7cc0ff", "#0c2d4d"),
        Standing.WAITING: ("#f0b855", "#3d2b08"),
        Standing.PAUSED: ("#c3cad3", "#363d46"),
    },
)


def style_sheet() -> str:
    """Return the rules of a picture, all below the class `placet`, so that they touch nothing else on a page."""
    shape = (
        ".placet{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
        ".placet text{text-anchor:middle}.placet .start{text-anchor:start}"
        ".placet .halo{paint-order:stroke;stroke-width:3px}"
        ".placet .heading{font-size:15px;font-weight:600}.placet .note{font-size:11px}"
        ".placet .line{fill:none;stroke-width:1.2}.placet .choice{stroke-dasharray:5 3}"
        ".placet .error{stroke-dasharray:2 3}.placet .node{stroke-width:1.5}.placet .held{stroke-width:2.4}"
        ".placet .frame{fill:none;stroke-dasharray:4 4}.placet .hollow{stroke-width:1.2}"
    )
    heads = "".join(f".placet .{name}{{marker-end:url(#placet-{name})}}" for name in HEADS)
    return f"{shape}{heads}{_scheme(LIGHT)}@media(prefers-color-scheme:dark){{{_scheme(DARK)}}}"


def _scheme(colours: Colours) -> str:
    ground, ink, faint = colours.ground, colours.ink, colours.faint
    rules = [
        f".placet .ground{{fill:{ground}}}.placet text,.placet .token,.placet .head,.placet .bar{{fill:{ink}}}",
        f".placet .line,.placet .node{{stroke:{ink}}}.placet .node{{fill:{colours.fill}}}",
        f".placet .halo{{stroke:{ground}}}.placet .note{{fill:{faint}}}",
        f".placet .frame{{stroke:{faint}}}.placet .hollow{{fill:{ground};stroke:{ink}}}",
    ]
    for standing, (stroke, fill) in colours.standing.items():
        name = f".placet .{standing.value}"
        rules.append(f"{name} .node{{stroke:{stroke};fill:{fill}}}{name} .bar{{fill:{stroke}}}")
        rules.append(f"{name} .mark{{fill:{stroke};font-weight:600}}")
    return "".join(rules)
