"""What one instance sends to another, opened where it arrives; and what its sender is told when it has no effect."""

from collections.abc import Mapping

import msgspec

from placet.actors.calls import called_before, called_spawn, not_called
from placet.actors.messages import (
    Call,
    InterventionMessage,
    KernelMessage,
    PostedMessage,
    Recover,
    Return,
    Sent,
    Spawn,
    SpawnNamed,
    Trouble,
    Undelivered,
    Watch,
    decode_delivery,
    decode_message,
    encode_message,
)
from placet.actors.services import Services
from placet.actors.spawn_named import named_spawn
from placet.actors.watching import nobody_there
from placet.persistence.keys import address_key
from placet.petri.behaviour import Definition


def opened(
    sent: Sent, definitions: Mapping[str, Definition], services: Services
) -> Spawn | PostedMessage | InterventionMessage | str | None:
    """Return what is to be handled, or why it has no effect; None: it waits for a start that knows its workflow."""
    message = decode_delivery(sent.message)
    if isinstance(message, Call):
        spawn = called_spawn(message, definitions.get(message.workflow), services)
        if isinstance(spawn, str) and services.get(address_key(message.instance)) is not None:
            return called_before(message)  # there is the child, begun with what its workflow was then
        return spawn
    if isinstance(message, SpawnNamed):
        definition = definitions.get(message.workflow)
        return None if definition is None else named_spawn(message, definition)
    return message


def undelivered(sent: Sent, reason: str) -> bytes | None:
    """Return what the sender of a message that has had no effect is told; None: nobody waits to hear of it."""
    message = decode_delivery(sent.message)
    if isinstance(message, Call):
        return encode_message(not_called(message, reason))
    if isinstance(message, Watch):
        return encode_message(nobody_there(message, reason))
    if isinstance(message, Return | Trouble | Undelivered):
        return None  # an answer has none
    kind = type(message).__name__
    return encode_message(Undelivered(instance=sent.sender, target=sent.instance, kind=kind, reason=reason))


def replayed(data: bytes, stopped_s: float) -> KernelMessage:
    """Return a message that was parked and is to be handled again; the last clean stop may be newer than it."""
    message = decode_message(data)
    return msgspec.structs.replace(message, stopped_s=stopped_s) if isinstance(message, Recover) else message
