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
from tests.actors.promises import Hand


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
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.ask(Pause(instance="i", by="eva"))
    assert hand.state() is InstanceState.PAUSED
    hand.finish()
    assert hand.state() is InstanceState.PAUSED
    assert hand.marking() == {"b": [1]}
    assert not hand.starts
    hand.crash()
    assert hand.state() is InstanceState.PAUSED
    hand.ask(Resume(instance="i", by="eva"))
    hand.finish_all()
    assert hand.state() is InstanceState.COMPLETED


def test_a_pause_lets_a_back_off_run_out_and_starts_its_attempt_at_resume() -> None:
    broken = [True]
    workflow = row(retry=Retry(attempts=2, first_s=5.0), broken=broken)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    hand.finish()
    hand.ask(Pause(instance="i", by="eva"))
    hand.wait(10.0)
    assert not hand.starts
    assert hand.view().firings[0].phase is Phase.READY
    hand.ask(Resume(instance="i", by="eva"))
    assert len(hand.starts) == 1


def test_cancel_waits_for_what_runs_counts_it_and_leaves_tokens_where_they_are() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.ask(Cancel(instance="i", by="eva"))
    assert hand.state() is InstanceState.CANCELLING
    hand.finish()
    assert hand.state() is InstanceState.CANCELLED
    assert hand.marking() == {"b": [1]}


def test_cancel_puts_back_the_tokens_of_what_does_not_run() -> None:
    workflow = row(retry=Retry(attempts=5, first_s=60.0), broken=[True])
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    hand.finish()
    assert hand.view().firings[0].phase is Phase.BACKOFF
    hand.ask(Cancel(instance="i", by="eva"))
    assert hand.state() is InstanceState.CANCELLED
    assert hand.marking() == {"b": [1]}
    assert not hand.view().firings


def test_a_failure_while_cancelling_is_not_tried_again() -> None:
    workflow = row(retry=Retry(attempts=5, first_s=0.0), broken=[True])
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    hand.ask(Cancel(instance="i", by="eva"))
    hand.finish()
    assert hand.state() is InstanceState.CANCELLED
    assert hand.marking() == {"b": [1]}


def test_after_a_crash_a_cancelling_instance_is_cancelled_and_runs_nothing() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.ask(Cancel(instance="i", by="eva"))
    hand.crash()
    assert hand.state() is InstanceState.CANCELLED
    assert hand.marking() == {"a": [1]}
    assert not hand.starts


def test_fail_ends_the_whole_instance_once_what_runs_has_answered() -> None:
    broken = [True]
    workflow = row(broken=broken)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1, 2]})
    hand.finish("first")
    hand.finish("second")
    (incident,) = hand.view().incidents
    hand.ask(FailIncident(instance="i", incident=incident.number, by="eva"))
    assert hand.state() is InstanceState.CANCELLING
    hand.finish("first")
    assert hand.state() is InstanceState.FAILED
    assert hand.marking() == {"b": [1, 2]}


def test_what_has_ended_takes_no_intervention() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": []})
    assert hand.state() is InstanceState.COMPLETED
    for message in (Pause(instance="i", by="eva"), Cancel(instance="i", by="eva")):
        assert refusal(hand.ask(message)) == "ended"


# -- records and request ids ------------------------------------------------------------------------------------


def test_an_intervention_is_recorded_with_who_when_and_why() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.wait(5.0)
    receipt = hand.ask(Pause(instance="i", by="eva", why="lunch"))
    assert isinstance(receipt, Receipt)
    record = hand.history()[-1]
    assert (record.kind, record.at, record.detail) == ("paused", receipt.at, {"by": "eva", "why": "lunch"})


def test_an_intervention_that_changes_nothing_succeeds_and_says_so() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    first, second = (hand.ask(Pause(instance="i", by=by)) for by in ("eva", "tom"))
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.already, second.already) == (False, True)
    assert hand.kinds().count("paused") == 1


def test_a_request_id_seen_before_gets_its_recorded_answer_even_after_the_end() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    first = hand.ask(Cancel(instance="i", by="eva", request_id="r1"))
    hand.finish_all()
    hand.crash()
    again = hand.ask(Cancel(instance="i", by="eva", request_id="r1"))
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.at, again.already) == (first.at, True)
    assert hand.kinds().count("cancel_requested") == 1


