"""Recorded workflows of real sciences, from the folder named by PLACET_TRACES; the repository carries none."""

import os
from pathlib import Path

import pytest

from placet.petri.plan import make_plan
from placet.petri.structure import reachable
from placet.traces.conversion import entry_tokens, trace_workflow
from placet.traces.reader import load_trace

FOLDER = os.environ.get("PLACET_TRACES")
RECORDED = {  # tasks, edges, depth, widest level: counted independently
    "helloworld-forkjoin-10-chameleon.json": (10, 16, 3, 8),
    "montage-chameleon-dss-05d-001.json": (58, 114, 8, 18),
    "rnaseq-dirt02-001.json": (197, 451, 10, 86),
    "epigenomics-chameleon-hep-7seq-100k-001.json": (577, 709, 9, 140),
    "bwa-chameleon-medium-005.json": (1_004, 4_000, 3, 1_000),
}

pytestmark = pytest.mark.skipif(not FOLDER, reason="PLACET_TRACES names no folder of recorded WfFormat traces")


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_trace_has_its_known_structure(name: str) -> None:
    trace = load_trace(Path(FOLDER or "") / name)
    levels = trace.levels()
    assert (len(trace.tasks), trace.edge_count, len(levels), max(map(len, levels))) == RECORDED[name]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_trace_becomes_a_net_in_which_every_task_can_fire(name: str) -> None:
    trace = load_trace(Path(FOLDER or "") / name)
    workflow = trace_workflow(trace)
    plan = make_plan(workflow.definition().net, {})
    assert len(reachable(plan)[1]) == len(trace.tasks)
    assert len(entry_tokens(workflow)) == len(trace.levels()[0])
    ends = sum(not children for children in trace.children().values())
    assert len(plan.places) == trace.edge_count + len(trace.levels()[0]) + ends
