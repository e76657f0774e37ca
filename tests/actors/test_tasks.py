"""What people do with tasks, as the kernel has it: one decision each, whoever asks, however often."""

import pytest

from placet import Workflow
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, Claim, Decide, DropToken, EditToken, Pause, Resume, TaskMessage, Unclaim
from placet.actors.reader import StateReader
from placet.actors.task_view import TaskView
from placet.persistence.values import encode
from tests.actors.promises import Hand

LARGE = 3 << 20  # bytes: more than stays in a token's own entry


def same(value: object) -> object:
    return value


def approving(
    *, roles: tuple[str, ...] = (), assignees: tuple[str, ...] = (), after_s: float = 0.0, capacity: int | None = None
) -> Workflow:
    """Return an approval, with what may be said of one."""
    workflow = Workflow("approving")
    asked, no = workflow.places("asked no")
    yes = workflow.place("yes", capacity=capacity)
    escalate = workflow.place("late") if after_s else None
    workflow.approval(
        "boss", asked, approve=yes, reject=no, roles=roles, assignees=assignees, escalate=escalate, after_s=after_s
    )
    return workflow


def forking() -> Workflow:
    """Return a task with two outputs, both of which are given to."""
    workflow = Workflow("forking")
    asked, left, right = workflow.places("asked left right")
    workflow.task(asked >> (left & right), "split")
    return workflow


def asked(workflow: Workflow, *values: object) -> Hand:
    hand = Hand(workflow)
    hand.spawn(workflow, {"asked": list(values) or [1]})
    return hand


def tasks(hand: Hand) -> list[TaskView]:
    return list(StateReader(hand.store).tasks())


def only(hand: Hand) -> int:
    (task,) = tasks(hand)
    return int(task.id.rpartition(".")[2])


def decide(hand: Hand, output: str = "yes", by: str = "eva", **options: object) -> Answer:
    return hand.ask(decision(only(hand), output, by, **options))


def decision(task: int, output: str = "yes", by: str = "eva", **options: object) -> TaskMessage:
    message = {"instance": "i", "task": task, "output": output, "by": by, **options}
    return Decide(**message)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - fields of the test's choice


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


def received(answer: Answer) -> Receipt:
    assert isinstance(answer, Receipt), answer
    return answer


# -- deciding ---------------------------------------------------------------------------------------------------


def test_a_decision_takes_the_token_and_fires_in_one() -> None:
    hand = asked(approving())
    (task,) = tasks(hand)
    assert (task.id, task.transition, task.place, task.value) == ("i/boss.2", "boss", "asked", 1)
    assert hand.state() is InstanceState.WAITING
    before = hand.commits
    assert not received(decide(hand, why="fine")).already
    assert (hand.commits - before, hand.marking(), hand.state()) == (1, {"yes": [1]}, InstanceState.COMPLETED)
    record = next(one for one in hand.history() if one.kind == "fired")
    assert record.detail == {"by": "eva", "why": "fine", "output": "yes"}
    assert (record.transition, record.firing, record.consumed) == ("boss", 2, (task.token,))


def test_of_two_who_decide_at_once_one_wins_and_the_other_learns_who_and_when() -> None:
    hand = asked(approving())
    number = only(hand)
    hand.kernel.deliver(decision(number, "yes", "eva", reply=101))
    hand.kernel.deliver(decision(number, "no", "bob", reply=102))
    hand.run()
    winner, loser = received(hand.answers[101]), refused(hand.answers[102])
    assert (loser.code, loser.by, loser.at) == ("decided", "eva", winner.at)
    assert "yes" in loser.reason
    assert hand.marking() == {"yes": [1]}


def test_the_same_person_and_decision_again_has_succeeded_already() -> None:
    hand = asked(approving())
    number = only(hand)
    first = received(decide(hand))
    hand.crash()
    again = received(hand.ask(decision(number)))
    assert (again.already, again.at) == (True, first.at)
    assert refused(hand.ask(decision(number, "no"))).code == "decided"
    assert refused(hand.ask(decision(number, by="bob"))).by == "eva"
    assert hand.kinds().count("fired") == 1


def test_a_repeated_request_gets_its_recorded_answer_after_any_crash() -> None:
    hand = asked(approving())
    number = only(hand)
    message = decision(number, request_id="r1")
    first = received(hand.ask(message))
    hand.crash()
    hand.wait(60.0)
    again = received(hand.ask(message))
    assert (again.already, again.at) == (True, first.at)