def test_a_request_id_is_of_one_instance_and_says_nothing_of_what_is_asked() -> None:
    workflow = row()
    hand = Hand(workflow)
    for id in ("i", "other"):
        hand.spawn(workflow, {"a": [1]}, id=id)
    hand.ask(Pause(instance="i", by="eva", request_id="r1"))
    elsewhere = hand.ask(Pause(instance="other", by="eva", request_id="r1"))
    assert isinstance(elsewhere, Receipt)
    assert not elsewhere.already
    reused = hand.ask(Cancel(instance="i", by="eva", request_id="r1"))
    assert isinstance(reused, Receipt)
    assert reused.already
    assert hand.state() is InstanceState.PAUSED


def test_a_refusal_is_not_remembered_under_its_request_id() -> None:
    broken = [True]
    workflow = row(broken=broken)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    number = hand.starts[0].number
    retry = RetryIncident(instance="i", incident=number, by="eva", request_id="r1")
    assert refusal(hand.ask(retry)) == "no_incident"
    hand.finish()
    assert isinstance(hand.ask(retry), Receipt)


# -- incidents --------------------------------------------------------------------------------------------------


def test_retrying_an_incident_counts_attempts_and_losses_from_the_start() -> None:
    broken = [True]
    workflow = row(retry=Retry(attempts=2, first_s=1.0), broken=broken)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish()
    hand.crash()
    hand.finish()
    hand.wait(2.0)
    hand.finish()
    (incident,) = hand.view().incidents
    hand.ask(RetryIncident(instance="i", incident=incident.number, by="eva"))
    assert hand.view().firings[0].losses == 0
    start = hand.finish()
    assert start.attempt == 4  # starts go on counting
    assert hand.view().firings[0].phase is Phase.BACKOFF


def test_skipping_an_incident_counts_the_given_output_as_its_result() -> None:
    workflow = row(broken=[True])
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish_all()
    (incident,) = hand.view().incidents
    skip = SkipIncident(instance="i", incident=incident.number, outputs=(("", encode("by hand")),), by="eva")
    hand.ask(skip)
    assert hand.marking() == {"c": ["by hand"]}
    assert hand.kinds()[-3:] == ["skipped", "fired", "completed"]
    assert refusal(hand.ask(skip)) == "ended"


def test_an_incident_is_settled_once() -> None:
    broken = [True]
    workflow = row(broken=broken)
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish_all()
    (incident,) = hand.view().incidents
    broken.clear()
    retry = RetryIncident(instance="i", incident=incident.number, by="eva")
    assert isinstance(hand.ask(retry), Receipt)
    assert refusal(hand.ask(retry)) == "no_incident"


# -- what the states mean ---------------------------------------------------------------------------------------


def test_stuck_is_told_in_the_very_commit_and_says_what_is_lacking() -> None:
    workflow = pair()
    hand = Hand(workflow)
    hand.spawn(workflow, {"left": [1]})
    assert hand.commits == 1
    assert hand.state() is InstanceState.STUCK
    assert hand.history()[-1].detail == {"join": "needs 1 in right, which has 0"}


def test_a_stuck_instance_can_be_cancelled() -> None:
    workflow = pair()
    hand = Hand(workflow)
    hand.spawn(workflow, {"left": [1]})
    hand.ask(Cancel(instance="i", by="eva"))
    assert hand.state() is InstanceState.CANCELLED
    assert hand.marking() == {"left": [1]}


def test_an_instance_with_tokens_in_exits_only_or_none_is_completed() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish_all()
    hand.spawn(workflow, {}, id="empty")
    assert (hand.state(), hand.state("empty")) == (InstanceState.COMPLETED, InstanceState.COMPLETED)


def test_an_instance_that_only_a_timer_moves_on_is_waiting() -> None:
    workflow = row(retry=Retry(attempts=2, first_s=60.0), broken=[True])
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.finish_all()
    assert hand.state() is InstanceState.WAITING


def test_an_instance_that_waits_for_a_slot_is_running() -> None:
    workflow = row()
    hand = Hand(workflow, slots=0)
    hand.spawn(workflow, {"a": [1]})
    assert hand.state() is InstanceState.RUNNING


def test_one_open_incident_makes_the_state_incident_whatever_else_runs() -> None:
    workflow = row(broken=[True])
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1, 2]})
    hand.finish("first")
    hand.finish("second")
    assert len(hand.starts) == 1
    assert hand.state() is InstanceState.INCIDENT
    hand.ask(Pause(instance="i", by="eva"))
    assert hand.state() is InstanceState.PAUSED


# -- workflows that change --------------------------------------------------------------------------------------


