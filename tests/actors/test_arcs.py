"""What each kind of arc, join keys, capacities, delays and deadlines mean: seen from outside, in virtual time."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from placet import FailedFiring, Retry, Workflow
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, RetryIncident
from placet.persistence.blobs import INLINE_BYTES
from placet.persistence.values import encode
from placet.petri.errors import DefinitionError
from tests.actors.driver import Driver


def same(value: object) -> object:
    return value


def both(*values: object) -> object:
    return list(values)


def failing(_value: object) -> object:
    raise ValueError("no")


# -- read -------------------------------------------------------------------------------------------------------


def reading() -> Workflow:
    workflow = Workflow("reading")
    order, rates, done = workflow.places("order rates done")
    workflow.place("bin", entry=True)
    workflow.transition((rates.read() & order) >> done, "price", handler=both)
    workflow.transition((rates & workflow["bin"]) >> done, "drop", handler=both)
    return workflow


def test_a_read_arc_gives_the_value_and_leaves_the_token() -> None:
    driver = Driver(workflow := reading())
    tokens: dict[str, list[object]] = {"order": [1, 2], "rates": ["r"]}
    driver.spawn(workflow, tokens)
    driver.finish_all()
    assert driver.marking() == {"rates": ["r"], "done": [["r", 1], ["r", 2]]}


def test_without_a_token_to_read_nothing_fires_and_the_reason_is_told() -> None:
    driver = Driver(workflow := reading())
    driver.spawn(workflow, {"order": [1]})
    assert driver.state() is InstanceState.STUCK
    detail = driver.history()[-1].detail
    assert isinstance(detail, dict)
    assert "rates" in str(detail["price"])


def test_what_was_read_stays_readable_for_every_attempt_though_the_token_is_gone() -> None:
    large = "r" * (INLINE_BYTES + 1)
    driver = Driver(workflow := reading())
    tokens: dict[str, list[object]] = {"order": [1], "rates": [large]}
    driver.spawn(workflow, tokens)
    driver.taken("price")
    driver.spawn(workflow, {}, instance="other")
    driver.crash()
    driver.rest()
    driver.finish("price")
    assert driver.marking()["done"] == [[large, 1]]


# -- inhibitor --------------------------------------------------------------------------------------------------


def test_an_inhibitor_arc_keeps_a_transition_from_firing_until_the_place_is_empty() -> None:
    workflow = Workflow("inhibited")
    todo, busy, done, freed = workflow.places("todo busy done freed")
    workflow.transition((todo & busy.inhibit()) >> done, "work", handler=same)
    workflow.transition(busy >> freed, "free", handler=same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"todo": [1], "busy": [2]})
    assert [start.transition.path for start in driver.started] == ["free", "work"]  # a token that is taken is not there
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED


def test_an_inhibitor_arc_counts_up_to_its_weight_and_is_named_where_it_makes_an_instance_stuck() -> None:
    workflow = Workflow("inhibited")
    todo, busy, done = workflow.places("todo busy done")
    never = workflow.place("never", entry=True)
    workflow.transition((todo & busy.inhibit(2)) >> done, "work", handler=same, run="inline")
    workflow.transition((busy & never) >> done, "free", handler=both)
    driver = Driver(workflow)
    driver.spawn(workflow, {"todo": [1], "busy": [2]}, instance="one")
    assert driver.marking("one") == {"busy": [2], "done": [1]}
    driver.spawn(workflow, {"todo": [1], "busy": [2, 3]}, instance="two")
    detail = driver.history("two")[-1].detail
    assert driver.state("two") is InstanceState.STUCK
    assert isinstance(detail, dict)
    assert detail["work"] == "inhibited by busy"


# -- reset ------------------------------------------------------------------------------------------------------


def test_a_reset_arc_empties_its_place_when_the_result_counts_and_not_before() -> None:
    workflow = Workflow("resetting")
    go, queue, done, never = workflow.places("go queue done never")
    workflow.transition((go & queue.reset()) >> done, "clear", handler=same)
    workflow.transition((queue & never) >> done, "use", handler=both)
    workflow.transition(done >> never, "back", guard=lambda _value: False)
    driver = Driver(workflow)
    driver.spawn(workflow, {"go": [1], "queue": [2, 3]})
    assert driver.marking() == {"queue": [2, 3]}
    driver.finish("clear")
    assert driver.marking() == {"done": [1]}
    (fired,) = [record for record in driver.history() if record.kind == "fired"]
    assert len(fired.consumed) == 3


# -- join keys --------------------------------------------------------------------------------------------------


def joined(key: Callable[[tuple[str, int]], object]) -> Workflow:
    workflow = Workflow("joined")
    left, right, done = workflow.places("left right done")
    workflow.transition((left & right) >> done, "join", handler=both, key=key, run="inline")
    return workflow


def test_a_join_takes_tokens_with_equal_keys_and_the_oldest_first() -> None:
    workflow = joined(lambda value: value[0])
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [("a", 1), ("b", 1), ("b", 2)], "right": [("b", 3), ("c", 3), ("a", 3)]})
    assert driver.marking()["done"] == [[("a", 1), ("a", 3)], [("b", 1), ("b", 3)]]
    assert driver.state() is InstanceState.STUCK
    detail = driver.history()[-1].detail
    assert isinstance(detail, dict)
    assert detail["join"] == "no tokens with equal join keys"


def nested(depth: int) -> object:
    key: object = "a"
    for _ in range(depth):
        key = (key,)
    return key


def test_a_key_of_tuples_within_tuples_is_taken_to_a_depth() -> None:
    driver = Driver(joined(lambda value: nested(value[1])))
    driver.spawn(driver.workflows[0], {"left": [("a", 100)], "right": [("b", 100)]})
    assert driver.state() is InstanceState.COMPLETED
    driver = Driver(joined(lambda value: nested(value[1])))
    driver.spawn(driver.workflows[0], {"left": [("a", 100_000)], "right": []})
    (incident,) = driver.view().incidents
    assert "at most 100 deep" in incident.failures[-1].message


def test_a_key_whose_equality_is_up_to_user_code_is_an_incident() -> None:
    workflow = joined(lambda _value: [])
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [("a", 1)], "right": [("a", 2)]})
    assert driver.state() is InstanceState.INCIDENT
    assert len(driver.view().incidents) == 2


# -- capacity ---------------------------------------------------------------------------------------------------


def bounded(capacity: int) -> Workflow:
    workflow = Workflow("bounded")
    todo = workflow.place("todo")
    desk = workflow.place("desk", capacity=capacity)
    done = workflow.place("done")
    workflow.transition(todo >> desk, "bring", handler=same)
    workflow.transition(desk >> done, "sign", handler=same)
    return workflow


def test_firings_under_way_count_against_the_capacity_of_their_output() -> None:
    driver = Driver(workflow := bounded(2))
    driver.spawn(workflow, {"todo": [1, 2, 3]})
    assert [start.transition.path for start in driver.started] == ["bring", "bring"]
    driver.finish("bring")
    assert [start.transition.path for start in driver.started] == ["bring", "sign", "bring"]
    driver.crash()
    driver.rest()
    assert sorted(start.transition.path for start in driver.started) == ["bring", "bring", "sign"]
    driver.finish_all()
    assert driver.marking() == {"done": [1, 2, 3]}


def test_a_full_output_is_named_where_it_makes_an_instance_stuck() -> None:
    workflow = Workflow("full")
    todo = workflow.place("todo", entry=True)
    desk = workflow.place("desk", capacity=1)
    never = workflow.place("never")
    workflow.transition(todo >> desk, "bring", handler=same, run="inline")
    workflow.transition((desk & never) >> todo, "sign", handler=both)
    driver = Driver(workflow)
    driver.spawn(workflow, {"todo": [1, 2]})
    detail = driver.history()[-1].detail
    assert driver.state() is InstanceState.STUCK
    assert isinstance(detail, dict)
    assert "no room in desk" in str(detail["bring"])


# -- delays -----------------------------------------------------------------------------------------------------


def delayed() -> Workflow:
    workflow = Workflow("delayed")
    asked, answered, escalated = workflow.places("asked answered escalated")
    yes = workflow.place("yes", external=True)
    workflow.transition((asked & yes) >> answered, "answer", handler=both, run="inline")
    workflow.transition(asked >> escalated, "escalate", delay_s=60.0)
    return workflow


def test_a_delay_is_counted_from_the_arrival_of_each_token_also_over_a_crash() -> None:
    driver = Driver(workflow := delayed())
    driver.spawn(workflow, {"asked": [1]})
    assert driver.state() is InstanceState.WAITING
    driver.pass_time(59.0)
    assert driver.marking() == {"asked": [1]}
    driver.crash()
    driver.rest()
    driver.pass_time(0.5)
    assert driver.marking() == {"asked": [1]}
    driver.pass_time(0.6)
    assert driver.marking() == {"escalated": [1]}
    assert driver.state() is InstanceState.COMPLETED


def test_a_token_put_back_need_not_wait_anew() -> None:
    workflow = Workflow("again")
    asked, answered, escalated = workflow.places("asked answered escalated")
    workflow.transition(asked >> answered, "answer", handler=failing, retry=Retry(attempts=9, first_s=50.0))
    workflow.transition(asked >> escalated, "escalate", delay_s=60.0)
    driver = Driver(workflow)
    driver.spawn(workflow, {"asked": [1]})
    driver.finish()  # it backs off, and has the token
    driver.ask(Cancel(instance="one", by="eva"))
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"asked": [1]}


# -- deadlines and error arcs -----------------------------------------------------------------------------------


def with_error(**options: object) -> Workflow:
    workflow = Workflow("erring")
    begin, done, failed, told = workflow.places("begin done failed told")
    workflow.transition(begin >> done, "work", handler=failing, error=failed, **options)  # type: ignore[arg-type]  # a test's options  # pyright: ignore[reportArgumentType]  # likewise
    workflow.transition(failed >> told, "tell", handler=told_of, run="inline")
    return workflow


def told_of(failed: FailedFiring) -> object:
    return (failed.transition, failed.type, failed.message, failed.attempts, failed.values)


def test_what_failed_for_good_goes_along_the_error_arc_with_its_inputs() -> None:
    driver = Driver(workflow := with_error(retry=Retry(attempts=2, first_s=1.0)))
    driver.spawn(workflow, {"begin": [5]})
    driver.finish()
    driver.pass_time(5.0)
    driver.finish()
    assert driver.marking() == {"told": [("work", "ValueError", "no", 2, (5,))]}
    assert driver.state() is InstanceState.COMPLETED
    assert "incident" not in driver.kinds()


def test_a_deadline_holds_for_all_attempts_together() -> None:
    retry = Retry(attempts=99, first_s=4.0, factor=1.0, jitter=0.0)
    driver = Driver(workflow := with_error(retry=retry, deadline_s=10.0))
    driver.spawn(workflow, {"begin": [5]})
    attempts = 0
    while driver.started:
        driver.finish()
        attempts += 1
        driver.pass_time(4.5)
    assert attempts == 3
    assert driver.state() is InstanceState.COMPLETED


def test_a_running_attempt_ends_at_the_deadline() -> None:
    workflow = Workflow("late")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=same, deadline_s=10.0, timeout_s=60.0)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [5]})
    driver.pass_time(9.0)
    assert not driver.expired
    driver.pass_time(1.5)
    assert len(driver.expired) == 1


def test_an_attempt_lost_beyond_the_deadline_is_not_tried_again_until_a_person_says_so() -> None:
    workflow = Workflow("late")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=same, deadline_s=10.0)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [5]})
    driver.clock.now_s += 20.0
    driver.crash()
    driver.rest()
    (incident,) = driver.view().incidents
    assert incident.failures[-1].type == "DeadlinePassed"
    driver.ask(RetryIncident(instance="one", by="eva", incident=incident.number))
    driver.finish()
    assert driver.state() is InstanceState.COMPLETED


class Nonsense:
    """A retry policy that answers what it should not, or raises."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def delay_s(self, failures: int, exception_types: tuple[str, ...], salt: int) -> float | None:  # noqa: ARG002  # the protocol's
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # that is the point


