"""Placet: durable workflows as Petri nets on supervised actors."""

import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    raise ImportError("placet runs on Linux, and embedded on macOS; Windows is not supported, use WSL there")

from placet.cli import interrupt as _interrupt

if _interrupt.is_command():
    _interrupt.guard()  # before what takes its time to import

from placet.actors.answers import Entries, Receipt
from placet.actors.backups import BackedUp
from placet.actors.copy_out import Exported
from placet.actors.effects import Progress
from placet.actors.engine import Health
from placet.actors.errors import (
    BadRequest,
    Busy,
    EngineStopped,
    InstanceError,
    InvalidId,
    NotCompleted,
    NotFound,
    RequestRefused,
    SpawnConflict,
    UnknownWorkflow,
    WaitsForItself,
    WaitTimeout,
)
from placet.actors.failed_firing import FailedFiring
from placet.actors.instance import ActorHandle, Instance, InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, FailIncident, Pause, Resume, RetryIncident, SkipIncident
from placet.actors.outputs import Outputs
from placet.actors.reader import Incident, InstanceView
from placet.actors.runtime import Runtime
from placet.actors.task_request import Approve, Claim, Complete, Reject, Unclaim
from placet.actors.task_view import TaskView
from placet.actors.usercode import Context
from placet.persistence.copy_errors import BadCopy, CopyExists, CopyFailed
from placet.persistence.errors import (
    FormatTooNew,
    FormatTooOld,
    StateUnusable,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFull,
    StoreInUse,
    ValueNotEncodable,
    ValueNotLoadable,
    ValueTooLarge,
)
from placet.persistence.history import Record
from placet.petri.drawing import to_dot, to_mermaid, to_text
from placet.petri.errors import DefinitionError, OutputError, PlacetError, WrongType
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry

if TYPE_CHECKING:
    import os

    from placet.net.client import Client as _Client

__version__ = "0.1.0"

__all__ = [
    "ActorHandle",
    "Approve",
    "BackedUp",
    "BadCopy",
    "BadRequest",
    "Busy",
    "Cancel",
    "Claim",
    "Complete",
    "Context",
    "CopyExists",
    "CopyFailed",
    "DefinitionError",
    "EngineStopped",
    "Entries",
    "Exported",
    "FailIncident",
    "FailedFiring",
    "FormatTooNew",
    "FormatTooOld",
    "Health",
    "Incident",
    "Instance",
    "InstanceError",
    "InstanceState",
    "InstanceSummary",
    "InstanceView",
    "InvalidId",
    "NotCompleted",
    "NotFound",
    "OutputError",
    "Outputs",
    "Pause",
    "PlacetError",
    "Progress",
    "Receipt",
    "Record",
    "Reject",
    "RequestRefused",
    "Resume",
    "Retry",
    "RetryIncident",
    "Runtime",
    "SkipIncident",
    "SpawnConflict",
    "StateUnusable",
    "StoreDamaged",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreInUse",
    "TaskView",
    "Unclaim",
    "UnknownWorkflow",
    "ValueNotEncodable",
    "ValueNotLoadable",
    "ValueTooLarge",
    "WaitTimeout",
    "WaitsForItself",
    "Workflow",
    "WrongType",
    "connect",
    "to_dot",
    "to_mermaid",
    "to_text",
]


def connect(address: str, *, key_file: "str | os.PathLike[str]", timeout_s: float = 2.0) -> "_Client":
    """Return a client of the node at `address`, such as `127.0.0.1:1900`: the verbs of `Runtime`, over the network.

    `key_file` is the node's, or a copy. Raises within `timeout_s`: `WrongKey`, `NodeUnreachable`, `KeyUnusable` and
    `BadAddress`, all of them `PlacetError`. Only who connects pays for importing the network.
    """
    from placet.net.client import connect as _connect  # noqa: PLC0415 - see above

    return _connect(address, key_file=key_file, timeout_s=timeout_s)
