"""Called composites: a child instance for each firing, and a parent that waits for what it returns."""

from typing import Never

import pytest

from placet import DefinitionError, Near, Retry, Spread, Workflow
from placet.actors import calls
from placet.actors.calls import CHILD_CANCELLED, CHILD_FAILED, NOT_CALLED, WRONG_RESULT
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, Decide, FailIncident, Inspect, Pause, Resume, RetryIncident
from placet.actors.reader import StateReader
from placet.actors.records import TIMED_OUT, Phase
from placet.actors.task_id import TaskId
from placet.persistence.keys import OUTBOX, shard_of
from placet.petri.expression import PlaceRef
from tests.actors.driver import Driver

S = InstanceState


def double(value: int) -> int:
    return value * 2


def raises(_value: object) -> Never:
    raise ValueError("never")


def fulfil() -> Workflow:
    workflow = Workflow("fulfil")
    items, packed = workflow.places("items packed")
    workflow.transition(items >> packed, "pack", handler=double)
    return workflow


def orders(
    child: Workflow | str,
    *,
    timeout_s: float | None = None,
    retry: Retry | None = None,
    error: bool = False,
    placement: Near | Spread = Spread(),  # noqa: B008 - it is frozen
) -> Workflow:
    workflow = Workflow("orders")
    received, filled = workflow.places("received filled")
    failed: PlaceRef | None = workflow.place("failed") if error else None
    workflow.call(
        received >> filled, "fulfil", child, timeout_s=timeout_s, retry=retry, error=failed, placement=placement
    )
    return workflow


def called(workflow: Workflow, value: object = 1) -> Driver:
    driver = Driver(workflow)
    driver.spawn(workflow, {"received": [value]})
    driver.rest()
    return driver


CHILD = "one/fulfil.2"


def only_type(driver: Driver) -> str:
    return driver.firing().failures[-1].type


def test_a_call_gives_its_values_to_a_child_and_takes_what_it_returns() -> None:
    driver = called(orders(fulfil()), 21)
    assert (driver.state(), driver.phase(), driver.view().firings[0].child) == (S.RUNNING, Phase.CALLED, CHILD)
    assert driver.only().instance == CHILD
    driver.finish_all()
    assert (driver.state(CHILD), driver.marking(CHILD)) == (S.COMPLETED, {"packed": [42]})
    assert (driver.state(), driver.marking()) == (S.COMPLETED, {"filled": [42]})
    assert driver.kinds() == ["spawned", "called", "fired", "completed"]
    assert not list(driver.store.scan(OUTBOX)), "what had its effect leaves the outbox"


@pytest.mark.parametrize(("placement", "where"), [(Near(), "one"), (Near("order-9"), "order-9")])
def test_a_child_that_is_to_be_near_lives_in_that_shard_and_is_found_by_its_id(placement: Near, where: str) -> None:
    driver = called(orders(fulfil(), placement=placement), 21)
    child = driver.view().firings[0].child
    assert child.startswith(f"{CHILD}+")
    assert shard_of(child) == shard_of(where) != shard_of(CHILD)
    driver.finish_all()
    assert (driver.state(child), driver.marking()) == (S.COMPLETED, {"filled": [42]})


def test_a_child_that_is_near_is_cancelled_and_another_attempt_has_one_of_its_own() -> None:
    driver = called(orders(fulfil(), retry=Retry(attempts=2, first_s=1.0, jitter=0.0), timeout_s=5.0, placement=Near()))
    first = driver.view().firings[0].child
    driver.pass_time(6.0)
    driver.finish_all()  # the handler of the child that is cancelled
    driver.pass_time(2.0)
    second = driver.view().firings[0].child
    assert (driver.state(first), first != second, shard_of(second)) == (S.CANCELLED, True, shard_of("one"))
    driver.finish_all()
    assert driver.marking() == {"filled": [2]}


def test_a_parent_and_its_child_wait_for_each_other_over_a_crash() -> None:
    driver = called(orders(fulfil()))
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.phase(), driver.image(CHILD).firings[2].losses) == (S.RUNNING, Phase.CALLED, 1)
    driver.finish_all()
    assert driver.marking() == {"filled": [2]}


def test_a_call_counts_no_loss_when_the_engine_ends() -> None:
    driver = called(orders(fulfil()))
    for _ in range(5):
        driver.crash()
    assert driver.firing().losses == 0
    assert driver.firing().attempt == 1


def test_a_child_that_is_failed_fails_the_attempt() -> None:
    child = Workflow("fulfil")
    child.transition(child.place("items") >> child.place("packed"), "pack", handler=raises)
    driver = called(orders(child))
    driver.finish_all()
    assert (driver.state(CHILD), driver.state()) == (S.INCIDENT, S.INCIDENT)
    driver.receipt(FailIncident(instance=CHILD, by="eva", incident=2))
    assert (driver.state(CHILD), driver.state(), only_type(driver)) == (S.FAILED, S.INCIDENT, CHILD_FAILED)