@pytest.mark.parametrize(
    "answer", [float("nan"), float("inf"), -1.0, Decimal("0.5"), "soon", SystemExit(3), ValueError("broken")]
)
def test_a_retry_policy_that_answers_nonsense_has_given_up(answer: object) -> None:
    workflow = Workflow("policy")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=failing, retry=Nonsense(answer))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [5]})
    driver.finish()
    (incident,) = driver.view().incidents
    first, second = incident.failures
    assert first.type == "ValueError"
    assert second.type in ("ValueError", "TypeError", "SystemExit")


# -- definitions ------------------------------------------------------------------------------------------------


def test_mistakes_with_arcs_are_refused_where_they_are_made() -> None:
    workflow = Workflow("wrong")
    a, b, c = workflow.places("a b c")
    with pytest.raises(DefinitionError, match="stands among outputs"):
        workflow.transition(a >> (b & c.read()), "x")
    with pytest.raises(DefinitionError, match="an input to take from"):
        workflow.transition(a.read() >> b, "x")
    with pytest.raises(DefinitionError, match="whole number"):
        a.inhibit(0)
    with pytest.raises(DefinitionError, match="capacity=0"):
        workflow.place("d", capacity=0)
    with pytest.raises(DefinitionError, match="inline handler has no deadline"):
        workflow.transition(a >> b, "x", handler=same, run="inline", deadline_s=1.0)


def test_an_error_place_may_not_be_bounded() -> None:
    workflow = Workflow("wrong")
    a, b = workflow.places("a b")
    failed = workflow.place("failed", capacity=1)
    workflow.transition(a >> b, "work", handler=same, error=failed)
    with pytest.raises(DefinitionError, match="a failure must always find room"):
        workflow.definition()


def test_a_failed_firing_shows_no_encoded_values() -> None:
    failed = FailedFiring(transition="pack", type="ValueError", message="no", attempts=1, encoded=(encode(7),))
    assert repr(failed) == "FailedFiring(transition='pack', type='ValueError', message='no', attempts=1)"
    assert failed.values == (7,)
