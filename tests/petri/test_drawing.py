"""Drawings: what is shown, and that no name can break out of its label."""

import re

from hypothesis import given
from hypothesis import strategies as st

from placet.petri.drawing import to_dot, to_mermaid, to_text
from placet.petri.net import Arc, Net, Place, Transition
from placet.petri.workflow import Workflow
from tests.petri.nets import nets
from tests.petri.pictures import shop


def choose(value: int) -> object:
    return value


def order() -> Net:
    inner, outer = Workflow("inner"), Workflow("order")
    a, b, c = inner.places("a b c")
    inner.transition(a >> 2 * b, "pack")
    inner.transition(2 * b >> c, "ship")
    received, packed, lost = outer.places("received packed lost")
    outer.composite("fulfil", inner, {a: received, c: packed})
    outer.transition(received >> (packed | lost), "triage", handler=choose, guard=choose)
    return outer.definition().net


def test_mermaid() -> None:
    assert to_mermaid(order(), {"received": 3, "fulfil/b": 1, "unknown": 4}) == (
        "flowchart LR\n"
        '  p0(("received #40;3#41;"))\n'
        '  p1(("packed"))\n'
        '  p2(("lost"))\n'
        '  t0["triage"]\n'
        '  subgraph c1["fulfil"]\n'
        '    p3(("b #40;1#41;"))\n'
        '    t1["pack"]\n'
        '    t2["ship"]\n'
        "  end\n"
        "  p0 -->|guard| t0\n"
        "  t0 -.-> p1\n"
        "  t0 -.-> p2\n"
        "  p0 --> t1\n"
        "  t1 -->|2| p3\n"
        "  p3 -->|2| t2\n"
        "  t2 --> p1\n"
    )


def test_dot() -> None:
    drawn = to_dot(order(), {"fulfil/c": 2})
    assert drawn.startswith('digraph "order" {\n  rankdir=LR;\n')
    assert '  p1 [shape=circle, label="packed (2)"];\n' in drawn  # a port is the place of the parent
    assert '  subgraph cluster_c1 {\n    label="fulfil";\n' in drawn
    assert "  t0 -> p2 [style=dashed];\n" in drawn
    assert '  p3 -> t2 [label="2"];\n' in drawn
    assert drawn.endswith("}\n")


def test_text() -> None:
    assert to_text(order(), {"received": 3}) == (
        "received? (3) ──triage──▶ packed | lost\n"
        "received (3) ──fulfil/pack──▶ 2×fulfil/b\n"
        "2×fulfil/b ──fulfil/ship──▶ packed\n"
    )


def test_text_of_a_join_a_fork_and_a_sink() -> None:
    workflow = Workflow("w")
    a, b, c = workflow.places("a b c")
    workflow.transition((a & b) >> (b & c), "t")
    workflow.transition(c.consumed(), "end")
    workflow.transition(a >> b, "feed")
    assert to_text(workflow.definition().net).splitlines()[:2] == ["a + b ──t──▶ b & c", "c ──end──▶ ∅"]


def named(name: str) -> Net:
    places = (Place(name=name), Place(name=name + "2"))
    transition = Transition(name=name + "3", inputs=(Arc(place=name),), outputs=(Arc(place=name + "2"),))
    return Net(name=name, places=places, transitions=(transition,))


@given(st.text(min_size=1, max_size=20).map(lambda text: text.replace("/", "|")))
def test_no_name_breaks_out_of_a_label(name: str) -> None:
    net = named(name)
    mermaid, dot = to_mermaid(net).splitlines(), to_dot(net).splitlines()
    assert len(mermaid) == 6
    assert all(
        re.fullmatch(r'  (p\d\(\("[^"`<>&\[\]{}()|*]*"\)\)|t\d\["[^"`<>&\[\]{}()|*]*"\])', line)
        for line in mermaid[1:4]
    )
    assert len(dot) == 8
    assert all(re.fullmatch(r'  [pt]\d \[shape=\w+, label="([^"\\]|\\["\\])*"\];', line) for line in dot[2:5])
    assert len(to_text(net).splitlines()) == 1


def test_no_name_is_read_as_a_list_by_mermaid() -> None:
    assert '(("1#46; a-b"))' in to_mermaid(named("1. a-b"))
    assert '(("#45; a"))' in to_mermaid(named("- a"))


def test_names_of_other_scripts_stay_readable() -> None:
    assert '(("größe 東京"))' in to_mermaid(named("größe 東京"))


@given(nets())
def test_every_node_and_arc_is_drawn_once_and_always_alike(net: Net) -> None:
    mermaid, dot = to_mermaid(net), to_dot(net)
    assert (mermaid, dot) == (to_mermaid(net), to_dot(net))
    assert mermaid.count("-->") + mermaid.count("-.->") == dot.count("->")
    assert len(re.findall(r"^ *p\d+\(", mermaid, re.MULTILINE)) == len(re.findall(r"shape=circle", dot))
    assert len(to_text(net).splitlines()) == len(re.findall(r"shape=box", dot))


def test_kinds_of_arcs_have_their_signs() -> None:
    mermaid, dot, text = to_mermaid(shop()), to_dot(shop()), to_text(shop(), {"fulfil/sent": 2})
    for sign in (" --o t0", "---", "-->|reset| ", "-.->|error| ", "-->|guard, key| "):
        assert sign in mermaid
    for sign in ("arrowhead=odot", "arrowhead=none", "arrowhead=normalnormal", "style=dotted"):
        assert sign in dot
    assert "received + holiday.inhibit ──check──▶ paid | rejected\n" in text
    assert "paid + fulfil/stock.read ──fulfil/pack──▶ fulfil/packed ✗ fulfil/stock\n" in text
    assert "done (2) + audit.reset ──close──▶ received\n" in text
