"""What people do with tasks, as the kernel has it: one decision each, whoever asks, however often."""

import pytest

from placet import Workflow
from placet.actors.answers import Answer, Receipt, Refused
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, Claim, Decide, DropToken, EditToken, Pause, Resume, TaskMessage, Unclaim
from placet.actors.reader import StateReader
from placet.actors.task_view import TaskView
from placet.persistence.values import encode
from tests.actors.driver import Driver

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


def asked(workflow: Workflow, *values: object) -> Driver:
    driver = Driver(workflow)
    driver.spawn(workflow, {"asked": list(values) or [1]})
    return driver


def tasks(driver: Driver) -> list[TaskView]:
    return list(StateReader(driver.store).tasks())


def only(driver: Driver) -> int:
    (task,) = tasks(driver)
    return int(task.id.rpartition(".")[2])


def decide(driver: Driver, output: str = "yes", by: str = "eva", **options: object) -> Answer:
    return driver.ask(decision(only(driver), output, by, **options))


def decision(task: int, output: str = "yes", by: str = "eva", **options: object) -> TaskMessage:
    message = {"instance": "one", "task": task, "output": output, "by": by, **options}
    return Decide(**message)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - fields of the test's choice


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


def received(answer: Answer) -> Receipt:
    assert isinstance(answer, Receipt), answer
    return answer


# -- deciding ---------------------------------------------------------------------------------------------------


def test_a_decision_takes_the_token_and_fires_in_one() -> None:
    driver = asked(approving())
    (task,) = tasks(driver)
    assert (task.id, task.transition, task.place, task.value) == ("one/boss.2", "boss", "asked", 1)
    assert driver.state() is InstanceState.WAITING
    before = len(driver.commits)
    assert not received(decide(driver, why="fine")).already
    assert (len(driver.commits) - before, driver.marking(), driver.state()) == (
        1,
        {"yes": [1]},
        InstanceState.COMPLETED,
    )
    record = next(one for one in driver.history() if one.kind == "fired")
    assert record.detail == {"by": "eva", "why": "fine", "output": "yes"}
    assert (record.transition, record.firing, record.consumed) == ("boss", 2, (task.token,))


def test_of_two_who_decide_at_once_one_wins_and_the_other_learns_who_and_when() -> None:
    driver = asked(approving())
    number = only(driver)
    driver.kernel.deliver(decision(number, "yes", "eva", reply=101))
    driver.kernel.deliver(decision(number, "no", "bob", reply=102))
    driver.rest()
    winner, loser = received(driver.answers[101]), refused(driver.answers[102])
    assert (loser.code, loser.by, loser.at) == ("decided", "eva", winner.at)
    assert "yes" in loser.reason
    assert driver.marking() == {"yes": [1]}


def test_the_same_person_and_decision_again_has_succeeded_already() -> None:
    driver = asked(approving())
    number = only(driver)
    first = received(decide(driver))
    driver.crash()
    driver.rest()
    again = received(driver.ask(decision(number)))
    assert (again.already, again.at) == (True, first.at)
    assert refused(driver.ask(decision(number, "no"))).code == "decided"
    assert refused(driver.ask(decision(number, by="bob"))).by == "eva"
    assert driver.kinds().count("fired") == 1


def test_a_repeated_request_gets_its_recorded_answer_after_any_crash() -> None:
    driver = asked(approving())
    number = only(driver)
    message = decision(number, request_id="r1")
    first = received(driver.ask(message))
    driver.crash()
    driver.rest()
    driver.pass_time(60.0)
    again = received(driver.ask(message))
    assert (again.already, again.at) == (True, first.at)


def test_a_decision_may_give_another_value() -> None:
    driver = asked(approving())
    received(decide(driver, outputs=(("yes", encode("better")),)))
    assert driver.marking() == {"yes": ["better"]}


