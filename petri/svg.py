"""A picture as SVG: text without scripts or outside resources, readable on a light and on a dark screen.

Nothing is told by colour alone: what runs, waits or failed is written beside it, and a legend explains each sign.
"""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from placet.petri.curve import Box, Point
from placet.petri.errors import printable
from placet.petri.layout import Course, Layout, lay_out
from placet.petri.legend import Entry, legend_of
from placet.petri.measure import RADIUS_PX, body_px, shortened, text_width_px
from placet.petri.net import Net
from placet.petri.picture import Frame, Line, Node, Picture, Shape, make_picture
from placet.petri.scene import Scene, Standing, written
from placet.petri.svg_style import HEADS, STROKES, style_sheet

MARGIN_PX = 16.0
HEADING_PX = 26.0
LEAST_WIDTH_PX = 360.0  # so that heading and legend have room beside a small net
MOST_DOTS = 5  # more tokens are a number
_BELOW_PX = RADIUS_PX + 13  # from the middle of a node down to the line its text stands on
_ABOVE_PX = -RADIUS_PX - 2
_SPACING_PX = 6.2  # between the dots of a place
_DICE = {
    1: ((0, 0),),
    2: ((-1, 0), (1, 0)),
    3: ((-1, 1), (0, -1), (1, 1)),
    4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    5: ((-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)),
}
_STANDINGS = frozenset(standing.value for standing in Standing)


def to_svg(net: Net, scene: Scene | None = None) -> str:
    """Return a net as an SVG document, with the tokens and firings of `scene`.

    Places are circles, transitions boxes, or bars where they move values through; composites are frames with a title.
    The same net and scene always give the same text. Raises `LayoutMissing` without the extra `draw`.
    """
    picture = make_picture(net)
    return draw_svg(picture, lay_out(picture), scene or Scene())


def draw_svg(picture: Picture, layout: Layout, scene: Scene) -> str:
    """Return a picture as an SVG document, its parts where `layout` has them."""
    return _Drawing(picture, layout, scene).document()


class _Drawing:
    """One document in the making."""

    def __init__(self, picture: Picture, layout: Layout, scene: Scene) -> None:
        self._picture = picture
        self._layout = layout
        self._scene = scene
        self._names = {node.key: node.path for node in picture.nodes}
        self._wide = max(layout.width, LEAST_WIDTH_PX, text_width_px(self._heading(), 15) + 12)
        self._counts = picture.counts(scene.tokens)
        self._legend = legend_of(picture, scene, self._wide)

    def _heading(self) -> str:
        scene = self._scene
        return " · ".join(printable(part) for part in (self._picture.name, scene.title, scene.state) if part)

    def document(self) -> str:
        """Return the whole of it."""
        width = self._wide + 2 * MARGIN_PX
        height = 2 * MARGIN_PX + HEADING_PX + self._layout.height + self._legend.height
        size = f'width="{_px(width)}" height="{_px(height)}" viewBox="0 0 {_px(width)} {_px(height)}"'
        left = MARGIN_PX + (self._wide - self._layout.width) / 2
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="placet" role="img" {size}>',
            f"<title>{_text(self._heading())}</title>",
            f"<desc>{_text(self._described())}</desc>",
            f"<style>{style_sheet()}</style>",
            f"<defs>{''.join(_marker(name) for name in HEADS)}</defs>",
            f'<rect class="ground" width="{_px(width)}" height="{_px(height)}"/>',
            *self._headline(),
            f'<g transform="translate({_px(left)},{_px(MARGIN_PX + HEADING_PX)})">',
            *self._parts(),
            "</g>",
            f'<g transform="translate({_px(MARGIN_PX)},{_px(height - MARGIN_PX - self._legend.height)})">',
            *(line for entry in self._legend.entries for line in _legend_entry(entry)),
            "</g>",
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _described(self) -> str:
        """Return in words what the picture shows at this moment."""
        scene, told = self._scene, list[str]()
        for node in self._picture.nodes:
            if node.shape is Shape.PLACE and (count := self._counts.get(node.key)):
                told.append(f"{node.path} holds {_tokens(count)}")
            elif node.shape is not Shape.PLACE and (marks := scene.marks_of(node.path)):
                told.append(f"{node.path} is {', '.join(map(str, marks))}")
        places = sum(node.shape is Shape.PLACE for node in self._picture.nodes)
        of = f"{places} places, {len(self._picture.nodes) - places} transitions"
        return "; ".join([f"{self._heading()}: {of}", *told])

    def _headline(self) -> Iterator[str]:
        state = self._scene.state
        classes = f' class="{state}"' if state in _STANDINGS else ""
        yield f"<g{classes}>"
        y = _px(MARGIN_PX + 13)
        yield f'<text class="heading start mark" x="{_px(MARGIN_PX)}" y="{y}">{_text(self._heading())}</text></g>'

    def _parts(self) -> Iterator[str]:
        for frame in self._picture.frames:
            if frame.index in self._layout.frames:
                yield from _frame(frame, self._layout.frames[frame.index])
        for line, course in zip(self._picture.lines, self._layout.courses, strict=True):
            yield from self._line(line, course)
        for node in self._picture.nodes:
            yield from self._node(node, self._layout.nodes[node.key].middle)

    def _line(self, line: Line, course: Course) -> Iterator[str]:
        stroke = STROKES[line.kind]
        place, transition = (line.source, line.target) if line.source[0] == "p" else (line.target, line.source)
        told = [self._names[transition], stroke.verb, stroke.preposition, self._names[place]]
        told += [f"({line.label})"] * bool(line.label) + ["or to another"] * line.choice
        classes = " ".join(part for part in ("line", stroke.head, stroke.classes, "choice" * line.choice) if part)
        yield f'<path class="{classes}" d="{_path(course.points)}"><title>{_text(" ".join(told))}</title></path>'
        if line.label and course.label is not None:
            yield _words(line.label, course.label, 4, "note halo")

    def _node(self, node: Node, middle: Point) -> Iterator[str]:
        marks = self._scene.marks_of(node.path) if node.shape is not Shape.PLACE else ()
        classes = f' class="{marks[0].standing.value}"' if marks else ""
        yield f"<g{classes}><title>{_text('; '.join(self._told(node)))}</title>"
        match node.shape:
            case Shape.PLACE:
                yield from self._place(node, middle)
            case Shape.BOX:
                yield _rectangle(node, middle, "node")
                yield _words(shortened(node.name), middle, 4)
                if marks:
                    yield _words(written(marks), middle, _BELOW_PX, "mark halo")
            case Shape.BAR:
                yield _rectangle(node, middle, "bar")
                yield _words(shortened(node.name), middle, _BELOW_PX, "halo")
                if marks:
                    yield _words(written(marks), middle, _ABOVE_PX, "mark halo")
        yield "</g>"

    def _told(self, node: Node) -> Iterator[str]:
        """Yield what the tooltip of a node says."""
        kind = "place" if node.shape is Shape.PLACE else "transition"
        count = self._counts.get(node.key, 0)
        yield f"{kind} {node.path}{f': {_tokens(count)}' if count else ''}"
        yield from node.facts
        if node.shape is not Shape.PLACE:
            for mark in self._scene.marks_of(node.path):
                yield f"{mark}{f': {mark.detail}' if mark.detail else ''}"

    def _place(self, node: Node, middle: Point) -> Iterator[str]:
        count = self._counts.get(node.key, 0)
        classes = "node held" if count else "node"
        yield f'<circle class="{classes}" cx="{_px(middle.x)}" cy="{_px(middle.y)}" r="{_px(RADIUS_PX)}"/>'
        yield from _dots(count, middle)
        yield _words(shortened(node.name), middle, _BELOW_PX, "halo")


