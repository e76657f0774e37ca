"""Promises about failures: who tries again and how often, what becomes an incident, who else is harmed."""

from collections.abc import Callable

import msgspec
import pytest

from placet import Retry, Workflow
from placet.actors import receive
from placet.actors.answers import Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Inspect, KernelMessage, Pause, Resume, RetryIncident, SkipIncident
from placet.actors.place import PlaceActor
from placet.actors.records import KEPT_FAILURES, Phase
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.values import encode
from tests.actors.driver import Driver
from tests.actors.marks import needs_source


def step(handler: Callable[..., object], **options: object) -> Workflow:
    """Return a workflow of one transition, `work`."""
    workflow = Workflow("step")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=handler, **options)  # type: ignore[arg-type]  # a test's options  # pyright: ignore[reportArgumentType]  # likewise
    return workflow


def raising(_value: object) -> object:
    raise ValueError("no")


def same(value: object) -> object:
    return value


def test_retry_counts_attempts_in_all() -> None:
    workflow = step(raising, retry=Retry(attempts=3, first_s=1.0))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    attempts = 0
    while driver.started:
        driver.finish()
        attempts += 1
        driver.pass_time(10.0)
    assert attempts == 3
    assert driver.state() is InstanceState.INCIDENT


def test_without_retry_the_first_failure_is_an_incident() -> None:
    workflow = step(raising)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.finish()
    assert driver.state() is InstanceState.INCIDENT
    assert driver.kinds() == ["spawned", "attempt_failed", "incident"]


def test_losses_and_clean_stops_are_no_failures_for_retry() -> None:
    workflow = step(raising, retry=Retry(attempts=2, first_s=1.0))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.crash()
    driver.rest()
    driver.stop()
    driver.rest()
    driver.crash()
    driver.rest()
    driver.finish()
    assert driver.view().firings[0].phase is Phase.BACKOFF


def test_a_start_that_never_began_is_no_failure_for_retry() -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    for _ in range(5):
        driver.withdraw(driver.taken())
        driver.rest()
    assert driver.finish().attempt == 6
    assert driver.kinds() == ["spawned", "fired", "completed"]


def test_a_deadline_runs_from_the_choice_and_a_start_it_finds_not_begun_is_started_again() -> None:
    workflow = step(same, timeout_s=5.0)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.pass_time(4.9)
    assert not driver.expired
    driver.pass_time(0.1)
    assert [expire.attempt for expire in driver.expired] == [1]
    driver.withdraw(driver.taken())
    driver.rest()
    assert driver.finish().attempt == 2
    assert driver.kinds() == ["spawned", "fired", "completed"]


def test_a_back_off_that_is_over_while_the_engine_is_off_ends_at_the_start() -> None:
    workflow = step(raising, retry=Retry(attempts=2, first_s=60.0, jitter=0.0))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.finish()
    assert driver.state() is InstanceState.WAITING
    driver.clock.now_s += 61.0
    driver.crash()
    driver.rest()
    assert driver.state() is InstanceState.RUNNING


def test_an_incident_keeps_inputs_and_the_last_failures() -> None:
    workflow = step(raising, retry=Retry(attempts=30, first_s=0.0))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [41]})
    while driver.started:
        driver.finish()
        driver.pass_time(1.0)
    (incident,) = driver.view().incidents
    assert incident.inputs == (("begin", encode(41)),)
    assert len(incident.failures) == KEPT_FAILURES
    assert incident.failures[-1].attempt == 30
    assert "raise ValueError" in incident.failures[-1].traceback


def test_the_rest_of_an_instance_goes_on_beside_an_incident() -> None:
    def picky(number: int) -> int:
        if number == 1:
            raise ValueError(number)
        return number

    workflow = step(picky)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1, 2, 3]})
    driver.finish_all()
    assert driver.state() is InstanceState.INCIDENT
    assert driver.marking() == {"done": [2, 3]}


