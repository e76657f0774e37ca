"""The tools a simulation is made of, one by one."""

from random import Random

import pytest

from placet.persistence.errors import StoreFailed, StoreFull
from placet.petri.enabling import enabled
from placet.petri.plan import make_plan
from placet.testing.clock import ManualClock
from placet.testing.errors import Violation, require
from placet.testing.functions import FUEL, TagGuard, World, number_of
from placet.testing.nets import Taste, random_definition
from placet.testing.probes import ActorFault, Probe
from placet.testing.store import CommitFault, Crashed, FaultyStore

BATCH = [(b"Lkey", b"value"), (b"Lother", b"more")]


def test_the_clock_moves_only_forward() -> None:
    clock = ManualClock(5.0)
    assert (clock.advance(1.5), clock.advance_to(3.0), clock.advance_to(8.0)) == (6.5, 6.5, 8.0)
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1.0)


@pytest.mark.parametrize(
    ("fault", "error", "is_written"),
    [
        (None, None, True),
        (CommitFault.FULL, StoreFull, False),
        (CommitFault.FAILED, StoreFailed, False),
        (CommitFault.FAILED_LATE, StoreFailed, True),
        (CommitFault.CRASH_UNWRITTEN, Crashed, False),
        (CommitFault.CRASH_WRITTEN, Crashed, True),
    ],
)
def test_a_commit_fails_as_told_and_is_whole_or_nothing(
    fault: CommitFault | None, error: type[BaseException] | None, is_written: bool
) -> None:
    store = FaultyStore()
    heard: list[object] = []
    store.committed = heard.append
    store.fault = fault
    if error is None:
        store.commit(BATCH)
    else:
        with pytest.raises(error):
            store.commit(BATCH)
    assert [store.get(key) for key, _ in BATCH] == ([value for _, value in BATCH] if is_written else [None, None])
    assert len(heard) == store.commits == is_written
    store.commit(BATCH)  # a fault is used up by one commit
    assert store.get(b"Lkey") == b"value"


def test_faults_come_at_the_call_they_are_planted_at() -> None:
    probe = Probe()
    probe.arm(after_calls=2, faults=2, period=2)
    raised: list[int] = []
    for call in range(8):
        try:
            probe.call()
        except ActorFault:
            raised.append(call)
    assert raised == [2, 4]


def test_a_crash_is_no_exception_that_actors_could_catch() -> None:
    assert not issubclass(Crashed, Exception)


def test_a_broken_promise_says_which_and_by_what() -> None:
    with pytest.raises(Violation, match="P1: a token is in one place: token 7") as caught:
        require([], "P1: a token is in one place", "token 7")
    assert caught.value.args == ("P1: a token is in one place", "token 7")
    require([0], "holds", "")


def test_generated_definitions_are_many_and_hold_every_construct() -> None:
    seen: set[str] = set()
    for seed in range(120):
        random = Random(seed)
        definition = random_definition(random, "w", World(seed), Taste.draw(random))
        plan = make_plan(definition.net, definition.behaviours)
        entries = {place.index: [(1, FUEL * tag) for tag in range(9)] for place in plan.places if place.is_entry}
        assert entries
        for transition in plan.transitions:
            behaviour = transition.behaviour
            assert behaviour is not None
            seen.add(transition.executor)
            seen |= {"join"} if len(transition.inputs) > 1 else set()
            seen |= {"choice"} if transition.choice else {"fork"} if len(transition.outputs) > 1 else set()
            seen |= {"sink"} if not transition.outputs else set()
            seen |= {"weighted"} if not transition.plain_inputs else set()
            seen |= {"guarded"} if any(arc.guarded for arc in transition.inputs) else set()
            seen |= {"retried"} if behaviour.retry else set()
            seen |= {"timed"} if behaviour.timeout_s else set()
            seen |= {"passing"} if behaviour.handler is None else set()
            seen |= {"nested"} if transition.composite else set()
            seen |= {"keyed"} if transition.keyed else set()
            seen |= {"reading"} if transition.reads else set()
            seen |= {"inhibited"} if transition.inhibitors else set()
            seen |= {"resetting"} if transition.resets else set()
            seen |= {"bounded"} if transition.bounds else set()
            seen |= {"delayed"} if transition.delay_s else set()
            seen |= {"diverted"} if transition.error >= 0 else set()
            seen |= {"limited"} if behaviour.deadline_s else set()
            seen |= {"rivals"} if any(len(plan.places[arc.place].consumers) > 1 for arc in transition.inputs) else set()
        seen |= {"enabled"} if enabled(plan, entries) else set()
    assert seen == {
        "inline", "thread", "join", "choice", "fork", "sink", "weighted", "guarded", "retried", "timed", "passing",
        "nested", "rivals", "enabled", "person", "keyed", "reading", "inhibited", "resetting", "bounded", "delayed",
        "diverted", "limited",
    }  # fmt: skip


def test_the_same_seed_draws_the_same_definition() -> None:
    nets = [random_definition(Random(9), "w", World(9), Taste.draw(Random(1))).net for _ in range(2)]
    assert nets[0] == nets[1]


def test_a_guard_that_raises_lets_nothing_through() -> None:
    guard = TagGuard(modulus=3, refused=0, raises_at=4)
    verdicts = {tag: guard.lets(tag * FUEL) for tag in range(6)}
    assert verdicts == {0: False, 1: True, 2: True, 3: False, 4: False, 5: True}
    assert number_of((4 * FUEL + 1, b"bulk")) == 4 * FUEL + 1
