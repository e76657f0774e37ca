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
from tests.actors.promises import Hand, outcome


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
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1, 2, 3]})
    while True:
        view = hand.view()
        free = sum(map(len, view.marking.values()))
        taken = len(view.firings)  # each takes one
        assert free + taken == 3
        if not hand.starts:
            break
        hand.finish()
    assert hand.marking() == {"p2": [3, 4, 5]}


@pytest.mark.parametrize("commits", range(4))
def test_a_crash_after_any_commit_ends_in_the_same_marking(commits: int) -> None:
    workflow = relay(3)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    for _ in range(commits):
        hand.finish()
    hand.crash()
    hand.finish_all()
    assert hand.marking() == {"p3": [4]}
    assert hand.kinds().count("fired") == 3


def test_nothing_of_a_batch_is_there_before_its_commit_and_all_of_it_after() -> None:
    workflow = relay(2, run="inline")
    hand = Hand(workflow)
    hand.kernel.deliver(hand.spawning(workflow, {"p0": [1]}))
    batch = hand.kernel.run(hand.now_s)
    assert not list(hand.store.scan(LIVE))
    hand.commit(batch)
    assert hand.state() is InstanceState.COMPLETED


def test_a_handler_is_released_only_by_the_commit_that_holds_its_choice() -> None:
    workflow = relay()
    hand = Hand(workflow)
    hand.kernel.deliver(hand.spawning(workflow, {"p0": [1]}))
    batch = hand.kernel.run(hand.now_s)
    (start,) = batch.starts["thread"]
    assert not hand.starts
    hand.commit(batch)
    (firing,) = hand.view().firings
    assert (firing.number, firing.phase, firing.attempt) == (start.number, Phase.RUNNING, start.attempt)


def test_a_result_that_was_not_committed_is_asked_for_again() -> None:
    workflow = relay(1)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    start = hand.taken()
    hand.kernel.deliver(outcome(start))
    hand.kernel.run(hand.now_s)  # handled, and never committed
    hand.crash()
    again = hand.finish()
    assert (again.number, again.attempt) == (start.number, start.attempt + 1)
    assert hand.kinds().count("fired") == 1


def test_a_stale_result_is_recorded_and_dropped() -> None:
    workflow = relay(1)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    late = hand.taken()
    hand.crash()
    hand.answer(late)
    assert hand.marking() == {}
    hand.finish()
    hand.answer(late)
    assert hand.marking() == {"p1": [2]}
    assert hand.kinds() == ["spawned", "lost", "stale", "fired", "completed", "stale"]


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

    hand = Hand(workflow)
    hand.spawn(workflow, {"begin": [1, 2]})
    hand.finish_all()
    hand.wait(2.0)
    hand.finish_all()
    first, second, third = seen
    assert first[0] == third[0]
    assert second[0] != first[0]
    assert (first[1], third[1]) == (1, 2)


def test_an_id_used_in_another_state_gives_other_firing_ids() -> None:
    workflow = relay(1)
    ids: set[str] = set()
    for incarnation in (1, 2):
        hand = Hand(workflow)
        hand.spawn(workflow, {"p0": [1]}, incarnation=incarnation)
        start = hand.taken()
        ids.add(f"{start.instance}#{start.incarnation}.{start.number}")
    assert len(ids) == 2


def test_no_slot_no_choice() -> None:
    workflow = relay(1)
    hand = Hand(workflow, slots=1)
    hand.spawn(workflow, {"p0": [1, 2]})
    assert len(hand.starts) == 1
    assert hand.marking() == {"p0": [2]}
    hand.finish()
    assert len(hand.starts) == 1


def test_recovery_asks_no_handler_whose_result_has_counted() -> None:
    calls: list[int] = []
    workflow = Workflow("w")
    places = workflow.places("a b c")

    def note(number: int) -> int:
        calls.append(number)
        return number + 1

    workflow.transition(places[0] >> places[1], "first", handler=note)
    workflow.transition(places[1] >> places[2], "second", handler=note)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    hand.crash()
    hand.finish_all()
    assert calls == [1, 2]


def test_a_state_goes_on_without_its_history() -> None:
    workflow = relay(2)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    hand.store.commit([(key, None) for key, _ in hand.store.scan(HISTORY)])
    hand.crash()
    hand.finish_all()
    assert hand.marking() == {"p2": [3]}


