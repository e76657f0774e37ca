"""`placet list`, `show` and `history`: looking at instances without touching them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, cast

from placet.actors.clock import EngineClock, wall_s
from placet.actors.errors import no_instance
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.reader import Incident, IncidentKind, InstanceView, StateReader
from placet.actors.records import Header, Phase
from placet.actors.report import STILL, last_of
from placet.actors.stamp import Stamp, decode_stamp
from placet.actors.task_request import is_approval
from placet.actors.task_view import TaskView
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.faces import instance_face, record_face, summary_face
from placet.cli.family import SHOWN_CHILDREN, family_lines, in_tree
from placet.cli.missing import all_there_are, ended
from placet.cli.opened import command_to_go_on, instance_of, opened
from placet.cli.output import say, say_json, shown
from placet.cli.text import columns, duration, moment
from placet.cli.where import Where
from placet.net.errors import ShardsMissing
from placet.persistence.history import Record
from placet.persistence.keys import STAMP
from placet.persistence.lock import owner
from placet.persistence.preview import to_json
from placet.persistence.store import View
from placet.petri.plan import Plan

if TYPE_CHECKING:
    from placet.net.remote import RemoteInstance

SHOWN_VALUES = 10  # of one place
SHOWN_TASKS = 10


def list_instances(where: Where, wanted: str | None, *, is_json: bool, is_tree: bool = False) -> int:
    """Write a line for each instance, or for those in one state; as a tree, each below the one that called it."""
    if wanted is not None and wanted not in set(InstanceState):
        raise WrongUsage(f"there is no state {wanted!r}", f"the states are {', '.join(InstanceState)}")
    known, missing = _summaries(where)
    found = [one for one in known if wanted is None or one.state == wanted]
    found.sort(key=lambda one: (one.spawned_at, one.instance))
    if is_json:
        for one in found:
            say_json(summary_face(one))
        return ended(missing)
    placed = list(in_tree(found)) if is_tree else [(0, one) for one in found]
    rows = [
        ("  " * depth + one.instance, one.workflow, one.state.value, moment(one.spawned_at), moment(one.changed_at))
        for depth, one in placed
    ]
    for line in columns([("ID", "WORKFLOW", "STATE", "SPAWNED", "CHANGED"), *rows] if rows else []):
        say(line)
    return ended(missing)


def _summaries(where: Where) -> tuple[list[InstanceSummary], ShardsMissing | None]:
    """Return the instances there are, and what is missing of them."""
    if where.node:
        with where.connected() as client:
            return all_there_are(client.list())
    with opened(where.state) as store:
        return [InstanceSummary.of(header) for header in StateReader(store).headers()], None


def history(where: Where, id: str, *, is_json: bool) -> int:
    """Write a line for each thing that happened to an instance, oldest first."""
    header, records = _told(where, id)
    for face in [record_face(header, sequence, record) for sequence, record in records]:
        if is_json:
            say_json(face)
        else:
            say(_history_line(face))
    return COMPLETED


def _told(where: Where, id: str) -> tuple[Header, list[tuple[int, Record]]]:
    if where.node:
        with where.connected() as client:
            instance = client.instance(id)
            return instance.view().header, instance.history()
    with opened(where.state) as store:
        reader = StateReader(store)
        header = reader.header(id)
        if header is None:
            raise no_instance(id)
        return header, reader.history(id)


def _history_line(face: Mapping[str, object]) -> str:
    told = ("seq", "at", "kind", "transition", "address", "consumed", "produced")
    rest = ", ".join(f"{name} {value}" for name, value in face.items() if name not in told and value != "")
    at = cast("float", face["at"])
    what = " ".join(str(part) for part in (face["kind"], face.get("transition", "")) if part)
    return f"{face['seq']:>6}  {moment(at)}  {what}{f'  ({rest})' if rest else ''}"


_TOLD: Final = (InstanceState.STUCK, InstanceState.WAITING)  # states whose record says why


# -- show ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One instance, and what stands around it."""

    view: InstanceView
    children: Sequence[InstanceSummary]
    stuck: Record | None  # what it lacks, where it is stuck, or waits for
    helpful: list[str]  # commands that would move it on
    now: float  # engine time
    missing: ShardsMissing | None = None  # where nobody knows whether it has more children


def show(where: Where, id: str, *, is_json: bool, with_traceback: bool, with_tokens: bool = False) -> int:
    """Write everything about one instance."""
    seen = _seen_at_node(where, id) if where.node else _seen_here(where, id)
    view, now = seen.view, seen.now
    face = instance_face(view, seen.children, seen.stuck, with_traceback=with_traceback)
    if is_json:
        say_json({**face, **({"tokens": view.tokens} if with_tokens else {}), "next": seen.helpful})
        return ended(seen.missing)
    family = family_lines(str(face.get("caller", "")), seen.children)
    parts = family, _marking(view, with_tokens=with_tokens), _state(view), _people(view, now), _firings(view, now)
    for line in (*_head(view, face), *chain(*parts), *_incidents(view, with_traceback)):
        say(line)
    for transition, reason in cast("Mapping[str, str]", face.get("lacking", {})).items():
        say(f"stuck: {transition} {reason}")
    if "reason" in face:
        say(f"waiting: {face['reason']}")
    for command in seen.helpful:
        say(f"next: {command}")
    return ended(seen.missing)


