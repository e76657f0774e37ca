"""What is put to sleep when: instances are counted, and so are their tokens; none goes to sleep only to be woken."""

from collections.abc import Iterable

import pytest

from placet import Workflow
from placet.actors.messages import Put
from placet.actors.records import Phase
from placet.persistence.keys import address_key
from placet.persistence.values import encode
from tests.actors.driver import Driver

REST_S = 0.5  # an instance of ten tokens


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("IDLE_TOKENS", 10), ("WAITING_TOKENS", 10), ("SMALL", 2), ("REST_S_A_TOKEN", REST_S / 10)):
        monkeypatch.setattr(f"placet.actors.memory.{name}", value)


def same(value: object) -> object:
    return value


def storing() -> Workflow:
    """Return a net that keeps tokens, and works on others."""
    workflow = Workflow("storing")
    kept, jobs, out, rest = workflow.place("kept", external=True), *workflow.places("jobs out rest")
    never = workflow.place("never", external=True)
    workflow.transition((kept & never) >> rest, "fetch")
    workflow.transition(jobs >> out, "work", handler=same)
    return workflow


def engine(sizes: dict[str, int], jobs: Iterable[str] = (), *, slots: int = 100) -> Driver:
    """Return an engine with an instance of each size, spawned one after the other."""
    driver = Driver(storing(), slots=slots)
    for number, (name, size) in enumerate(sizes.items()):
        given = {"kept": [*range(size)], "jobs": ["job"] if name in jobs else []}
        driver.spawn(driver.workflows[0], given, name, number)
    return driver


def awake(driver: Driver) -> list[str]:
    return sorted(workflow.header.instance for workflow in driver.kernel.in_memory().values())


def test_what_holds_too_many_tokens_sleeps_once_it_has_rested() -> None:
    driver = engine({"a": 8, "b": 8})
    assert awake(driver) == ["a", "b"], "reading it back would take longer than it has been idle"
    driver.pass_time(REST_S)
    assert awake(driver) == ["b"]


def test_what_was_used_last_stays_however_large() -> None:
    driver = engine({"a": 1, "b": 100})
    driver.pass_time(100 * REST_S)
    assert awake(driver) == ["b"]


def test_few_tokens_may_rest_for_ever() -> None:
    driver = engine({"a": 5, "b": 5})
    driver.pass_time(1_000.0)
    assert awake(driver) == ["a", "b"]


def test_what_is_used_time_and_again_stays_beside_small_ones() -> None:
    driver = engine({"large": 100, "small": 1})
    for _ in range(5):
        driver.pass_time(REST_S)
        assert "large" in awake(driver)
        for name in ("large", "small"):
            driver.receipt(Put(instance=name, place="kept", value=encode(1)))


def test_a_large_one_is_not_driven_out_by_many_small_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placet.actors.memory.IDLE_ROOTS", 3)
    driver = engine({"large": 9, **{f"small{number}": 1 for number in range(6)}})
    assert awake(driver) == ["large", "small4", "small5"]


def test_what_waits_for_a_slot_sleeps_in_turn_and_gets_its_slot() -> None:
    names = ["a", "b", "c"]
    driver = engine(dict.fromkeys(names, 8), names, slots=1)
    assert awake(driver) == ["a", "c"], "`a` runs; of those that wait, the last"
    driver.finish_all()
    assert [driver.marking(name)["out"] for name in names] == [["job"]] * 3


def test_what_waits_for_a_slot_stays_if_it_is_larger_than_the_bound() -> None:
    driver = engine({"runs": 1, "huge": 50, "small": 8}, ["runs", "huge", "small"], slots=1)
    assert awake(driver) == ["huge", "runs", "small"]


def test_tokens_in_exits_count_too() -> None:
    driver = engine({"a": 8, "b": 8}, ["b"])
    driver.finish_all()
    root = driver.store.get(address_key("b"))
    assert root is not None
    workflow = driver.kernel.in_memory()[root]
    assert (workflow.inner, workflow.outer, workflow.counts[Phase.RUNNING]) == (8, 1, 0)
