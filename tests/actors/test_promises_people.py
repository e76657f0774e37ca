"""Promises about what people do to instances: recorded, answered, once; and what each state means exactly."""

import pytest

from placet import Retry, Workflow
from placet.actors.answers import Answer, Entries, Receipt, Refused, Spawned
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    Cancel,
    FailIncident,
    Inspect,
    Pause,
    Restart,
    Resume,
    RetryIncident,
    SkipIncident,
    Sleep,
)
from placet.actors.records import Phase
from placet.persistence.values import encode
from tests.actors.driver import Driver


def same(value: object) -> object:
    return value


def row(*, retry: Retry | None = None, broken: list[bool] | None = None) -> Workflow:
    """Return two steps, the second of which fails as long as `broken` is not empty."""
    workflow = Workflow("row")
    a, b, c = workflow.places("a b c")

    def work(value: object) -> object:
        if broken:
            raise ValueError(value)
        return value

    workflow.transition(a >> b, "first", handler=same)
    workflow.transition(b >> c, "second", handler=work, retry=retry)
    return workflow


def pair() -> Workflow:
    """Return a join of two entries."""
    workflow = Workflow("pair")
    left, right, both = workflow.places("left right both")
    workflow.transition((left & right) >> both, "join", handler=lambda *values: values)
    return workflow


def refusal(answer: Answer) -> str:
    assert isinstance(answer, Refused), answer
    return answer.code


# -- pause, cancel, fail ----------------------------------------------------------------------------------------


def test_a_pause_counts_what_runs_and_chooses_nothing_new() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.ask(Pause(instance="one", by="eva"))
    assert driver.state() is InstanceState.PAUSED
    driver.finish()
    assert driver.state() is InstanceState.PAUSED
    assert driver.marking() == {"b": [1]}
    assert not driver.started
    driver.crash()
    driver.rest()
    assert driver.state() is InstanceState.PAUSED
    driver.ask(Resume(instance="one", by="eva"))
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED


def test_a_pause_lets_a_back_off_run_out_and_starts_its_attempt_at_resume() -> None:
    broken = [True]
    workflow = row(retry=Retry(attempts=2, first_s=5.0), broken=broken)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    driver.finish()
    driver.ask(Pause(instance="one", by="eva"))
    driver.pass_time(10.0)
    assert not driver.started
    assert driver.view().firings[0].phase is Phase.READY
    driver.ask(Resume(instance="one", by="eva"))
    assert len(driver.started) == 1


def test_cancel_waits_for_what_runs_counts_it_and_leaves_tokens_where_they_are() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.ask(Cancel(instance="one", by="eva"))
    assert driver.state() is InstanceState.CANCELLING
    driver.finish()
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"b": [1]}


def test_cancel_puts_back_the_tokens_of_what_does_not_run() -> None:
    workflow = row(retry=Retry(attempts=5, first_s=60.0), broken=[True])
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    driver.finish()
    assert driver.view().firings[0].phase is Phase.BACKOFF
    driver.ask(Cancel(instance="one", by="eva"))
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"b": [1]}
    assert not driver.view().firings


def test_a_failure_while_cancelling_is_not_tried_again() -> None:
    workflow = row(retry=Retry(attempts=5, first_s=0.0), broken=[True])
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    driver.ask(Cancel(instance="one", by="eva"))
    driver.finish()
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"b": [1]}


def test_after_a_crash_a_cancelling_instance_is_cancelled_and_runs_nothing() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.ask(Cancel(instance="one", by="eva"))
    driver.crash()
    driver.rest()
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"a": [1]}
    assert not driver.started


def test_fail_ends_the_whole_instance_once_what_runs_has_answered() -> None:
    broken = [True]
    workflow = row(broken=broken)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1, 2]})
    driver.finish("first")
    driver.finish("second")
    (incident,) = driver.view().incidents
    driver.ask(FailIncident(instance="one", incident=incident.number, by="eva"))
    assert driver.state() is InstanceState.CANCELLING
    driver.finish("first")
    assert driver.state() is InstanceState.FAILED
    assert driver.marking() == {"b": [1, 2]}


def test_what_has_ended_takes_no_intervention() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": []})
    assert driver.state() is InstanceState.COMPLETED
    for message in (Pause(instance="one", by="eva"), Cancel(instance="one", by="eva")):
        assert refusal(driver.ask(message)) == "ended"


# -- records and request ids ------------------------------------------------------------------------------------


def test_an_intervention_is_recorded_with_who_when_and_why() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.pass_time(5.0)
    receipt = driver.ask(Pause(instance="one", by="eva", why="lunch"))
    assert isinstance(receipt, Receipt)
    record = driver.history()[-1]
    assert (record.kind, record.at, record.detail) == ("paused", receipt.at, {"by": "eva", "why": "lunch"})