def test_an_output_that_does_not_fit_is_a_failure_before_anything_is_consumed() -> None:
    workflow = Workflow("w")
    begin, left, right = workflow.places("begin left right")
    workflow.transition(begin >> (left | right), "choose", handler=same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.finish()
    (incident,) = driver.view().incidents
    assert incident.failures[-1].type.endswith("OutputError")
    assert incident.inputs == (("begin", encode(1)),)
    assert driver.marking() == {}


# -- engines that die -------------------------------------------------------------------------------------------


def test_the_third_loss_makes_a_firing_run_alone_and_three_more_an_incident() -> None:
    workflow = step(same, retry=Retry(attempts=99))
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    for losses in range(1, 6):
        driver.crash()
        driver.rest()
        (firing,) = driver.view().firings
        assert (firing.losses, firing.phase, firing.attempt) == (losses, Phase.RUNNING, losses + 1)
        assert driver.kernel.slots.alone == (losses >= 3)
    driver.crash()
    driver.rest()
    (incident,) = driver.view().incidents
    assert incident.failures[-1].type == "Lost"
    assert not driver.started


def test_a_firing_that_runs_alone_holds_up_everything_but_inline_work() -> None:
    workflow = step(same)
    inline = Workflow("inline")
    a, b = inline.places("a b")
    inline.transition(a >> b, "pass")
    driver = Driver(workflow, inline)
    driver.spawn(workflow, {"begin": [1]}, instance="suspect")
    for _ in range(3):
        driver.crash()
        driver.rest()
    driver.spawn(workflow, {"begin": [1]}, instance="other")
    driver.spawn(inline, {"a": [1]}, instance="inline")
    assert [start.instance for start in driver.started] == ["suspect"]
    assert driver.state("other") is InstanceState.RUNNING
    assert driver.state("inline") is InstanceState.COMPLETED
    driver.finish()
    assert [start.instance for start in driver.started] == ["other"]


def test_a_suspect_whose_handler_runs_in_the_kernel_by_now_gets_its_run() -> None:
    driver = Driver(step(same))
    driver.spawn(driver.workflows[0], {"begin": [1]}, instance="suspect")
    for _ in range(2):
        driver.crash()
        driver.rest()
    driver.crash(step(same, run="inline"))
    driver.rest()
    assert driver.state("suspect") is InstanceState.COMPLETED
    assert not driver.kernel.slots.alone


def test_neighbours_of_a_crash_run_alone_in_turn_and_are_found_innocent() -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1, 2, 3]})
    for _ in range(3):
        driver.crash()
        driver.rest()
    for _ in range(3):
        assert len(driver.started) == 1
        driver.finish()
    assert driver.state() is InstanceState.COMPLETED
    assert "incident" not in driver.kinds()


def test_what_waits_in_an_executor_when_the_engine_dies_counts_as_lost_too() -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    assert len(driver.started) == 1  # released, and begun by nobody
    driver.crash()
    driver.rest()
    assert driver.view().firings[0].losses == 1


# -- guards -----------------------------------------------------------------------------------------------------


def guarded(guard: Callable[[int], object]) -> Workflow:
    workflow = Workflow("guarded")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", guard=guard, handler=same)
    return workflow


def test_a_guard_is_asked_once_a_token_and_again_after_a_restart() -> None:
    asked: list[int] = []

    def guard(number: int) -> bool:
        asked.append(number)
        return False

    workflow = guarded(guard)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1, 2]})
    driver.ask(Inspect(instance="one", path="begin"))
    assert asked == [1, 2]
    driver.crash()
    driver.rest()
    driver.ask(Inspect(instance="one", path="begin"))
    assert asked == [1, 2, 1, 2]


def test_a_changed_guard_is_not_asked_about_a_stuck_instance_until_somebody_touches_it() -> None:
    strict, lenient = guarded(lambda number: number > 5), guarded(lambda number: number > 0)
    driver = Driver(strict)
    driver.spawn(strict, {"begin": [1]})
    assert driver.state() is InstanceState.STUCK
    driver.crash(lenient)
    driver.rest()
    assert driver.state() is InstanceState.STUCK
    driver.ask(Pause(instance="one", by="eva"))
    driver.ask(Resume(instance="one", by="eva"))
    driver.finish()
    assert driver.state() is InstanceState.COMPLETED


def test_a_guard_that_raises_holds_one_token_back_from_one_transition() -> None:
    def guard(number: int) -> bool:
        if number == 1:
            raise ValueError(number)
        return True

    workflow = guarded(guard)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1, 2]})
    driver.finish_all()
    assert driver.state() is InstanceState.INCIDENT
    assert driver.marking() == {"begin": [1], "done": [2]}
    assert [incident.kind for incident in driver.view().incidents] == ["guard"]


def test_a_guard_incident_can_be_retried_but_not_skipped() -> None:
    broken = [True]

    def guard(number: int) -> bool:
        if broken:
            raise ValueError(number)
        return True

    workflow = guarded(guard)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    (incident,) = driver.view().incidents
    refused = driver.ask(SkipIncident(instance="one", incident=incident.number, outputs=(("", encode(1)),), by="eva"))
    assert isinstance(refused, Refused)
    assert refused.code == "not_a_firing"
    broken.clear()
    driver.ask(RetryIncident(instance="one", incident=incident.number, by="eva"))
    driver.finish()
    assert driver.state() is InstanceState.COMPLETED


# -- actors that raise ------------------------------------------------------------------------------------------


class Planted:
    """Makes what an instance does with one kind of message raise, so many times, for one instance."""

    def __init__(self, times: int, instance: str = "one") -> None:
        self.left = times
        self.instance = instance

    def __call__(self, workflow: WorkflowActor, turn: Turn, message: KernelMessage) -> None:
        if workflow.header.instance == self.instance and self.left:
            self.left -= 1
            workflow.deposit(turn, 0, encode("never to be seen"))
            raise RuntimeError("planted")
        self.inner(workflow, turn, message)

    def inner(self, workflow: WorkflowActor, turn: Turn, message: KernelMessage) -> None:
        """Do what is done without a fault; replaced by `plant`."""


def plant(monkeypatch: pytest.MonkeyPatch, kind: type[KernelMessage], times: int) -> Planted:
    planted = Planted(times)
    monkeypatch.setattr(planted, "inner", receive.RECEIVERS[kind])
    monkeypatch.setitem(receive.RECEIVERS, kind, planted)  # pyright: ignore[reportArgumentType]  # read-only for all but tests
    return planted


