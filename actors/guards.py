"""Asking guards: once a token, with a mark against crashes, and an incident when one raises."""

from typing import TYPE_CHECKING

from placet.actors.records import Failure, GuardIncident, encode
from placet.actors.usercode import passes
from placet.persistence.history import Detail
from placet.persistence.keys import GUARD_INCIDENT, entry_key
from placet.petri.plan import PlacePlan

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor


def judge(workflow: "WorkflowActor", plan: PlacePlan, position: int, token: int, stored: bytes) -> bool:
    """Return whether a token may be taken through a guarded arc; a guard that raises is an incident on the two."""
    index, guard = plan.guarded[position]
    if guard is None or (workflow.guard_incidents and (index, token) in workflow.guard_incidents):
        return False
    services = workflow.services
    path = workflow.plan.transitions[index].path
    if services.enter_user_code(workflow.mark, path):
        verdict = passes(guard, workflow.value(stored))
        services.leave_user_code()
    else:
        verdict = Failure(type="CrashSuspect", message="its process ended twice while this guard ran")
    if isinstance(verdict, bool):
        return verdict
    _raise_incident(workflow, plan, index, token, verdict)
    return False


def _raise_incident(workflow: "WorkflowActor", plan: PlacePlan, index: int, token: int, failure: Failure) -> None:
    turn = workflow.turn
    incident = GuardIncident(
        number=workflow.next_serial(), transition=index, place=plan.index, token=token, failure=failure
    )
    workflow.guard_incidents[index, token] = incident
    turn.born[entry_key(workflow.root, 0, GUARD_INCIDENT, incident.number)] = encode(incident)
    detail: Detail = {"type": failure.type, "message": failure.message, "token": token, "place": plan.path}
    workflow.record(turn, "incident", workflow.plan.transitions[index].path, incident.number, detail=detail)
