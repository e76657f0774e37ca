"""Where the parts of a picture stand: layers from left to right, composites as frames, nothing upon anything else.

The layout (Sugiyama, Tagawa and Toda 1981) is that of Graphviz's `dot` (Gansner et al. 1993), which pygraphviz brings
along in its wheels. It is told the size of everything and asked for positions only, so no font plays a part, and the
same picture always gets the same layout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from placet.petri.curve import Box, Inside, Point, between, in_box, in_circle
from placet.petri.graphviz import positions
from placet.petri.measure import RADIUS_PX, TEXT_LINE_PX, body_px, room_px, shortened, text_width_px
from placet.petri.picture import Frame, Line, Node, Picture, Shape, flow_order

WIDEST_PX = 2_400.0  # a picture wider than this, and far wider than high, is laid out from top to bottom
FAR_WIDER = 3.0
_INCH = 72.0  # Graphviz gives sizes in inches, positions in points; a point is a pixel here
_NO_LABEL = '""'
_CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a line runs: a start and three points for each Bézier piece; and the middle of its label."""

    points: tuple[Point, ...]
    label: Point | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything stands, in pixels from the upper left corner."""

    width: float
    height: float
    nodes: Mapping[str, Box]  # by key: the room of a node and its texts, its body in the middle
    frames: Mapping[int, Box]  # by index; the whole net, 0, has none
    courses: tuple[Course, ...]  # in the order of the picture's lines


def lay_out(picture: Picture) -> Layout:
    """Return where the parts of a picture stand. Raises `LayoutMissing`."""
    layout = _laid_out(picture, "LR")
    if layout.width > WIDEST_PX and layout.width > FAR_WIDER * layout.height:
        return _laid_out(picture, "TB")
    return layout


def _laid_out(picture: Picture, direction: str) -> Layout:
    if not picture.nodes:
        return Layout(width=0.0, height=0.0, nodes={}, frames={}, courses=())
    return _Answer(picture, _decode(positions(_question(picture, direction)))).layout()


# -- asking ------------------------------------------------------------------------------------------------------------


def _question(picture: Picture, direction: str) -> str:
    """Return the picture as a graph for `dot`, in which all that has a size is a blank of that size."""
    lines = [
        # Without `newrank`, a composite is ranked by itself, and an arc out of it may lead to its own layer.
        f'digraph {{ rankdir={direction}; newrank=true; nodesep=0.12; ranksep=0.45; mclimit=2; pad=0; label="";',
        f"node [shape=box, fixedsize=true, label={_NO_LABEL}];",
        "edge [arrowhead=none, headclip=false, tailclip=false];",
    ]
    lines += _inside(picture, 0)
    place = {node.key: position for position, node in enumerate(flow_order(picture))}
    for number, line in enumerate(picture.lines):
        label = _blank(text_width_px(line.label) + 6, TEXT_LINE_PX) if line.label else _NO_LABEL
        # Told which lines lead back, `dot` does not have to guess where a cycle begins.
        ends = (line.source, line.target)
        first, last = ends if place[line.source] < place[line.target] else ends[::-1]
        lines.append(f"{first} -> {last} [id={number}, label={label}];")
    return "\n".join([*lines, "}"])


def _inside(picture: Picture, frame: int) -> list[str]:
    lines = [_node(node) for node in picture.nodes if node.frame == frame]
    for inner in picture.frames:
        if inner.parent == frame:
            title = _blank(text_width_px(shortened(inner.name)) + 8, TEXT_LINE_PX)
            lines.append(f"subgraph {_CLUSTER}{inner.index} {{ label={title};")
            lines += [*_inside(picture, inner.index), "}"]
    return lines


def _node(node: Node) -> str:
    width, height = room_px(node)
    return f"{node.key} [width={width / _INCH:.4f}, height={height / _INCH:.4f}];"


def _blank(width: float, height: float) -> str:
    """Return a label without text: what `dot` would measure depends on the fonts of the machine."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
    return f'<<TABLE {size} BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"><TR><TD></TD></TR></TABLE>>'


