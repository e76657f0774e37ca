"""Loads the workflow of a trace again from where it came from, so that instances find their handlers."""

from placet.petri.behaviour import Source
from placet.petri.workflow import Workflow
from placet.traces.conversion import trace_workflow
from placet.traces.reader import load_trace


def load_workflow(source: Source, time_scale: float = 0.0) -> Workflow:
    """Return the workflow of the trace at `source.file`; `time_scale` as in `trace_workflow`.

    Raises `TraceError` where the file is gone or no longer a trace.
    """
    return trace_workflow(load_trace(source.file), time_scale=time_scale)
