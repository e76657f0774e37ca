"""Turns a trace into a workflow: each task a transition named by its id, each edge between tasks a place."""

import re
from pathlib import Path

from placet.petri.behaviour import Source
from placet.petri.expression import FORK, Bundle, PlaceRef, Term
from placet.petri.workflow import Workflow
from placet.traces.errors import TraceError
from placet.traces.task import TaskHandler
from placet.traces.trace import Trace

_UNNAMEABLE = re.compile(r"[^\w.-]+")


def trace_workflow(trace: Trace, *, time_scale: float = 0.0, log: Path | None = None) -> Workflow:
    """Return the workflow of a trace, named after its file.

    A task waits for `time_scale` times its recorded seconds; 0 means not at all. Every attempt appends a line
    (task, firing, attempt) to `log`, or else to the file named by the environment variable `PLACET_TRACE_LOG`.
    A root task takes from a start place, a leaf gives to a place of its own; a task with several children gives
    its id to each. The scale is recorded with the net: who loads the workflow again gets it at the same one.
    Raises `TraceError` for a scale that is no number of 0 or more.
    """
    if not 0 <= time_scale < float("inf"):
        raise TraceError(f"the time scale is {time_scale:g}", "give a number of 0 or more; 0 means no waiting")
    name = _UNNAMEABLE.sub("_", Path(trace.file).stem).strip("._") or "trace"
    workflow = Workflow(name, source=Source(file=trace.file, options=f"{time_scale!r}" if time_scale else ""))
    inputs, outputs = _places(trace, workflow)
    for task in trace.tasks:
        handler = TaskHandler(task=task.id, sleep_s=task.runtime_s * time_scale, log=log)
        flow = _all(inputs[task.id]) >> _all(outputs[task.id])
        workflow.transition(flow, task.id, handler=handler)
    return workflow


def entry_tokens(workflow: Workflow) -> dict[PlaceRef, list[object]]:
    """Return what to spawn a trace's workflow with: one token for each root task."""
    net = workflow.definition().net
    fed = {arc.place for transition in net.transitions for arc in transition.outputs}
    return {workflow[place.name]: ["start"] for place in net.places if place.name not in fed}


def _all(places: list[PlaceRef]) -> Bundle:
    """Return `a & b & …` in one step: `&` copies its left side each time, too slow for a join of a thousand."""
    return Bundle(tuple(Term(place) for place in places), FORK if len(places) > 1 else "")


def _places(trace: Trace, workflow: Workflow) -> tuple[dict[str, list[PlaceRef]], dict[str, list[PlaceRef]]]:
    """Declare all places; return those each task takes from and those it gives to."""
    taken = {task.id for task in trace.tasks}
    inputs: dict[str, list[PlaceRef]] = {task.id: [] for task in trace.tasks}
    outputs: dict[str, list[PlaceRef]] = {task.id: [] for task in trace.tasks}

    def place(name: str) -> PlaceRef:
        """Declare a place for an edge, under a name that no task has."""
        while name in taken:  # another task may be called so
            name += "~"
        taken.add(name)
        return workflow.place(name)

    for task in trace.tasks:
        for parent in task.parents:
            edge = place(f"{parent}-to-{task.id}")
            outputs[parent].append(edge)
            inputs[task.id].append(edge)
    for task in trace.tasks:
        if not inputs[task.id]:
            inputs[task.id].append(place(f"start-{task.id}"))
        if not outputs[task.id]:
            outputs[task.id].append(place(f"done-{task.id}"))
    return inputs, outputs
