"""An instance with more tokens than are read at once wakes over several batches, while everything else goes on."""

from collections.abc import Iterable

import pytest

from placet import Workflow
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, Put, Recover, Restart, Sleep
from placet.actors.place import PlaceActor
from placet.actors.records import Phase
from placet.actors.suspects import Suspects
from placet.persistence.keys import address_key
from placet.persistence.values import encode
from tests.actors.driver import Driver

PORTION = 4
KEPT = 18
UNLUCKY: tuple[int, ...] = ()  # values on which a guard raises


def pair(left: object, right: object) -> object:
    return (left, right)


def same(value: object) -> object:
    return value


def lucky(value: object) -> bool:
    if value in UNLUCKY:
        raise ValueError(value)
    return True


def matching() -> Workflow:
    """Return a net that keeps its tokens until one with the same value is asked for."""
    workflow = Workflow("matching")
    kept, asked = (workflow.place(name, external=True) for name in ("kept", "asked"))
    out = workflow.place("out")
    workflow.transition((kept & asked) >> out, "fetch", handler=pair, key={kept: same, asked: same}, run="inline")
    return workflow


def judging() -> Workflow:
    """Return a net with a guard, and work on a thread beside it."""
    workflow = Workflow("judging")
    kept, jobs = (workflow.place(name, external=True) for name in ("kept", "jobs"))
    open_, out, done = workflow.place("open", external=True), workflow.place("out"), workflow.place("done")
    workflow.transition((kept & open_) >> out, "fetch", handler=pair, guard={kept: lucky})
    workflow.transition(jobs >> done, "work", handler=same)
    return workflow


def large(workflow: Workflow, **more: Iterable[object]) -> Driver:
    """Return an engine that has just started over a large instance, `one`, and a small one, `two`."""
    driver = Driver(workflow)
    driver.spawn(workflow, {"kept": [*range(KEPT)], **{name: [*values] for name, values in more.items()}})
    driver.spawn(workflow, {"kept": [100]}, instance="two", incarnation=8)
    driver.rest()
    return driver


def asleep(driver: Driver) -> Driver:
    """Start another engine, which reads few tokens at a time."""
    driver.crash()
    driver.kernel.portion = PORTION
    return driver


def put(value: object, instance: str = "one", place: str = "asked") -> Put:
    return Put(instance=instance, place=place, value=encode(value))


