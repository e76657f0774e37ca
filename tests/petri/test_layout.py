"""Layouts: whatever the net, all is inside the picture and its frame, nothing lies upon anything, arcs meet nodes."""

import importlib
import math
import re
from itertools import combinations
from types import ModuleType

import pytest
from hypothesis import given, settings

from placet.petri import layout as layout_module
from placet.petri.curve import Box, Point, between, in_box, in_circle
from placet.petri.graphviz import LayoutMissing, positions
from placet.petri.layout import WIDEST_PX, Layout, lay_out
from placet.petri.measure import LONGEST_NAME, RADIUS_PX, TEXT_LINE_PX, body_px, room_px, shortened, text_width_px
from placet.petri.net import Net
from placet.petri.picture import Node, Picture, Shape, flow_order, make_picture
from tests.petri.pictures import chain, drawn_nets, fan, shop

CLOSE_PX = 0.6  # positions come rounded to a hundredth, sizes to a quarter of a pixel


def contains(outer: Box, inner: Box) -> bool:
    return (
        outer.left <= inner.left + CLOSE_PX
        and outer.top <= inner.top + CLOSE_PX
        and inner.right <= outer.right + CLOSE_PX
        and inner.bottom <= outer.bottom + CLOSE_PX
    )


def overlap(one: Box, other: Box) -> bool:
    return (
        one.left < other.right - CLOSE_PX
        and other.left < one.right - CLOSE_PX
        and one.top < other.bottom - CLOSE_PX
        and other.top < one.bottom - CLOSE_PX
    )


def frames_of(picture: Picture, node: Node) -> set[int]:
    """Return the frames that a node stands in, the inner ones and the outer ones."""
    found: set[int] = set()
    index = node.frame
    while index >= 0:
        found.add(index)
        index = picture.frames[index].parent
    return found


def check(picture: Picture, layout: Layout) -> None:
    whole = Box(0.0, 0.0, layout.width, layout.height)
    assert set(layout.nodes) == {node.key for node in picture.nodes}
    for node in picture.nodes:
        box = layout.nodes[node.key]
        assert contains(whole, box), node
        assert (box.width, box.height) == room_px(node)
        for index, frame in layout.frames.items():
            if index in frames_of(picture, node):
                assert contains(frame, box), (node, index)
            else:
                assert not overlap(frame, box), (node, index)
    for one, other in combinations(layout.nodes.items(), 2):
        assert not overlap(one[1], other[1]), (one, other)
    for index, frame in layout.frames.items():
        assert contains(layout.frames.get(picture.frames[index].parent, whole), frame)
    check_courses(picture, layout)


def check_courses(picture: Picture, layout: Layout) -> None:
    nodes = {node.key: node for node in picture.nodes}
    assert len(layout.courses) == len(picture.lines)
    for line, course in zip(picture.lines, layout.courses, strict=True):
        assert len(course.points) % 3 == 1
        assert len(course.points) >= 4
        for end, key in ((course.points[0], line.source), (course.points[-1], line.target)):
            assert distance_px(end, nodes[key], layout.nodes[key].middle) < CLOSE_PX, (line, end)
        assert (course.label is not None) == bool(line.label)


def distance_px(point: Point, node: Node, middle: Point) -> float:
    """Return how far a point is from the edge of a node's body."""
    across, down = abs(point.x - middle.x), abs(point.y - middle.y)
    if node.shape is Shape.PLACE:
        return abs(math.hypot(across, down) - RADIUS_PX)
    width, height = body_px(node)
    return abs(max(across - width / 2, down - height / 2))


@settings(max_examples=60, deadline=None)
@given(drawn_nets())
def test_everything_is_in_its_place(net: Net) -> None:
    picture = make_picture(net)
    check(picture, lay_out(picture))


@pytest.mark.parametrize("net", [shop(), chain(3), chain(100), fan(66)], ids=["shop", "small", "long", "wide"])
def test_nets_small_and_large(net: Net) -> None:
    picture = make_picture(net)
    check(picture, lay_out(picture))


def test_the_same_net_gets_the_same_layout() -> None:
    assert lay_out(make_picture(shop())) == lay_out(make_picture(shop()))


def test_an_empty_net_takes_no_room() -> None:
    layout = lay_out(make_picture(Net(name="empty")))
    assert (layout.width, layout.height, layout.courses) == (0.0, 0.0, ())


def test_layers_go_from_left_to_right() -> None:
    picture = make_picture(chain(4))
    layout = lay_out(picture)
    middles = [layout.nodes[node.key].middle.x for node in flow_order(picture)]
    assert middles == sorted(middles)


def test_a_long_chain_goes_from_top_to_bottom_instead_of_out_of_sight() -> None:
    layout = lay_out(make_picture(chain(60)))
    assert layout.width < WIDEST_PX / 4
    assert layout.height > layout.width


