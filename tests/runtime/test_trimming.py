"""History trimmed while an engine runs, and one actor's snapshot taken out."""

from pathlib import Path

from placet import Instance, Runtime, Workflow
from placet.actors.actor_handle import ActorHandle
from placet.actors.answers import Entries, decode_answer
from placet.actors.messages import Trim
from placet.actors.runtime import client_of

PATIENCE_S = 30.0


def looping(rounds: int) -> Workflow:
    """Return a workflow whose one token goes round so many times."""
    workflow = Workflow("looping")
    todo, done = workflow.place("todo", entry=True), workflow.place("done")

    @workflow.transition(todo >> (todo | done), run="inline")
    def turn(value: int) -> object:
        return todo(value + 1) if value < rounds else done(value)

    return workflow


def test_the_newest_records_are_kept_and_the_instance_is_as_before(tmp_path: Path) -> None:
    workflow = looping(2_500)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"todo": [0]}, id="one")
        other = runtime.spawn(workflow, {"todo": [2_490]}, id="other")
        result = instance.result(PATIENCE_S)
        whole, others = instance.history(), len(other.history())
        assert instance.trim_history(keep=10) == len(whole) - 10
        assert instance.history() == whole[-10:]
        assert (instance.result(PATIENCE_S), len(other.history())) == (result, others)
        assert instance.trim_history(keep=10) == 0
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.instance("one").result(PATIENCE_S) == {"done": [2_500]}


def test_no_record_of_another_instance_and_never_the_newest_is_deleted(tmp_path: Path) -> None:
    workflow = looping(3)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        one = runtime.spawn(workflow, {"todo": [0]}, id="one")
        other = runtime.spawn(workflow, {"todo": [0]}, id="other")
        assert one.result(PATIENCE_S) == other.result(PATIENCE_S)
        everything = tuple(sequence for instance in (one, other) for sequence, _ in instance.history())
        newest, theirs = one.history()[-1], other.history()
        client_of(runtime).ask(lambda reply: Trim(instance="one", records=everything, reply=reply))
        assert one.history() == [newest]
        assert other.history() == theirs


def test_a_place_is_exported_alone(tmp_path: Path) -> None:
    workflow = Workflow("waiting")
    left, right, end = workflow.places("left right end")
    workflow.transition((left & right) >> end, name="meet")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {left: [1, 2]}, id="one")
        assert isinstance(instance, Instance)
        place = runtime.find("one/left")
        assert isinstance(place, ActorHandle)
        snapshot = decode_answer(place.export())
        assert isinstance(snapshot, Entries)
        assert (snapshot.instance, snapshot.path, len(snapshot.entries)) == ("one", "left", 2)
        place.sleep()
        assert decode_answer(place.export()) == snapshot
