"""SVG: valid whatever the names, the same every time, and what it tells it tells in words."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.petri.legend import ROW_PX, legend_of
from placet.petri.net import CONSUME, INHIBIT, READ, RESET, Arc, Net, Transition
from placet.petri.picture import ERROR, PRODUCE, Shape, make_picture
from placet.petri.scene import Mark, Scene, Standing
from placet.petri.svg import to_svg
from placet.petri.svg_style import DARK, HEADS, LIGHT, STROKES
from tests.petri.pictures import chain, drawn_nets, places, shop

SVG = "{http://www.w3.org/2000/svg}"
AGAIN = "from placet.petri.svg import to_svg; from tests.petri.pictures import shop; print(to_svg(shop()), end='')"


def parsed(text: str) -> ElementTree.Element:
    """Return the root of a document; fails if it is no XML."""
    return ElementTree.fromstring(text)


def texts(text: str) -> list[str]:
    """Return what stands written in a picture."""
    return [element.text or "" for element in parsed(text).iter(f"{SVG}text")]


def tooltips(text: str) -> list[str]:
    return [element.text or "" for element in parsed(text).iter(f"{SVG}title")]


def marks(picture_paths: list[str]) -> st.SearchStrategy[dict[str, tuple[Mark, ...]]]:
    mark = st.builds(Mark, standing=st.sampled_from(Standing), count=st.integers(1, 20_000), detail=st.text())
    return st.dictionaries(st.sampled_from(picture_paths), st.tuples(mark) | st.tuples(mark, mark))


@settings(max_examples=60, deadline=None)
@given(net=drawn_nets(), data=st.data())
def test_any_net_at_any_moment_is_valid_and_stays_inside(net: Net, data: st.DataObject) -> None:
    paths = [node.path for node in make_picture(net).nodes]
    scene = Scene(
        title=data.draw(st.text()),
        state=data.draw(st.text()),
        tokens=data.draw(st.dictionaries(st.sampled_from(paths), st.integers(0, 10**9))),
        marks=data.draw(marks(paths)),
    )
    drawn = to_svg(net, scene)
    root = parsed(drawn)
    assert drawn == to_svg(net, scene)
    assert {element.tag for element in root.iter()}.isdisjoint({f"{SVG}script", f"{SVG}foreignObject", f"{SVG}image"})
    assert "href" not in {name for element in root.iter() for name in element.attrib}
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_another_process_writes_the_same_bytes() -> None:
    other = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout == to_svg(shop())


def test_names_cannot_break_out() -> None:
    name = "</text><script>alert('x')</script>\"&\x1b[2J"
    net = Net(
        name=name, places=places(name), transitions=(Transition(name=name, inputs=(Arc(place=name),), handler=name),)
    )
    drawn = to_svg(net, Scene(title=name, state=name, marks={name: (Mark(standing=Standing.STUCK, detail=name),)}))
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    assert any("<script>" in text for text in tooltips(drawn))


def test_tokens_are_dots_up_to_five_and_then_a_number() -> None:
    counts = {"at0": 1, "at1": 5, "at2": 6, "at3": 12_345, "at4": 3_456_789}
    drawn = to_svg(chain(5), Scene(tokens=counts))
    dots = [element for element in parsed(drawn).iter(f"{SVG}circle") if element.get("class") == "token"]
    assert len(dots) == 1 + 5 + 1  # and the one in the legend
    assert {"6", "12k", "3M"} <= set(texts(drawn))
    assert "place at3: 12345 tokens" in tooltips(drawn)
    assert "place at0: 1 token" in tooltips(drawn)


def test_what_a_colour_says_is_written_too() -> None:
    found = {
        "check": (Mark(standing=Standing.WAITING), Mark(standing=Standing.INCIDENT, count=2, detail="no <stock>")),
        "fulfil/pack": (Mark(standing=Standing.RUNNING, count=3),),
        "fulfil/deep/two": (Mark(standing=Standing.STUCK),),
        "close": (Mark(standing=Standing.PAUSED),),
    }
    drawn = to_svg(shop(), Scene(title="order-1", state="paused", tokens={"received": 2, "nowhere": 1}, marks=found))
    assert {"incident ×2 …", "running ×3", "stuck", "paused", "shop · order-1 · paused"} <= set(texts(drawn))
    assert any("incident ×2: no <stock>; waiting" in text for text in tooltips(drawn))
    description = next(parsed(drawn).iter(f"{SVG}desc")).text or ""
    assert "received holds 2 tokens" in description
    assert "fulfil/pack is running ×3" in description
    assert "nowhere" not in description
    legend = " ".join(texts(drawn))
    for standing in Standing:
        assert f"{standing.value}: " in legend
        assert f".{standing.value} .node" in drawn


def test_signs_that_do_not_occur_are_not_explained() -> None:
    words = " ".join(texts(to_svg(chain(2))))
    assert "place" in words
    assert not [sign for sign in ("token", "incident", "composite", "reads", "running") if sign in words]


def test_each_kind_of_arc_has_its_own_sign() -> None:
    assert set(STROKES) == {CONSUME, READ, INHIBIT, RESET, PRODUCE, ERROR}
    heads = {kind: stroke.head for kind, stroke in STROKES.items()}
    assert heads == {
        CONSUME: "arrow", PRODUCE: "arrow", ERROR: "arrow", READ: "", INHIBIT: "circle", RESET: "double",
    }  # fmt: skip
    assert set(heads.values()) - {""} == set(HEADS)
    drawn = to_svg(shop())
    classes = {element.get("class") for element in parsed(drawn).iter(f"{SVG}path")}
    assert {"line", "line arrow", "line circle", "line double", "line arrow error", "line arrow choice"} <= classes
    told = tooltips(drawn)
    assert "fulfil/pack reads from fulfil/stock" in told
    assert "check is held up by tokens in holiday" in told
    assert "close removes all from audit" in told
    assert "fulfil/pack gives failures to fulfil/stock (error)" in told
    assert "check gives to rejected or to another" in told
    assert "fulfil/ship takes from fulfil/packed (guard, key)" in told


def test_what_is_known_of_a_node_is_in_its_tooltip() -> None:
    told = tooltips(to_svg(shop()))
    assert "place received; of Order; takes tokens from outside; holds 9 at most" in told
    assert "transition fulfil/pack; runs shop:pack" in told
    assert "transition close; moves values through" in told
    assert "composite fulfil/deep" in told


def test_it_fits_a_light_and_a_dark_screen() -> None:
    drawn = to_svg(chain(1))
    light, dark = re.split(r"@media\(prefers-color-scheme:dark\)", drawn)
    assert LIGHT.ground in light
    assert DARK.ground in dark
    for scheme in (LIGHT, DARK):
        assert set(scheme.standing) == set(Standing)
        for stroke, fill in scheme.standing.values():
            assert contrast(stroke, scheme.ground) >= 4.5, stroke
            assert contrast(scheme.ink, fill) >= 4.5, fill
        assert contrast(scheme.faint, scheme.ground) >= 4.5


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG 2.1: 4.5 is enough for small text."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_rules_touch_nothing_outside_the_picture() -> None:
    style = next(parsed(to_svg(shop())).iter(f"{SVG}style")).text or ""
    selectors = re.findall(r"(?:^|[{}])([^{}@]+)\{", style.replace("@media(prefers-color-scheme:dark)", "@"))
    assert selectors
    assert all(part.startswith(".placet") for selector in selectors for part in selector.split(","))


@pytest.mark.parametrize("width", [50.0, 360.0, 5_000.0])
def test_the_legend_wraps(width: float) -> None:
    picture = make_picture(shop())
    legend = legend_of(picture, Scene(), width)
    rows = {entry.top for entry in legend.entries}
    assert all(entry.left < width for entry in legend.entries)
    assert max(rows) < legend.height
    assert (len(rows) == 1) == (width == 5_000.0)
    assert legend.height >= ROW_PX * len(rows)


def test_an_empty_net_is_a_picture_too() -> None:
    assert texts(to_svg(Net(name="empty"))) == ["empty"]


def test_bars_move_values_through_and_boxes_run_something() -> None:
    shapes = {node.path: node.shape for node in make_picture(shop()).nodes}
    assert shapes["close"] is Shape.BAR
    assert shapes["check"] is Shape.BOX
    assert shapes["audit"] is Shape.PLACE
