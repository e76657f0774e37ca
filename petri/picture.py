"""A net as a picture's parts: round nodes, square nodes, lines and frames, with composites flattened.

Structure only: where the parts stand is `layout.py`, how they look is `svg.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from placet.petri.net import Arc, Net, Place, Transition

PRODUCE, ERROR = "produce", "error"  # kinds of lines out of a transition, beside the kinds of input arcs


class Shape(Enum):
    """What a node is drawn as."""

    PLACE = "place"
    BOX = "box"  # a transition with a handler
    BAR = "bar"  # a transition that moves values through


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place or a transition."""

    key: str  # `p3` or `t3`: unique within its picture
    path: str  # `fulfil/packed`
    shape: Shape
    frame: int  # index of the frame it stands in
    is_entry: bool = False  # a place that may be given tokens although something leads to it
    facts: tuple[str, ...] = ()  # what else is known of it, for people

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An arc, from a place to a transition or the other way."""

    source: str  # key of a node
    target: str
    kind: str  # of `petri.net`, or PRODUCE or ERROR
    weight: int = 1
    guarded: bool = False
    keyed: bool = False
    choice: bool = False  # one of several outputs, of which a firing gives to one

    @property
    def label(self) -> str:
        """What stands beside it; empty for an arc that moves any one token."""
        words = [str(self.weight or "n")] * (self.weight != 1) + ["guard"] * self.guarded + ["key"] * self.keyed
        return ", ".join(words + ["error"] * (self.kind == ERROR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A composite; index 0 is the whole net."""

    index: int
    path: str  # "" for the whole net
    parent: int  # -1 for the whole net

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The parts of a net, in the order in which it defines them."""

    name: str
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    frames: tuple[Frame, ...]
    place_keys: Mapping[str, str]  # by path; a port has one in each composite it belongs to

    def counts(self, tokens: Mapping[str, int]) -> dict[str, int]:
        """Return numbers of tokens by key of the node, without empty places and those the net does not know."""
        known = ((self.place_keys.get(path), count) for path, count in tokens.items())
        return {key: count for key, count in known if key is not None and count}


def make_picture(net: Net) -> Picture:
    """Return the parts of a net; a port is one node, standing in the outermost composite that has it."""
    collector = _Collector()
    collector.add(net, path="", parent=-1, ports={})
    return Picture(
        name=net.name,
        nodes=(*collector.places, *collector.transitions),
        lines=tuple(collector.lines),
        frames=tuple(collector.frames),
        place_keys=collector.place_keys,
    )


def flow_order(picture: Picture) -> tuple[Node, ...]:
    """Return the nodes from the beginning to the end: each after those it follows, where no cycle forbids that.

    Kahn's algorithm, begun at the entries; where only cycles are left, the node found first comes next.
    """
    before: dict[str, set[str]] = {node.key: set() for node in picture.nodes}
    after: dict[str, list[str]] = {node.key: [] for node in picture.nodes}
    for line in picture.lines:
        before[line.target].add(line.source)
        after[line.source].append(line.target)
    waiting = {node.key: node for node in picture.nodes}
    ready = [node.key for node in reversed(picture.nodes) if node.is_entry or not before[node.key]]
    reached: dict[str, None] = {}
    ordered: list[Node] = []
    while waiting:
        key = ready.pop() if ready else next((key for key in reached if key in waiting), next(iter(waiting)))
        if key not in waiting:
            continue
        ordered.append(waiting.pop(key))
        for following in reversed(after[key]):
            before[following].discard(key)
            reached[following] = None
            if not before[following]:
                ready.append(following)
    return tuple(ordered)


class _Collector:
    """Walks through a net and its composites."""

    def __init__(self) -> None:
        self.places: list[Node] = []
        self.transitions: list[Node] = []
        self.lines: list[Line] = []
        self.frames: list[Frame] = []
        self.place_keys: dict[str, str] = {}

    def add(self, net: Net, *, path: str, parent: int, ports: Mapping[str, str]) -> None:
        """Add a net; `ports` says which of its places are there already, as nodes of the parent."""
        frame = Frame(index=len(self.frames), path=path, parent=parent)
        self.frames.append(frame)
        prefix = f"{path}/" if path else ""
        keys = dict(ports)
        for place in net.places:
            if place.name not in keys:
                keys[place.name] = key = f"p{len(self.places)}"
                self.places.append(_place(place, key, prefix, frame.index))
            self.place_keys[prefix + place.name] = keys[place.name]
        for transition in net.transitions:
            node = _transition(transition, f"t{len(self.transitions)}", prefix, frame.index)
            self.transitions.append(node)
            self.lines += _lines(transition, node.key, keys)
        for inner in net.composites:
            inner_ports = {inside: keys[outside] for inside, outside in inner.ports}
            self.add(inner.net, path=prefix + inner.name, parent=frame.index, ports=inner_ports)


def _place(place: Place, key: str, prefix: str, frame: int) -> Node:
    facts = [f"of {place.type}"] * bool(place.type) + ["takes tokens from outside"] * place.external
    facts += [f"holds {place.capacity} at most"] * (place.capacity > 0)
    path, is_entry = prefix + place.name, place.entry
    return Node(key=key, path=path, shape=Shape.PLACE, frame=frame, is_entry=is_entry, facts=tuple(facts))


def _transition(transition: Transition, key: str, prefix: str, frame: int) -> Node:
    facts = [f"runs {transition.handler}" if transition.handler else "moves values through"]
    facts += [f"priority {transition.priority}"] * (transition.priority != 0)
    facts += [f"after {transition.delay_s:g} s"] * (transition.delay_s > 0)
    shape = Shape.BOX if transition.handler else Shape.BAR
    return Node(key=key, path=prefix + transition.name, shape=shape, frame=frame, facts=tuple(facts))


def _lines(transition: Transition, key: str, keys: Mapping[str, str]) -> Iterator[Line]:
    for arc in transition.inputs:
        yield _input(arc, keys[arc.place], key)
    for arc in transition.outputs:
        yield Line(source=key, target=keys[arc.place], kind=PRODUCE, weight=arc.weight, choice=transition.choice)
    if transition.error:
        yield Line(source=key, target=keys[transition.error], kind=ERROR)


def _input(arc: Arc, source: str, target: str) -> Line:
    weight = arc.weight
    return Line(source=source, target=target, kind=arc.kind, weight=weight, guarded=arc.guarded, keyed=arc.keyed)
