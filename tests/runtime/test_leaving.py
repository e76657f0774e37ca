"""Programs that leave without closing their runtime, and processes forked beside one."""

from pathlib import Path

from tests.endtoend.processes import finished

FORGETFUL = """
import os, sys, threading
from placet import Runtime, Workflow

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
