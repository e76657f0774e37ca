"""No room: a full disk, a store at its limit, a disk nobody may write to. Nothing is lost, and it goes on by itself."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import EngineStopped, InstanceState, Runtime, WaitTimeout, Workflow
from placet.actors.engine import Health
from placet.persistence.errors import StateUnusable, StoreFull
from tests.endtoend.disks import disk, ext4, fill, read_only
from tests.endtoend.processes import PATIENCE_S, finished, until


class Growing:
    """A workflow whose first step waits for a word and then returns a large value."""

    def __init__(self, size_bytes: int) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.workflow = Workflow("growing")
        start, grown, done = self.workflow.places("start grown done")

        @self.workflow.transition(start >> grown)
        def grow(value: int) -> bytes:
            self.begun.release()
            assert self.go_on.wait(PATIENCE_S)
            return bytes([value]) * size_bytes

        self.workflow.transition(grown >> done, "weigh", handler=len)

    def spawn(self, runtime: Runtime, count: int) -> list[str]:
        """Spawn instances and return once all their first steps have begun."""
        names = [f"growing-{number}" for number in range(count)]
        for number, name in enumerate(names):
            runtime.spawn(self.workflow, {"start": [number]}, id=name, timeout_s=PATIENCE_S)
        for _ in names:
            assert self.begun.acquire(timeout=PATIENCE_S)
        return names


def is_full(runtime: Runtime) -> Callable[[], bool]:
    return lambda: runtime.health is Health.FULL


def assert_counted_once(runtime: Runtime, names: list[str], size_bytes: int) -> None:
    for name in names:
        instance = runtime.instance(name)
        assert instance.result(timeout_s=PATIENCE_S) == {"done": [size_bytes]}
        fired = [record.transition for _, record in instance.history() if record.kind == "fired"]
        assert fired == ["grow", "weigh"]


def test_a_full_disk_is_waited_out_and_nothing_counts_twice(tmp_path: Path) -> None:
    growing = Growing(100_000)
    with disk(tmp_path / "disk", "16m") as folder, Runtime(folder / "state", [growing.workflow]) as runtime:
        names = growing.spawn(runtime, 6)
        ballast = fill(folder)
        growing.go_on.set()
        until(is_full(runtime), "the engine says that the disk is full")
        assert "full" in runtime.problem
        with pytest.raises(WaitTimeout):  # it takes requests, and answers them when there is room
            runtime.spawn(growing.workflow, {"start": [9]}, id="late", timeout_s=0.1)
        assert all(runtime.instance(name).state is InstanceState.RUNNING for name in names)
        ballast.unlink()
        assert_counted_once(runtime, names, 100_000)
        assert runtime.health is Health.RUNNING
        assert_counted_once(runtime, ["late"], 100_000)


def test_a_process_killed_while_the_disk_is_full_goes_on_when_there_is_room(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(KILLED_WHEN_FULL, encoding="utf-8")
    with disk(tmp_path / "disk", "16m") as folder:
        code, out, err = finished([str(program), "full"], cwd=folder)
        assert (code, out) == (-9, "full\n"), err
        (folder / "ballast").unlink()
        code, out, err = finished([str(program), "room"], cwd=folder)
        assert (code, out) == (0, "6 completed\n"), err


KILLED_WHEN_FULL = """
import os
import signal
import sys
import threading
from pathlib import Path

from placet import Runtime, Workflow
from placet.actors.engine import Health
from tests.endtoend.disks import fill
from tests.endtoend.processes import until

workflow = Workflow("growing")
start, done = workflow.places("start done")
is_full = sys.argv[1] == "full"
filled = threading.Event()


@workflow.transition(start >> done)
def grow(value):
    if is_full:
        assert filled.wait(30)
    return bytes(100_000)


