"""The commands about tasks: what is offered to people, and what they say to it."""

from typing import Annotated

import typer

from placet.cli.options import Json
from placet.cli.where import Where, anywhere
from placet.cli.who import Who, signed

tasks_app = typer.Typer(rich_markup_mode=None)

Task = Annotated[str, typer.Argument(help="The task, as placet tasks has it: order-17/manager.41.")]
Roles = Annotated[
    list[str] | None, typer.Option("--role", help="A role of the person; may be given again.", show_default=False)
]
Value = Annotated[
    str | None,
    typer.Option("--output", help="JSON: a value in place of the token's own; or @FILE.", show_default=False),
]


@tasks_app.command()
@anywhere
def tasks(
    where: Where,
    role: Annotated[str | None, typer.Option(help="Only what this role may decide.", show_default=False)] = None,
    assignee: Annotated[str | None, typer.Option(help="Only what this person may decide.", show_default=False)] = None,
    transition: Annotated[str | None, typer.Option(help="Only of this transition.", show_default=False)] = None,
    id: Annotated[str | None, typer.Option(help="Only of this instance.", show_default=False)] = None,
    is_json: Json = False,
) -> int:
    """List what is offered to people."""
    from placet.cli.tasks import Wanted, list_tasks

    return list_tasks(where, Wanted(role=role, assignee=assignee, transition=transition, id=id), is_json=is_json)


@tasks_app.command()
@anywhere
@signed
def approve(task: Task, where: Where, who: Who, output: Value = None, role: Roles = None, is_json: Json = False) -> int:
    """Say yes to a task."""
    from placet.cli import tasks as step

    person = step.Person(who=who, roles=tuple(role or ()))
    return step.approve(where, task, person, output, is_json=is_json)


@tasks_app.command()
@anywhere
@signed
def reject(task: Task, where: Where, who: Who, output: Value = None, role: Roles = None, is_json: Json = False) -> int:
    """Say no to a task."""
    from placet.cli import tasks as step

    person = step.Person(who=who, roles=tuple(role or ()))
    return step.reject(where, task, person, output, is_json=is_json)


@tasks_app.command()
@anywhere
@signed
def complete(
    task: Task,
    where: Where,
    who: Who,
    output: Annotated[
        str | None,
        typer.Option(help="JSON: the value of its output, or {place: [value]}; or @FILE.", show_default=False),
    ] = None,
    to: Annotated[str, typer.Option(help="The place to give to, where there is a choice.", show_default=False)] = "",
    role: Roles = None,
    is_json: Json = False,
) -> int:
    """Finish a task, with the token's own value or another one."""
    from placet.cli import tasks as step

    person = step.Person(who=who, roles=tuple(role or ()))
    return step.complete(where, task, person, output, to, is_json=is_json)


@tasks_app.command()
@anywhere
@signed
def claim(task: Task, where: Where, who: Who, role: Roles = None, is_json: Json = False) -> int:
    """Keep a task for oneself: nobody else may decide it."""
    from placet.cli import tasks as step

    person = step.Person(who=who, roles=tuple(role or ()))
    return step.claim(where, task, person, is_json=is_json)


@tasks_app.command()
@anywhere
@signed
def unclaim(task: Task, where: Where, who: Who, is_json: Json = False) -> int:
    """Give a claimed task back to everybody."""
    from placet.cli import tasks as step

    return step.unclaim(where, task, step.Person(who=who), is_json=is_json)