def _seen_here(where: Where, id: str) -> _Seen:
    with opened(where.state) as store:
        reader = StateReader(store)
        view = instance_of(reader, id)
        children = [InstanceSummary.of(header) for header in reader.children(id)]
        return _Seen(
            view=view,
            children=children,
            stuck=stuck_here(view, reader),
            helpful=helpful_commands(view, children, where, reader.plan(view.header), reader),
            now=engine_now(store),
        )


def stuck_here(view: InstanceView, reader: StateReader) -> Record | None:
    """Return the record that says what an instance lacks, where it is stuck, or waits for."""
    return last_of(reader, view.header.instance, view.header.state.value) if view.header.state in _TOLD else None


def stuck_there(view: InstanceView, instance: "RemoteInstance") -> Record | None:
    """Return the record that says what an instance on a node lacks, where it is stuck, or waits for."""
    kind = view.header.state
    if kind not in _TOLD:
        return None
    return next((record for _, record in reversed(instance.history()) if record.kind == kind.value), None)


def _seen_at_node(where: Where, id: str) -> _Seen:
    from placet.net.client import node_of
    from placet.net.remote_part import plan_of
    from placet.net.twins import blocked

    with where.connected() as client:
        instance = client.instance(id)
        view = instance.view()
        missing: ShardsMissing | None = None
        try:
            children = instance.called()
        except ShardsMissing as error:
            children, missing = [], error
        plan = blocked(plan_of(node_of(client), id, None))
        return _Seen(
            view=view,
            children=children,
            stuck=stuck_there(view, instance),
            helpful=helpful_commands(view, children, where, plan),
            now=wall_s(),  # engine time is about that
            missing=missing,
        )


def engine_now(store: View) -> float:
    """Return engine time as it would be if the engine went on now."""
    stamp = store.get(STAMP)
    return EngineClock(decode_stamp(stamp) if stamp else Stamp()).now()


def helpful_commands(
    view: InstanceView,
    children: Sequence[InstanceSummary],
    where: Where,
    plan: Plan,
    reader: StateReader | None = None,
) -> list[str]:
    """Return the commands that would move an instance on; without a reader, an engine has it."""
    header = view.header
    if header.state in TERMINAL:
        return []
    place = where.options()
    commands: list[str] = []
    for incident in view.incidents:
        about = [header.instance, str(incident.number), *place]
        commands.append(shlex.join(["placet", "retry", *about]))
        if incident.kind is IncidentKind.FIRING:
            commands.append(shlex.join(["placet", "skip", *about, "--output"]) + " JSON")
        if header.state is not InstanceState.CANCELLING:
            commands.append(shlex.join(["placet", "fail", *about]))
    offered = view.tasks[:SHOWN_TASKS]
    commands += [shlex.join(["placet", *words, *place]) for task in offered for words in _decisions(task, plan)]
    commands += [shlex.join(["placet", "token", "thaw", header.instance, str(one), *place]) for one in view.frozen[:1]]
    for target in view.paused_parts:
        commands.append(shlex.join(["placet", "resume", header.instance, "--target", target, *place]))
    waited_for = [child for child in children if child.state in STILL][:SHOWN_CHILDREN]
    commands += [shlex.join(["placet", "show", child.instance, *place]) for child in waited_for]
    if header.state is InstanceState.PAUSED:
        commands.append(shlex.join(["placet", "resume", header.instance, *place]))
    if header.state is InstanceState.STUCK:
        commands.append(shlex.join(["placet", "cancel", header.instance, *place]))
    elif reader is not None and owner(where.state) is None:
        commands.append(command_to_go_on(reader, header, where.state))
    return commands


def _decisions(task: TaskView, plan: Plan) -> list[list[str]]:
    """Return the words of the commands that decide a task."""
    transition = plan.transitions[plan.transition_index[task.transition]]
    if is_approval(transition):
        return [["approve", task.id], ["reject", task.id]]
    if transition.choice:
        return [["complete", task.id, "--to", name] for name in transition.output_names]
    return [["complete", task.id]]


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
        trouble = f" ({firing.trouble})" if firing.trouble is not None else ""
        child = f", child {firing.child}{trouble}" if firing.child else ""
        phase = firing.phase.name.lower()
        beat = f", last heard {duration(now - firing.beat_at)} ago" if firing.beat_at else ""
        lines.append(f"{phase}: {firing.transition}, attempt {firing.attempt}, for {since}{due}{child}{beat}")
        if firing.encoded_progress is not None:
            lines.append(f"  progress: {shown(to_json(firing.encoded_progress))}")
    return lines


def _incidents(view: InstanceView, with_traceback: bool) -> list[str]:
    return [line for incident in view.incidents for line in _incident(incident, with_traceback)]


def _incident(incident: Incident, with_traceback: bool) -> list[str]:
    last = incident.failures[-1] if incident.failures else None
    where = incident.transition or incident.about
    times = len(incident.failures)
    lines = [f"incident {incident.number}: {where}, {times} attempt{'s' if times != 1 else ''} failed"]
    if last is not None:
        lines.append(f"  {last.type}: {last.message}")
    lines += [f"  from {place}: {shown(to_json(value))}" for place, value in incident.inputs]
    if with_traceback and last is not None:
        lines += [f"  | {line}" for line in last.traceback.splitlines()]
    return lines