with Runtime("state", [workflow]) as runtime:
    instances = [runtime.spawn(workflow, {start: [n]}, id=f"i{n}") for n in range(6)]
    if is_full:
        fill(Path.cwd())
        filled.set()
        until(lambda: runtime.health is Health.FULL, "the engine says so")
        print("full", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    results = [instance.result(timeout_s=30) for instance in instances]
    print(len(results), "completed")
"""


FIRST_GUARD_WHEN_FULL = """
from pathlib import Path

from placet import Runtime, Workflow
from placet.actors.engine import Health
from tests.endtoend.disks import fill
from tests.endtoend.processes import until

workflow = Workflow("guarded")
start, done = workflow.places("start done")
workflow.transition(start >> done, "move", guard=bool)

with Runtime("state", [workflow]) as runtime:
    ballast = fill(Path.cwd())
    spawned = runtime.spawn_later(workflow, {start: [1]}, id="one")
    until(lambda: runtime.health is Health.FULL, "the engine says so")
    ballast.unlink()
    print(spawned.result(30).result(30))
"""


def test_the_first_guard_of_an_engine_is_asked_when_the_disk_is_full(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(FIRST_GUARD_WHEN_FULL, encoding="utf-8")
    with ext4(tmp_path / "disk", tmp_path / "image") as folder:
        code, out, err = finished([str(program)], cwd=folder)
    assert (code, out) == (0, "{'done': [1]}\n"), err


def test_a_store_at_its_limit_waits_and_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    growing = Growing(100_000)
    with Runtime(tmp_path / "state", [growing.workflow], limit_bytes=500_000) as runtime:
        names = growing.spawn(runtime, 8)
        growing.go_on.set()
        until(is_full(runtime), "the engine says that the store is full")
        waiting = runtime.spawn_later(growing.workflow, {"start": [9]}, id="late")
    with pytest.raises(EngineStopped, match="full"):
        waiting.result(timeout=PATIENCE_S)
    with Runtime(tmp_path / "state", [growing.workflow]) as runtime:
        assert_counted_once(runtime, names, 100_000)
        runtime.spawn(growing.workflow, {"start": [9]}, id="late", timeout_s=PATIENCE_S)
        assert_counted_once(runtime, ["late"], 100_000)


def test_a_new_state_without_room_is_refused(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "1m") as folder:
        ballast = fill(folder)
        for _ in range(2):  # a refusal leaves no lock behind
            with pytest.raises((StateUnusable, StoreFull)) as refused:
                Runtime(folder / "state", [])
            assert "full" in str(refused.value) or "No space" in str(refused.value)
        ballast.unlink()
        Runtime(folder / "state", []).close()


OPEN = """
import sys

from placet import PlacetError, Runtime

try:
    Runtime(sys.argv[1]).close()
except PlacetError as error:
    sys.exit(error.code)
"""


@pytest.mark.slow
def test_a_new_state_with_hardly_any_room_is_made_or_refused(tmp_path: Path) -> None:
    """A page mapped into memory that finds no block on disk would end the process with SIGBUS."""
    program = tmp_path / "program.py"
    program.write_text(OPEN, encoding="utf-8")
    with ext4(tmp_path / "disk", tmp_path / "image") as folder:
        codes: list[int] = []
        for blocks in range(1, 16):
            ballast = fill(folder)
            os.truncate(ballast, ballast.stat().st_size - blocks * 4_096)
            code, _, err = finished([str(program), str(folder / f"state-{blocks}")], cwd=tmp_path)
            assert (code, err) == (0, "") or (code == 1 and err.strip() in {"state_unusable", "store_full"}), (
                code,
                err,
            )
            codes.append(code)
            shutil.rmtree(folder / f"state-{blocks}", ignore_errors=True)
            ballast.unlink()
    assert set(codes) == {0, 1}, "some are too little, some are enough"


def test_a_state_that_is_there_is_opened_again_once_the_full_disk_has_room(tmp_path: Path) -> None:
    growing = Growing(100)
    growing.go_on.set()
    with disk(tmp_path / "disk", "16m") as folder:
        with Runtime(folder / "state", [growing.workflow]) as runtime:
            names = growing.spawn(runtime, 1)
        ballast = fill(folder)
        with pytest.raises((StateUnusable, StoreFull)) as refused:
            Runtime(folder / "state", [growing.workflow]).close()
        assert "\n" not in str(refused.value)
        ballast.unlink()
        with Runtime(folder / "state", [growing.workflow]) as runtime:
            assert_counted_once(runtime, names, 100)


def test_a_state_on_a_disk_that_may_only_be_read_is_refused_until_it_may_be_written(tmp_path: Path) -> None:
    growing = Growing(100)
    growing.go_on.set()
    with disk(tmp_path / "disk", "16m") as folder:
        with Runtime(folder / "state", [growing.workflow]) as runtime:
            names = growing.spawn(runtime, 1)
        with read_only(folder), pytest.raises(StateUnusable) as refused:
            Runtime(folder / "state", [growing.workflow])
        assert "\n" not in str(refused.value)
        with Runtime(folder / "state", [growing.workflow]) as runtime:
            assert_counted_once(runtime, names, 100)
