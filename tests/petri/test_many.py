"""Arcs for many tokens as values and pure functions: the index by key, enabling, invariants, results, drawings."""

from collections import defaultdict
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.petri.drawing import to_text
from placet.petri.enabling import enabled, missing
from placet.petri.errors import MapError, OutputError
from placet.petri.invariants import place_invariants
from placet.petri.mapping import gather, group_of, spread
from placet.petri.matching import JoinKey, Matches, count_of
from placet.petri.net import MANY
from placet.petri.output import Branches
from placet.petri.plan import Plan, make_plan, shares
from placet.petri.result import arguments_of, outputs_of, prepare
from placet.petri.workflow import Workflow

KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 3))
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 2), KEYS), max_size=60)
WEIGHTS = (1, MANY, 2)


@given(STEPS)
def test_the_index_finds_a_group_exactly_when_it_is_whole(steps: list[tuple[bool, int, JoinKey]]) -> None:
    matches = Matches(WEIGHTS)
    held: dict[JoinKey, list[list[int]]] = defaultdict(lambda: [[] for _ in WEIGHTS])
    for token, (adds, position, key) in enumerate(steps):
        queue = held[key][position]
        if adds:
            matches.add(position, key, token)
            queue.append(token)
        elif queue:
            matches.remove(position, key, queue.pop(token % len(queue)))
        whole = {key: taken for key, queues in held.items() if (taken := taken_of(key, queues)) is not None}
        oldest = min((min(queue[0] for queue in held[key] if queue) for key in whole), default=None)
        assert matches.oldest() == oldest
        best = matches.best()
        assert (best is None) == (not whole)
        assert best is None or best in whole.values()


def taken_of(key: JoinKey, queues: list[list[int]]) -> list[list[int]] | None:
    """Return what is taken of one key, by the definition."""
    needed = [weight or count_of(key) for weight in WEIGHTS]
    whole = all(len(queue) >= count for queue, count in zip(queues, needed, strict=True))
    return [queue[:count] for queue, count in zip(queues, needed, strict=True)] if whole else None


def mapped() -> Plan:
    workflow = Workflow("mapped")
    lists, done = workflow.places("lists done")
    workflow.map("each", lists >> done, list)
    definition = workflow.definition()
    return prepare(make_plan(definition.net, definition.behaviours))


def test_invariants_leave_out_what_arcs_for_many_touch() -> None:
    plan = mapped()
    names = [place.path for place in plan.places]
    assert [{names[index]: weight for index, weight in one.items()} for one in place_invariants(plan)] == [
        {"lists": 1, "done": 1, "each_groups": 1}
    ]


def test_what_is_taken_by_many_has_no_invariant_either() -> None:
    workflow = Workflow("joining")
    groups, members, done = workflow.places("groups members done")
    workflow.transition((groups & members.many()) >> done, "join", key=group_of)
    plan = make_plan(workflow.definition().net, {})
    index = plan.place_index
    assert place_invariants(plan) == [{index["groups"]: 1, index["done"]: 1}]


def test_a_group_is_enabled_when_all_its_pieces_are_there() -> None:
    plan = mapped()
    join = plan.transition_index["each_gather"]
    group = {"group": "g", "count": 2}
    pieces = [(number, {**group, "index": number, "item": number}) for number in range(2)]
    results, groups = plan.place_index["each_results"], plan.place_index["each_groups"]
    assert join not in enabled(plan, {groups: [(9, group)], results: pieces[:1]})
    assert missing(plan, {groups: [(9, group)], results: pieces[:1]}, join) == "no group is complete"
    assert join in enabled(plan, {groups: [(9, group)], results: pieces})
    assert join in enabled(plan, {groups: [(9, {"group": "g", "count": 0})]})
    assert join not in enabled(plan, {results: pieces})


def test_the_handler_gets_a_list_however_few_there_are() -> None:
    join = mapped().transitions[2]
    assert shares(join.arguments, 1) == [1, 0]
    assert shares(join.arguments, 4) == [1, 3]
    assert arguments_of(join, [["group"], []]) == ["group", []]
    assert arguments_of(join, [["group"], ["one"]]) == ["group", ["one"]]


def test_what_is_returned_for_many_becomes_a_token_each() -> None:
    split = mapped().transitions[0]
    assert outputs_of(split, Branches(([1, 2], "g"))) == [(0, 1), (0, 2), (1, "g")]
    assert outputs_of(split, Branches(([], "g"))) == [(1, "g")]
    with pytest.raises(OutputError, match="any number of tokens"):
        outputs_of(split, Branches((7, "g")))


class Context:
    firing_id = "f"


@given(st.lists(st.integers()), st.randoms(use_true_random=False))
def test_what_is_spread_is_gathered_in_its_order(values: list[int], random: Random) -> None:
    found, group = spread(values, Context()).values
    pieces = cast("list[dict[str, object]]", found)
    assert {group_of(piece) for piece in pieces} <= {group_of(group)} == {("f", len(values))}
    random.shuffle(pieces)
    assert gather(group, pieces) == values


@pytest.mark.parametrize("piece", [7, None, {}, {"group": "g"}, {"group": "g", "count": 1, "index": "0", "item": 1}])
def test_what_is_no_piece_is_refused(piece: object) -> None:
    with pytest.raises(MapError, match="no piece of a map"):
        gather(None, [piece])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType] - what people may put


def test_two_pieces_of_one_index_are_refused() -> None:
    piece = {"group": "g", "count": 2, "index": 0, "item": 1}
    with pytest.raises(MapError, match="do not have one index each"):
        gather(None, [piece, dict(piece)])


def test_it_is_drawn_with_an_n() -> None:
    assert "lists ──each_spread──▶ n×each_items & each_groups" in to_text(mapped().net)
