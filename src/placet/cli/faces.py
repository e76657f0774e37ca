"""Instances and their history as JSON objects: the machine-readable faces."""

from collections.abc import Sequence

from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import FiringView, Incident, IncidentKind, InstanceView
from placet.actors.records import Failure, Header, Phase
from placet.actors.report import waiting_reason
from placet.actors.task_view import TaskView
from placet.actors.usercode import firing_id
from placet.cli.family import child_face
from placet.persistence.history import Record, RecordKind
from placet.persistence.preview import to_json

Face = dict[str, object]


def summary_face(summary: InstanceSummary) -> Face:
    """Return what `placet list` shows of an instance; `caller` is the instance that called it, if one has."""
    return {
        "id": summary.instance,
        "workflow": summary.workflow,
        "version": summary.version,
        "state": summary.state.value,
        "spawned_at": summary.spawned_at,
        "changed_at": summary.changed_at,
        **({"caller": summary.caller} if summary.caller else {}),
    }


def instance_face(
    view: InstanceView, children: Sequence[InstanceSummary], stuck: Record | None, *, with_traceback: bool
) -> Face:
    """Return what `placet show` shows of an instance; values are previews that nothing was executed for.

    `stuck` is the record that says so, or why it waits.
    """
    header = view.header
    running = [firing for firing in view.firings if firing.phase is Phase.RUNNING]
    waiting = [firing for firing in view.firings if firing.phase not in (Phase.RUNNING, Phase.INCIDENT)]
    face: Face = {
        **summary_face(InstanceSummary.of(header)),
        "firings": view.fired,
        "marking": {place: [to_json(value) for value in values] for place, values in view.marking.items()},
        "firings_running": [firing_face(header, firing) for firing in running],
        "firings_waiting": [firing_face(header, firing) for firing in waiting],
        "incidents": [incident_face(header, incident, with_traceback=with_traceback) for incident in view.incidents],
        "tasks": [task_face(task) for task in view.tasks],
        "frozen": list(view.frozen),
        "paused": list(view.paused_parts),
        "state_values": {name: to_json(value) for name, value in view.state_values.items()},
        "children": [child_face(child) for child in children],
    }
    if header.state is InstanceState.STUCK:
        face["lacking"] = stuck.detail if stuck and isinstance(stuck.detail, dict) else {}
    if reason := waiting_reason(header, stuck):
        face["reason"] = reason
    return face


def task_face(task: TaskView) -> Face:
    """Return a task that waits for people; its value is a preview that nothing was executed for."""
    return {
        "id": task.id,
        "instance": task.instance,
        "transition": task.transition,
        "place": task.place,
        "token": task.token,
        "value": to_json(task.encoded),
        "roles": list(task.roles),
        "assignees": list(task.assignees),
        "claimed_by": task.claimed_by,
        "offered_at": task.offered_at,
    }


def token_faces(view: InstanceView) -> list[Face]:
    """Return the free tokens of an instance, place by place, oldest first."""
    return [
        {"token": token, "place": place, "frozen": token in view.frozen, "value": to_json(value)}
        for place, values in view.marking.items()
        for token, value in zip(view.tokens[place], values, strict=True)
    ]


def firing_face(header: Header, firing: FiringView) -> Face:
    """Return a firing: where it stands, for how long, and when its time comes.

    `progress` is a preview of what its handler has told of itself, as those of tokens are.
    """
    encoded = firing.encoded_progress
    return {
        "firing": firing_id(header.instance, header.incarnation, firing.number),
        "transition": firing.transition,
        "phase": firing.phase.name.lower(),
        "attempt": firing.attempt,
        "losses": firing.losses,
        "since": firing.since,
        "due": firing.due or None,
        "child": firing.child or None,
        "trouble": firing.trouble,
        "beat_at": firing.beat_at or None,
        "progress": None if encoded is None else to_json(encoded),
    }


def incident_face(header: Header, incident: Incident, *, with_traceback: bool) -> Face:
    """Return an incident with its error, its inputs and the attempts there were."""
    inputs: dict[str, list[object]] = {}
    for place, value in incident.inputs:
        inputs.setdefault(place, []).append(to_json(value))
    last = incident.failures[-1] if incident.failures else Failure(type="Unknown", message="")
    is_firing = incident.kind is IncidentKind.FIRING
    return {
        "number": incident.number,
        "kind": incident.kind,
        "transition": incident.transition,
        "about": incident.about,
        "firing": firing_id(header.instance, header.incarnation, incident.number) if is_firing else None,
        "error": {"type": last.type, "message": last.message},
        "inputs": inputs,
        "attempts": [_attempt_face(failure, with_traceback=with_traceback) for failure in incident.failures],
    }


def _attempt_face(failure: Failure, *, with_traceback: bool) -> Face:
    face: Face = {"attempt": failure.attempt, "at": failure.at, "type": failure.type, "message": failure.message}
    return {**face, "traceback": failure.traceback} if with_traceback else face


def record_face(header: Header, sequence: int, record: Record) -> Face:
    """Return one record of the history.

    `address` is the actor it happened in; `firing` is the id handlers see; what a record has besides stands
    beside them, such as `by` and `why` of an intervention.
    """
    face: Face = {"seq": sequence, "at": record.at, "kind": record.kind}
    detail: dict[str, object] = dict(record.detail) if isinstance(record.detail, dict) else {}
    composite = record.transition.rpartition("/")[0]
    face["address"] = f"{header.instance}/{composite}" if composite else header.instance
    if record.transition:
        face["transition"] = record.transition
    if record.firing:
        face["firing"] = firing_id(header.instance, header.incarnation, record.firing)
        face["attempt"] = record.attempt
    if record.consumed or record.produced:
        face["consumed"], face["produced"] = list(record.consumed), list(record.produced)
    if record.kind == RecordKind.STUCK:
        face["lacking"] = detail
        return face
    return {**face, **detail}
