"""Copies in earnest: beside an engine at work, of a large state, and by processes that are killed at any moment."""

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from placet import Runtime, Workflow
from placet.actors.reader import StateReader
from placet.persistence.copy_errors import BadCopy
from placet.persistence.export_file import read_export
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.restore import restore
from tests.endtoend.processes import Process, finished, kill, start, started, until

STEPS, INSTANCES = 30, 20

# Goes on until all is completed; every attempt of a step leaves a line.
PROGRAM = f"""
import os
import sys
import threading

from placet import InstanceState, Runtime, Workflow

STEPS, INSTANCES = {STEPS}, {INSTANCES}
log = os.open("attempts", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
workflow = Workflow("steps")
places = [workflow.place(f"p{{n}}") for n in range(STEPS + 1)]


def work(value, context):
    os.write(log, f"{{context.firing_id}} {{context.attempt}}\\n".encode())
    threading.Event().wait(0.3 if os.path.exists("slowly") else 0.01)
    return value


for n in range(STEPS):
    workflow.transition(places[n] >> places[n + 1], f"t{{n}}", handler=work)

with Runtime("state", [workflow], threads=8) as runtime:
    for n in range(INSTANCES if "--spawn" in sys.argv else 0):
        runtime.spawn(workflow, {{places[0]: [n]}}, id=f"i{{n}}")
    for summary in runtime.list():
        instance = runtime.instance(summary.instance)
        if summary.state is InstanceState.PAUSED:
            instance.resume(by="test")
        instance.wait_until([InstanceState.COMPLETED], timeout_s=60)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A folder with the program and a state."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def fired(self) -> Counter[str]:
        """Return how many results have counted, by instance."""
        reader = LmdbReader.open(self.state)
        try:
            view = StateReader(reader)
            return Counter({header.instance: view.fired(header.instance) for header in view.headers()})
        finally:
            reader.close()

    def attempts(self) -> list[str]:
        """Return the firing of every attempt."""
        return [line.split()[0] for line in (self.folder / "attempts").read_text().splitlines()]

    def counted(self) -> Counter[tuple[str, str]]:
        """Return (instance, transition) of every result that counted, with how often."""
        reader = LmdbReader.open(self.state)
        try:
            view = StateReader(reader)
            return Counter(
                (header.instance, record.transition)
                for header in list(view.headers())
                for _, record in view.history(header.instance)
                if record.kind == "fired"
            )
        finally:
            reader.close()


def site(folder: Path) -> Site:
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    return Site(folder=folder)


EVERY_STEP = {f"t{n}" for n in range(STEPS)}


def check(found: Site, instances: set[str]) -> None:
    """Each task counted once in each instance."""
    assert found.counted() == Counter((instance, step) for instance in instances for step in EVERY_STEP)


def test_backups_and_exports_beside_an_engine_at_work_run_on_elsewhere(tmp_path: Path) -> None:
    here, there, third = site(tmp_path / "here"), site(tmp_path / "there"), site(tmp_path / "third")
    names = {f"i{n}" for n in range(INSTANCES)}
    with started(["program.py", "--spawn"], cwd=here.folder) as process:
        until((here.state / "about.txt").exists, "there is a state", process)
        until(lambda: sum(here.fired().values()) > STEPS * INSTANCES // 6, "a sixth is done", process)
        (here.folder / "slowly").touch()
        backup = ["-m", "placet", "backup", str(tmp_path / "backup.mdb"), "--state", "state"]
        export = ["-m", "placet", "export", "i7", str(tmp_path / "i7.export"), "--state", "state"]
        for command in (backup, export):
            code, _, err = finished(command, cwd=here.folder)
            assert (code, err) == (0, "")
        assert process.poll() is None, "it was at work all the while"
        (here.folder / "slowly").unlink()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out, err)
    restore(tmp_path / "backup.mdb", there.state)
    before = there.fired()
    assert STEPS * INSTANCES // 6 < sum(before.values()) < STEPS * INSTANCES
    code, _, err = finished(
        ["-m", "placet", "import", str(tmp_path / "i7.export"), "--state", "state"], cwd=third.folder
    )
    assert (code, err) == (0, "")
    for other in (there, third):
        code, _, err = finished(["program.py"], cwd=other.folder)
        assert (code, err) == (0, "")
    check(here, names)
    check(there, names)
    check(third, {"i7"})
    assert set(there.attempts()) < set(here.attempts()), "restored, the same firings happen under the same ids"
    assert len(set(there.attempts())) == STEPS * INSTANCES - sum(before.values())
    assert not set(third.attempts()) & set(here.attempts()), "imported, they are others"
    assert not any("lost" in history_kinds(there, name) for name in names)


def history_kinds(found: Site, instance: str) -> set[str]:
    reader = LmdbReader.open(found.state)
    try:
        return {record.kind for _, record in StateReader(reader).history(instance)}
    finally:
        reader.close()


# -- killed at any moment --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Kills:
    """Runs a command again and again, each time killed after another share of the time that it takes."""

    command: list[str]
    folder: Path
    _seconds: list[float] = field(default_factory=list[float])

    def times(self, count: int, check: Callable[[bool], None]) -> None:
        """Kill it `count` times; after each, `check` is called with whether it had ended by itself."""
        chance = random.Random(7)
        longest_s = 1.2
        for _ in range(count):
            process = start(self.command, cwd=self.folder)
            has_ended = self._ended(process, chance.uniform(0.15, longest_s))
            kill(process)
            check(has_ended and process.returncode == 0)
            longest_s = max(0.4, longest_s * 0.9) if has_ended else longest_s * 1.1

    def _ended(self, process: Process, after_s: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
            return True
        return False


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state of some 100 MB, which no engine has."""
    state = tmp_path_factory.mktemp("large") / "state"
    workflow = Workflow("large")
    begin, end = workflow.places("begin end")
    workflow.transition(begin >> end, "pass")
    values = [random.Random(n).randbytes(50_000) for n in range(250)]
    with Runtime(state, [workflow]) as runtime:
        for n in range(8):
            runtime.spawn(workflow, {begin: values}, id=f"i{n}").result(60)
    assert (state / "data.mdb").stat().st_blocks * 512 > 100_000_000
    return state