def _dots(count: int, middle: Point) -> Iterator[str]:
    if count > MOST_DOTS:
        yield _words(_number(count), middle, 4, "mark")
    for x, y in _DICE.get(count, ()):
        at = Point(middle.x + x * _SPACING_PX, middle.y + y * _SPACING_PX)
        yield f'<circle class="token" cx="{_px(at.x)}" cy="{_px(at.y)}" r="3"/>'


def _rectangle(node: Node, middle: Point, classes: str) -> str:
    width, height = body_px(node)
    at = f'x="{_px(middle.x - width / 2)}" y="{_px(middle.y - height / 2)}"'
    return f'<rect class="{classes}" {at} width="{_px(width)}" height="{_px(height)}" rx="2"/>'


def _frame(frame: Frame, box: Box) -> Iterator[str]:
    at = f'x="{_px(box.left)}" y="{_px(box.top)}" width="{_px(box.width)}" height="{_px(box.height)}"'
    yield f'<rect class="frame" {at} rx="6"><title>{_text(f"composite {frame.path}")}</title></rect>'
    yield _words(shortened(frame.name), Point(box.middle.x, box.top), 16, "note")


def _legend_entry(entry: Entry) -> Iterator[str]:
    yield f'<g transform="translate({_px(entry.left)},{_px(entry.top)})"{entry.group}>'
    yield entry.sample
    yield f'<text class="note start" x="{_px(entry.text_left)}" y="4">{_text(entry.text)}</text></g>'


def _marker(name: str) -> str:
    width, height, content = HEADS[name]
    size = f'markerWidth="{width}" markerHeight="{height}" refX="{width}" refY="{height / 2:g}"'
    return f'<marker id="placet-{name}" markerUnits="userSpaceOnUse" orient="auto" {size}>{content}</marker>'


def _path(points: Sequence[Point]) -> str:
    written_points = [f"{_px(point.x)},{_px(point.y)}" for point in points]
    return f"M{written_points[0]}C{' '.join(written_points[1:])}"


def _words(text: str, at: Point, below: float, classes: str = "") -> str:
    kind = f' class="{classes}"' if classes else ""
    return f'<text{kind} x="{_px(at.x)}" y="{_px(at.y + below)}">{_text(text)}</text>'


def _tokens(count: int) -> str:
    return f"{count} token{'s' if count != 1 else ''}"


def _number(count: int) -> str:
    """Return a number short enough for a place: 12345 is 12k."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size or (count >= size and unit == "M"):
            return f"{count // size}{unit}"
    return str(count)


def _text(text: str) -> str:
    """Return text for XML; what XML does not know, such as control characters, as escapes."""
    return escape(printable(text))


def _px(value: float) -> str:
    """Return a length to a tenth of a pixel; -0 is 0."""
    return f"{round(value, 1) + 0.0:g}" if abs(value) < 100_000 else f"{value:.0f}"