def test_an_intervention_that_changes_nothing_succeeds_and_says_so() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    first, second = (driver.ask(Pause(instance="one", by=by)) for by in ("eva", "tom"))
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.already, second.already) == (False, True)
    assert driver.kinds().count("paused") == 1


def test_a_request_id_seen_before_gets_its_recorded_answer_even_after_the_end() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    first = driver.ask(Cancel(instance="one", by="eva", request_id="r1"))
    driver.finish_all()
    driver.crash()
    driver.rest()
    again = driver.ask(Cancel(instance="one", by="eva", request_id="r1"))
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.at, again.already) == (first.at, True)
    assert driver.kinds().count("cancel_requested") == 1


def test_a_request_id_is_of_one_instance_and_says_nothing_of_what_is_asked() -> None:
    workflow = row()
    driver = Driver(workflow)
    for id in ("one", "other"):
        driver.spawn(workflow, {"a": [1]}, instance=id)
    driver.ask(Pause(instance="one", by="eva", request_id="r1"))
    elsewhere = driver.ask(Pause(instance="other", by="eva", request_id="r1"))
    assert isinstance(elsewhere, Receipt)
    assert not elsewhere.already
    reused = driver.ask(Cancel(instance="one", by="eva", request_id="r1"))
    assert isinstance(reused, Receipt)
    assert reused.already
    assert driver.state() is InstanceState.PAUSED


def test_a_refusal_is_not_remembered_under_its_request_id() -> None:
    broken = [True]
    workflow = row(broken=broken)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    number = driver.started[0].number
    retry = RetryIncident(instance="one", incident=number, by="eva", request_id="r1")
    assert refusal(driver.ask(retry)) == "no_incident"
    driver.finish()
    assert isinstance(driver.ask(retry), Receipt)


# -- incidents --------------------------------------------------------------------------------------------------


def test_retrying_an_incident_counts_attempts_and_losses_from_the_start() -> None:
    broken = [True]
    workflow = row(retry=Retry(attempts=2, first_s=1.0), broken=broken)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish()
    driver.crash()
    driver.rest()
    driver.finish()
    driver.pass_time(2.0)
    driver.finish()
    (incident,) = driver.view().incidents
    driver.ask(RetryIncident(instance="one", incident=incident.number, by="eva"))
    assert driver.view().firings[0].losses == 0
    start = driver.finish()
    assert start.attempt == 4  # starts go on counting
    assert driver.view().firings[0].phase is Phase.BACKOFF


def test_skipping_an_incident_counts_the_given_output_as_its_result() -> None:
    workflow = row(broken=[True])
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish_all()
    (incident,) = driver.view().incidents
    skip = SkipIncident(instance="one", incident=incident.number, outputs=(("", encode("by driver")),), by="eva")
    driver.ask(skip)
    assert driver.marking() == {"c": ["by driver"]}
    assert driver.kinds()[-3:] == ["skipped", "fired", "completed"]
    assert refusal(driver.ask(skip)) == "ended"


def test_an_incident_is_settled_once() -> None:
    broken = [True]
    workflow = row(broken=broken)
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish_all()
    (incident,) = driver.view().incidents
    broken.clear()
    retry = RetryIncident(instance="one", incident=incident.number, by="eva")
    assert isinstance(driver.ask(retry), Receipt)
    assert refusal(driver.ask(retry)) == "no_incident"


# -- what the states mean ---------------------------------------------------------------------------------------


def test_stuck_is_told_in_the_very_commit_and_says_what_is_lacking() -> None:
    workflow = pair()
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [1]})
    assert len(driver.commits) == 1
    assert driver.state() is InstanceState.STUCK
    assert driver.history()[-1].detail == {"join": "needs 1 in right, which has 0"}


def test_a_stuck_instance_can_be_cancelled() -> None:
    workflow = pair()
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [1]})
    driver.ask(Cancel(instance="one", by="eva"))
    assert driver.state() is InstanceState.CANCELLED
    assert driver.marking() == {"left": [1]}


def test_an_instance_with_tokens_in_exits_only_or_none_is_completed() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish_all()
    driver.spawn(workflow, {}, instance="empty")
    assert (driver.state(), driver.state("empty")) == (InstanceState.COMPLETED, InstanceState.COMPLETED)


def test_an_instance_that_only_a_timer_moves_on_is_waiting() -> None:
    workflow = row(retry=Retry(attempts=2, first_s=60.0), broken=[True])
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.finish_all()
    assert driver.state() is InstanceState.WAITING


def test_an_instance_that_waits_for_a_slot_is_running() -> None:
    workflow = row()
    driver = Driver(workflow, slots=0)
    driver.spawn(workflow, {"a": [1]})
    assert driver.state() is InstanceState.RUNNING