def test_a_step_writes_as_much_after_many_steps_as_after_few() -> None:
    workflow = Workflow("ring")
    a, b = workflow.places("a b")
    workflow.place("in", entry=True)
    workflow.transition(workflow["in"] >> a, "enter")
    for before, after, name in ((a, b, "there"), (b, a, "back")):
        workflow.transition(before >> after, name, handler=pos)
    hand = Hand(workflow)
    hand.spawn(workflow, {"in": [1]})

    def entries() -> int:
        hand.kernel.deliver(outcome(hand.taken()))
        batch = hand.kernel.run(hand.now_s)
        hand.commit(batch)
        return len(batch.writes)

    few = [entries() for _ in range(4)][2:]
    for _ in range(300):
        hand.finish()
    assert [entries(), entries()] == few
    assert len(list(hand.store.scan(LIVE))) == 2  # header and firing, whatever its age


def test_ten_steps_are_eleven_commits() -> None:
    workflow = relay(10)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    hand.finish_all()
    assert hand.state() is InstanceState.COMPLETED
    assert hand.commits == 11


def test_inline_firings_that_follow_each_other_share_one_commit() -> None:
    workflow = relay(10, run="inline")
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    assert hand.state() is InstanceState.COMPLETED
    assert hand.commits == 1


def test_an_inline_handler_runs_again_if_its_commit_does_not_happen() -> None:
    calls: list[int] = []
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "note", handler=calls.append, run="inline")
    hand = Hand(workflow)
    spawning = hand.spawning(workflow, {"a": [1]})
    for _ in range(2):
        hand.start()
        hand.kernel.deliver(spawning)
        hand.kernel.run(hand.now_s)
    assert calls == [1, 1]


def test_a_clean_stop_counts_nothing_against_what_runs() -> None:
    workflow = relay(1)
    hand = Hand(workflow)
    hand.spawn(workflow, {"p0": [1]})
    for attempt in range(2, 12):
        hand.taken()
        hand.restart()
        (firing,) = hand.view().firings
        assert (firing.losses, firing.attempt) == (0, attempt)
    hand.finish()
    assert hand.kinds() == ["spawned", "fired", "completed"]


def test_values_are_not_looked_at_where_nobody_asks_for_them() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "move")
    hand = Hand(workflow)
    hand.kernel.deliver(_with_value(hand, workflow, b"\x80 no pickle at all"))
    hand.run()
    assert hand.view("bad").marking == {"b": [b"\x80 no pickle at all"]}


def test_a_value_that_cannot_be_loaded_is_a_failure_and_the_engine_goes_on() -> None:
    workflow = relay(1)
    hand = Hand(workflow)
    hand.kernel.deliver(_with_value(hand, workflow, b"\x80 no pickle at all"))
    hand.spawn(workflow, {"p0": [1]}, id="other")
    hand.finish_all()
    (incident,) = hand.view("bad").incidents
    assert incident.failures[-1].type.endswith("ValueNotLoadable")
    assert hand.state("other") is InstanceState.COMPLETED


def _with_value(hand: Hand, workflow: Workflow, value: bytes) -> Spawn:
    """Return the message that spawns `bad` with bytes that no codec has made."""
    spawning = hand.spawning(workflow, {workflow.definition().net.places[0].name: [0]}, id="bad")
    ((place, _),) = spawning.tokens
    return msgspec.structs.replace(spawning, tokens=((place, value),))


def test_a_large_value_comes_back_and_its_chunks_go_with_it() -> None:
    workflow = relay(1)
    large = Workflow("large")
    a, b, c = large.places("a b c")
    large.transition(a >> b, "make", handler=bytes)
    large.transition(b >> c, "measure", handler=len)
    hand = Hand(workflow, large, store=MemoryStore())
    hand.spawn(large, {"a": [300_000]})
    hand.finish()
    (start,) = hand.starts
    assert len(start.tokens[0][2]) > 300_000
    hand.crash()
    hand.finish()
    assert hand.marking() == {"c": [300_000]}
    assert sum(len(value) for _, value in hand.store.scan(LIVE)) < 1_000
