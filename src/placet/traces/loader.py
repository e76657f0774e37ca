"""Loads the workflow of a trace again from where it came from, so that instances find their handlers."""

from placet.petri.behaviour import Source
from placet.petri.workflow import Workflow
from placet.traces.conversion import trace_workflow
from placet.traces.reader import load_trace


def load_workflow(source: Source, time_scale: float | None = None) -> Workflow:
    """Return the workflow of the trace at `source.file`, at the time scale recorded in `source` or another one.

    Raises `TraceError` where the file is gone or no longer a trace.
    """
    scale = float(source.options or 0.0) if time_scale is None else time_scale
    return trace_workflow(load_trace(source.file), time_scale=scale)
