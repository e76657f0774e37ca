"""Who gets a free slot: instances in turn, then priority, then age; and nobody waits for ever."""

from placet.petri.workflow import Workflow
from tests.actors.driver import Driver
from tests.actors.flows import chain, same


def test_no_more_starts_than_slots() -> None:
    driver = Driver(chain(1), slots=3)
    driver.spawn(driver.workflows[0], {"p0": list(range(10))})
    seen = 0
    while driver.started:
        assert len(driver.started) <= 3
        seen += 1
        driver.answer(driver.started[0])
        driver.rest()
    assert (seen, driver.state()) == (10, "completed")


def test_slots_go_round_over_instances() -> None:
    driver = Driver(chain(1), slots=1)
    driver.spawn(driver.workflows[0], {"p0": list(range(20))}, "big")
    for name in ("two", "three"):
        driver.spawn(driver.workflows[0], {"p0": [1]}, name)
    order: list[str] = []
    while driver.started:
        driver.clock.advance(1.0)
        order.append(driver.only().instance)
        driver.answer_all()
        driver.rest()
    assert set(order[:4]) == {"big", "two", "three"}
    assert order.count("big") == 20


def test_a_new_instance_waits_for_two_time_slices_at_most_and_not_for_all_that_another_has() -> None:
    driver = Driver(chain(1), slots=1)
    driver.spawn(driver.workflows[0], {"p0": list(range(50))}, "big")
    for name in ("new", "newer"):
        driver.spawn(driver.workflows[0], {"p0": [1]}, name)
        order: list[str] = []
        while name not in order:
            order.append(driver.only().instance)
            driver.clock.advance(0.1)
            driver.answer_all()
            driver.rest()
        assert 3 <= order.count("big") <= 12, order  # handlers of 0.1 s, slices of 0.5 s


def test_more_slots_serve_those_who_wait() -> None:
    driver = Driver(chain(1), slots=0)
    for number in range(5):
        driver.spawn(driver.workflows[0], {"p0": [1]}, f"i{number}")
    assert (driver.started, driver.state("i0")) == ([], "running")
    driver.kernel.set_capacity("thread", 2)
    driver.rest()
    assert len(driver.started) == 2
    driver.kernel.set_capacity("thread", 9)
    driver.rest()
    assert [start.instance for start in driver.started] == [f"i{number}" for number in range(5)]


def test_competing_transitions_take_turns() -> None:
    workflow = Workflow("rivals")
    a, b, c = workflow.places("a b c")
    workflow.transition(a >> b, "one", handler=same)
    workflow.transition(a >> c, "two", handler=same)
    driver = Driver(workflow, slots=1)
    driver.spawn(workflow, {a: list(range(10))})
    driver.finish_all()
    assert {place: len(values) for place, values in driver.marking().items()} == {"b": 5, "c": 5}
