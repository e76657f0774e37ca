"""Pictures of a net as text: Mermaid, Graphviz and plain lines. The same net always gives the same text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from placet.petri.errors import printable
from placet.petri.net import CONSUME, INHIBIT, READ, RESET, Net
from placet.petri.picture import ERROR, PRODUCE, Line, Node, Picture, Shape, make_picture

Tokens = Mapping[str, int]  # number of tokens by path of the place, such as `fulfil/packed`
_Counts = Mapping[str, int]  # the same by key of the node

_MERMAID_PLAIN = frozenset(" _")
_MERMAID_INNER = frozenset("-./:,")  # fine within a word; before a blank, Mermaid may read a list


def to_mermaid(net: Net, marking: Tokens | None = None) -> str:
    """Return a Mermaid flowchart: places round, transitions square, composites as frames.

    A place with tokens shows their number, an arc its weight and `guard`; dashed arcs are the alternatives
    of a choice. A line without a head is a read arc, one with a circle an inhibitor arc, one marked `reset` a reset
    arc. Places of the marking that the net does not know are left out.
    """
    return _nested(make_picture(net), marking, _MERMAID)


def to_dot(net: Net, marking: Tokens | None = None) -> str:
    """Return a Graphviz graph, drawn as `to_mermaid` does."""
    return _nested(make_picture(net), marking, _DOT)


def to_text(net: Net, marking: Tokens | None = None) -> str:
    """Return one line a transition, for terminals: `received ──price──▶ priced`.

    `a + b` takes from both, `c & d` gives to both, `c | d` to one of them, `3×a` is a weight, `a?` has a
    guard, `a (2)` holds two tokens, and `a.read`, `a.inhibit` and `a.reset` are arcs of these kinds; `✗ a` gets what
    failed for good.
    """
    return _lines(make_picture(net), marking)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notation:
    """How one language writes the parts of a picture."""

    opening: Callable[[str], str]
    place: Callable[[str, str], str]
    transition: Callable[[str, str], str]
    frame: Callable[[str, str], str]
    end: str
    arc: Callable[[Line], str]
    closing: str


def _nested(picture: Picture, marking: Tokens | None, notation: _Notation) -> str:
    """Return the picture with composites as nested frames."""
    counts = picture.counts(marking or {})
    lines = [notation.opening(picture.name), *_inside(picture, counts, notation, 0, "  ")]
    lines += [f"  {notation.arc(line)}" for line in picture.lines]
    return "\n".join([*lines, *([notation.closing] if notation.closing else [])]) + "\n"


def _inside(picture: Picture, counts: _Counts, notation: _Notation, frame: int, indent: str) -> list[str]:
    """Return what stands directly in one composite."""
    lines = [indent + _node(node, counts, notation) for node in picture.nodes if node.frame == frame]
    for inner in picture.frames:
        if inner.parent == frame:
            lines.append(indent + notation.frame(f"c{inner.index}", inner.name))
            lines += [*_inside(picture, counts, notation, inner.index, indent + "  "), indent + notation.end]
    return lines


def _node(node: Node, counts: _Counts, notation: _Notation) -> str:
    if node.shape is not Shape.PLACE:
        return notation.transition(node.key, node.name)
    count = counts.get(node.key, 0)
    return notation.place(node.key, f"{node.name} ({count})" if count else node.name)


# -- plain lines -------------------------------------------------------------------------------------------------------

_WRITTEN: Mapping[str, str] = {CONSUME: "", READ: ".read", INHIBIT: ".inhibit", RESET: ".reset", PRODUCE: ""}


def _lines(picture: Picture, marking: Tokens | None) -> str:
    written = flows(picture, marking)
    paths = {node.key: printable(node.path) for node in picture.nodes}
    return "".join(f"{inputs} ──{paths[key]}──▶ {outputs}\n" for key, (inputs, outputs) in written.items())


def flows(picture: Picture, marking: Tokens | None = None) -> dict[str, tuple[str, str]]:
    """Return what each transition takes and what it gives, written as `to_text` does, by its key."""
    counts = picture.counts(marking or {})
    places = {node.key: node.path for node in picture.nodes if node.shape is Shape.PLACE}
    inputs: dict[str, list[str]] = {}
    outputs: dict[str, list[str]] = {}
    joints: dict[str, str] = {}
    errors: dict[str, str] = {}
    for line in picture.lines:
        if line.kind == ERROR:
            errors[line.source] = f" ✗ {printable(places[line.target])}"
        elif line.source in places:
            inputs.setdefault(line.target, []).append(_written(line, places[line.source], counts.get(line.source, 0)))
        else:
            outputs.setdefault(line.source, []).append(_written(line, places[line.target], counts.get(line.target, 0)))
            joints[line.source] = " | " if line.choice else " & "
    keys = [node.key for node in picture.nodes if node.key not in places]
    return {
        key: (
            " + ".join(inputs.get(key, [])),
            joints.get(key, "").join(outputs.get(key, ["∅"])) + errors.get(key, ""),
        )
        for key in keys
    }


def _written(line: Line, path: str, count: int) -> str:
    weight, mark = f"{line.weight or 'n'}×" if line.weight != 1 else "", "?" if line.guarded else ""
    return f"{weight}{printable(path)}{_WRITTEN[line.kind]}{mark}{f' ({count})' if count else ''}"


def _mermaid_text(text: str) -> str:
    """Return `text` for a quoted label: all but letters, digits and harmless marks as Mermaid's entity codes."""
    shown = printable(text)
    return "".join(_mermaid_character(one, following) for one, following in zip(shown, shown[1:] + " ", strict=True))


