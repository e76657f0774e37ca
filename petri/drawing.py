"""Pictures of a net as text: Mermaid, Graphviz and plain lines. The same net always gives the same text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from placet.petri.errors import printable
from placet.petri.net import Net
from placet.petri.plan import InputArc, Plan, TransitionPlan, make_plan

Tokens = Mapping[str, int]  # number of tokens by path of the place, such as `fulfil/packed`

_MERMAID_PLAIN = frozenset(" _")
_MERMAID_INNER = frozenset("-./:,")  # fine within a word; before a blank, Mermaid may read a list


def to_mermaid(net: Net, marking: Tokens | None = None) -> str:
    """Return a Mermaid flowchart: places round, transitions square, composites as frames.

    A place with tokens shows their number, an arc its weight and `guard`; dashed arcs are the alternatives
    of a choice. Places of the marking that the net does not know are left out.
    """
    return _Drawing(net, marking).nested(_MERMAID)


def to_dot(net: Net, marking: Tokens | None = None) -> str:
    """Return a Graphviz graph, drawn as `to_mermaid` does."""
    return _Drawing(net, marking).nested(_DOT)


def to_text(net: Net, marking: Tokens | None = None) -> str:
    """Return one line a transition, for terminals: `received ──price──▶ priced`.

    `a + b` takes from both, `c & d` gives to both, `c | d` to one of them, `3×a` is a weight, `a?` has a
    guard, and `a (2)` holds two tokens.
    """
    return _Drawing(net, marking).lines()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notation:
    """How one language writes the parts of a picture."""

    opening: Callable[[str], str]
    place: Callable[[str, str], str]
    transition: Callable[[str, str], str]
    frame: Callable[[str, str], str]
    end: str
    arc: Callable[[str, str, str, bool], str]  # (from, to, label, dashed)
    closing: str


@dataclass(slots=True)
class _Part:
    """What stands directly in one composite, as indices."""

    places: list[int] = field(default_factory=list[int])
    transitions: list[int] = field(default_factory=list[int])
    composites: list[int] = field(default_factory=list[int])


class _Drawing:
    """A flattened net with the number of tokens in each place."""

    def __init__(self, net: Net, marking: Tokens | None) -> None:
        self._plan: Plan = make_plan(net, {})
        self._tokens = [0] * len(self._plan.places)
        for path, count in (marking or {}).items():
            index = self._plan.place_index.get(path)
            if index is not None:
                self._tokens[index] = count

    def nested(self, notation: _Notation) -> str:
        """Return the picture with composites as nested frames."""
        lines = [notation.opening(self._plan.net.name)]
        lines += self._nodes(notation, self._parts(), 0, "  ")
        for transition in self._plan.transitions:
            lines += [f"  {line}" for line in self._arcs(notation, transition)]
        return "\n".join([*lines, *([notation.closing] if notation.closing else [])]) + "\n"

    def _nodes(self, notation: _Notation, parts: list[_Part], composite: int, indent: str) -> list[str]:
        part = parts[composite]
        lines = [indent + notation.place(f"p{place}", self._label(place)) for place in part.places]
        for transition in part.transitions:
            name = _last(self._plan.transitions[transition].path)
            lines.append(indent + notation.transition(f"t{transition}", name))
        for child in part.composites:
            lines.append(indent + notation.frame(f"c{child}", _last(self._plan.composites[child].path)))
            lines += self._nodes(notation, parts, child, indent + "  ")
            lines.append(indent + notation.end)
        return lines

    def _parts(self) -> list[_Part]:
        """Return what stands directly in each composite."""
        parts = [_Part() for _ in self._plan.composites]
        for place in self._plan.places:
            parts[place.composite].places.append(place.index)
        for transition in self._plan.transitions:
            parts[transition.composite].transitions.append(transition.index)
        for composite in self._plan.composites[1:]:
            parts[composite.parent].composites.append(composite.index)
        return parts

    def _label(self, place: int) -> str:
        count = self._tokens[place]
        name = _last(self._plan.places[place].path)
        return f"{name} ({count})" if count else name

    def _arcs(self, notation: _Notation, transition: TransitionPlan) -> list[str]:
        node = f"t{transition.index}"
        inputs = [
            notation.arc(f"p{arc.place}", node, _arc_label(arc.weight, arc.guarded), False) for arc in transition.inputs
        ]
        outputs = [
            notation.arc(node, f"p{place}", _arc_label(weight, False), transition.choice)
            for place, weight in transition.outputs
        ]
        return inputs + outputs

    def lines(self) -> str:
        """Return the plain lines."""
        return "".join(f"{self._line(transition)}\n" for transition in self._plan.transitions)

    def _line(self, transition: TransitionPlan) -> str:
        inputs = " + ".join(self._input(arc) for arc in transition.inputs)
        joint = " | " if transition.choice else " & "
        outputs = joint.join(self._place(place, weight) for place, weight in transition.outputs)
        return f"{inputs} ──{printable(transition.path)}──▶ {outputs or '∅'}"

    def _input(self, arc: InputArc) -> str:
        return self._place(arc.place, arc.weight, "?" if arc.guarded else "")

    def _place(self, place: int, weight: int, mark: str = "") -> str:
        count = self._tokens[place]
        path = printable(self._plan.places[place].path)
        return f"{f'{weight}×' if weight > 1 else ''}{path}{mark}{f' ({count})' if count else ''}"


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _arc_label(weight: int, guarded: bool) -> str:
    return ", ".join([str(weight)] * (weight > 1) + ["guard"] * guarded)


def _mermaid_text(text: str) -> str:
    """Return `text` for a quoted label: all but letters, digits and harmless marks as Mermaid's entity codes."""
    shown = printable(text)
    return "".join(_mermaid_character(one, following) for one, following in zip(shown, shown[1:] + " ", strict=True))


def _mermaid_character(character: str, following: str) -> str:
    plain = character.isalnum() or character in _MERMAID_PLAIN
    inner = character in _MERMAID_INNER and following != " "
    return character if plain or inner else f"#{ord(character)};"


def _mermaid_arc(source: str, target: str, label: str, dashed: bool) -> str:
    return f"{source} {'-.->' if dashed else '-->'}{f'|{label}|' if label else ''} {target}"


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


def _dot_arc(source: str, target: str, label: str, dashed: bool) -> str:
    attributes = ", ".join([f"label={_dot_text(label)}"] * bool(label) + ["style=dashed"] * dashed)
    return f"{source} -> {target}{f' [{attributes}]' if attributes else ''};"


_DOT = _Notation(
    opening=lambda name: f"digraph {_dot_text(name)} {{\n  rankdir=LR;",
    place=lambda node, label: f"{node} [shape=circle, label={_dot_text(label)}];",
    transition=lambda node, label: f"{node} [shape=box, label={_dot_text(label)}];",
    frame=lambda node, label: f"subgraph cluster_{node} {{\n    label={_dot_text(label)};",
    end="}",
    arc=_dot_arc,
    closing="}",
)
