"""`placet tasks`, `approve`, `reject`, `complete`, `claim` and `unclaim`: what waits for people, and what they say."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import msgspec

from placet.actors.control.tasks import (
    AboutTasks,
    ApproveRequest,
    ClaimRequest,
    CompleteRequest,
    RejectRequest,
    UnclaimRequest,
)
from placet.actors.errors import no_instance
from placet.actors.reader import StateReader
from placet.actors.task_id import TaskId
from placet.actors.task_view import TaskView
from placet.cli.faces import task_face
from placet.cli.intervene import intervene
from placet.cli.json_input import given_json
from placet.cli.missing import all_there_are, ended
from placet.cli.opened import opened
from placet.cli.output import say, say_json, shown
from placet.cli.text import columns, moment
from placet.cli.where import Where
from placet.cli.who import Who
from placet.persistence.preview import to_json

SHOWN_CHARACTERS = 60  # of a value in the list


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks are to be listed; None asks for nothing."""

    role: str | None = None
    assignee: str | None = None
    transition: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who says something to a task, and as what."""

    who: Who
    roles: tuple[str, ...] = ()


def list_tasks(where: Where, wanted: Wanted, *, is_json: bool) -> int:
    """Write a line for each task that waits for somebody."""
    with closing(_offered(where, wanted)) as tasks:
        if is_json:
            return ended(all_there_are(_said(task) for task in tasks)[1])
        found, missing = all_there_are(tasks)
    rows = [_row(task) for task in sorted(found, key=lambda task: task.offered_at)]
    for line in columns([("TASK", "FOR", "CLAIMED BY", "SINCE", "VALUE"), *rows] if rows else []):
        say(line)
    return ended(missing)


def _said(task: TaskView) -> str:
    """Write a task as soon as it is read: there may be many."""
    say_json(task_face(task))
    return task.id


def _offered(where: Where, wanted: Wanted) -> Generator[TaskView]:
    """Yield what is offered, each when it is asked for where the state is on this host."""
    if where.node:
        with where.connected() as client:
            yield from client.tasks(
                role=wanted.role, assignee=wanted.assignee, transition=wanted.transition, instance=wanted.id
            )
        return
    with opened(where.state) as store:
        reader = StateReader(store)
        if wanted.id is not None and reader.root(wanted.id) is None:
            raise no_instance(wanted.id)
        for task in reader.tasks(wanted.id or ""):
            if wanted.transition in (None, task.transition) and task.is_for(wanted.role, wanted.assignee):
                yield task


def _row(task: TaskView) -> tuple[str, ...]:
    people = ", ".join((*task.roles, *task.assignees)) or "anybody"
    value = shown(to_json(task.encoded), SHOWN_CHARACTERS)
    return task.id, people, task.claimed_by or "-", moment(task.offered_at), value


def approve(where: Where, task: str, person: Person, value: str | None, *, is_json: bool) -> int:
    """Say yes to a task."""
    request = ApproveRequest(instance="", task=task, by="", value=_given(value))
    return _say(where, request, person, is_json=is_json)


def reject(where: Where, task: str, person: Person, value: str | None, *, is_json: bool) -> int:
    """Say no to a task."""
    request = RejectRequest(instance="", task=task, by="", value=_given(value))
    return _say(where, request, person, is_json=is_json)


def complete(where: Where, task: str, person: Person, outputs: str | None, output: str, *, is_json: bool) -> int:
    """Finish a task."""
    request = CompleteRequest(instance="", task=task, by="", outputs=_given(outputs), output=output)
    return _say(where, request, person, is_json=is_json)


def claim(where: Where, task: str, person: Person, *, is_json: bool) -> int:
    """Keep a task for oneself."""
    return _say(where, ClaimRequest(instance="", task=task, by=""), person, is_json=is_json)


def unclaim(where: Where, task: str, person: Person, *, is_json: bool) -> int:
    """Give a claimed task back."""
    return _say(where, UnclaimRequest(instance="", task=task, by=""), person, is_json=is_json)


def _given(text: str | None) -> object:
    return msgspec.UNSET if text is None else given_json("--output", text)


def _say(where: Where, request: AboutTasks, person: Person, *, is_json: bool) -> int:
    """Fill in of which instance the task is and who speaks, and carry the request out."""
    who, instance = person.who, TaskId.parse(request.task).instance
    said = msgspec.structs.replace(
        request, instance=instance, by=who.by, why=who.why, roles=person.roles, request_id=who.request_id
    )
    return intervene(where, said, is_json=is_json)
