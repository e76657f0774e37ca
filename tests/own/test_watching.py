"""Watching: who watches is told of the end, once, whichever came first."""

from typing import Any

import pytest

from placet import Context, Terminated, Workflow
from placet.persistence.keys import WATCHER, split_entry
from placet.testing import Rehearsal, RehearsedActor, RehearsedInstance
from tests.own.cast import Counter, Do, End, Player


def heard(player: RehearsedActor[Any]) -> object:  # `Any`: of whatever messages
    return player.state_values().get("heard", [])


def ended(id: str, state: str) -> Terminated:
    return Terminated(id=id, state=state, reason=f"{id} is {state}")


def watchers(rehearsal: Rehearsal) -> int:
    return sum(split_entry(key)[:2] == (0, WATCHER) for key, _ in rehearsal.store.scan(b"L"))


def order() -> Workflow:
    """Return a workflow that a person has to end; it has a composite, and calls itself a child."""
    inner = Workflow("inner")
    received, checked = inner.places("received checked")
    inner.transition(received >> checked, "check")
    workflow = Workflow("order")
    start, ready, done = workflow.places("start ready done")
    workflow.composite("desk", inner, {received: start, checked: ready})
    child = Workflow("child")
    asked, answered = child.places("asked answered")
    child.task(asked >> answered, "answer")
    workflow.call(ready >> done, "fulfil", child)
    return workflow


def watching(*targets: str) -> tuple[Rehearsal, RehearsedActor[Any], RehearsedInstance]:
    workflow = order()
    rehearsal = Rehearsal(Player, Counter, workflow)
    player = rehearsal.start(Player, id="p")
    instance = rehearsal.spawn(workflow, {"start": ["a lamp"]}, id="order-17")
    rehearsal.run()
    for target in targets:
        player.tell(Do("watch", (target,)))
    rehearsal.run()
    return rehearsal, player, instance


@pytest.mark.parametrize("verb", ["cancel", "fail"])
def test_who_watches_an_instance_is_told_how_it_ended_once(verb: str) -> None:
    rehearsal, player, instance = watching("order-17", "order-17")
    assert watchers(rehearsal) == 1
    rehearsal.crash()
    if verb == "cancel":
        instance.cancel(by="eva")
    else:
        rehearsal.instance(_child(rehearsal)).cancel(by="eva")  # the call has failed
        rehearsal.run()
        instance.fail(instance.incidents()[0].number, by="eva")
    rehearsal.run()
    rehearsal.crash()
    rehearsal.run()
    assert heard(player) == [ended("order-17", "cancelled" if verb == "cancel" else "failed")]
    assert watchers(rehearsal) == 0


def _child(rehearsal: Rehearsal) -> str:
    from placet.actors.reader import StateReader

    ids = [header.instance for header in StateReader(rehearsal.store).headers()]
    return next(id for id in ids if id.startswith("order-17/"))


def test_who_watches_an_actor_is_told_that_it_has_completed() -> None:
    rehearsal, player, _ = watching("c1", "order-17")
    rehearsal.start(Counter, id="c1")  # too late: there was none
    assert heard(player) == [Terminated(id="c1", state="not_found", reason="there is no instance c1")]
    player.tell(Do("watch", ("c1",)))
    rehearsal.run()
    rehearsal.actor("c1", Counter).tell(End())
    rehearsal.run()
    assert heard(player)[1:] == [ended("c1", "completed")]  # type: ignore[index]  # pyright: ignore[reportIndexIssue] - a list


def test_who_watches_what_has_ended_is_told_at_once() -> None:
    rehearsal, player, instance = watching()
    instance.cancel(by="eva")
    rehearsal.run()
    player.tell(Do("watch", ("order-17",)))
    rehearsal.run()
    assert heard(player) == [ended("order-17", "cancelled")]


def test_an_attempt_that_is_lost_watches_once() -> None:
    rehearsal, player, instance = watching()
    rehearsal.takes("receive", 3.0)
    player.tell(Do("watch", ("order-17",)))
    rehearsal.advance(2.0)
    rehearsal.crash()
    rehearsal.advance(20.0)
    instance.cancel(by="eva")
    rehearsal.advance(20.0)
    assert heard(player) == [ended("order-17", "cancelled")]


def test_the_child_of_a_call_is_watched_by_its_id() -> None:
    rehearsal, player, _ = watching()
    child = _child(rehearsal)
    player.tell(Do("watch", (child,)))
    rehearsal.run()
    [task] = rehearsal.tasks()
    rehearsal.instance(child).complete(task.id, by="eva")
    rehearsal.run()
    assert heard(player) == [ended(child, "completed")]


@pytest.mark.parametrize("part", ["order-17/desk", "order-17/start", "order-17/desk/received"])
def test_a_place_or_a_composite_has_no_end_of_its_own_to_be_told_of(part: str) -> None:
    _, player, _ = watching(part)
    assert heard(player) == [Terminated(id=part, state="not_found", reason=f"there is no instance {part}")]


def test_an_instance_watches_by_a_place_that_is_fed_from_outside() -> None:
    workflow = Workflow("guardian")
    born, watching_it, done = workflow.places("born watching done")
    news = workflow.place("news", external=True, type=Terminated)

    @workflow.transition(born >> watching_it)
    def watch(target: str, context: Context) -> str:
        context.watch(target, news)
        return target

    workflow.transition((watching_it & news) >> done, "hear")
    rehearsal = Rehearsal(workflow, Counter)
    counter = rehearsal.start(Counter, id="c1")
    guardian = rehearsal.spawn(workflow, {born: ["c1"]}, id="g")
    rehearsal.run()
    counter.stop(by="eva")
    assert guardian.result() == {"done": [("c1", ended("c1", "cancelled"))]}


def test_a_watcher_that_has_ended_itself_is_no_trouble() -> None:
    rehearsal, player, instance = watching("order-17")
    player.ask(Do("stop"))
    instance.cancel(by="eva")
    rehearsal.run()
    assert instance.history()[-1] == "undelivered"
