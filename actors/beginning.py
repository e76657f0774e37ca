"""What an instance begins with: a spawn, or an export of another one."""

from placet.actors.copies.arrival import bring_in
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import FirstMessage, Import, Spawn
from placet.actors.records import Header, decode_header
from placet.actors.services import WakingServices
from placet.actors.turn import Turn
from placet.actors.waking import spawn
from placet.actors.workflow import WorkflowActor


def begin(root: bytes, message: FirstMessage, turn: Turn, services: WakingServices) -> WorkflowActor:
    """Make the instance that a message asks for."""
    if isinstance(message, Import):
        return bring_in(root, message, turn, services)
    return spawn(root, _first_header(message, turn.now), message.tokens, turn, services)


def has_begun(message: FirstMessage, stored: bytes | None) -> bool:
    """Return whether an instance with this header is what the message asks for: it may have been asked for before."""
    if stored is None:
        return False
    header = decode_header(stored)
    if isinstance(message, Import):
        return header.incarnation == message.incarnation
    return (header.workflow, header.inputs) == (message.workflow, message.inputs)


def conflict(message: FirstMessage) -> str:
    """Return why an instance cannot begin where another one exists."""
    what = "already" if isinstance(message, Import) else "with another workflow or other inputs"
    return f"an instance {message.instance} exists {what}; use another id"


def _first_header(message: Spawn, now: float) -> Header:
    return Header(
        instance=message.instance,
        workflow=message.workflow,
        version=message.version,
        net=message.net,
        incarnation=message.incarnation,
        inputs=message.inputs,
        state=InstanceState.RUNNING,
        spawned_at=now,
        changed_at=now,
        caller=message.caller,
    )
