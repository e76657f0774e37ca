"""`Workflow.map`, and arcs for many tokens: seen from outside, in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from placet import Retry, Workflow
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import EditToken, RetryIncident, SkipIncident
from placet.actors.reader import Incident
from placet.persistence.blobs import INLINE_BYTES
from placet.persistence.values import decode, encode
from placet.petri.errors import DefinitionError
from placet.petri.matching import Matches
from placet.petri.net import MANY
from tests.actors.driver import Driver


@dataclass
class Doubling:
    """Doubles numbers, counts how often it was asked, and cannot do some."""

    asked: list[object] = field(default_factory=list[object])
    broken: set[object] = field(default_factory=set[object])

    def __call__(self, value: int) -> int:
        self.asked.append(value)
        if value in self.broken:
            raise ValueError(f"no luck with {value}")
        return 2 * value


def doubling(each: Callable[..., object], retry: Retry | None = None) -> Workflow:
    workflow = Workflow("doubling")
    lists, done = workflow.places("lists done")
    workflow.map("double", lists >> done, each, retry=retry)
    return workflow


def test_every_item_is_a_firing_and_results_come_in_the_order_of_items() -> None:
    driver = Driver(workflow := doubling(Doubling()))
    driver.spawn(workflow, {"lists": [[3, 1, 2]]})
    driver.finish("double_spread")
    assert [start.transition.path for start in driver.started] == ["double"] * 3
    for start in reversed(list(driver.started)):  # the last one first
        driver.answer(start)
        driver.rest()
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED
    assert driver.marking() == {"done": [[6, 2, 4]]}


def test_an_empty_list_gives_an_empty_list() -> None:
    each = Doubling()
    driver = Driver(workflow := doubling(each))
    driver.spawn(workflow, {"lists": [[], []]})
    driver.finish_all()
    assert (driver.marking(), each.asked) == ({"done": [[], []]}, [])


def test_several_lists_at_a_time_do_not_mix() -> None:
    driver = Driver(workflow := doubling(Doubling()))
    driver.spawn(workflow, {"lists": [[1, 2], [], [3], [4, 5, 6]]})
    driver.finish("double_spread")
    driver.finish("double_spread")
    driver.finish("double_spread")
    driver.finish("double_spread")
    while any(start.transition.path == "double" for start in driver.started):
        driver.answer(driver.started[-1])  # whichever came last
        driver.rest()
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED
    assert sorted(map(str, driver.marking()["done"])) == ["[2, 4]", "[6]", "[8, 10, 12]", "[]"]


def test_a_map_in_a_map() -> None:
    workflow = Workflow("nested")
    lists, rows, done = workflow.places("lists rows done")
    workflow.map("outer", lists >> rows, list)
    workflow.map("inner", rows >> done, tuple)
    driver = Driver(workflow)
    driver.spawn(workflow, {"lists": [[(1, 2), (3,)], []]})
    driver.finish_all()
    assert driver.marking() == {"done": [[], [(1, 2), (3,)]]}


def test_an_item_that_is_done_is_not_done_again_after_a_crash() -> None:
    each = Doubling()
    driver = Driver(workflow := doubling(each))
    driver.spawn(workflow, {"lists": [[1, 2, 3]]})
    driver.finish("double_spread")
    driver.finish("double")
    driver.crash()
    driver.finish_all()
    assert driver.marking() == {"done": [[2, 4, 6]]}
    assert sorted(map(str, each.asked)) == ["1", "2", "3"]


def test_a_crash_between_the_last_result_and_the_join_loses_nothing() -> None:
    driver = Driver(workflow := doubling(Doubling()))
    driver.spawn(workflow, {"lists": [[1, 2]]})
    driver.finish("double_spread")
    driver.finish("double")
    driver.finish("double")
    assert driver.only().transition.path == "double_gather"
    driver.crash()
    driver.finish_all()
    assert driver.marking() == {"done": [[2, 4]]}


def test_an_item_that_fails_waits_alone_and_its_group_with_it() -> None:
    each = Doubling(broken={2})
    driver = Driver(workflow := doubling(each))
    driver.spawn(workflow, {"lists": [[1, 2, 3], [4]]})
    driver.finish_all()
    assert driver.state() is InstanceState.INCIDENT
    assert driver.marking()["done"] == [[8]]
    (incident,) = driver.view().incidents
    assert incident.transition == "double"
    each.broken.clear()
    driver.receipt(RetryIncident(instance="one", by="eva", incident=incident.number))
    driver.finish_all()
    assert driver.marking() == {"done": [[8], [2, 4, 6]]}
    assert sorted(map(str, each.asked)) == ["1", "2", "2", "3", "4"]


def test_retry_holds_for_each_item() -> None:
    each = Doubling(broken={2})
    driver = Driver(workflow := doubling(each, Retry(attempts=2, first_s=1.0, jitter=0.0)))
    driver.spawn(workflow, {"lists": [[1, 2, 3]]})
    driver.finish_all()
    each.broken.clear()
    driver.pass_time(1.0)
    driver.finish_all()
    assert driver.marking() == {"done": [[2, 4, 6]]}
    assert each.asked.count(1) == 1


def test_a_person_can_give_the_result_of_an_item() -> None:
    each = Doubling(broken={2})
    driver = Driver(workflow := doubling(each))
    driver.spawn(workflow, {"lists": [[1, 2]]})
    driver.finish_all()
    (incident,) = driver.view().incidents
    given = encode({**piece_of(incident), "item": "none"})
    driver.receipt(SkipIncident(instance="one", by="eva", incident=incident.number, outputs=(("", given),)))
    driver.finish_all()
    assert driver.marking() == {"done": [[2, "none"]]}


def test_what_is_no_list_is_an_incident() -> None:
    driver = Driver(workflow := doubling(Doubling()))
    driver.spawn(workflow, {"lists": [7]})
    driver.finish_all()
    (incident,) = driver.view().incidents
    assert "a map takes a list, not int" in incident.failures[-1].message


def test_a_token_that_is_no_piece_is_an_incident_until_it_is_mended() -> None:
    driver = Driver(workflow := doubling(Doubling(broken={1})))
    driver.spawn(workflow, {"lists": [[1]]})
    driver.finish_all()
    (incident,) = driver.view().incidents
    driver.receipt(SkipIncident(instance="one", by="eva", incident=incident.number, outputs=(("", encode(3)),)))
    (broken,) = driver.view().incidents
    assert "3 is no piece of a map" in broken.failures[-1].message
    (token,) = driver.image().places[workflow_index(workflow, "double_results")]
    mended = encode({**piece_of(incident), "item": 3})
    driver.receipt(EditToken(instance="one", by="eva", token=token, value=mended))
    driver.finish_all()
    assert driver.marking() == {"done": [[3]]}


def piece_of(incident: Incident) -> dict[str, object]:
    """Return the piece that failed, as people find it with the incident."""
    ((_, encoded),) = incident.inputs
    piece = decode(encoded)
    assert isinstance(piece, dict)
    return cast("dict[str, object]", piece)


def workflow_index(workflow: Workflow, place: str) -> int:
    return [one.name for one in workflow.definition().net.places].index(place)


def test_the_order_of_large_items_and_results_is_kept() -> None:
    driver = Driver(workflow := doubling(twice))
    large = "x" * (INLINE_BYTES + 1)
    driver.spawn(workflow, {"lists": [[large, "y", large]]})
    driver.finish_all()
    assert driver.marking() == {"done": [[large * 2, "yy", large * 2]]}
    assert driver.image().chunks == driver.image().needed_chunks()


def test_a_group_that_is_not_whole_leaves_the_instance_stuck_and_says_so() -> None:
    workflow = Workflow("torn")
    groups, members, done = workflow.places("groups members done")
    workflow.transition((groups & members.many()) >> done, "join", key=lambda value: value, run="inline")
    driver = Driver(workflow)
    driver.spawn(workflow, {"groups": [("a", 2)], "members": [("a", 2)]})
    assert driver.state() is InstanceState.STUCK
    detail = driver.history()[-1].detail
    assert isinstance(detail, dict)
    assert detail["join"] == "no group is complete"


def twice(value: str) -> str:
    return value + value


# -- arcs for many tokens, by themselves ------------------------------------------------------------------------------


def joining(key: Callable[[object], object]) -> Workflow:
    workflow = Workflow("joining")
    groups, members, done = workflow.places("groups members done")
    workflow.transition((members.many() & groups) >> done, "join", key=key)  # pyright: ignore[reportArgumentType] - also wrong ones
    return workflow


def test_a_group_takes_exactly_its_members() -> None:
    driver = Driver(workflow := joining(lambda value: value))
    driver.spawn(workflow, {"groups": [("a", 2), ("b", 0)], "members": [("a", 2), ("a", 3), ("a", 2), ("a", 2)]})
    driver.finish_all()
    assert driver.state() is InstanceState.STUCK
    assert driver.marking() == {
        "members": [("a", 3), ("a", 2)],
        "done": [([("a", 2), ("a", 2)], ("a", 2)), ([], ("b", 0))],
    }


@pytest.mark.parametrize("key", ["a", ("a", -1), ("a", True), ("a", 2.0), (), ("a", 10**9)])
def test_a_key_that_says_no_count_is_an_incident(key: object) -> None:
    driver = Driver(workflow := joining(lambda _: key))
    driver.spawn(workflow, {"groups": [1]})
    (incident,) = driver.view().incidents
    assert "ends with how many there are" in incident.failures[-1].message


def test_matching_many_costs_the_same_for_many_as_for_few() -> None:
    """Counts steps, not time: the index looks at the front of its queues only."""
    matches, size = Matches((1, MANY)), 20_000
    matches.add(0, ("a", size), 0)
    for token in range(1, size + 1):
        assert matches.oldest() is None
        matches.add(1, ("a", size), token)
    assert matches.oldest() == 0
    assert matches.best() == [[0], list(range(1, size + 1))]
    matches.remove(1, ("a", size), 5)
    assert matches.best() is None


WRONG = {
    "w.transition(a.many() >> b, 't', handler=f)": "nothing says how many tokens of `a`",
    "w.transition(a.many() >> b, 't', handler=f, key=g)": "and nothing with them",
    "w.transition((a.many() & c.many() & d) >> b, 't', handler=f, key=g)": "many tokens of two places",
    "w.transition(a >> b.many(), 't')": "nobody makes the tokens for `b`",
    "w.task(a >> b.many(), 't')": "gives several tokens",
    "w.transition(a >> full.many(), 't', handler=g)": "which has a capacity",
    "w.map('m', (a & c) >> b, g)": "is no map",
    "w.map('m', a >> (b | c), g)": "is no map",
    "w.map('m', a * 2 >> b, g)": "is no map",
    "w.map('m', a >> b, 3)": "is not callable",
    "w.map('m', a >> b, lambda x, y: x)": "cannot be called with 1 argument",
    "w.map('m', a >> b, g, run='parallel')": "splits a list",
    "w.map('m/n', a >> b, g)": "holds a `/`",
    "w.place('m_items'); w.map('m', a >> b, g)": "`m_items` is taken",
}


@pytest.mark.parametrize("snippet", WRONG)
def test_a_wrong_map_or_arc_is_refused(snippet: str) -> None:
    workflow = Workflow("wrong")
    places = {name: workflow.place(name, entry=True) for name in "abcd"}
    full = workflow.place("full", entry=True, capacity=2)
    names = {"w": workflow, "full": full, "f": same, "g": same, "__name__": "snippet", **places}
    code = compile(f"{snippet}; w.definition()", "snippet.py", "exec")
    with pytest.raises(DefinitionError) as caught:
        exec(code, names)
    assert WRONG[snippet] in str(caught.value)
    assert "snippet.py:1" in str(caught.value)


def same(value: object, *_others: object) -> object:
    return value