def test_a_large_value_goes_on_as_it_is_and_another_one_leaves_nothing_of_it() -> None:
    value = b"x" * LARGE
    driver = asked(approving(), value)
    received(decide(driver))
    assert driver.marking() == {"yes": [value]}
    driver = asked(approving(), value)
    received(decide(driver, outputs=(("yes", encode(1)),)))
    assert driver.marking() == {"yes": [1]}
    assert sum(len(data) for _, data in driver.store.scan(b"L")) < LARGE, "the chunks went with the token"


def test_a_fork_gives_its_value_to_all_or_each_its_own() -> None:
    driver = asked(forking())
    received(decide(driver, ""))
    assert driver.marking() == {"left": [1], "right": [1]}
    driver = asked(forking())
    assert refused(decide(driver, "", outputs=(("left", encode(2)),))).code == "wrong_output"
    received(decide(driver, "", outputs=(("left", encode(2)), ("right", encode(3)))))
    assert driver.marking() == {"left": [2], "right": [3]}


def test_a_choice_needs_one_output_that_exists() -> None:
    driver = asked(approving())
    for output, outputs in (("", ()), ("maybe", ()), ("", (("yes", encode(1)), ("no", encode(1))))):
        assert refused(decide(driver, output, outputs=outputs)).code == "wrong_output"
    assert (driver.marking(), len(tasks(driver))) == ({"asked": [1]}, 1)


def test_a_decision_for_one_output_with_a_value_for_another_is_refused() -> None:
    driver = asked(approving())
    assert refused(decide(driver, "yes", outputs=(("no", encode(1)),))).code == "wrong_output"
    assert driver.marking() == {"asked": [1]}


def test_the_place_that_a_value_is_for_is_the_decision() -> None:
    driver = asked(approving())
    number = only(driver)
    outputs = (("no", encode(2)),)
    received(decide(driver, "", outputs=outputs))
    assert received(driver.ask(decision(number, "no"))).already
    assert refused(driver.ask(decision(number, "yes", "bob"))).reason == f"task {number} was decided by eva: no"


def test_a_full_place_refuses_a_decision_until_there_is_room() -> None:
    driver = asked(approving(capacity=1), 1, 2)
    first, second = (int(task.id.rpartition(".")[2]) for task in tasks(driver))
    received(driver.ask(decision(first)))
    assert refused(driver.ask(decision(second))).code == "full"
    (token,) = driver.view().tokens["yes"]
    received(driver.ask(DropToken(instance="one", by="eva", token=token)))
    received(driver.ask(decision(second)))


def test_nobody_decides_while_the_instance_is_paused() -> None:
    driver = asked(approving())
    driver.ask(Pause(instance="one", by="eva"))
    assert refused(decide(driver)).code == "paused"
    received(driver.ask(Claim(instance="one", task=only(driver), by="eva")))
    driver.ask(Resume(instance="one", by="eva"))
    received(decide(driver))


def test_nobody_decides_once_the_instance_is_being_cancelled() -> None:
    workflow = approving()
    running, done = workflow.places("running done")
    workflow.transition(running >> done, "work", handler=same)
    driver = Driver(workflow)
    driver.spawn(workflow, {"asked": [1], "running": [2]})
    number = only(driver)
    driver.ask(Cancel(instance="one", by="eva"))
    assert driver.state() is InstanceState.CANCELLING
    for message in (decision(number), Claim(instance="one", task=number, by="eva")):
        assert refused(driver.ask(message)).code == "ending"
    driver.finish()
    assert (driver.state(), tasks(driver)) == (InstanceState.CANCELLED, [])
    assert refused(driver.ask(decision(number))).code == "withdrawn"


# -- who may ----------------------------------------------------------------------------------------------------


def test_a_task_for_a_role_is_decided_by_who_has_it() -> None:
    driver = asked(approving(roles=("boss", "owner")))
    assert refused(decide(driver)).code == "not_in_role"
    assert refused(decide(driver, roles=("clerk",))).code == "not_in_role"
    received(decide(driver, roles=("clerk", "owner")))