def test_a_composite_of_nothing_but_ports_has_no_frame() -> None:
    picture = make_picture(shop())
    framed = {picture.frames[index].path for index in lay_out(picture).frames}
    assert framed == {"fulfil", "fulfil/deep"}


def test_a_loop_leads_back_to_the_entry_and_to_nowhere_else() -> None:
    picture = make_picture(shop())
    layout, key = lay_out(picture), {node.path: node.key for node in picture.nodes}

    def left(path: str) -> float:
        return layout.nodes[key[path]].middle.x

    backwards = [
        (line.source, line.target)
        for line in picture.lines
        if layout.nodes[line.source].middle.x > layout.nodes[line.target].middle.x
    ]
    assert (key["close"], key["received"]) in backwards
    assert left("received") < left("check") < left("paid") < left("fulfil/pack") < left("done") < left("close")


def test_a_line_that_leads_back_goes_around_what_lies_between() -> None:
    picture = make_picture(shop())
    layout, node = lay_out(picture), {node.path: node for node in picture.nodes}
    ends = (node["close"].key, node["received"].key)
    number = next(n for n, line in enumerate(picture.lines) if (line.source, line.target) == ends)
    points = layout.courses[number].points
    between_them = [layout.nodes[node[path].key] for path in ("check", "paid", "fulfil/pack", "done")]
    assert not any(in_box(box)(point) for box in between_them for point in points)
    assert len(points) > 4  # one piece is what a line gets that has no course of its own


def test_there_is_room_for_the_texts_above_and_below_a_body() -> None:
    for node in make_picture(shop()).nodes:
        (width, height), (_, body_height) = room_px(node), body_px(node)
        assert (height - body_height) / 2 >= TEXT_LINE_PX
        assert width >= text_width_px(shortened(node.name))


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, package: str | None = None) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(LayoutMissing, match=r"pip install 'placet\[draw\]'") as caught:
        lay_out(make_picture(shop()))
    assert "\n" not in str(caught.value)
    assert caught.value.args == (caught.value.reason,)


def test_a_line_that_the_library_lost_is_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = make_picture(shop())
    straight = re.compile(rb'"pos": "[^"]* [^"]*",\s*')

    def forgetful(graph_text: str) -> bytes:
        return straight.sub(b"", positions(graph_text))

    monkeypatch.setattr(layout_module, "positions", forgetful)
    check(picture, lay_out(picture))


# -- the order of the flow ---------------------------------------------------------------------------------------------


def test_the_order_follows_the_flow_and_begins_a_loop_at_its_entry() -> None:
    order = [node.path for node in flow_order(make_picture(shop()))]
    assert sorted(order) == sorted(node.path for node in make_picture(shop()).nodes)
    assert order.index("received") < order.index("check") < order.index("paid") < order.index("fulfil/pack")
    assert order.index("fulfil/packed") < order.index("fulfil/deep/two") < order.index("done") < order.index("close")


@settings(max_examples=100)
@given(drawn_nets())
def test_every_node_comes_once(net: Net) -> None:
    picture = make_picture(net)
    order = flow_order(picture)
    assert len(order) == len(picture.nodes)
    assert {node.key for node in order} == {node.key for node in picture.nodes}


# -- measures and curves -----------------------------------------------------------------------------------------------


def test_long_names_are_cut_in_the_middle() -> None:
    assert shortened("pack") == "pack"
    assert shortened("x" * LONGEST_NAME) == "x" * LONGEST_NAME
    cut = shortened("begin" + "x" * 60 + "end")
    assert (len(cut), cut[:5], cut[-3:]) == (LONGEST_NAME, "begin", "end")


def test_broad_characters_take_more_room() -> None:
    assert text_width_px("ill") < text_width_px("abc") < text_width_px("ABC") < text_width_px("漢字漢")


def test_a_line_is_cut_at_both_shapes() -> None:
    straight = [Point(0.0, 0.0), Point(30.0, 0.0), Point(70.0, 0.0), Point(100.0, 0.0)]
    cut = between(straight, in_circle(Point(0.0, 0.0), 10.0), in_box(Box(80.0, -5.0, 40.0, 10.0)))
    assert cut[0] == pytest.approx((10.0, 0.0))
    assert cut[-1] == pytest.approx((80.0, 0.0))


def test_a_line_within_a_shape_stays_whole() -> None:
    tiny = [Point(0.0, 0.0), Point(1.0, 0.0), Point(2.0, 0.0), Point(3.0, 0.0)]
    assert between(tiny, in_circle(Point(0.0, 0.0), 10.0), in_circle(Point(3.0, 0.0), 10.0)) == tuple(tiny)
