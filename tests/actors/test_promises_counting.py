"""Promises about tokens, results and restarts: nothing lost, nothing doubled, each result once, no replay."""

from operator import pos

import msgspec
import pytest

from placet import Context, Retry, Workflow
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Spawn
from placet.actors.records import Phase
from placet.persistence.keys import HISTORY, LIVE
from placet.persistence.memory_store import MemoryStore
from tests.actors.driver import Driver, outcome


def relay(steps: int = 2, run: str = "thread") -> Workflow:
    """Return a row of steps, each of which adds one to a number."""
    workflow = Workflow("relay")
    places = workflow.places(" ".join(f"p{number}" for number in range(steps + 1)))

    def add(number: int) -> int:
        return number + 1

    for number in range(steps):
        workflow.transition(places[number] >> places[number + 1], f"t{number}", handler=add, run=run)
    return workflow


def test_a_token_is_free_or_taken_by_one_firing_at_every_commit() -> None:
    workflow = relay()
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1, 2, 3]})
    while True:
        view = driver.view()
        free = sum(map(len, view.marking.values()))
        taken = len(view.firings)  # each takes one
        assert free + taken == 3
        if not driver.started:
            break
        driver.finish()
    assert driver.marking() == {"p2": [3, 4, 5]}


@pytest.mark.parametrize("commits", range(4))
def test_a_crash_after_any_commit_ends_in_the_same_marking(commits: int) -> None:
    workflow = relay(3)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    for _ in range(commits):
        driver.finish()
    driver.crash()
    driver.rest()
    driver.finish_all()
    assert driver.marking() == {"p3": [4]}
    assert driver.kinds().count("fired") == 3


def test_nothing_of_a_batch_is_there_before_its_commit_and_all_of_it_after() -> None:
    workflow = relay(2, run="inline")
    driver = Driver(workflow)
    driver.kernel.deliver(driver.spawn_message(workflow, {"p0": [1]}))
    batch = driver.kernel.run(driver.clock.now_s)
    assert not list(driver.store.scan(LIVE))
    driver.settle(batch)
    assert driver.state() is InstanceState.COMPLETED


def test_a_handler_is_released_only_by_the_commit_that_holds_its_choice() -> None:
    workflow = relay()
    driver = Driver(workflow)
    driver.kernel.deliver(driver.spawn_message(workflow, {"p0": [1]}))
    batch = driver.kernel.run(driver.clock.now_s)
    (start,) = batch.starts["thread"]
    assert not driver.started
    driver.settle(batch)
    (firing,) = driver.view().firings
    assert (firing.number, firing.phase, firing.attempt) == (start.number, Phase.RUNNING, start.attempt)


def test_a_result_that_was_not_committed_is_asked_for_again() -> None:
    workflow = relay(1)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    start = driver.taken()
    driver.kernel.deliver(outcome(start))
    driver.kernel.run(driver.clock.now_s)  # handled, and never committed
    driver.crash()
    driver.rest()
    again = driver.finish()
    assert (again.number, again.attempt) == (start.number, start.attempt + 1)
    assert driver.kinds().count("fired") == 1


def test_a_stale_result_is_recorded_and_dropped() -> None:
    workflow = relay(1)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    late = driver.taken()
    driver.crash()
    driver.rest()
    driver.answer(late)
    driver.rest()
    assert driver.marking() == {}
    driver.finish()
    driver.answer(late)
    driver.rest()
    assert driver.marking() == {"p1": [2]}
    assert driver.kinds() == ["spawned", "lost", "stale", "fired", "completed", "stale"]


def test_every_attempt_of_a_firing_has_the_same_id_and_no_other_firing_has_it() -> None:
    seen: list[tuple[str, int]] = []
    workflow = Workflow("w")
    begin, done = workflow.places("begin done")

    @workflow.transition(begin >> done, retry=Retry(attempts=2, first_s=1.0))
    def work(number: int, context: Context) -> int:
        seen.append((context.firing_id, context.attempt))
        if number == 1 and context.attempt == 1:
            raise ValueError(number)
        return number

    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1, 2]})
    driver.finish_all()
    driver.pass_time(2.0)
    driver.finish_all()
    first, second, third = seen
    assert first[0] == third[0]
    assert second[0] != first[0]
    assert (first[1], third[1]) == (1, 2)


def test_an_id_used_in_another_state_gives_other_firing_ids() -> None:
    workflow = relay(1)
    ids: set[str] = set()
    for incarnation in (1, 2):
        driver = Driver(workflow)
        driver.spawn(workflow, {"p0": [1]}, incarnation=incarnation)
        start = driver.taken()
        ids.add(f"{start.instance}#{start.incarnation}.{start.number}")
    assert len(ids) == 2


def test_no_slot_no_choice() -> None:
    workflow = relay(1)
    driver = Driver(workflow, slots=1)
    driver.spawn(workflow, {"p0": [1, 2]})
    assert len(driver.started) == 1
    assert driver.marking() == {"p0": [2]}
    driver.finish()
    assert len(driver.started) == 1