def test_another_attempt_calls_another_child() -> None:
    driver = called(orders(fulfil(), retry=Retry(attempts=2, first_s=1.0, jitter=0.0)))
    driver.receipt(Cancel(instance=CHILD, by="eva"))
    driver.finish_all()
    assert (driver.state(CHILD), driver.phase()) == (S.CANCELLED, Phase.BACKOFF)
    driver.pass_time(2.0)
    driver.finish_all()
    assert (driver.marking(f"{CHILD}.2"), driver.marking()) == ({"packed": [2]}, {"filled": [2]})


def test_a_cancelled_child_goes_to_the_error_arc() -> None:
    driver = called(orders(fulfil(), error=True))
    driver.receipt(Cancel(instance=CHILD, by="eva"))
    driver.finish_all()
    (failed,) = driver.marking()["failed"]
    assert getattr(failed, "type", "") == CHILD_CANCELLED


def test_a_cancelled_parent_is_cancelling_until_its_child_has_answered() -> None:
    driver = called(orders(fulfil()))
    driver.receipt(Cancel(instance="one", by="eva"))
    assert (driver.state(), driver.state(CHILD)) == (S.CANCELLING, S.CANCELLING)
    driver.crash()
    driver.rest()
    assert (driver.state(), driver.state(CHILD)) == (S.CANCELLED, S.CANCELLED)
    assert driver.marking() == {"received": [1]}


def test_a_result_that_was_quicker_than_the_cancel_counts() -> None:
    workflow = orders(fulfil())
    driver = called(workflow)
    driver.answer(driver.taken())
    driver.send(Cancel(instance="one", by="eva"))
    driver.rest()
    assert (driver.state(CHILD), driver.state()) == (S.COMPLETED, S.CANCELLED)
    assert driver.marking() == {"filled": [2]}, "the child's result is counted, as that of any firing under way"


def test_a_call_that_takes_too_long_cancels_its_child() -> None:
    driver = called(orders(fulfil(), timeout_s=5.0))
    driver.pass_time(4.0)
    assert driver.state(CHILD) is S.RUNNING
    driver.pass_time(2.0)
    assert driver.state(CHILD) is S.CANCELLING, "its handler runs still"
    assert driver.phase() is Phase.CALLED
    driver.finish_all()
    assert (driver.state(CHILD), driver.state(), only_type(driver)) == (S.CANCELLED, S.INCIDENT, TIMED_OUT)


def test_the_time_of_a_call_is_kept_over_a_crash() -> None:
    driver = called(orders(fulfil(), timeout_s=5.0))
    driver.crash()
    driver.pass_time(6.0)
    driver.finish_all()
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, TIMED_OUT)


def test_a_workflow_that_nobody_has_registered_is_waited_for_and_no_attempt_is_spent() -> None:
    driver = called(orders("fulfil"))
    assert (driver.state(), driver.marking()) == (S.WAITING, {"received": [1]})
    assert driver.history()[-1].detail == {"reason": "no workflow fulfil in this process for fulfil to call"}
    driver.crash(orders("fulfil"), fulfil())
    driver.finish_all()
    assert driver.marking() == {"filled": [2]}


def test_a_child_that_cannot_begin_fails_the_attempt_with_the_reason() -> None:
    workflow = Workflow("orders")
    received, filled = workflow.places("received filled")
    workflow.call(received >> filled, "fulfil", "fulfil", entries=["itmes"])
    driver = Driver(workflow, fulfil())
    driver.spawn(workflow, {"received": [1]})
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, NOT_CALLED)
    assert "fulfil has no entry place 'itmes'" in driver.firing().failures[0].message
    assert not list(driver.store.scan(OUTBOX))


class Loud:
    """A value whose loading tells who is named meanwhile as what may end the process."""

    def __setstate__(self, _state: object) -> None:
        LOADED.append(NAMED[-1] if NAMED else ("nobody", ""))

    def __getstate__(self) -> object:
        return "something"

    def __repr__(self) -> str:
        raise ValueError("shows nothing")


LOADED: list[tuple[str, str]] = []
NAMED: list[tuple[str, str]] = []


class Recorder:
    """A marker that tells whom it names."""

    def enter(self, mark: bytes, path: str, accompanied: bool) -> None:  # noqa: ARG002  the kernel gives it
        NAMED.append((mark.decode(), path))

    def leave(self) -> None:
        NAMED.clear()


def loud(_value: object) -> Loud:
    return Loud()