def test_a_turn_that_raises_leaves_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    planted = plant(monkeypatch, Pause, 2)
    driver.ask(Pause(instance="one", by="eva"))
    assert planted.left == 0
    assert driver.state() is InstanceState.PAUSED
    assert driver.marking() == {}
    assert len(driver.view().firings) == 1


def test_a_message_that_always_raises_is_parked_and_its_sender_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    driver.spawn(workflow, {"begin": [1]}, instance="other")
    planted = plant(monkeypatch, Pause, 3)
    refused = driver.ask(Pause(instance="one", by="eva"))
    assert isinstance(refused, Refused)
    assert refused.code == "fault"
    (incident,) = driver.view().incidents
    assert incident.kind == "message"
    assert driver.state() is InstanceState.INCIDENT
    driver.ask(Pause(instance="other", by="eva"))
    assert driver.state("other") is InstanceState.PAUSED
    assert planted.left == 0
    driver.ask(RetryIncident(instance="one", incident=incident.number, by="eva"))
    assert driver.state() is InstanceState.PAUSED


@needs_source
def test_a_parked_result_leaves_its_firing_as_an_incident_with_its_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    with monkeypatch.context() as patch:
        patch.setattr(PlaceActor, "deposit", raising)
        driver.finish()
    firing, message = driver.view().incidents
    assert (firing.kind, message.kind) == ("firing", "message")
    assert firing.inputs == (("begin", encode(1)),)
    driver.ask(RetryIncident(instance="one", incident=firing.number, by="eva"))
    driver.finish()
    assert driver.state() is InstanceState.COMPLETED


@needs_source
def test_a_firing_whose_results_are_parked_again_and_again_keeps_the_last_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    with monkeypatch.context() as patch:
        patch.setattr(PlaceActor, "deposit", raising)
        for _ in range(KEPT_FAILURES + 2):
            driver.finish()
            firing, *_ = driver.view().incidents
            driver.ask(RetryIncident(instance="one", incident=firing.number, by="eva"))
    (known,) = driver.image().firings.values()
    assert len(known.failures) == KEPT_FAILURES


@needs_source
def test_a_parked_result_that_no_entry_holds_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placet.actors.faults.MOST_PARKED_BYTES", 10_000)
    workflow = step("x".ljust)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [20_000]})
    with monkeypatch.context() as patch:
        patch.setattr(PlaceActor, "deposit", raising)
        driver.finish()
    firing, message = driver.view().incidents
    assert max(len(value) for _, value in driver.store.scan(b"")) < 10_000
    driver.ask(RetryIncident(instance="one", incident=message.number, by="eva"))  # its result is gone
    driver.ask(RetryIncident(instance="one", incident=firing.number, by="eva"))
    driver.finish()
    assert driver.state() is InstanceState.COMPLETED


def test_a_value_over_the_hard_limit_is_an_incident_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placet.persistence.blobs.MAX_VALUE_BYTES", 100_000)
    workflow = step(bytes)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [200_000]})
    driver.spawn(workflow, {"begin": [10]}, instance="other")
    driver.finish_all()
    assert "over the limit" in driver.view().incidents[0].failures[-1].message
    assert driver.state("other") is InstanceState.COMPLETED


def test_a_refused_message_has_no_effect() -> None:
    workflow = step(same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"begin": [1]})
    before = driver.store.snapshot()
    refused = driver.ask(RetryIncident(instance="one", incident=99, by="eva"))
    assert isinstance(refused, Refused)
    assert refused.code == "no_incident"
    assert list(driver.store.scan(b"")) == list(before.scan(b""))
    assert msgspec.structs.asdict(refused)["reason"]


def test_an_incident_about_a_token_that_a_rival_took_is_over() -> None:
    workflow = Workflow("rivals")
    begin, left, right = workflow.places("begin left right")

    def guard(value: int) -> bool:
        raise ValueError(value)

    def takes(value: int) -> int:
        return value

    workflow.transition(begin >> left, name="asks", guard=guard)
    workflow.transition(begin >> right, name="takes", handler=takes)
    driver = Driver(workflow, slots=0)
    driver.spawn(workflow, {"begin": [1]})
    assert [incident.kind for incident in driver.view().incidents] == ["guard"]
    driver.kernel.set_capacity("thread", 1)
    driver.rest()
    driver.finish()
    assert (driver.state(), driver.view().incidents, driver.marking()) == ("completed", (), {"right": [1]})


def test_a_crash_that_a_handler_has_outlived_is_forgotten() -> None:
    workflow = Workflow("once")
    begin, end = workflow.places("begin end")

    def step(value: int) -> int:
        return value

    workflow.transition(begin >> end, name="step", handler=step, run="inline")
    driver = Driver(workflow)
    assert driver.kernel.suspects.add("one", "step") == 1
    driver.spawn(workflow, {"begin": [1]})
    assert (driver.state(), driver.kernel.suspects.known) == ("completed", {})