def test_a_decision_may_give_another_value() -> None:
    hand = asked(approving())
    received(decide(hand, outputs=(("yes", encode("better")),)))
    assert hand.marking() == {"yes": ["better"]}


def test_a_large_value_goes_on_as_it_is_and_another_one_leaves_nothing_of_it() -> None:
    value = b"x" * LARGE
    hand = asked(approving(), value)
    received(decide(hand))
    assert hand.marking() == {"yes": [value]}
    hand = asked(approving(), value)
    received(decide(hand, outputs=(("yes", encode(1)),)))
    assert hand.marking() == {"yes": [1]}
    assert sum(len(data) for _, data in hand.store.scan(b"L")) < LARGE, "the chunks went with the token"


def test_a_fork_gives_its_value_to_all_or_each_its_own() -> None:
    hand = asked(forking())
    received(decide(hand, ""))
    assert hand.marking() == {"left": [1], "right": [1]}
    hand = asked(forking())
    assert refused(decide(hand, "", outputs=(("left", encode(2)),))).code == "wrong_output"
    received(decide(hand, "", outputs=(("left", encode(2)), ("right", encode(3)))))
    assert hand.marking() == {"left": [2], "right": [3]}


def test_a_choice_needs_one_output_that_exists() -> None:
    hand = asked(approving())
    for output, outputs in (("", ()), ("maybe", ()), ("", (("yes", encode(1)), ("no", encode(1))))):
        assert refused(decide(hand, output, outputs=outputs)).code == "wrong_output"
    assert (hand.marking(), len(tasks(hand))) == ({"asked": [1]}, 1)


def test_a_decision_for_one_output_with_a_value_for_another_is_refused() -> None:
    hand = asked(approving())
    assert refused(decide(hand, "yes", outputs=(("no", encode(1)),))).code == "wrong_output"
    assert hand.marking() == {"asked": [1]}


def test_the_place_that_a_value_is_for_is_the_decision() -> None:
    hand = asked(approving())
    number = only(hand)
    outputs = (("no", encode(2)),)
    received(decide(hand, "", outputs=outputs))
    assert received(hand.ask(decision(number, "no"))).already
    assert refused(hand.ask(decision(number, "yes", "bob"))).reason == f"task {number} was decided by eva: no"


def test_a_full_place_refuses_a_decision_until_there_is_room() -> None:
    hand = asked(approving(capacity=1), 1, 2)
    first, second = (int(task.id.rpartition(".")[2]) for task in tasks(hand))
    received(hand.ask(decision(first)))
    assert refused(hand.ask(decision(second))).code == "full"
    (token,) = hand.view().tokens["yes"]
    received(hand.ask(DropToken(instance="i", by="eva", token=token)))
    received(hand.ask(decision(second)))


def test_nobody_decides_while_the_instance_is_paused() -> None:
    hand = asked(approving())
    hand.ask(Pause(instance="i", by="eva"))
    assert refused(decide(hand)).code == "paused"
    received(hand.ask(Claim(instance="i", task=only(hand), by="eva")))
    hand.ask(Resume(instance="i", by="eva"))
    received(decide(hand))


def test_nobody_decides_once_the_instance_is_being_cancelled() -> None:
    workflow = approving()
    running, done = workflow.places("running done")
    workflow.transition(running >> done, "work", handler=same)
    hand = Hand(workflow)
    hand.spawn(workflow, {"asked": [1], "running": [2]})
    number = only(hand)
    hand.ask(Cancel(instance="i", by="eva"))
    assert hand.state() is InstanceState.CANCELLING
    for message in (decision(number), Claim(instance="i", task=number, by="eva")):
        assert refused(hand.ask(message)).code == "ending"
    hand.finish()
    assert (hand.state(), tasks(hand)) == (InstanceState.CANCELLED, [])
    assert refused(hand.ask(decision(number))).code == "withdrawn"


# -- who may ----------------------------------------------------------------------------------------------------


def test_a_task_for_a_role_is_decided_by_who_has_it() -> None:
    hand = asked(approving(roles=("boss", "owner")))
    assert refused(decide(hand)).code == "not_in_role"
    assert refused(decide(hand, roles=("clerk",))).code == "not_in_role"
    received(decide(hand, roles=("clerk", "owner")))