def test_a_task_for_people_is_decided_by_one_of_them() -> None:
    driver = asked(approving(assignees=("eva", "bob")))
    assert refused(decide(driver, by="mallory")).code == "not_assigned"
    assert refused(driver.ask(Claim(instance="one", task=only(driver), by="mallory"))).code == "not_assigned"
    received(decide(driver, by="bob"))


def test_a_claimed_task_is_for_nobody_else_until_it_is_given_back() -> None:
    driver = asked(approving())
    number = only(driver)
    claim = Claim(instance="one", task=number, by="eva")
    assert not received(driver.ask(claim)).already
    assert received(driver.ask(claim)).already
    driver.crash()
    driver.rest()
    assert tasks(driver)[0].claimed_by == "eva"
    for message in (decision(number, by="bob"), Claim(instance="one", task=number, by="bob")):
        answer = refused(driver.ask(message))
        assert (answer.code, answer.by) == ("claimed", "eva")
    assert not received(driver.ask(Unclaim(instance="one", task=number, by="bob"))).already
    assert received(driver.ask(Unclaim(instance="one", task=number, by="bob"))).already
    received(driver.ask(decision(number, by="bob")))
    assert [kind for kind in driver.kinds() if "claim" in kind] == ["claimed", "unclaimed"]


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
    driver = asked(approving(roles=("boss",), assignees=("eva", "adam")))
    (task,) = tasks(driver)
    assert task.is_for(role, assignee) is found
    driver.ask(Claim(instance="one", task=only(driver), by="eva", roles=("boss",)))
    (task,) = tasks(driver)
    assert not task.is_for(None, "adam"), "it is claimed"


# -- tasks that go away ------------------------------------------------------------------------------------------


def test_a_task_nobody_decides_in_time_escalates_and_says_so() -> None:
    driver = asked(approving(after_s=3600.0))
    number = only(driver)
    driver.pass_time(3599.0)
    assert driver.state() is InstanceState.WAITING
    driver.crash()
    driver.rest()
    driver.pass_time(1.0)
    assert (driver.state(), driver.marking()) == (InstanceState.COMPLETED, {"late": [1]})
    answer = refused(driver.ask(decision(number)))
    assert (answer.code, answer.at) == ("withdrawn", driver.clock.now_s)


def test_a_decision_in_time_leaves_nothing_to_escalate() -> None:
    driver = asked(approving(after_s=3600.0))
    driver.pass_time(3599.0)
    received(decide(driver))
    driver.pass_time(7200.0)
    assert driver.marking() == {"yes": [1]}


def test_an_edited_token_keeps_its_task_where_the_guard_lets_it_through() -> None:
    workflow = Workflow("guarded")
    start, yes, no, small = workflow.places("asked yes no small")
    workflow.approval("boss", start, approve=yes, reject=no, guard=lambda value: bool(value >= 10))
    workflow.transition(start >> small, "wave", guard=lambda value: bool(value < 10))
    driver = asked(workflow, 10)
    (task,) = tasks(driver)
    received(driver.ask(EditToken(instance="one", by="eva", token=task.token, value=encode(11))))
    (same,) = tasks(driver)
    assert (same.id, same.value) == (task.id, 11)
    received(driver.ask(EditToken(instance="one", by="eva", token=task.token, value=encode(1))))
    assert (tasks(driver), driver.marking()) == ([], {"small": [1]})
    assert "withdrawn" in driver.kinds()


def test_tasks_are_counted_without_a_look_at_any_instance() -> None:
    workflow = approving()
    driver = Driver(workflow)
    for number in range(3):
        driver.spawn(workflow, {"asked": list(range(number))}, instance=f"i{number}")
    reader = StateReader(driver.store)
    assert reader.tasks_offered() == len(list(reader.tasks())) == 3
    driver.ask(Cancel(instance="i2", by="eva"))
    assert reader.tasks_offered() == 1
    assert [task.instance for task in reader.tasks()] == ["i1"]


def test_an_unknown_task_is_refused() -> None:
    driver = asked(approving())
    assert refused(driver.ask(decision(77))).code == "no_task"
