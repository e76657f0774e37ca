"""How large things are drawn, in pixels. No font is asked: widths are estimates on the generous side."""

import unicodedata

from placet.petri.errors import printable
from placet.petri.picture import Node, Shape

FONT_PX = 12.0
TEXT_LINE_PX = 16.0
RADIUS_PX = 17.0  # of a place
BOX_HEIGHT_PX = 32.0  # of a transition
BAR_WIDTH_PX = 9.0
BELOW_PX = 19.0  # a line of text below a node, and the same above it, so that the body is in the middle
LEAST_WIDTH_PX = 84.0  # room for what is written below a transition: `incident ×12`
LONGEST_NAME = 26  # characters; the tooltip has the whole path

_NARROW = frozenset("fijlrtI .,:;|!'()[]/-_")
_BROAD = frozenset("mwMW@%")


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a name as it is written in a picture: printable, and cut in the middle where it is long."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    head = (longest - 1) // 2
    return f"{shown[:head]}…{shown[len(shown) - (longest - 1 - head) :]}"


def text_width_px(text: str, font_px: float = FONT_PX) -> float:
    """Return about how wide a text is in a common sans-serif font."""
    return font_px * sum(_ems(character) for character in text)


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.45
    if character in _BROAD:
        return 1.0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.1
    return 0.74 if character.isupper() else 0.65


def body_px(node: Node) -> tuple[float, float]:
    """Return (width, height) of the shape itself, which arcs end at."""
    match node.shape:
        case Shape.PLACE:
            return 2 * RADIUS_PX, 2 * RADIUS_PX
        case Shape.BOX:
            return max(44.0, text_width_px(shortened(node.name)) + 18), BOX_HEIGHT_PX
        case Shape.BAR:
            return BAR_WIDTH_PX, BOX_HEIGHT_PX


def room_px(node: Node) -> tuple[float, float]:
    """Return (width, height) of what a node needs with its texts, the body in the middle."""
    width, height = body_px(node)
    least = LEAST_WIDTH_PX if node.shape is not Shape.PLACE else 0.0
    return max(width, text_width_px(shortened(node.name)) + 6, least), height + 2 * BELOW_PX