def test_without_its_handlers_an_instance_waits_with_the_reason_and_spends_nothing() -> None:
    workflow = row()
    hand = Hand(workflow)
    hand.spawn(workflow, {"a": [1]})
    hand.crash(pair())
    assert hand.state() is InstanceState.WAITING
    assert hand.history()[-1].detail == {"reason": "no handler in this process for first"}
    hand.crash(row())
    assert hand.finish().attempt == 2


def test_a_running_instance_keeps_its_net_and_gets_todays_handlers() -> None:
    old = row()
    hand = Hand(old)
    hand.spawn(old, {"a": [1]})
    new = Workflow("row")
    a, b, c, d = new.places("a b c d")
    new.transition(a >> b, "first", handler=same)
    new.transition(b >> c, "second", handler="new {}".format)
    new.transition(c >> d, "third", handler=same)
    hand.crash(new)
    hand.finish_all()
    assert hand.state() is InstanceState.COMPLETED
    assert hand.marking() == {"c": ["new 1"]}


def test_a_new_handler_that_names_a_place_the_old_net_lacks_is_an_incident() -> None:
    old = row()
    hand = Hand(old)
    hand.spawn(old, {"a": [1]})
    new = Workflow("row")
    a, b, c, d = new.places("a b c d")
    new.transition(a >> b, "first", handler=same)

    @new.transition(b >> (c | d))
    def second(value: object) -> object:
        return d(value)

    hand.crash(new)
    hand.finish_all()
    assert hand.state() is InstanceState.INCIDENT
    assert hand.view().incidents[0].failures[-1].type.endswith("OutputError")


def test_the_same_id_with_the_same_inputs_is_the_same_instance_in_any_version() -> None:
    old = row()
    hand = Hand(old)
    hand.spawn(old, {"a": [1]})
    new = Workflow("row", version="2")
    b, a = new.places("b a")
    new.transition(a >> b, "first", handler=same)
    hand.crash(new)
    again = hand.spawn(new, {"a": [1.0]})
    assert isinstance(again, Spawned)
    assert again.already
    assert refusal(hand.spawn(new, {"a": [2]})) == "conflict"
    assert hand.kinds().count("spawned") == 1


# -- order ------------------------------------------------------------------------------------------------------


def test_within_an_instance_priority_goes_first_and_then_age() -> None:
    workflow = Workflow("w")
    a, b, c = workflow.places("a b c")
    workflow.transition(a >> c, "plain", handler=same)
    workflow.transition(b >> c, "urgent", handler=same, priority=1)
    hand = Hand(workflow, slots=1)
    hand.spawn(workflow, {"a": ["old", "young"], "b": ["urgent"]})
    order: list[object] = []
    while hand.starts:
        order.append(hand.finish().transition.path)
    assert order == ["urgent", "plain", "plain"]
    assert hand.marking() == {"c": ["urgent", "old", "young"]}


def test_a_token_put_back_keeps_its_age() -> None:
    workflow = Workflow("w")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "move", handler=same)
    hand = Hand(workflow, slots=1)
    hand.spawn(workflow, {"a": ["old", "young"]})
    hand.taken()
    hand.ask(Cancel(instance="i", by="eva"))
    hand.crash()
    assert hand.marking() == {"a": ["old", "young"]}


def test_slots_go_round_the_instances() -> None:
    workflow = row()
    hand = Hand(workflow, slots=1)
    for id in ("i", "j", "k"):
        hand.spawn(workflow, {"a": [1, 2, 3]}, id=id)
    seen: list[str] = []
    while hand.starts:
        hand.now_s += 1.0  # longer than a time slice
        seen.append(hand.finish().instance)
    for begin in range(1, 16, 3):
        assert set(seen[begin : begin + 3]) == {"i", "j", "k"}


# -- single actors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [Restart, Sleep])
@pytest.mark.parametrize("path", ["", "left", "right"])
def test_an_actor_restarted_or_put_to_sleep_has_the_tokens_it_had(message: type[Restart | Sleep], path: str) -> None:
    workflow = pair()
    hand = Hand(workflow)
    hand.spawn(workflow, {"left": [1, 2, 3], "right": []})
    before = hand.ask(Inspect(instance="i", path="left"))
    hand.ask(message(instance="i", path=path))
    after = hand.ask(Inspect(instance="i", path="left"))
    assert isinstance(before, Entries)
    assert isinstance(after, Entries)
    assert after.entries == before.entries
    assert len(after.entries) == 3
