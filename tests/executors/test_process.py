"""Handlers in worker processes: who dies, is stopped, or outlives whom."""

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from placet import DefinitionError, Retry, Runtime, Workflow
from placet.actors.credit import NONE_FULL
from placet.actors.executors import process
from placet.actors.executors.errand import carry_out
from placet.actors.executors.perform import Errand
from placet.actors.executors.process import WorkerProcess
from placet.actors.runtime import client_of
from tests.endtoend.processes import finished, started, until
from tests.executors.flows import PATIENCE_S, failure, kinds, one_step
from tests.executors.handlers import (
    DEADLY,
    Traced,
    die,
    echo,
    hang,
    lock_of,
    passed_on,
    pid_of,
    scaled_by,
)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_end(pid: int) -> None:
    until(lambda: is_gone(pid), f"the end of process {pid}")


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a process; not what looks after semaphores for all of them."""
    children = psutil.Process(pid).children()
    return [child.pid for child in children if "popen_loky_posix" in " ".join(child.cmdline())]


def test_a_handler_that_kills_its_process_fails_its_own_firing_and_no_other(tmp_path: Path) -> None:
    workflow = one_step(die, "process")
    with Runtime(tmp_path / "state", [workflow], processes=2) as runtime:
        bad = runtime.spawn(workflow, {"start": [DEADLY]}, id="bad")
        good = [runtime.spawn(workflow, {"start": [100 + n]}, id=f"good{n}") for n in range(20)]
        assert [one.result(PATIENCE_S) for one in good] == [{"done": [100 + n]} for n in range(20)]
        assert failure(bad) == ("WorkerDied", "its worker process ended: EXIT(7)")
        for one in good:
            attempts = [record.attempt for _, record in one.history() if record.kind == "fired"]
            assert (kinds(one)["attempt_failed"], kinds(one)["lost"], attempts) == (0, 0, [1])


def test_a_process_that_died_counts_as_a_failure_for_retry(tmp_path: Path) -> None:
    workflow = one_step(die, "process", retry=Retry(attempts=3, first_s=0.01))
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        bad = runtime.spawn(workflow, {"start": [DEADLY]}, id="bad")
        assert failure(bad)[0] == "WorkerDied"
        assert kinds(bad)["attempt_failed"] == 3


def test_a_handler_past_its_time_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    workflow = one_step(hang, "process", timeout_s=1.0)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        told = tmp_path / "pids"
        instance = runtime.spawn(workflow, {"start": [str(told)]})
        assert failure(instance)[0] == "TimedOut"
        for pid in map(int, told.read_text(encoding="utf-8").split()):
            wait_for_end(pid)
        until(lambda: client_of(runtime).engine.executors["process"].load().abandoned == 0, "that nothing runs on")


def test_one_that_is_stopped_takes_no_other_along(tmp_path: Path) -> None:
    workflow = Workflow("two")
    start, slow, done, ended = workflow.places("start slow done ended")
    workflow.transition(slow >> ended, "hang", handler=hang, run="process", timeout_s=0.5)
    workflow.transition(start >> done, "pid", handler=pid_of, run="process")
    with Runtime(tmp_path / "state", [workflow], processes=2) as runtime:
        hung = runtime.spawn(workflow, {slow: [str(tmp_path / "pids")]})
        for number in range(20):
            assert runtime.spawn(workflow, {start: [number]}).result(PATIENCE_S)["done"]
        assert failure(hung)[0] == "TimedOut"


def test_workers_are_kept_for_the_next_handler(tmp_path: Path) -> None:
    workflow = one_step(pid_of, "process")
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        pids = {runtime.spawn(workflow, {"start": [n]}).result(PATIENCE_S)["done"][0] for n in range(5)}
        assert len(pids) == 1
        assert os.getpid() not in pids


def test_values_are_neither_loaded_nor_encoded_on_their_way_through_the_engine(tmp_path: Path) -> None:
    workflow = one_step(passed_on, "process")
    trace = tmp_path / "trace"
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        value = Traced(str(trace))
        instance = runtime.spawn(workflow, {"start": [value]})
        before = trace.read_text(encoding="utf-8").splitlines()  # to be stored, and compared with other spawns
        instance.wait_until(["completed"], PATIENCE_S)
        lines = trace.read_text(encoding="utf-8").splitlines()[len(before) :]
        assert [line.split()[0] for line in lines] == ["in", "out"]
        assert f"in {os.getpid()}" not in lines
        assert f"out {os.getpid()}" not in lines


def test_closures_and_partials_run_in_a_worker(tmp_path: Path) -> None:
    factor = 3

    def tripled(value: int) -> int:
        return value * factor

    handlers: list[Callable[..., object]] = [tripled, functools.partial(scaled_by, factor)]
    for number, handler in enumerate(handlers):
        workflow = one_step(handler, "process")
        with Runtime(tmp_path / str(number), [workflow], processes=1) as runtime:
            assert runtime.spawn(workflow, {"start": [2]}).result(PATIENCE_S) == {"done": [6]}


PROGRAM = """
import os
from placet import Runtime, Workflow

class Parcel:
    def __init__(self, weight):
        self.weight = weight

workflow = Workflow("mine")
a, b, c, d = workflow.places("a b c d")
limit = 5

@workflow.transition(a >> b, run="process")
def pack(weight):
    return b(Parcel(weight))