# -- reading the answer ------------------------------------------------------------------------------------------------


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A node, or a frame, which has `bb` instead of `pos`."""

    name: str
    pos: str = ""
    bb: str = ""


class _Routed(msgspec.Struct, frozen=True, kw_only=True):
    """A line."""

    id: str
    pos: str = ""  # `dot` has been seen to lose a line
    lp: str = ""


class _Graphed(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    bb: str
    objects: tuple[_Placed, ...] = ()
    edges: tuple[_Routed, ...] = ()


_decode = msgspec.json.Decoder(_Graphed).decode


class _Answer:
    """What `dot` answered, with y turned to grow downwards and the origin in the upper left corner."""

    def __init__(self, picture: Picture, answer: _Graphed) -> None:
        self._picture = picture
        self._answer = answer
        self._left, low, right, self._top = _numbers(answer.bb)
        self._width, self._height = right - self._left, self._top - low

    def layout(self) -> Layout:
        """Return it as a layout."""
        placed = {one.name: one for one in self._answer.objects}
        nodes = {node.key: self._room(node, placed[node.key]) for node in self._picture.nodes}
        routed = {one.id: one for one in self._answer.edges}
        return Layout(
            width=self._width,
            height=self._height,
            nodes=nodes,
            frames={
                frame.index: self._frame(placed[f"{_CLUSTER}{frame.index}"])
                for frame in self._picture.frames[1:]
                if not _is_empty(self._picture, frame)
            },
            courses=self._courses(nodes, routed),
        )

    def _courses(self, nodes: Mapping[str, Box], routed: Mapping[str, _Routed]) -> tuple[Course, ...]:
        middles = {key: box.middle for key, box in nodes.items()}
        bodies = {node.key: _body(node, middles[node.key]) for node in self._picture.nodes}
        lines = enumerate(self._picture.lines)
        return tuple(self._course(line, routed[str(number)], bodies, middles) for number, line in lines)

    def _point(self, text: str) -> Point:
        x, y = _numbers(text)
        return Point(x - self._left, self._top - y)

    def _room(self, node: Node, placed: _Placed) -> Box:
        middle, (width, height) = self._point(placed.pos), room_px(node)
        return Box(middle.x - width / 2, middle.y - height / 2, width, height)

    def _frame(self, placed: _Placed) -> Box:
        left, low, right, top = _numbers(placed.bb)
        return Box(left - self._left, self._top - top, right - left, top - low)

    def _course(
        self, line: Line, routed: _Routed, bodies: Mapping[str, Inside], middles: Mapping[str, Point]
    ) -> Course:
        source, target = bodies[line.source], bodies[line.target]
        curve = tuple(self._point(text) for text in routed.pos.split(" ") if text)
        if curve and not source(curve[0]):
            curve = curve[::-1]  # it leads back
        if not (curve and source(curve[0]) and target(curve[-1])):
            start, end = middles[line.source], middles[line.target]
            curve = (start, start, end, end)
        points = between(curve, source, target)
        return Course(points=points, label=self._point(routed.lp) if routed.lp else None)


def _body(node: Node, middle: Point) -> Inside:
    if node.shape is Shape.PLACE:
        return in_circle(middle, RADIUS_PX)
    width, height = body_px(node)
    return in_box(Box(middle.x - width / 2, middle.y - height / 2, width, height))


def _is_empty(picture: Picture, frame: Frame) -> bool:
    """True for a composite in which nothing stands: all of it is ports. `dot` draws no frame for it."""
    inner = any(other.parent == frame.index and not _is_empty(picture, other) for other in picture.frames)
    return not inner and not any(node.frame == frame.index for node in picture.nodes)


def _numbers(text: str) -> Sequence[float]:
    return [float(part) for part in text.split(",")]
