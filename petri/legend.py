"""The legend of a picture: the signs that occur in it, and what they mean, in rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from placet.petri.measure import text_width_px
from placet.petri.picture import Picture, Shape
from placet.petri.scene import Scene, Standing
from placet.petri.svg_style import STROKES

ROW_PX = 22.0
ABOVE_PX = 14.0  # between net and legend
_GAP_PX = 22.0
_NOTE_PX = 11.0  # the size of its font

_CIRCLE = '<circle class="node" cx="7" cy="0" r="7"/>'
_TOKEN = '<circle class="node held" cx="7" cy="0" r="7"/><circle class="token" cx="7" cy="0" r="2.6"/>'
_BOX = '<rect class="node" x="0" y="-7" width="18" height="14" rx="2"/>'
_BAR = '<rect class="bar" x="4" y="-7" width="5" height="14"/>'
_FRAME = '<rect class="frame" x="0" y="-7" width="18" height="14" rx="3"/>'

_MEANINGS = {
    Standing.INCIDENT: "incident: failed for good, waits for a person",
    Standing.STUCK: "stuck: nothing can move",
    Standing.RUNNING: "running: its handler runs",
    Standing.WAITING: "waiting: tries again later",
    Standing.PAUSED: "paused: has tokens, is held back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A sign and its meaning."""

    sample: str  # SVG, around (0, 0), upwards and downwards alike
    sample_px: float  # how wide it is
    text: str
    group: str = ""  # attributes of what holds the sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A sign at its place in the legend."""

    left: float
    top: float
    text_left: float
    sample: str
    text: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """All entries, and how high they are together."""

    entries: tuple[Entry, ...]
    height: float


def legend_of(picture: Picture, scene: Scene, width: float) -> Legend:
    """Return the legend of what occurs in a picture, in rows of `width` pixels."""
    entries: list[Entry] = []
    left, top = 0.0, ABOVE_PX + ROW_PX / 2
    for sign in _signs(picture, scene):
        text_left = sign.sample_px + 6
        needed = text_left + text_width_px(sign.text, _NOTE_PX)
        if entries and left + needed > width:
            left, top = 0.0, top + ROW_PX
        entries.append(
            Entry(left=left, top=top, text_left=text_left, sample=sign.sample, text=sign.text, group=sign.group)
        )
        left += needed + _GAP_PX
    return Legend(entries=tuple(entries), height=top + ROW_PX / 2 if entries else 0.0)


def _signs(picture: Picture, scene: Scene) -> Iterator[Sign]:
    shapes = {node.shape for node in picture.nodes}
    if Shape.PLACE in shapes:
        yield Sign(sample=_CIRCLE, sample_px=14, text="place")
    if picture.counts(scene.tokens):
        yield Sign(sample=_TOKEN, sample_px=14, text="place with a token")
    if Shape.BOX in shapes:
        yield Sign(sample=_BOX, sample_px=18, text="transition")
    if Shape.BAR in shapes:
        yield Sign(sample=_BAR, sample_px=14, text="transition that moves values through")
    if len(picture.frames) > 1:
        yield Sign(sample=_FRAME, sample_px=18, text="composite")
    yield from _line_signs(picture)
    yield from _standing_signs(picture, scene)


def _line_signs(picture: Picture) -> Iterator[Sign]:
    kinds = {line.kind for line in picture.lines}
    for kind, stroke in STROKES.items():
        if kind in kinds and stroke.meaning:
            classes = " ".join(part for part in ("line", stroke.head, stroke.classes) if part)
            yield Sign(sample=f'<path class="{classes}" d="M0,0H30"/>', sample_px=30, text=stroke.meaning)
    if any(line.choice for line in picture.lines):
        yield Sign(sample='<path class="line arrow choice" d="M0,0H30"/>', sample_px=30, text="to one of these")


def _standing_signs(picture: Picture, scene: Scene) -> Iterator[Sign]:
    paths = {node.path for node in picture.nodes if node.shape is not Shape.PLACE}
    found = {mark.standing for path in paths for mark in scene.marks_of(path)}
    for standing in Standing:
        if standing in found:
            yield Sign(sample=_BOX, sample_px=18, text=_MEANINGS[standing], group=f' class="{standing.value}"')