def typed(failure: str) -> Workflow:
    """A parent and a child between which a value meets a place of another type, and the call fails as `failure`."""
    child, workflow = Workflow("fulfil"), Workflow("orders")
    items = child.place("items", type=int if failure == NOT_CALLED else None)
    child.transition(items >> child.place("packed"), "pack", handler=loud)
    filled = workflow.place("filled", type=int if failure == WRONG_RESULT else None)
    workflow.call(workflow.place("received") >> filled, "fulfil", child)
    return workflow


def load_in_kernel(driver: Driver) -> None:
    """Let handlers run, and forget what they load: their arguments are none of the kernel's."""
    while driver.started:
        driver.answer_all()
        LOADED.clear()
        driver.rest()


@pytest.mark.parametrize("failure", [NOT_CALLED, WRONG_RESULT])
def test_a_value_that_is_loaded_for_its_type_is_loaded_on_behalf_of_the_firing_that_calls(failure: str) -> None:
    driver = Driver(typed(failure))
    driver.kernel.marker = Recorder()
    LOADED.clear()
    driver.spawn(driver.workflows[0], {"received": [Loud()]})
    load_in_kernel(driver)
    assert only_type(driver) == failure
    assert "a value of type Loud, which is no int, for" in driver.firing().failures[0].message
    assert set(LOADED) == {("one\0", "fulfil")}
    assert not NAMED


@pytest.mark.parametrize("failure", [NOT_CALLED, WRONG_RESULT])
def test_a_value_that_ended_the_process_twice_when_it_was_loaded_is_not_loaded_again(failure: str) -> None:
    driver = Driver(typed(failure))
    for _ in range(2):
        driver.kernel.suspects.add("one", "fulfil")
    LOADED.clear()
    driver.spawn(driver.workflows[0], {"received": [Loud()]})
    load_in_kernel(driver)
    assert (only_type(driver), LOADED) == (failure, [])
    assert "the process ended twice" in driver.firing().failures[0].message
    assert driver.kernel.suspects.is_guilty("one", "fulfil")
    driver.receipt(RetryIncident(instance="one", incident=driver.firing().number, by="eva"))
    load_in_kernel(driver)
    assert (only_type(driver), len(LOADED)) == (failure, 1)
    assert driver.kernel.suspects.known == {}


def test_types_and_capacities_hold_on_both_sides_of_a_call() -> None:
    child = Workflow("fulfil")
    items, packed = child.place("items", type=int), child.place("packed")
    child.transition(items >> packed, "pack", handler=str)
    driver = called(orders(child), "no number")
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, NOT_CALLED)
    assert "called with 'no number', which is no int, for `items`" in driver.firing().failures[0].message
    workflow = Workflow("orders")
    received, filled = workflow.place("received"), workflow.place("filled", type=int)
    workflow.call(received >> filled, "fulfil", child)
    driver = called(workflow, 7)
    driver.finish_all()
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, WRONG_RESULT)
    assert "completed with '7', which is no int, for `filled`" in driver.firing().failures[0].message
    narrow = Workflow("fulfil")
    narrow.transition(narrow.place("items", capacity=1) >> narrow.place("packed"), "pack", handler=str)
    workflow = Workflow("orders")
    received, filled = workflow.places("received filled")
    workflow.call(received * 2 >> filled, "fulfil", narrow)
    driver = Driver(workflow)
    driver.spawn(workflow, {"received": [1, 2]})
    assert only_type(driver) == NOT_CALLED
    assert "`items` of fulfil holds 1 tokens, not 2" in driver.firing().failures[0].message


def test_a_call_whose_arguments_no_message_holds_fails_its_firing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_MESSAGE_BYTES", 1_000)
    driver = called(orders(fulfil()), "x" * 2_000)
    assert (driver.state(), only_type(driver)) == (S.INCIDENT, NOT_CALLED)
    driver = called(orders(fulfil()), "x" * 600)
    driver.finish_all()
    assert (driver.state(CHILD), driver.state(), only_type(driver)) == (S.COMPLETED, S.INCIDENT, WRONG_RESULT)


def test_calls_without_end_are_an_incident() -> None:
    workflow = Workflow("endless")
    start, end = workflow.places("start end")
    workflow.call(start >> end, "again", workflow)
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [1]})
    driver.rest()
    deepest = max(StateReader(driver.store).headers(), key=lambda header: len(header.instance))
    assert (deepest.state, len(deepest.instance) <= 1_000) == (S.INCIDENT, True)
    assert "calls nest too deep" in driver.firing(deepest.instance).failures[0].message


def test_a_call_may_not_be_named_as_children_are() -> None:
    workflow = Workflow("orders")
    received, filled = workflow.places("received filled")
    workflow.call(received >> filled, "go.3", fulfil())
    with pytest.raises(DefinitionError, match="its name ends as the ids of called children do"):
        workflow.definition()