def _mermaid_character(character: str, following: str) -> str:
    plain = character.isalnum() or character in _MERMAID_PLAIN
    inner = character in _MERMAID_INNER and following != " "
    return character if plain or inner else f"#{ord(character)};"


# -- Mermaid and Graphviz ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrow:
    """How arcs of one kind are written."""

    mermaid: str
    dot: str  # an attribute; "" is an ordinary arrow
    word: str = ""  # for the label, where a sign is lacking


_ARROWS: Mapping[str, _Arrow] = {
    CONSUME: _Arrow(mermaid="-->", dot=""),
    PRODUCE: _Arrow(mermaid="-->", dot=""),
    READ: _Arrow(mermaid="---", dot="arrowhead=none"),
    INHIBIT: _Arrow(mermaid="--o", dot="arrowhead=odot"),
    RESET: _Arrow(mermaid="-->", dot="arrowhead=normalnormal", word="reset"),
    ERROR: _Arrow(mermaid="-.->", dot="style=dotted"),
}


def _mermaid_arc(line: Line) -> str:
    arrow = _ARROWS[line.kind]
    label = ", ".join(part for part in (line.label, arrow.word) if part)
    sign = "-.->" if line.choice else arrow.mermaid
    return f"{line.source} {sign}{f'|{label}|' if label else ''} {line.target}"


_MERMAID = _Notation(
    opening=lambda _name: "flowchart LR",
    place=lambda node, label: f'{node}(("{_mermaid_text(label)}"))',
    transition=lambda node, label: f'{node}["{_mermaid_text(label)}"]',
    frame=lambda node, label: f'subgraph {node}["{_mermaid_text(label)}"]',
    end="end",
    arc=_mermaid_arc,
    closing="",
)


def _dot_text(text: str) -> str:
    """Return `text` as a quoted string of the DOT language; a backslash would begin an escape."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _dot_arc(line: Line) -> str:
    attributes = ", ".join(
        [f"label={_dot_text(line.label)}"] * bool(line.label)
        + [part for part in (_ARROWS[line.kind].dot, "style=dashed" * line.choice) if part]
    )
    return f"{line.source} -> {line.target}{f' [{attributes}]' if attributes else ''};"


_DOT = _Notation(
    opening=lambda name: f"digraph {_dot_text(name)} {{\n  rankdir=LR;",
    place=lambda node, label: f"{node} [shape=circle, label={_dot_text(label)}];",
    transition=lambda node, label: f"{node} [shape=box, label={_dot_text(label)}];",
    frame=lambda node, label: f"subgraph cluster_{node} {{\n    label={_dot_text(label)};",
    end="}",
    arc=_dot_arc,
    closing="}",
)
