"""Turns, batches and commits: what is atomic, what reaches the disk, and when."""

from placet.actors.answers import Refused, Spawned
from placet.persistence.keys import FIRING, LIVE, TOKEN, split_entry
from placet.persistence.store import Write
from tests.actors.driver import Driver
from tests.actors.flows import chain, single


def kinds_of(writes: list[Write]) -> list[int]:
    """Return the kinds of the live entries among `writes`."""
    return sorted(split_entry(key)[1] for key, _ in writes if key[:1] == LIVE)


def test_inline_steps_share_one_commit_and_leave_no_trace_of_what_was_born_and_gone() -> None:
    driver = Driver(chain(10, run="inline"))
    driver.spawn(driver.workflows[0], {"p0": [1]})
    assert driver.state() == "completed"
    assert len(driver.commits) == 1
    writes = dict(driver.commits[0])
    assert None not in writes.values()
    assert kinds_of(driver.commits[0]).count(TOKEN) == 1
    assert kinds_of(driver.commits[0]).count(FIRING) == 0


def test_a_token_that_was_on_disk_before_is_deleted_there() -> None:
    driver = Driver(chain(1))
    driver.spawn(driver.workflows[0], {"p0": [1]})
    firings = {key for key, value in driver.commits[0] if value and key[:1] == LIVE and split_entry(key)[1] == FIRING}
    driver.answer_all()
    driver.rest()
    assert {key for key, value in driver.commits[1] if value is None} == firings


def test_many_instances_share_a_commit() -> None:
    driver = Driver(chain(1))
    for number in range(50):
        driver.send(driver.spawn_message(driver.workflows[0], {"p0": [1]}, f"i{number}"))
    driver.rest()
    assert (len(driver.commits), driver.batches[0].turns, len(driver.started)) == (1, 50, 50)
    driver.answer_all()
    driver.rest()
    assert len(driver.commits) == 2
    assert all(driver.state(f"i{number}") == "completed" for number in range(50))


def test_the_budget_bounds_a_batch_and_the_rest_comes_next() -> None:
    driver = Driver(chain(1))
    for number in range(5):
        driver.send(driver.spawn_message(driver.workflows[0], {"p0": [1]}, f"i{number}"))
    assert driver.run(budget=2).turns == 2
    assert driver.kernel.has_work
    driver.rest()
    assert len(driver.started) == 5


def test_the_budget_counts_inline_firings_and_no_instance_holds_the_kernel() -> None:
    driver = Driver(chain(200, run="inline"))
    driver.send(driver.spawn_message(driver.workflows[0], {"p0": [1]}, "long"))
    driver.send(driver.spawn_message(driver.workflows[0], {"p0": [1]}, "late"))
    batch = driver.run(budget=2)
    assert batch.fired == 64
    driver.run(budget=2)
    assert driver.image("late").header.fired == 64
    driver.rest()
    assert driver.state("long") == driver.state("late") == "completed"


def test_nothing_is_released_before_its_commit() -> None:
    driver = Driver(chain(1))
    driver.send(driver.spawn_message(driver.workflows[0], {"p0": [1]}, "one"))
    batch = driver.kernel.run(driver.clock.now())
    assert (len(batch.starts["thread"]), len(batch.replies)) == (1, 1)
    assert list(driver.store.scan(LIVE)) == []
    driver.settle(batch)
    (start,) = driver.started
    assert driver.firing().attempt == start.attempt == 1


def test_spawning_again_with_the_same_inputs_finds_the_instance() -> None:
    driver = Driver(single())
    first = driver.ask(driver.spawn_message(driver.workflows[0], {"a": [1]}, "one"))
    second = driver.ask(driver.spawn_message(driver.workflows[0], {"a": [1]}, "one"))
    assert isinstance(first, Spawned)
    assert second == Spawned(instance="one", root=first.root, already=True)
    assert len(driver.commits) == 1


def test_spawning_twice_in_one_batch_makes_one_instance() -> None:
    driver = Driver(single())
    for _ in range(2):
        driver.send(driver.spawn_message(driver.workflows[0], {"a": [1]}, "one"))
    driver.rest()
    assert len(driver.started) == 1


def test_spawning_with_other_inputs_is_refused() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    answer = driver.ask(driver.spawn_message(driver.workflows[0], {"a": [2]}, "one"))
    assert isinstance(answer, Refused)
    assert answer.code == "conflict"


def test_the_answer_to_a_spawn_holds_across_a_crash() -> None:
    driver = Driver(single())
    root = driver.spawn(driver.workflows[0], {"a": [1]})
    driver.crash()
    assert driver.spawn(driver.workflows[0], {"a": [1]}) == root


def test_roots_are_never_given_out_twice() -> None:
    driver = Driver(single())
    roots = set[bytes]()
    for number in range(30):
        roots.add(driver.spawn(driver.workflows[0], {"a": [1]}, f"i{number}"))
        driver.crash()
    assert len(roots) == 30


def test_engine_time_never_goes_back() -> None:
    driver = Driver(single())
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.clock.now_s -= 500.0
    driver.finish_all()
    times = [record.at for record in driver.history()]
    assert times == sorted(times)
    assert driver.kernel.stamp.engine_s >= times[-1]


def test_large_values_pass_through_several_steps() -> None:
    driver = Driver(chain(3, run="inline"), slots=1)
    value = b"x" * 200_000
    driver.spawn(driver.workflows[0], {"p0": [value]})
    image = driver.image()
    assert driver.state() == "completed"
    ((stored,),) = [list(tokens.values()) for tokens in image.places.values()]
    assert len(stored) < 100
    chunks = [key for key, _ in driver.store.scan(image.root) if split_entry(key)[1] == 6]
    assert len(chunks) == 1
