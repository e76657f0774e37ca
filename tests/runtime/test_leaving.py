"""Programs that leave without closing their runtime, and processes forked beside one."""

from pathlib import Path
from threading import Event

from placet import ActorHandle, Runtime, Workflow
from tests.endtoend.processes import finished, until
from tests.runtime.workflows import WAIT_S

FORGETFUL = """
import os, sys, threading
from placet import ActorHandle, Runtime, Workflow

forgetful = Workflow("forgetful")
start, end = forgetful.places("start end")
begun = threading.Event()

@forgetful.transition(start >> end)
def work(value):
    begun.set()
    threading.Event().wait(60 if sys.argv[1:] == ["leave"] else 0)
    return value

runtime = Runtime("state", [forgetful], grace_s=0.1)
if sys.argv[1:] == ["leave"]:
    runtime.spawn(forgetful, {start: [1]}, id="i")
    begun.wait(20)
    child = os.fork()
    if child == 0:
        sys.exit(0)  # runs the exit handlers of its parent, which must not touch the parent's state
    os.waitpid(child, 0)
    print(runtime.health.value)
else:
    instance = runtime.instance("i")
    print(instance.result(timeout_s=20), [record.kind for _, record in instance.history()])
"""


def test_a_program_that_forgets_to_close_counts_as_a_clean_stop_and_a_forked_child_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    code, out, err = finished(["forgetful.py", "leave"], cwd=tmp_path)
    assert (code, out, err) == (0, "running\n", "")
    code, out, err = finished(["forgetful.py"], cwd=tmp_path)
    assert (code, out.strip(), err) == (0, "{'end': [1]} ['spawned', 'fired', 'completed']", "")


IMPATIENT = """
import os, signal, threading
from placet import PlacetError, Runtime, Workflow
from placet.actors.runtime import client_of

impatient = Workflow("impatient")
start, end = impatient.places("start end")
gone = threading.Event()

@impatient.transition(start >> end, run="inline")
def work(value):
    engine = client_of(runtime).engine
    os.kill(os.getpid(), signal.SIGINT)  # the block is left
    engine._stopping.wait()
    os.kill(os.getpid(), signal.SIGINT)  # the grace is over
    while engine._grace_s:
        pass
    os.kill(os.getpid(), signal.SIGINT)  # and nobody waits for the engine any more
    gone.wait()
    return value

try:
    with Runtime("state", [impatient]) as runtime:
        runtime.spawn_later(impatient, {start: [1]}, id="i")
        while True:
            threading.Event().wait(0.1)  # a signal that comes just before a wait does not end it
except KeyboardInterrupt:
    print("interrupted", client_of(runtime).engine.is_over)
try:
    Runtime("state", [impatient])
except PlacetError as error:
    print(error.code)
gone.set()
client_of(runtime).engine.stop(20.0)
print(runtime.health.value, runtime.problem)
"""


def test_an_impatient_interrupt_does_not_take_the_store_from_an_engine_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    code, out, err = finished(["impatient.py"], cwd=tmp_path)
    assert (code, out.splitlines(), err) == (0, ["interrupted False", "store_in_use", "stopped "], "")


def test_a_result_that_came_counts_at_a_clean_stop_though_its_instance_is_still_being_read(tmp_path: Path) -> None:
    workflow, begun, go_on = Workflow("large"), Event(), Event()
    heap, start, end, aside = workflow.places("heap start end aside")

    def never(_value: object) -> bool:
        if go_on.is_set():
            Event().wait(0.0001)  # for each token: reading them all takes a second or two
        return False

    workflow.transition(heap >> aside, "never", handler=str, guard=never)
    calls: list[int] = []

    @workflow.transition(start >> end)
    def work(value: int) -> int:
        calls.append(value)
        begun.set()
        go_on.wait(WAIT_S)
        return value

    with Runtime(tmp_path / "state", [workflow]) as runtime:
        runtime.spawn(workflow, {heap: list(range(11_000)), start: [1]}, id="one")
        assert begun.wait(WAIT_S)
        place = runtime.find("one/heap")
        assert isinstance(place, ActorHandle)
        place.sleep()  # and its instance with it: reading it takes many portions
        go_on.set()
        until(lambda: not runtime.running() or None, "the handler returns")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.instance("one").marking()["end"] == [1]
    assert calls == [1]
