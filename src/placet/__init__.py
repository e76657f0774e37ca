"""Placet: durable workflows as Petri nets on supervised actors."""

import sys

if sys.platform == "win32":
    raise ImportError("placet runs on Linux, and embedded on macOS; Windows is not supported, use WSL there")

from placet.actors.answers import Receipt
from placet.actors.errors import (
    Busy,
    EngineStopped,
    InstanceError,
    InvalidId,
    NotCompleted,
    NotFound,
    RequestRefused,
    SpawnConflict,
    UnknownWorkflow,
    WaitTimeout,
)
from placet.actors.instance import ActorHandle, Instance, Outputs
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, FailIncident, Pause, Resume, RetryIncident, SkipIncident
from placet.actors.runtime import Runtime
from placet.actors.usercode import Context
from placet.petri.drawing import to_dot, to_mermaid, to_text
from placet.petri.errors import DefinitionError, PlacetError
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry

__version__ = "0.1.0"

__all__ = [
    "ActorHandle",
    "Busy",
    "Cancel",
    "Context",
    "DefinitionError",
    "EngineStopped",
    "FailIncident",
    "Instance",
    "InstanceError",
    "InstanceState",
    "InvalidId",
    "NotCompleted",
    "NotFound",
    "Outputs",
    "Pause",
    "PlacetError",
    "Receipt",
    "RequestRefused",
    "Resume",
    "Retry",
    "RetryIncident",
    "Runtime",
    "SkipIncident",
    "SpawnConflict",
    "UnknownWorkflow",
    "WaitTimeout",
    "Workflow",
    "to_dot",
    "to_mermaid",
    "to_text",
]
