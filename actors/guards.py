"""Asking guards and join keys: once a token, with a mark against crashes, and an incident when one raises."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from placet.actors.records import CRASH_SUSPECT, Failure, GuardIncident, encode
from placet.actors.turn import Turn
from placet.actors.usercode import failure_of
from placet.persistence.blobs import REF
from placet.persistence.history import Detail, RecordKind
from placet.persistence.keys import GUARD_INCIDENT, entry_key
from placet.persistence.values import decode
from placet.petri.matching import checked_key, counted_key
from placet.petri.plan import Gate

if TYPE_CHECKING:
    from placet.actors.place import PlaceActor
    from placet.actors.workflow import WorkflowActor

UNREAD = object()


def judge(workflow: "WorkflowActor", place: "PlaceActor", token: int, stored: bytes) -> None:
    """Ask the guards of a place about one token, and put it into the queues of those it passes."""
    wary = workflow.guard_incidents or workflow.services.suspects.known
    value: object = UNREAD
    for position, gate in enumerate(place.plan.gates):
        if gate.known and not (wary and _is_settled(workflow, place, gate, token)):
            value = _ask(workflow, place, position, token, stored, value, gate)


def judge_again(workflow: "WorkflowActor", place: "PlaceActor", position: int, token: int) -> None:
    """Ask one guard of a place about a token it holds."""
    gate = place.plan.gates[position]
    if gate.known and not _is_settled(workflow, place, gate, token):
        _ask(workflow, place, position, token, place.value(workflow.turn, token), UNREAD, gate)


def forget_taken(workflow: "WorkflowActor", turn: Turn, tokens: Sequence[tuple[int, int, bytes]]) -> None:
    """A rival took tokens on which a guard had raised: there is nothing left to settle."""
    taken = {token for _, token, _ in tokens}
    for key, incident in list(workflow.guard_incidents.items()):
        if incident.token in taken:
            del workflow.guard_incidents[key]
            turn.delete(entry_key(workflow.root, 0, GUARD_INCIDENT, incident.number))


def _ask(
    workflow: "WorkflowActor",
    place: "PlaceActor",
    position: int,
    token: int,
    stored: bytes,
    value: object,
    gate: Gate,
) -> object:
    """Ask a gate's guard and key, and return the decoded value, so that the next one need not decode it again."""
    guard, key, services = gate.guard, gate.key, workflow.services
    if guard is None and key is None:
        place.admit(position, token, None)
        return value
    marker = services.marker
    marker.enter(workflow.mark, gate.path, services.slots.accompanied)
    try:
        if value is UNREAD:
            value = decode(stored if stored[0] != REF else workflow.value(stored))
        if guard is None or guard(value):
            if gate.plain:
                place.queues[position][token] = None
            else:
                check = counted_key if gate.counted else checked_key
                place.admit(position, token, None if key is None else check(key(value)))
    except BaseException as error:  # user code may raise anything, `sys.exit()` included
        _raise_incident(workflow, place, gate.transition, token, failure_of(error))
    marker.leave()
    if services.suspects.known:
        services.suspects.clear(workflow.header.instance, gate.path)  # the process has outlived it
    return value


def _is_settled(workflow: "WorkflowActor", place: "PlaceActor", gate: Gate, token: int) -> bool:
    """Return whether a guard must not be asked: it raised on this token before, or its process died under it."""
    if (gate.transition, token) in workflow.guard_incidents:
        return True
    if workflow.services.suspects.is_guilty(workflow.header.instance, gate.path):
        failure = Failure(type=CRASH_SUSPECT, message="its process ended twice while this guard ran")
        _raise_incident(workflow, place, gate.transition, token, failure)
        return True
    return False


def _raise_incident(workflow: "WorkflowActor", place: "PlaceActor", index: int, token: int, failure: Failure) -> None:
    incident = GuardIncident(
        number=workflow.next_serial(), transition=index, place=place.plan.index, token=token, failure=failure
    )
    workflow.guard_incidents[index, token] = incident
    if workflow.raised is None:
        _write(workflow, workflow.turn, incident)
    else:
        workflow.raised.append(incident)


def write_raised(workflow: "WorkflowActor", turn: Turn) -> None:
    """Write the incidents of an instance that has been read: with the turn of the message that woke it, all at once."""
    raised, workflow.raised = workflow.raised or [], None
    for incident in raised:
        _write(workflow, turn, incident)


def _write(workflow: "WorkflowActor", turn: Turn, incident: GuardIncident) -> None:
    failure = incident.failure
    turn.born[entry_key(workflow.root, 0, GUARD_INCIDENT, incident.number)] = encode(incident)
    detail: Detail = {
        "type": failure.type,
        "message": failure.message,
        "token": incident.token,
        "place": workflow.plan.places[incident.place].path,
    }
    path = workflow.plan.transitions[incident.transition].path
    workflow.record(turn, RecordKind.INCIDENT, path, incident.number, detail=detail)