def test_a_task_for_people_is_decided_by_one_of_them() -> None:
    hand = asked(approving(assignees=("eva", "bob")))
    assert refused(decide(hand, by="mallory")).code == "not_assigned"
    assert refused(hand.ask(Claim(instance="i", task=only(hand), by="mallory"))).code == "not_assigned"
    received(decide(hand, by="bob"))


def test_a_claimed_task_is_for_nobody_else_until_it_is_given_back() -> None:
    hand = asked(approving())
    number = only(hand)
    claim = Claim(instance="i", task=number, by="eva")
    assert not received(hand.ask(claim)).already
    assert received(hand.ask(claim)).already
    hand.crash()
    assert tasks(hand)[0].claimed_by == "eva"
    for message in (decision(number, by="bob"), Claim(instance="i", task=number, by="bob")):
        answer = refused(hand.ask(message))
        assert (answer.code, answer.by) == ("claimed", "eva")
    assert not received(hand.ask(Unclaim(instance="i", task=number, by="bob"))).already
    assert received(hand.ask(Unclaim(instance="i", task=number, by="bob"))).already
    received(hand.ask(decision(number, by="bob")))
    assert [kind for kind in hand.kinds() if "claim" in kind] == ["claimed", "unclaimed"]


@pytest.mark.parametrize(
    ("role", "assignee", "found"),
    [
        (None, None, True),
        ("boss", None, True),
        ("clerk", None, False),
        (None, "eva", True),
        (None, "bob", False),
        ("boss", "eva", True),
    ],
)
def test_a_list_is_of_what_somebody_may_decide(role: str | None, assignee: str | None, found: bool) -> None:
    hand = asked(approving(roles=("boss",), assignees=("eva", "adam")))
    (task,) = tasks(hand)
    assert task.is_for(role, assignee) is found
    hand.ask(Claim(instance="i", task=only(hand), by="eva", roles=("boss",)))
    (task,) = tasks(hand)
    assert not task.is_for(None, "adam"), "it is claimed"


# -- tasks that go away ------------------------------------------------------------------------------------------


def test_a_task_nobody_decides_in_time_escalates_and_says_so() -> None:
    hand = asked(approving(after_s=3600.0))
    number = only(hand)
    hand.wait(3599.0)
    assert hand.state() is InstanceState.WAITING
    hand.crash()
    hand.wait(1.0)
    assert (hand.state(), hand.marking()) == (InstanceState.COMPLETED, {"late": [1]})
    answer = refused(hand.ask(decision(number)))
    assert (answer.code, answer.at) == ("withdrawn", hand.now_s)


def test_a_decision_in_time_leaves_nothing_to_escalate() -> None:
    hand = asked(approving(after_s=3600.0))
    hand.wait(3599.0)
    received(decide(hand))
    hand.wait(7200.0)
    assert hand.marking() == {"yes": [1]}


def test_an_edited_token_keeps_its_task_where_the_guard_lets_it_through() -> None:
    workflow = Workflow("guarded")
    start, yes, no, small = workflow.places("asked yes no small")
    workflow.approval("boss", start, approve=yes, reject=no, guard=lambda value: bool(value >= 10))
    workflow.transition(start >> small, "wave", guard=lambda value: bool(value < 10))
    hand = asked(workflow, 10)
    (task,) = tasks(hand)
    received(hand.ask(EditToken(instance="i", by="eva", token=task.token, value=encode(11))))
    (same,) = tasks(hand)
    assert (same.id, same.value) == (task.id, 11)
    received(hand.ask(EditToken(instance="i", by="eva", token=task.token, value=encode(1))))
    assert (tasks(hand), hand.marking()) == ([], {"small": [1]})
    assert "withdrawn" in hand.kinds()


def test_tasks_are_counted_without_a_look_at_any_instance() -> None:
    workflow = approving()
    hand = Hand(workflow)
    for number in range(3):
        hand.spawn(workflow, {"asked": list(range(number))}, id=f"i{number}")
    reader = StateReader(hand.store)
    assert reader.tasks_offered() == len(list(reader.tasks())) == 3
    hand.ask(Cancel(instance="i2", by="eva"))
    assert reader.tasks_offered() == 1
    assert [task.instance for task in reader.tasks()] == ["i1"]


def test_an_unknown_task_is_refused() -> None:
    hand = asked(approving())
    assert refused(hand.ask(decision(77))).code == "no_task"