def test_one_open_incident_makes_the_state_incident_whatever_else_runs() -> None:
    workflow = row(broken=[True])
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1, 2]})
    driver.finish("first")
    driver.finish("second")
    assert len(driver.started) == 1
    assert driver.state() is InstanceState.INCIDENT
    driver.ask(Pause(instance="one", by="eva"))
    assert driver.state() is InstanceState.PAUSED


# -- workflows that change --------------------------------------------------------------------------------------


def test_without_its_handlers_an_instance_waits_with_the_reason_and_spends_nothing() -> None:
    workflow = row()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    driver.crash(pair())
    driver.rest()
    assert driver.state() is InstanceState.WAITING
    assert driver.history()[-1].detail == {"reason": "no handler in this process for first"}
    driver.crash(row())
    driver.rest()
    assert driver.finish().attempt == 2


def test_a_running_instance_keeps_its_net_and_gets_todays_handlers() -> None:
    old = row()
    driver = Driver(old)
    driver.spawn(old, {"a": [1]})
    new = Workflow("row")
    a, b, c, d = new.places("a b c d")
    new.transition(a >> b, "first", handler=same)
    new.transition(b >> c, "second", handler="new {}".format)
    new.transition(c >> d, "third", handler=same)
    driver.crash(new)
    driver.rest()
    driver.finish_all()
    assert driver.state() is InstanceState.COMPLETED
    assert driver.marking() == {"c": ["new 1"]}


def test_a_new_handler_that_names_a_place_the_old_net_lacks_is_an_incident() -> None:
    old = row()
    driver = Driver(old)
    driver.spawn(old, {"a": [1]})
    new = Workflow("row")
    a, b, c, d = new.places("a b c d")
    new.transition(a >> b, "first", handler=same)

    @new.transition(b >> (c | d))
    def second(value: object) -> object:
        return d(value)

    driver.crash(new)
    driver.rest()
    driver.finish_all()
    assert driver.state() is InstanceState.INCIDENT
    assert driver.view().incidents[0].failures[-1].type.endswith("OutputError")


def test_the_same_id_with_the_same_inputs_is_the_same_instance_in_any_version() -> None:
    old = row()
    driver = Driver(old)
    driver.spawn(old, {"a": [1]})
    new = Workflow("row", version="2")
    b, a = new.places("b a")
    new.transition(a >> b, "first", handler=same)
    driver.crash(new)
    driver.rest()
    again = driver.ask(driver.spawn_message(new, {"a": [1.0]}))
    assert isinstance(again, Spawned)
    assert again.already
    assert refusal(driver.ask(driver.spawn_message(new, {"a": [2]}))) == "conflict"
    assert driver.kinds().count("spawned") == 1


# -- order ------------------------------------------------------------------------------------------------------


def test_within_an_instance_priority_goes_first_and_then_age() -> None:
    workflow = Workflow("w")
    a, b, c = workflow.places("a b c")
    workflow.transition(a >> c, "plain", handler=same)
    workflow.transition(b >> c, "urgent", handler=same, priority=1)
    driver = Driver(workflow, slots=1)
    driver.spawn(workflow, {"a": ["old", "young"], "b": ["urgent"]})
    order: list[object] = []
    while driver.started:
        order.append(driver.finish().transition.path)
    assert order == ["urgent", "plain", "plain"]
    assert driver.marking() == {"c": ["urgent", "old", "young"]}


def test_a_token_put_back_keeps_its_age() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "move", handler=same)
    driver = Driver(workflow, slots=1)
    driver.spawn(workflow, {"a": ["old", "young"]})
    driver.taken()
    driver.ask(Cancel(instance="one", by="eva"))
    driver.crash()
    driver.rest()
    assert driver.marking() == {"a": ["old", "young"]}


def test_slots_go_round_the_instances() -> None:
    workflow = row()
    driver = Driver(workflow, slots=1)
    for id in ("one", "j", "k"):
        driver.spawn(workflow, {"a": [1, 2, 3]}, instance=id)
    seen: list[str] = []
    while driver.started:
        driver.clock.now_s += 1.0  # longer than a time slice
        seen.append(driver.finish().instance)
    for begin in range(1, 16, 3):
        assert set(seen[begin : begin + 3]) == {"one", "j", "k"}


# -- single actors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [Restart, Sleep])
@pytest.mark.parametrize("path", ["", "left", "right"])
def test_an_actor_restarted_or_put_to_sleep_has_the_tokens_it_had(message: type[Restart | Sleep], path: str) -> None:
    workflow = pair()
    driver = Driver(workflow)
    driver.spawn(workflow, {"left": [1, 2, 3], "right": []})
    before = driver.ask(Inspect(instance="one", path="left"))
    driver.ask(message(instance="one", path=path))
    after = driver.ask(Inspect(instance="one", path="left"))
    assert isinstance(before, Entries)
    assert isinstance(after, Entries)
    assert after.entries == before.entries
    assert len(after.entries) == 3