@workflow.transition(b >> c, run="process")
def weigh(parcel):
    assert isinstance(parcel, Parcel)
    parcel.weight += limit
    return parcel

workflow.transition(c >> d, "unpack", handler=lambda parcel: (parcel.weight, os.getpid()), run="process")

if __name__ == "__main__":
    with Runtime("state", [workflow]) as runtime:
        [(weight, pid)] = runtime.spawn(workflow, {a: [1]}).result(timeout_s=60)["d"]
        print(weight, pid != os.getpid())
"""


def test_functions_and_classes_of_the_program_itself_run_in_a_worker(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    assert finished(["-W", "error", "program.py"], cwd=tmp_path) == (0, "6 True\n", "")


@pytest.mark.parametrize("name", ["orders", "statistics"])
def test_a_file_that_is_run_by_the_command_is_found_by_its_workers(name: str, tmp_path: Path) -> None:
    text = PROGRAM.replace("    return b(Parcel(weight))", "    import statistics\n    return b(Parcel(weight))")
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    code, out, err = finished(
        ["-m", "placet", "run", f"{name}.py", "--state", "s", "--id", "i", "--input", '{"a": [1]}', "--json"],
        cwd=tmp_path,
    )
    assert (code, '"completed"' in out) == (0, True), err


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    workflow = one_step(hang, "process")
    told = tmp_path / "pids"
    with Runtime(tmp_path / "state", [workflow], processes=2, grace_s=0.0) as runtime:
        runtime.spawn(workflow, {"start": [str(told)]}, id="one")
        until(told.exists, "the handler's word")
    for pid in map(int, told.read_text(encoding="utf-8").split()):
        wait_for_end(pid)
    with Runtime(tmp_path / "state", [workflow], processes=1, grace_s=0.0) as again:
        assert kinds(again.instance("one"))["lost"] == 0


HANGING = """
import sys
from placet import Runtime
from tests.executors.flows import one_step
from tests.executors.handlers import hang_alone

workflow = one_step(hang_alone, "process")
runtime = Runtime("state", [workflow], processes=2, grace_s=0.2)
runtime.spawn(workflow, {"start": ["pids"]}, id="one")
if sys.argv[1:] == ["stay"]:
    import threading
    threading.Event().wait()
from tests.endtoend.processes import until
import pathlib
until(pathlib.Path("pids").exists, "the handler's word")
print("over")
"""


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere a worker looks once a second")
def test_workers_end_with_an_engine_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HANGING, encoding="utf-8")
    with started(["program.py", "stay"], cwd=tmp_path) as engine:
        until((tmp_path / "pids").exists, "the handler's word", engine)
        workers = workers_of(engine.pid)
        assert int((tmp_path / "pids").read_text(encoding="utf-8")) in workers
        os.kill(engine.pid, signal.SIGKILL)
        for pid in workers:
            wait_for_end(pid)


def test_a_program_that_does_not_close_ends_although_a_handler_hangs_in_a_worker(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HANGING, encoding="utf-8")
    assert finished(["program.py"], cwd=tmp_path) == (0, "over\n", "")
    for pid in map(int, (tmp_path / "pids").read_text(encoding="utf-8").split()):
        wait_for_end(pid)


def test_a_handler_that_cannot_be_sent_is_refused_when_it_is_registered(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(value: int) -> int:
        with lock:
            return value

    for run in ("process", "parallel"):
        with pytest.raises(DefinitionError, match=f"`step`: its handler cannot be sent .* run='{run}' wants"):
            Runtime(tmp_path / "state", [one_step(locked, run)])
    with Runtime(tmp_path / "state", [one_step(locked)]) as runtime:
        assert runtime.spawn("one_step", {"start": [1]}).result(PATIENCE_S) == {"done": [1]}


def test_what_cannot_be_sent_back_is_a_failure(tmp_path: Path) -> None:
    workflow = one_step(lock_of, "process")
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [1]}))[0].endswith("ValueNotEncodable")


def test_a_worker_that_cannot_start_fails_the_firing_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_engine: int, _line: object) -> None:
        os._exit(5)

    workflow = one_step(echo, "process")
    monkeypatch.setattr(process, "begin", refuse)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [1]})) == ("WorkerNotStarted", "no worker process: EXIT(5)")


def test_code_a_worker_does_not_have_is_asked_for() -> None:
    errand = Errand(
        tokens=(), instance="i", incarnation=1, number=1, attempt=1, state=(), progress=None, full=NONE_FULL
    )
    assert carry_out(b"unknown", None, errand) is None


def test_a_worker_that_was_stopped_while_it_started_is_not_used() -> None:
    worker = WorkerProcess()
    worker.stop()
    worker.open()
    assert workers_of(os.getpid()) == []


def test_nothing_of_it_is_imported_where_no_workflow_wants_it(tmp_path: Path) -> None:
    program = """
import sys
from placet import Runtime
from placet.actors.runtime import client_of
from tests.executors.flows import one_step
from tests.executors.handlers import echo
with Runtime("state", [one_step(echo)]) as runtime:
    runtime.spawn("one_step", {"start": [1]}).result(60)
    print(sorted(client_of(runtime).engine.executors), "loky" in sys.modules)
"""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    assert finished(["program.py"], cwd=tmp_path) == (0, "['thread'] False\n", "")
