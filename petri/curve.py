"""Arcs as chains of cubic Bézier curves, cut where they leave one node and reach the other."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias


class Point(NamedTuple):
    """A point of a picture, in pixels; y grows downwards."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle of a picture, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> Point:
        """Its centre."""
        return Point(self.left + self.width / 2, self.top + self.height / 2)

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


Inside: TypeAlias = Callable[[Point], bool]
_Cubic: TypeAlias = tuple[Point, Point, Point, Point]
_HALVINGS = 24  # of one piece: far below a pixel


def in_circle(middle: Point, radius: float) -> Inside:
    """Return what tells whether a point lies in a circle."""
    return lambda point: (point.x - middle.x) ** 2 + (point.y - middle.y) ** 2 < radius * radius


def in_box(box: Box) -> Inside:
    """Return what tells whether a point lies in a rectangle."""
    return lambda point: box.left < point.x < box.right and box.top < point.y < box.bottom


def between(curve: Sequence[Point], start: Inside, end: Inside) -> tuple[Point, ...]:
    """Return the part of a curve from where it leaves `start` to where it reaches `end`.

    A curve is a start and three points for each piece: two to steer by and its end. One that never leaves, as
    when both nodes lie upon each other, is returned whole.
    """
    return _leaving(_leaving(tuple(curve), start)[::-1], end)[::-1]


def _leaving(curve: tuple[Point, ...], inside: Inside) -> tuple[Point, ...]:
    """Return the part of a curve after it last is in a shape."""
    for first in range(len(curve) - 4, -1, -3):
        piece: _Cubic = (curve[first], curve[first + 1], curve[first + 2], curve[first + 3])
        if inside(piece[3]):
            rest = curve[first + 3 :]
            return rest if len(rest) >= 4 else curve
        if inside(piece[0]):
            low, high = 0.0, 1.0
            for _ in range(_HALVINGS):
                half = (low + high) / 2
                low, high = (half, high) if inside(_at(piece, half)) else (low, half)
            return (*_after(piece, high), *curve[first + 4 :])
    return curve


def _mix(one: Point, other: Point, share: float) -> Point:
    return Point(one.x + (other.x - one.x) * share, one.y + (other.y - one.y) * share)


def _at(piece: _Cubic, share: float) -> Point:
    return _after(piece, share)[0]


def _after(piece: _Cubic, share: float) -> _Cubic:
    """Return the second part of a piece cut at `share` of it, after de Casteljau."""
    first, second, third, last = piece
    a, b, c = _mix(first, second, share), _mix(second, third, share), _mix(third, last, share)
    d, e = _mix(a, b, share), _mix(b, c, share)
    return _mix(d, e, share), e, c, last
