"""`placet list`, `show` and `history`: looking at instances without touching them."""

import shlex
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import cast

from placet.actors.clock import EngineClock
from placet.actors.errors import no_instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.reader import Incident, IncidentKind, InstanceView, StateReader
from placet.actors.records import Phase
from placet.actors.stamp import Stamp, decode_stamp
from placet.actors.task_request import is_approval
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.faces import header_face, instance_face, record_face
from placet.cli.opened import command_to_go_on, instance_of, opened
from placet.cli.output import say, say_json, shown
from placet.cli.text import columns, duration, moment
from placet.persistence.keys import STAMP
from placet.persistence.lock import owner
from placet.persistence.preview import to_json
from placet.persistence.store import View

SHOWN_VALUES = 10  # of one place
SHOWN_TASKS = 10


def list_instances(state: Path, wanted: str | None, *, is_json: bool) -> int:
    """Write a line for each instance, or for those in one state."""
    if wanted is not None and wanted not in set(InstanceState):
        raise WrongUsage(f"there is no state {wanted!r}", f"the states are {', '.join(InstanceState)}")
    with opened(state) as store:
        headers = [h for h in StateReader(store).headers() if wanted is None or h.state == wanted]
    headers.sort(key=lambda header: (header.spawned_at, header.instance))
    if is_json:
        for header in headers:
            say_json(header_face(header))
        return COMPLETED
    rows = [(h.instance, h.workflow, h.state.value, moment(h.spawned_at), moment(h.changed_at)) for h in headers]
    for line in columns([("ID", "WORKFLOW", "STATE", "SPAWNED", "CHANGED"), *rows] if rows else []):
        say(line)
    return COMPLETED


def history(state: Path, id: str, *, is_json: bool) -> int:
    """Write a line for each thing that happened to an instance, oldest first."""
    with opened(state) as store:
        reader = StateReader(store)
        header = reader.header(id)
        if header is None:
            raise no_instance(id)
        faces = [record_face(header, sequence, record) for sequence, record in reader.history(id)]
    for face in faces:
        if is_json:
            say_json(face)
        else:
            say(_history_line(face))
    return COMPLETED


def _history_line(face: Mapping[str, object]) -> str:
    told = ("seq", "at", "kind", "transition", "address", "consumed", "produced")
    rest = ", ".join(f"{name} {value}" for name, value in face.items() if name not in told and value != "")
    at = cast("float", face["at"])
    what = " ".join(str(part) for part in (face["kind"], face.get("transition", "")) if part)
    return f"{face['seq']:>6}  {moment(at)}  {what}{f'  ({rest})' if rest else ''}"


# -- show ----------------------------------------------------------------------------------------------------------


def show(state: Path, id: str, *, is_json: bool, with_traceback: bool, with_tokens: bool = False) -> int:
    """Write everything about one instance."""
    with opened(state) as store:
        reader = StateReader(store)
        view = instance_of(reader, id)
        face = instance_face(view, reader, with_traceback=with_traceback)
        helpful = helpful_commands(view, reader, state)
        now = engine_now(store)
    if is_json:
        say_json({**face, **({"tokens": view.tokens} if with_tokens else {}), "next": helpful})
        return COMPLETED
    parts = _marking(view, with_tokens=with_tokens), _state(view), _people(view, now), _firings(view, now)
    for line in (*_head(view, face), *chain(*parts), *_incidents(view, with_traceback)):
        say(line)
    for transition, reason in cast("Mapping[str, str]", face.get("lacking", {})).items():
        say(f"stuck: {transition} {reason}")
    for command in helpful:
        say(f"next: {command}")
    return COMPLETED


def engine_now(store: View) -> float:
    """Return engine time as it would be if the engine went on now."""
    stamp = store.get(STAMP)
    return EngineClock(decode_stamp(stamp) if stamp else Stamp()).now()