def test_what_a_child_leaves_must_fit_the_outputs() -> None:
    child = Workflow("fulfil")
    child.transition(child.place("items") >> child.place("packed") * 2, "pack")
    driver = called(orders(child))
    driver.finish_all()
    assert (driver.state(CHILD), only_type(driver)) == (S.COMPLETED, WRONG_RESULT)
    assert "2 in packed" in driver.firing().failures[0].message


def test_a_choice_takes_the_exit_that_has_the_token() -> None:
    child = Workflow("check")
    asked, yes, no = child.places("asked yes no")

    @child.transition(asked >> (yes | no))
    def decide(value: int) -> object:
        return no(value)

    workflow = Workflow("orders")
    received, good, bad = workflow.places("received good bad")
    workflow.call(received >> (good | bad), "check", child)
    driver = Driver(workflow)
    driver.spawn(workflow, {"received": [3]})
    driver.finish_all()
    assert driver.marking() == {"bad": [3]}


def test_entries_and_exits_are_named_where_their_order_is_another() -> None:
    child = Workflow("pair")
    left, right, low, high = child.places("left right low high")

    @child.transition((left & right) >> (low & high))
    def sort(a: int, b: int) -> object:
        return low(min(a, b)), high(max(a, b))

    workflow = Workflow("sorter")
    one, two, upper = workflow.places("one two upper")
    lower = workflow.place("lower")
    workflow.call((one & two) >> (upper & lower), "pair", child, entries=["right", "left"], exits=["high", "low"])
    driver = Driver(workflow)
    driver.spawn(workflow, {"one": [5], "two": [7]})
    driver.finish_all()
    assert driver.marking() == {"upper": [7], "lower": [5]}


def test_a_workflow_may_call_itself() -> None:
    workflow = Workflow("countdown")
    start, again, end = workflow.places("start again end")

    def step(value: int) -> object:
        return again(value - 1) if value else end("done")

    workflow.transition(start >> (again | end), "step", handler=step)
    workflow.call(again >> end, "down", workflow)
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [3]})
    driver.finish_all()
    assert driver.marking() == {"end": ["done"]}
    assert driver.state("one/down.4/down.4/down.4") is S.COMPLETED


def test_a_child_is_an_instance_with_tasks_pauses_and_actors_of_its_own() -> None:
    child = Workflow("fulfil")
    items, packed = child.places("items packed")
    child.task(items >> packed, "inspect")
    driver = called(orders(child))
    assert (driver.state(CHILD), driver.state()) == (S.WAITING, S.RUNNING)
    driver.receipt(Pause(instance=CHILD, by="eva"))
    assert driver.state(CHILD) is S.PAUSED
    driver.receipt(Resume(instance=CHILD, by="eva"))
    (task,) = driver.view(CHILD).tasks
    assert TaskId.parse(task.id).instance == CHILD
    driver.receipt(Decide(instance=CHILD, by="eva", task=TaskId.parse(task.id).number))
    driver.rest()
    assert (driver.marking(), driver.state()) == ({"filled": [1]}, S.COMPLETED)
    assert driver.ask(Inspect(instance=CHILD, path="packed")).instance == CHILD


def test_a_call_that_does_not_fit_is_refused_where_it_is_written() -> None:
    child = fulfil()
    workflow = Workflow("orders")
    a, b, c = workflow.places("a b c")
    workflow.call((a & b) >> c, "fulfil", child)
    with pytest.raises(DefinitionError, match="2 arguments, and `fulfil` the entries `items`"):
        workflow.definition()
    other = Workflow("orders")
    a, c = other.places("a c")
    other.call(a >> c, "fulfil", child, exits=["pakced"])
    with pytest.raises(DefinitionError, match="`pakced` is none of the exits of `fulfil`"):
        other.definition()


def test_a_call_whose_transition_is_paused_begins_nothing_new() -> None:
    workflow = orders(fulfil())
    driver = called(workflow)
    driver.receipt(Pause(instance="one", by="eva"))
    driver.finish_all()
    assert (driver.state(), driver.marking()) == (S.PAUSED, {"filled": [2]}), "what is under way is counted"


def test_forty_levels_of_calls_return() -> None:
    workflow = Workflow("deep")
    start, again, end = workflow.places("start again end")

    @workflow.transition(start >> (again | end), run="inline")
    def step(n: int) -> object:
        return again(n - 1) if n else end(n)

    workflow.call(again >> end, "d", workflow)
    driver = Driver(workflow)
    driver.spawn(workflow, {"start": [40]})
    driver.finish_all()
    assert driver.marking() == {"end": [0]}
