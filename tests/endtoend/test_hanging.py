"""Handlers that hang: abandoned at their deadline, replaced, tried again; and closing waits for none of them."""

import threading
from collections import Counter
from pathlib import Path
from time import monotonic

from placet import Context, Retry, Runtime, Workflow
from placet.actors.runtime import client_of
from tests.endtoend.processes import PATIENCE_S, finished

HANGS = 3  # of two threads: more than there are


def test_hung_handlers_are_replaced_and_their_firings_tried_again(tmp_path: Path) -> None:
    release, hung = threading.Event(), threading.Semaphore(0)
    begun: set[int] = set()
    workflow = Workflow("hanging")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done, timeout_s=0.2, retry=Retry(attempts=5, first_s=0.01))
    def work(value: int) -> int:
        if value < HANGS and value not in begun:  # a start taken back for want of a thread counts as an attempt
            begun.add(value)
            hung.release()
            release.wait(PATIENCE_S)
            return -1
        return value

    with Runtime(tmp_path / "state", [workflow], threads=2, grace_s=PATIENCE_S) as runtime:
        instances = [runtime.spawn(workflow, {start: [n]}, id=f"i{n}") for n in range(12)]
        assert [instance.result(PATIENCE_S) for instance in instances] == [{"done": [n]} for n in range(12)]
        assert all(hung.acquire(timeout=PATIENCE_S) for _ in range(HANGS))
        load = client_of(runtime).engine.executors["thread"].load()
        assert (load.abandoned, load.running) == (HANGS, 0)
        begin_s = monotonic()
    assert monotonic() - begin_s < PATIENCE_S / 2, "closing waited for what was abandoned"
    release.set()
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        for number in range(12):
            kinds = Counter(record.kind for _, record in runtime.instance(f"i{number}").history())
            assert (kinds["fired"], kinds["lost"]) == (1, 0)
            assert kinds["attempt_failed"] == (1 if number < HANGS else 0)


HUNG_AT_THE_END = """
import threading

from placet import Runtime, Workflow

workflow = Workflow("hanging")
start, done = workflow.places("start done")
begun = threading.Event()


@workflow.transition(start >> done)
def work(value):
    begun.set()
    threading.Event().wait()


with Runtime("state", [workflow], grace_s=0.2) as runtime:
    runtime.spawn(workflow, {start: [1]}, id="one")
    assert begun.wait(30)
print("closed")
"""


def test_a_process_ends_although_a_handler_hangs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HUNG_AT_THE_END, encoding="utf-8")
    assert finished(["program.py"], cwd=tmp_path) == (0, "closed\n", "")


def test_closing_counts_what_ends_in_time_and_runs_the_rest_again_without_a_loss(tmp_path: Path) -> None:
    begun, release = threading.Semaphore(0), [threading.Event(), threading.Event()]
    workflow = Workflow("closing")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done)
    def work(value: int, context: Context) -> tuple[int, int]:
        begun.release()
        release[value % 2].wait(PATIENCE_S)
        return value, context.attempt

    runtime = Runtime(tmp_path / "state", [workflow], threads=8, grace_s=1.0)
    for number in range(8):
        runtime.spawn(workflow, {start: [number]}, id=f"i{number}")
    assert all(begun.acquire(timeout=PATIENCE_S) for _ in range(8))
    threading.Timer(0.1, release[0].set).start()
    runtime.close()
    release[1].set()
    with Runtime(tmp_path / "state", [workflow]) as again:
        for number in range(8):
            instance = again.instance(f"i{number}")
            assert instance.result(PATIENCE_S) == {"done": [(number, 1 + number % 2)]}
            kinds = Counter(record.kind for _, record in instance.history())
            assert (kinds["fired"], kinds["lost"]) == (1, 0)
