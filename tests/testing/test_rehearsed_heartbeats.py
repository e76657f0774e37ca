"""Rehearsals of handlers that give signs of life: they are spread over the time a handler takes."""

from placet import Context, Retry, Workflow
from placet.testing import Rehearsal, RehearsedInstance


def told(times: int) -> tuple[Rehearsal, RehearsedInstance]:
    """Return a rehearsal of a handler of 100 s that tells of its progress so many times, and may be silent for 30 s."""
    workflow = Workflow("told")
    begin, done = workflow.places("begin done")

    def work(_value: object, context: Context) -> object:
        for number in range(times):
            context.heartbeat(number)
        return context.progress

    again = Retry(attempts=2, first_s=5.0, jitter=0.0)
    workflow.transition(begin >> done, "work", handler=work, heartbeat_s=30.0, retry=again)
    rehearsed = Rehearsal(workflow)
    rehearsed.takes("work", 100.0)
    return rehearsed, rehearsed.spawn(workflow, {begin: [1]})


def test_signs_of_life_are_spread_over_the_time_a_handler_takes() -> None:
    rehearsed, instance = told(9)
    rehearsed.advance(35.0)
    (firing,) = instance.firings()
    assert (firing.progress, firing.beat_at) == (2, 1_030.0)
    rehearsed.advance(65.0)
    assert instance.result() == {"done": [None]}
    assert instance.history() == ["spawned", "fired", "completed"]


def test_who_gives_many_is_not_heard_each_time() -> None:
    rehearsed, instance = told(1_000)
    rehearsed.advance(10.5)
    (firing,) = instance.firings()
    assert isinstance(firing.progress, int)
    assert 90 < firing.progress < 106
    rehearsed.advance(89.5)
    assert instance.state == "completed"


def test_a_handler_that_is_silent_for_too_long_is_over() -> None:
    rehearsed, instance = told(2)  # after 33 s, and after 67 s
    rehearsed.advance(29.9)
    assert instance.history() == ["spawned"]
    rehearsed.advance(0.2)
    assert instance.history() == ["spawned", "attempt_failed"]
    rehearsed.takes("work", 1.0)
    rehearsed.advance(6.0)
    assert instance.result() == {"done": [None]}


def test_what_a_handler_told_before_it_failed_is_given_to_the_next_attempt() -> None:
    def work(_value: object, context: Context) -> object:
        if context.attempt == 1:
            context.heartbeat("half")
            raise OSError("the other half")
        return context.progress

    workflow = Workflow("told")
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=work, retry=Retry(attempts=2, first_s=0.0))
    assert Rehearsal(workflow).spawn(workflow, {begin: [1]}).result() == {"done": ["half"]}


def test_progress_is_given_to_the_next_attempt_after_a_crash() -> None:
    rehearsed, instance = told(9)
    rehearsed.advance(45.0)
    rehearsed.crash()
    rehearsed.advance(100.0)
    assert instance.result() == {"done": [3]}