def test_recovery_asks_no_handler_whose_result_has_counted() -> None:
    calls: list[int] = []
    workflow = Workflow("w")
    places = workflow.places("a b c")

    def note(number: int) -> int:
        calls.append(number)
        return number + 1

    workflow.transition(places[0] >> places[1], "first", handler=note)
    workflow.transition(places[1] >> places[2], "second", handler=note)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    driver.crash()
    driver.rest()
    driver.finish_all()
    assert calls == [1, 2]


def test_a_state_goes_on_without_its_history() -> None:
    workflow = relay(2)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    driver.store.commit([(key, None) for key, _ in driver.store.scan(HISTORY)])
    driver.crash()
    driver.rest()
    driver.finish_all()
    assert driver.marking() == {"p2": [3]}


def test_a_step_writes_as_much_after_many_steps_as_after_few() -> None:
    workflow = Workflow("ring")
    a, b = workflow.places("a b")
    workflow.place("in", entry=True)
    workflow.transition(workflow["in"] >> a, "enter")
    for before, after, name in ((a, b, "there"), (b, a, "back")):
        workflow.transition(before >> after, name, handler=pos)
    driver = Driver(workflow)
    driver.spawn(workflow, {"in": [1]})

    def entries() -> int:
        driver.kernel.deliver(outcome(driver.taken()))
        batch = driver.kernel.run(driver.clock.now_s)
        driver.settle(batch)
        return len(batch.writes)

    few = [entries() for _ in range(4)][2:]
    for _ in range(300):
        driver.finish()
    assert [entries(), entries()] == few
    assert len(list(driver.store.scan(LIVE))) == 2  # header and firing, whatever its age


def test_ten_steps_are_eleven_commits() -> None:
    workflow = relay(10)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED
    assert len(driver.commits) == 11


def test_inline_firings_that_follow_each_other_share_one_commit() -> None:
    workflow = relay(10, run="inline")
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    assert driver.state() is InstanceState.COMPLETED
    assert len(driver.commits) == 1


def test_an_inline_handler_runs_again_if_its_commit_does_not_happen() -> None:
    calls: list[int] = []
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "note", handler=calls.append, run="inline")
    driver = Driver(workflow)
    spawning = driver.spawn_message(workflow, {"a": [1]})
    for _ in range(2):
        driver.start()
        driver.kernel.deliver(spawning)
        driver.kernel.run(driver.clock.now_s)
    assert calls == [1, 1]


def test_a_clean_stop_counts_nothing_against_what_runs() -> None:
    workflow = relay(1)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    for attempt in range(2, 12):
        driver.taken()
        driver.stop()
        driver.rest()
        (firing,) = driver.view().firings
        assert (firing.losses, firing.attempt) == (0, attempt)
    driver.finish()
    assert driver.kinds() == ["spawned", "fired", "completed"]


def test_values_are_not_looked_at_where_nobody_asks_for_them() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "move")
    driver = Driver(workflow)
    driver.kernel.deliver(_with_value(driver, workflow, b"\x80 no pickle at all"))
    driver.rest()
    assert driver.view("bad").marking == {"b": [b"\x80 no pickle at all"]}


def test_a_value_that_cannot_be_loaded_is_a_failure_and_the_engine_goes_on() -> None:
    workflow = relay(1)
    driver = Driver(workflow)
    driver.kernel.deliver(_with_value(driver, workflow, b"\x80 no pickle at all"))
    driver.spawn(workflow, {"p0": [1]}, instance="other")
    driver.finish_all()
    (incident,) = driver.view("bad").incidents
    assert incident.failures[-1].type.endswith("ValueNotLoadable")
    assert driver.state("other") is InstanceState.COMPLETED


def _with_value(driver: Driver, workflow: Workflow, value: bytes) -> Spawn:
    """Return the message that spawns `bad` with bytes that no codec has made."""
    spawning = driver.spawn_message(workflow, {workflow.definition().net.places[0].name: [0]}, instance="bad")
    ((place, _),) = spawning.tokens
    return msgspec.structs.replace(spawning, tokens=((place, value),))


def test_a_large_value_comes_back_and_its_chunks_go_with_it() -> None:
    workflow = relay(1)
    large = Workflow("large")
    a, b, c = large.places("a b c")
    large.transition(a >> b, "make", handler=bytes)
    large.transition(b >> c, "measure", handler=len)
    driver = Driver(workflow, large, store=MemoryStore())
    driver.spawn(large, {"a": [300_000]})
    driver.finish()
    (start,) = driver.started
    assert len(start.tokens[0][2]) > 300_000
    driver.crash()
    driver.rest()
    driver.finish()
    assert driver.marking() == {"c": [300_000]}
    assert sum(len(value) for _, value in driver.store.scan(LIVE)) < 1_000
