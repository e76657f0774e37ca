"""Placet: durable workflows as Petri nets on supervised actors."""

import sys

if sys.platform == "win32":
    raise ImportError("placet runs on Linux, and embedded on macOS; Windows is not supported, use WSL there")

from placet.cli import interrupt as _interrupt

if _interrupt.is_command():
    _interrupt.guard()  # before what takes its time to import, `typing` included

from importlib import import_module
from typing import TYPE_CHECKING

from placet.actors.actor_handle import ActorHandle
from placet.actors.answers import Entries, Receipt, RefusalCode
from placet.actors.context import Context
from placet.actors.copies.backup import BackedUp
from placet.actors.copies.export import Exported
from placet.actors.effects import Progress
from placet.actors.engine import Health
from placet.actors.errors import (
    AttemptOver,
    BadRequest,
    BundleUnusable,
    Busy,
    DeclaredPure,
    EngineStopped,
    HandlerReturned,
    InstanceError,
    InvalidId,
    NotCompleted,
    NotFound,
    RequestRefused,
    SpawnConflict,
    UnknownWorkflow,
    WaitsForItself,
    WaitTimeout,
    WorkflowTaken,
)
from placet.actors.executors.base import RunningHandler
from placet.actors.executors.hybrid import Placement
from placet.actors.failed_firing import FailedFiring
from placet.actors.instance import Instance, InstanceSummary
from placet.actors.lifecycle import InstanceState, Intent
from placet.actors.messages import (
    Cancel,
    DropToken,
    FailIncident,
    FreezeToken,
    MoveToken,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
    ThawToken,
)
from placet.actors.outputs import Outputs
from placet.actors.own.actor import Actor
from placet.actors.own.actor_instance import ActorInstance
from placet.actors.own.errors import NotAnswered, StateTooNew
from placet.actors.own.letter import Answered
from placet.actors.reader import FiringView, Incident, IncidentKind, InstanceView
from placet.actors.records import Caller, Condition, Failure, Header, Phase
from placet.actors.runtime import Runtime
from placet.actors.spawning import Definable
from placet.actors.task_request import Approve, Claim, Complete, Reject, Unclaim
from placet.actors.task_view import TaskView
from placet.actors.terminated import Terminated
from placet.actors.token_request import EditToken, Inject, Put
from placet.net.errors import (
    BadAddress,
    KeyUnusable,
    NetworkError,
    NodeUnreachable,
    NotAllowed,
    ShardsMissing,
    TooLarge,
    WrongKey,
)
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
from placet.persistence.history import Record, RecordKind
from placet.petri.behaviour import Behaviour, Definition, RetryPolicy, Source
from placet.petri.decorator import TransitionDecorator
from placet.petri.drawing import to_dot, to_mermaid, to_text
from placet.petri.errors import DefinitionError, OutputError, PlacetError, WrongType
from placet.petri.expression import Bundle, Flow, PlaceRef
from placet.petri.net import Arc, Called, Composite, Manual, Net, Place, Transition
from placet.petri.placement import Near, Spread
from placet.petri.requirement import Remote, Requires
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry

if TYPE_CHECKING:
    import os

    from placet.net.client import Client
    from placet.net.remote import RemoteInstance
    from placet.net.remote_actor import RemoteActorInstance
    from placet.net.remote_part import RemoteActorHandle

__version__ = "0.1.0"
_OF_THE_NETWORK = {
    "Client": "placet.net.client",
    "RemoteActorHandle": "placet.net.remote_part",
    "RemoteActorInstance": "placet.net.remote_actor",
    "RemoteInstance": "placet.net.remote",
}

__all__ = [
    "Actor",
    "ActorHandle",
    "ActorInstance",
    "Answered",
    "Approve",
    "Arc",
    "AttemptOver",
    "BackedUp",
    "BadAddress",
    "BadCopy",
    "BadRequest",
    "Behaviour",
    "Bundle",
    "BundleUnusable",
    "Busy",
    "Called",
    "Caller",
    "Cancel",
    "Claim",
    "Client",
    "Complete",
    "Composite",
    "Condition",
    "Context",
    "CopyExists",
    "CopyFailed",
    "DeclaredPure",
    "Definable",
    "Definition",
    "DefinitionError",
    "DropToken",
    "EditToken",
    "EngineStopped",
    "Entries",
    "Exported",
    "FailIncident",
    "FailedFiring",
    "Failure",
    "FiringView",
    "Flow",
    "FormatTooNew",
    "FormatTooOld",
    "FreezeToken",
    "HandlerReturned",
    "Header",
    "Health",
    "Incident",
    "IncidentKind",
    "Inject",
    "Instance",
    "InstanceError",
    "InstanceState",
    "InstanceSummary",
    "InstanceView",
    "Intent",
    "InvalidId",
    "KeyUnusable",
    "Manual",
    "MoveToken",
    "Near",
    "Net",
    "NetworkError",
    "NodeUnreachable",
    "NotAllowed",
    "NotAnswered",
    "NotCompleted",
    "NotFound",
    "OutputError",
    "Outputs",
    "Pause",
    "Phase",
    "Place",
    "PlaceRef",
    "Placement",
    "PlacetError",
    "Progress",
    "Put",
    "Receipt",
    "Record",
    "RecordKind",
    "RefusalCode",
    "Reject",
    "Remote",
    "RemoteActorHandle",
    "RemoteActorInstance",
    "RemoteInstance",
    "RequestRefused",
    "Requires",
    "Resume",
    "Retry",
    "RetryIncident",
    "RetryPolicy",
    "RunningHandler",
    "Runtime",
    "ShardsMissing",
    "SkipIncident",
    "Source",
    "SpawnConflict",
    "Spread",
    "StateTooNew",
    "StateUnusable",
    "StoreDamaged",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreInUse",
    "TaskView",
    "Terminated",
    "ThawToken",
    "TooLarge",
    "Transition",
    "TransitionDecorator",
    "Unclaim",
    "UnknownWorkflow",
    "ValueNotEncodable",
    "ValueNotLoadable",
    "ValueTooLarge",
    "WaitTimeout",
    "WaitsForItself",
    "Workflow",
    "WorkflowTaken",
    "WrongKey",
    "WrongType",
    "connect",
    "connect_async",
    "to_dot",
    "to_mermaid",
    "to_text",
]


def connect(address: str, *, key_file: "str | os.PathLike[str]", timeout_s: float = 2.0) -> "Client":
    """Return a client of the node at `address`, such as `127.0.0.1:1900`: the verbs of `Runtime`, over the network.

    `key_file` is one of the node's, of any kind, or a copy. Raises within `timeout_s`: `WrongKey`, `NodeUnreachable`,
    `KeyUnusable` and `BadAddress`, all of them `PlacetError`. Only who connects pays for importing the network.
    """
    from placet.net.client import connect as _connect  # noqa: PLC0415 - see above

    return _connect(address, key_file=key_file, timeout_s=timeout_s)


async def connect_async(address: str, *, key_file: "str | os.PathLike[str]", timeout_s: float = 2.0) -> "Client":
    """`connect` for asyncio: use what it returns in `async with`."""
    from placet.net.client import connect_async as _connect_async  # noqa: PLC0415 - as above

    return await _connect_async(address, key_file=key_file, timeout_s=timeout_s)


def __getattr__(name: str) -> object:
    """Import what belongs to the network when it is asked for."""
    if name not in _OF_THE_NETWORK:
        raise AttributeError(f"module 'placet' has no attribute {name!r}")
    return getattr(import_module(_OF_THE_NETWORK[name]), name)