def test_others_go_on_while_a_large_instance_wakes() -> None:
    driver = asleep(large(matching()))
    large_one, small_one = driver.send(put(7)), driver.send(put(100, "two"))
    driver.run()
    assert small_one in driver.answers
    assert large_one not in driver.answers
    batches = 1
    while large_one not in driver.answers:
        assert driver.kernel.has_work
        assert driver.run().turns == (large_one in driver.answers), "a portion is no turn: a stop waits for none"
        batches += 1
    assert batches == -(-(KEPT + 1) // PORTION), "its header is read with the first portion"
    assert not driver.kernel.has_work
    assert driver.marking()["out"] == [(7, 7)]
    assert sorted(driver.marking()["kept"], key=repr) == sorted({*range(KEPT)} - {7}, key=repr)


def test_its_messages_are_handled_in_order_once_it_is_awake() -> None:
    driver = asleep(large(matching()))
    numbers = [driver.send(put(value)) for value in (3, 5)]
    driver.run()
    numbers += [driver.send(put(4)), driver.send(Cancel(instance="one", by="eva", why="enough"))]
    numbers.append(driver.send(put(6)))
    driver.rest()
    answered = [reply.reply for batch in driver.batches for reply in batch.replies if reply.reply in numbers]
    assert answered == numbers
    assert driver.marking()["out"] == [(3, 3), (5, 5), (4, 4)], "what came after the end of it is refused"


def test_what_came_first_is_handled_first_whatever_name_it_came_under() -> None:
    driver = asleep(large(judging(), jobs=["job"]))
    root = driver.store.get(address_key("one"))
    assert root is not None
    driver.run()
    assert isinstance(next(iter(driver.kernel.waiting_messages())), Recover)
    number = driver.send(put("another", place="jobs"))
    seen: list[str] = []
    while number not in driver.answers:
        driver.run()
        seen += [type(message).__name__ for message in driver.kernel.handled]
    assert seen.index("Put") < len(seen) - 1 - seen[::-1].index("Recover")  # taken, and put aside
    assert seen[-2:] == ["Recover", "Put"]


def test_several_large_instances_take_turns() -> None:
    driver = large(matching())
    driver.spawn(driver.workflows[0], {"kept": [*range(KEPT)]}, instance="three", incarnation=9)
    asleep(driver)
    numbers = [driver.send(put(1, name)) for name in ("one", "three")]
    ended: list[int] = []
    for batch in range(20):
        driver.run()
        ended += [batch for number in numbers if number in driver.answers][len(ended) :]
    assert len(ended) == 2
    assert ended[1] - ended[0] <= 1, "both are about as old, and as large"


def test_a_fault_on_the_way_begins_anew_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = asleep(large(matching()))
    number = driver.send(put(7))
    driver.run()
    driver.run()
    original = PlaceActor.load_all
    calls: list[PlaceActor] = []

    def failing(self: PlaceActor, *rest: object) -> None:
        calls.append(self)
        if len(calls) == 1:
            raise OSError("once")
        original(self, *rest)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - passed on as they came

    monkeypatch.setattr(PlaceActor, "load_all", failing)
    driver.rest()
    assert number in driver.answers
    assert len(calls) > KEPT // PORTION, "read from the beginning"
    assert driver.marking()["out"] == [(7, 7)]
    assert len(driver.marking()["kept"]) == KEPT - 1


def test_a_fault_that_does_not_go_away_is_the_business_of_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = asleep(large(matching()))
    number = driver.send(put(7))

    def failing(self: PlaceActor, *_rest: object) -> None:
        raise OSError("for ever")

    monkeypatch.setattr(PlaceActor, "load_all", failing)
    driver.rest()
    assert "for ever" in str(driver.answers[number])
    assert driver.state() is InstanceState.INCIDENT
    assert not driver.kernel.being_read()


def test_a_guard_that_raises_on_the_way_is_an_incident_once_it_is_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = asleep(large(judging()))
    monkeypatch.setattr("tests.actors.test_awakenings.UNLUCKY", (3, KEPT - 1))
    number = driver.send(put(None, place="open"))
    driver.run()
    while driver.kernel.being_read():
        assert not driver.view().incidents, "nothing is written on the way"
        driver.send(put("job", "two", "jobs"))  # its records come between
        driver.run()
    assert number in driver.answers
    assert [(one.token, one.failure.message) for one in driver.image().guard_incidents] == [(4, "3"), (18, "17")]
    assert driver.state() is InstanceState.INCIDENT
    assert driver.kinds().count("incident") == 2
    assert len(driver.history("one")) + len(driver.history("two")) == driver.kernel.history, "no record is overwritten"


def test_a_clean_stop_does_not_wait_for_it_and_does_not_hide_a_loss() -> None:
    driver = large(judging(), jobs=["job"])
    assert driver.started
    asleep(driver)
    driver.run()
    assert driver.kernel.being_read()
    driver.stop()  # clean, but the firing was lost before, in the crash
    driver.rest()
    assert (driver.firing().losses, driver.kinds().count("lost")) == (1, 1)


def test_what_runs_is_not_lost_by_a_clean_stop_in_the_midst_of_a_later_waking() -> None:
    driver = large(judging(), jobs=["job"])
    driver.stop()
    driver.kernel.portion = PORTION
    driver.run()
    assert driver.kernel.being_read()
    driver.stop()
    driver.rest()
    assert (driver.firing().losses, driver.firing().phase) == (0, Phase.RUNNING)


def test_suspects_wait_until_all_that_may_hold_one_are_awake() -> None:
    driver = large(judging(), jobs=["job"])
    for _ in range(3):
        driver.crash()
        driver.rest()
    asleep(driver)
    number = driver.send(put("job", "two", "jobs"))
    driver.run()
    assert driver.kernel.being_read()
    assert number in driver.answers
    assert not driver.started, "a suspect goes first, and is not known yet"
    driver.rest()
    assert driver.only().instance == "one"


def test_what_is_on_trial_keeps_the_executors_closed_until_it_is_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placet.actors.alone.TRIAL_BATCHES", 3)
    driver = large(judging(), jobs=["job"])
    suspects = Suspects(driver.store)
    suspects.add("one", "work", accompanied=True)  # never called, so never acquitted
    writes: dict[bytes, bytes | None] = {}
    suspects.write(writes)
    driver.store.commit(list(writes.items()))
    asleep(driver)
    driver.kernel.portion = 1
    driver.send(put("job", "two", "jobs"))
    driver.run()
    while driver.kernel.being_read():
        assert not driver.started
        driver.run()
    driver.rest()
    assert {start.instance for start in driver.started} == {"one", "two"}


def test_a_place_that_is_too_large_to_be_read_in_a_turn_sleeps_with_its_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("placet.actors.receive.MOST_READ_AT_ONCE", KEPT - 1)
    driver = large(matching())
    driver.kernel.portion = PORTION
    for message in (Sleep(instance="one", path="kept"), Restart(instance="one", path="kept")):
        driver.receipt(message)
        roots = driver.kernel.in_memory().values()
        assert "one" not in {workflow.header.instance for workflow in roots}
        driver.ask(message)
    monkeypatch.setattr("placet.actors.receive.MOST_READ_AT_ONCE", KEPT)
    driver.receipt(Sleep(instance="one", path="kept"))
    assert "one" in {workflow.header.instance for workflow in driver.kernel.in_memory().values()}
