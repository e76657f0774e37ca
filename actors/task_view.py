"""A task as it is shown: what a manual transition offers to people for one token."""

from dataclasses import dataclass, field

from placet.actors.records import Task
from placet.actors.task_id import TaskId
from placet.persistence.values import decode
from placet.petri.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """An open task, as committed: what is offered, to whom, since when."""

    id: str  # such as `order-17/manager.41`: what decisions name it by
    instance: str
    transition: str  # path
    place: str  # path of the place its token is in
    token: int
    encoded: bytes = field(repr=False)  # the token's value, as stored
    roles: tuple[str, ...]  # who may decide: one of these roles is needed; none means anybody
    assignees: tuple[str, ...]  # likewise: people
    claimed_by: str  # "" is nobody
    offered_at: float  # engine seconds

    @property
    def value(self) -> object:
        """The token's value, decoded anew each time. Raises `ValueNotLoadable`."""
        return decode(self.encoded)

    def is_for(self, role: str | None, assignee: str | None) -> bool:
        """Return whether somebody with this role, or this very person, may decide it; None asks for nothing.

        Whom a task does not restrict to may decide it, and a claimed one is for nobody else.
        """
        if role is not None and self.roles and role not in self.roles:
            return False
        if assignee is None:
            return True
        return (not self.assignees or assignee in self.assignees) and self.claimed_by in ("", assignee)


def task_view(instance: str, plan: Plan, task: Task, encoded: bytes) -> TaskView:
    """Return a stored task as it is shown."""
    transition = plan.transitions[task.transition]
    manual = transition.manual
    return TaskView(
        id=str(TaskId(instance=instance, transition=transition.path, number=task.number)),
        instance=instance,
        transition=transition.path,
        place=plan.places[task.place].path,
        token=task.token,
        encoded=encoded,
        roles=manual.roles if manual else (),
        assignees=manual.assignees if manual else (),
        claimed_by=task.claimed_by,
        offered_at=task.offered_at,
    )