def test_a_backup_of_a_large_state_is_whole(large: Path, tmp_path: Path) -> None:
    code, _, err = finished(["-m", "placet", "backup", "backup.mdb", "--state", str(large)], cwd=tmp_path)
    assert (code, err) == (0, "")
    assert (tmp_path / "backup.mdb").stat().st_size > 100_000_000
    restore(tmp_path / "backup.mdb", tmp_path / "state")
    ours, theirs = LmdbReader.open(large), LmdbReader.open(tmp_path / "state")
    try:
        assert ours.entries() == theirs.entries()
        assert StateReader(theirs).instance("i3") == StateReader(ours).instance("i3")
    finally:
        ours.close()
        theirs.close()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_killed_backup_leaves_nothing_under_its_name(large: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.mdb"
    ended: list[bool] = []

    def look(has_ended: bool) -> None:
        ended.append(has_ended)
        assert has_ended or not target.exists() or is_restorable(target, tmp_path / f"state {len(ended)}")
        target.unlink(missing_ok=True)

    Kills(["-m", "placet", "backup", str(target), "--state", str(large)], tmp_path).times(6, look)
    assert not all(ended), "some were killed"
    code, _, err = finished(["-m", "placet", "backup", str(target), "--state", str(large)], cwd=tmp_path)
    assert (code, err) == (0, "")
    assert not [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".backup")], "swept"


def is_restorable(backup: Path, state: Path) -> bool:
    restore(backup, state)
    return True


def test_a_killed_export_leaves_nothing_under_its_name(large: Path, tmp_path: Path) -> None:
    target = tmp_path / "i3.export"
    ended: list[bool] = []

    def look(has_ended: bool) -> None:
        ended.append(has_ended)
        with suppress(FileNotFoundError):
            target.stat()
            assert len(read_export(target).entries) == 251
            target.unlink()

    Kills(["-m", "placet", "export", "i3", str(target), "--state", str(large)], tmp_path).times(6, look)
    assert not all(ended), "some were killed"
    with pytest.raises(BadCopy):
        read_export(target)


def test_a_killed_restore_leaves_the_old_state_or_the_new_one(large: Path, tmp_path: Path) -> None:
    workflow = Workflow("small")
    begin, end = workflow.places("begin end")
    workflow.transition(begin >> end, "pass")
    with Runtime(large, control=False) as runtime:
        runtime.backup(tmp_path / "backup.mdb")
    state = tmp_path / "state"
    with Runtime(state, [workflow]) as runtime:
        runtime.spawn(workflow, {begin: [1]}, id="small").result(60)
        runtime.backup(tmp_path / "small.mdb")
    seen: Counter[int] = Counter()

    def look(_has_ended: bool) -> None:
        with Runtime(state, control=False) as runtime:
            names = {summary.instance for summary in runtime.list()}
        assert names in ({"small"}, {f"i{n}" for n in range(8)})
        seen[len(names)] += 1
        if len(names) > 1:
            restore(tmp_path / "small.mdb", state, replace=True)

    command = ["-m", "placet", "restore", str(tmp_path / "backup.mdb"), "--state", str(state), "--force-replace"]
    Kills(command, tmp_path).times(5, look)
    assert seen[1], "some were killed"
    code, _, err = finished(command, cwd=tmp_path)
    assert (code, err) == (0, "")
    look(True)
    assert not [entry.name for entry in state.iterdir() if entry.name.startswith(".restoring")], "swept"


def test_an_interrupted_backup_is_one_line(large: Path, tmp_path: Path) -> None:
    command = ["-m", "placet", "backup", str(tmp_path / "backup.mdb"), "--state", str(large)]
    with started(command, cwd=tmp_path) as process:
        until(lambda: any(entry.name.startswith(".backup") for entry in tmp_path.iterdir()), "it copies", process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "placet: stopped by SIGINT; run the same command again\n")
    assert not (tmp_path / "backup.mdb").exists()
