"""Traces run by the embedded runtime: each task counts once, after its parents, and was really run."""

import json
import os
from pathlib import Path

import pytest

from placet.actors.runtime import Runtime
from placet.traces.conversion import entry_tokens, trace_workflow
from placet.traces.generator import generate_file
from placet.traces.reader import load_trace
from placet.traces.trace import Trace

PATIENCE_S = 60.0


def check_run(trace: Trace, folder: Path) -> None:
    """Run a trace, and compare what the history counts with the trace and with what handlers wrote down."""
    workflow = trace_workflow(trace, log=folder / "log")
    with Runtime(folder / "state", workflows=[workflow]) as runtime:
        instance = runtime.spawn(workflow, entry_tokens(workflow), id="run", timeout_s=PATIENCE_S)
        results = instance.result(timeout_s=PATIENCE_S)
        fired = [record for _, record in instance.history() if record.kind == "fired"]
    position = {record.transition: place for place, record in enumerate(fired)}
    assert len(fired) == len(position) == len(trace.tasks)
    assert all(position[parent] < position[task.id] for task in trace.tasks for parent in task.parents)
    leaves = {task for task, children in trace.children().items() if not children}
    assert {value for values in results.values() for value in values} == leaves
    lines = [json.loads(line) for line in (folder / "log").read_text(encoding="utf-8").splitlines()]
    told = {(line["task"], line["firing"].rpartition(".")[2], line["attempt"]) for line in lines}
    assert {(record.transition, str(record.firing), record.attempt) for record in fired} <= told


@pytest.mark.parametrize(("shape", "tasks"), [("montage", 58), ("epigenomics", 49), ("forkjoin", 10)])
def test_a_generated_trace_runs_through(shape: str, tasks: int, tmp_path: Path) -> None:
    generate_file(shape, tasks, tmp_path / "trace.json")
    check_run(load_trace(tmp_path / "trace.json"), tmp_path)


@pytest.mark.skipif("PLACET_TRACES" not in os.environ, reason="PLACET_TRACES names no folder of recorded traces")
@pytest.mark.parametrize("name", ["helloworld-forkjoin", "montage", "rnaseq", "epigenomics", "bwa"])
def test_a_recorded_trace_runs_through(name: str, tmp_path: Path) -> None:
    (file,) = Path(os.environ["PLACET_TRACES"]).glob(f"{name}-*.json")
    check_run(load_trace(file), tmp_path)