def helpful_commands(view: InstanceView, reader: StateReader, state: Path) -> list[str]:
    """Return the commands that would move an instance on."""
    header = view.header
    if header.state in TERMINAL:
        return []
    where = ["--state", str(state)]
    commands: list[str] = []
    for incident in view.incidents:
        about = [header.instance, str(incident.number), *where]
        commands.append(shlex.join(["placet", "retry", *about]))
        if incident.kind is IncidentKind.FIRING:
            commands.append(shlex.join(["placet", "skip", *about, "--output"]) + " JSON")
        commands.append(shlex.join(["placet", "fail", *about]))
    for task in view.tasks[:SHOWN_TASKS]:
        transition = reader.plan(header).transitions[reader.plan(header).transition_index[task.transition]]
        verbs = ("approve", "reject") if is_approval(transition) else ("complete",)
        commands += [shlex.join(["placet", verb, task.id, *where]) for verb in verbs]
    commands += [shlex.join(["placet", "token", "thaw", header.instance, str(one), *where]) for one in view.frozen[:1]]
    for target in view.paused_parts:
        commands.append(shlex.join(["placet", "resume", header.instance, "--target", target, *where]))
    if header.state is InstanceState.PAUSED:
        commands.append(shlex.join(["placet", "resume", header.instance, *where]))
    if header.state is InstanceState.STUCK:
        commands.append(shlex.join(["placet", "cancel", header.instance, *where]))
    elif owner(state) is None:
        commands.append(command_to_go_on(reader, header, state))
    return commands


def _head(view: InstanceView, face: Mapping[str, object]) -> list[str]:
    header = view.header
    return [
        f"{header.instance}  {header.state.value}",
        f"workflow {header.workflow}, version {header.version}",
        f"spawned {moment(header.spawned_at)}, {header.state.value} since {moment(header.changed_at)}",
        f"firings counted: {face['firings']}",
    ]


def _marking(view: InstanceView, *, with_tokens: bool) -> list[str]:
    lines: list[str] = []
    for place, values in sorted(view.marking.items()):
        lines.append(f"{place} ({len(values)})")
        for token, value in zip(view.tokens[place][:SHOWN_VALUES], values, strict=False):
            number = f"{token}: " if with_tokens else ""
            lines.append(f"  {number}{shown(to_json(value))}{' (frozen)' if token in view.frozen else ''}")
        if len(values) > SHOWN_VALUES:
            lines.append(f"  and {len(values) - SHOWN_VALUES} more; --json lists all")
    return lines


def _state(view: InstanceView) -> list[str]:
    """Return what handlers keep with the instance."""
    return [f"state {name}: {shown(to_json(value))}" for name, value in view.state_values.items()]


def _people(view: InstanceView, now: float) -> list[str]:
    """Return what waits for people, and what they have paused."""
    lines = [f"paused: {target}" for target in view.paused_parts]
    for task in view.tasks[:SHOWN_TASKS]:
        people = ", ".join((*task.roles, *task.assignees)) or "anybody"
        claimed = f", claimed by {task.claimed_by}" if task.claimed_by else ""
        lines.append(f"task {task.id} for {people}{claimed}, for {duration(now - task.offered_at)}")
    if len(view.tasks) > SHOWN_TASKS:
        lines.append(f"and {len(view.tasks) - SHOWN_TASKS} more tasks; placet tasks lists all")
    return lines


def _firings(view: InstanceView, now: float) -> list[str]:
    lines: list[str] = []
    for firing in view.firings:
        if firing.phase is Phase.INCIDENT:
            continue
        due = f", next in {duration(firing.due - now)}" if firing.phase is Phase.BACKOFF else ""
        since = duration(now - firing.since)
        lines.append(f"{firing.phase.name.lower()}: {firing.transition}, attempt {firing.attempt}, for {since}{due}")
    return lines


def _incidents(view: InstanceView, with_traceback: bool) -> list[str]:
    return [line for incident in view.incidents for line in _incident(incident, with_traceback)]


def _incident(incident: Incident, with_traceback: bool) -> list[str]:
    last = incident.failures[-1] if incident.failures else None
    where = incident.transition or incident.kind
    times = len(incident.failures)
    lines = [f"incident {incident.number}: {where}, {times} attempt{'s' if times != 1 else ''} failed"]
    if last is not None:
        lines.append(f"  {last.type}: {last.message}")
    lines += [f"  from {place}: {shown(to_json(value))}" for place, value in incident.inputs]
    if with_traceback and last is not None:
        lines += [f"  | {line}" for line in last.traceback.splitlines()]
    return lines
