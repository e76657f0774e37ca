"""Being told of the end of another instance: once, whenever that is, or was."""

import hashlib
from typing import TYPE_CHECKING

from placet.actors.lifecycle import TERMINAL
from placet.actors.messages import Put, Watch, encode_message
from placet.actors.records import Watcher, encode
from placet.actors.terminated import NOT_FOUND, Terminated
from placet.actors.turn import Turn
from placet.persistence import values
from placet.persistence.keys import WATCHER, entry_key

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

# Durable entries: `WATCHER` | digest of watcher and place -> `records.Watcher`, of an instance that has not ended.


def watch(workflow: "WorkflowActor", turn: Turn, message: Watch) -> None:
    """Remember who wants to know of the end, or tell it at once; the same watcher and place are told once."""
    watcher = Watcher(message.watcher, message.place)
    if workflow.header.state in TERMINAL:
        turn.rare().sent.append(_told(workflow, watcher))
        return
    number = _number(watcher)
    if number not in workflow.watchers:
        workflow.watchers[number] = watcher
        turn.put(entry_key(workflow.root, 0, WATCHER, number), encode(watcher))


def tell_watchers(workflow: "WorkflowActor", turn: Turn) -> None:
    """Tell all who watch an instance that it has just ended."""
    for number, watcher in workflow.watchers.items():
        turn.rare().sent.append(_told(workflow, watcher))
        turn.delete(entry_key(workflow.root, 0, WATCHER, number))
    workflow.watchers.clear()


def _told(workflow: "WorkflowActor", watcher: Watcher) -> bytes:
    instance, state = workflow.header.instance, workflow.header.state.value
    return encode_message(_put(watcher, Terminated(id=instance, state=state, reason=f"{instance} is {state}")))


def nobody_there(message: Watch, reason: str) -> Put:
    """Return what a watcher is told where there is nobody to watch."""
    watcher = Watcher(message.watcher, message.place)
    return _put(watcher, Terminated(id=message.instance, state=NOT_FOUND, reason=reason))


def _put(watcher: Watcher, terminated: Terminated) -> Put:
    return Put(instance=watcher.instance, place=watcher.place, value=values.encode(terminated), by=terminated.id)


def _number(watcher: Watcher) -> int:
    return int.from_bytes(hashlib.blake2b(encode(watcher), digest_size=8).digest(), "big")
