"""Runs a trace with the command, kills it again and again, and compares what counted with what handlers wrote."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placet.actors.reader import StateReader
from placet.actors.records import Phase
from placet.persistence.directory import ABOUT
from placet.persistence.lmdb_store import LmdbReader
from placet.traces.reader import load_trace
from tests.endtoend.processes import PATIENCE_S, Process, kill, start, started, until

ID = "one"
Face = dict[str, Any]  # JSON of the program under test: `Any`, since assertions look into it without a schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far an instance has come, by the disk."""

    fired: int
    running: frozenset[tuple[str, int]]  # (transition, attempt)


@dataclass(slots=True, kw_only=True)
class TraceRun:
    """One trace, one state, and the file that its tasks write to."""

    trace: Path
    folder: Path
    time_scale: float
    threads: int = 8
    kills: list[Standing] = field(default_factory=list[Standing])

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def begin(self) -> Process:
        """Start `placet run`."""
        return start(self._command(), cwd=self.folder, env={"PLACET_TRACE_LOG": str(self.log)})

    def _command(self) -> list[str]:
        run = ["-m", "placet", "run", str(self.trace), "--state", str(self.state), "--id", ID, "--json"]
        return [*run, "--time-scale", str(self.time_scale), "--threads", str(self.threads)]

    def attempts(self) -> list[Face]:
        """Return what the tasks have written, one line an attempt."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def standing(self) -> Standing:
        """Read how far it is; beside the engine or without one."""
        with self._watched() as look:
            return look()

    @contextmanager
    def _watched(self) -> Generator[Callable[[], Standing]]:
        """Yield a function that says how far it is; one reader serves many looks."""
        readers: list[tuple[LmdbReader, StateReader]] = []

        def look() -> Standing:
            if not readers and (self.state / ABOUT).exists():
                reader = LmdbReader.open(self.state)
                readers.append((reader, StateReader(reader)))
            view = readers[0][1].instance(ID) if readers else None
            if view is None:
                return Standing(fired=0, running=frozenset())
            running = {(f.transition, f.attempt) for f in view.firings if f.phase is Phase.RUNNING}
            return Standing(fired=view.fired, running=frozenset(running))

        try:
            yield look
        finally:
            for reader, _ in readers:
                reader.close()

    def begun(self, standing: Standing) -> bool:
        """Return whether the handler of a firing that runs by the disk has begun."""
        return any((line["task"], line["attempt"]) in standing.running for line in self.attempts())

    def kill_after_news(self, news: int) -> bool:
        """Run until `news` results are newer than the last kill and a handler is at work; then kill the group.

        Returns whether it was killed so: not when it ended first, or when the last handler was quicker.
        """
        wanted = self.standing().fired + news
        process = self.begin()
        try:
            with self._watched() as look:
                until(lambda: process.poll() is not None or self._is_ripe(look(), wanted), "it can be killed")
        finally:
            kill(process)
        standing = self.standing()
        is_good = process.returncode < 0 and self.begun(standing)
        if is_good:
            self.kills.append(standing)
        return is_good

    def kill_after(self, delay_s: float) -> None:
        """Run for a time and kill the group, whatever it is about: starting, running, or ending."""
        process = self.begin()
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay_s)
        finally:
            kill(process)

    def _is_ripe(self, standing: Standing, wanted: int) -> bool:
        return standing.fired >= wanted and self.begun(standing)

    def finish(self) -> Face:
        """Run to the end and return the last line."""
        with started(self._command(), cwd=self.folder, env={"PLACET_TRACE_LOG": str(self.log)}) as process:
            out, err = process.communicate(timeout=4 * PATIENCE_S)
            assert process.returncode == 0, err
            face: Face = json.loads(out.splitlines()[-1])
            return face

    def history(self) -> list[Face]:
        """Return what `placet history` says."""
        command = ["-m", "placet", "history", ID, "--state", str(self.state), "--json"]
        with started(command, cwd=self.folder) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, err
            return [json.loads(line) for line in out.splitlines()]


def check(run: TraceRun) -> None:
    """Every task counted once and after its parents, and no attempt that counted is missing from the tasks' file."""
    fired = [face for face in run.history() if face["kind"] == "fired"]
    order = {face["transition"]: position for position, face in enumerate(fired)}
    tasks = load_trace(run.trace).tasks
    assert Counter(face["transition"] for face in fired) == Counter(task.id for task in tasks)
    early = [task.id for task in tasks if any(order[parent] > order[task.id] for parent in task.parents)]
    assert not early, "these counted before a parent"
    written = Counter((line["task"], line["firing"], line["attempt"]) for line in run.attempts())
    counted = {(face["transition"], face["firing"], face["attempt"]) for face in fired}
    assert counted <= set(written), "a firing counted that no handler ran"
    assert max(written.values()) == 1, "an attempt is on disk before it begins, so none begins twice"


def check_kills(run: TraceRun) -> None:
    """Each kill came after a result newer than the one before, while a handler ran."""
    results = [standing.fired for standing in run.kills]
    assert results == sorted(set(results)), results
    assert all(standing.running for standing in run.kills)
