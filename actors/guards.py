"""Asking guards: once a token, with a mark against crashes, and an incident when one raises."""

from typing import TYPE_CHECKING

from placet.actors.records import Failure, GuardIncident, encode
from placet.actors.usercode import failure_of
from placet.persistence.blobs import TAG
from placet.persistence.history import Detail
from placet.persistence.keys import GUARD_INCIDENT, entry_key
from placet.persistence.values import decode

if TYPE_CHECKING:
    from placet.actors.place import PlaceActor
    from placet.actors.workflow import WorkflowActor

REF = TAG[0]  # first byte of what stands for a large value


def judge(workflow: "WorkflowActor", place: "PlaceActor", token: int, stored: bytes, only: int = -1) -> None:
    """Ask the guards of a place about one token, and put it into the queues of those it passes.

    `only` asks one of them. The value is decoded once for all.
    """
    services = workflow.services
    transitions = workflow.plan.transitions
    value: object = None
    loaded = False
    for position, (index, guard) in enumerate(place.plan.guarded):
        if only not in (-1, position) or guard is None or (index, token) in workflow.guard_incidents:
            continue
        path = transitions[index].path
        if services.suspects.known and services.suspects.is_guilty(workflow.header.instance, path):
            failure = Failure(type="CrashSuspect", message="its process ended twice while this guard ran")
            _raise_incident(workflow, place, index, token, failure)
            continue
        services.marker.enter(workflow.mark, path)
        try:
            if not loaded:
                value = decode(stored if stored[0] != REF else workflow.value(stored))
                loaded = True
            if guard(value):
                place.queues[position][token] = None
        except Exception as error:  # user code may raise anything
            _raise_incident(workflow, place, index, token, failure_of(error))
        services.marker.leave()


def _raise_incident(workflow: "WorkflowActor", place: "PlaceActor", index: int, token: int, failure: Failure) -> None:
    turn = workflow.turn
    incident = GuardIncident(
        number=workflow.next_serial(), transition=index, place=place.plan.index, token=token, failure=failure
    )
    workflow.guard_incidents[index, token] = incident
    turn.born[entry_key(workflow.root, 0, GUARD_INCIDENT, incident.number)] = encode(incident)
    detail: Detail = {
        "type": failure.type,
        "message": failure.message,
        "token": token,
        "place": place.plan.path,
    }
    workflow.record(turn, "incident", workflow.plan.transitions[index].path, incident.number, detail=detail)
