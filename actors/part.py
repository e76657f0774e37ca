"""What belongs to one place or composite of an instance, by its plan; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from placet.actors.task_view import TaskView
from placet.persistence.history import Record
from placet.petri.plan import Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A place or composite with this path."""

    plan: Plan
    path: str

    @property
    def exists(self) -> bool:
        """True where the plan has such a place or composite."""
        return self.path in self.plan.place_index or self.path in self.plan.composite_index

    @property
    def is_place(self) -> bool:
        """True for a place, False for a composite."""
        return self.path in self.plan.place_index

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield (name here, path in the instance) of its places: a port is its parent's place by another name."""
        plan = self.plan
        if self.is_place:
            yield self.path.rpartition("/")[2], plan.places[plan.place_index[self.path]].path
            return
        for path, index in plan.place_index.items():
            if self.has_below(path):
                yield path.removeprefix(f"{self.path}/"), plan.places[index].path

    def of(self, by_place: dict[str, T]) -> dict[str, T]:
        """Return, of what an instance has by place, what lies in this part, as it calls its places."""
        return {name: by_place[path] for name, path in self.places() if path in by_place}

    def has_below(self, path: str) -> bool:
        """Return whether a place or transition is in this composite."""
        return path.startswith(f"{self.path}/")

    def has_task(self, task: TaskView) -> bool:
        """Return whether a task is offered in it, or for a token of it."""
        return self._has(task.transition, task.place)

    def has_record(self, record: Record) -> bool:
        """Return whether something happened to a transition or token in it by name."""
        return self._has(record.transition, *_places_of(record))

    def has_call(self, transition: int) -> bool:
        """Return whether the transition of that index is in it."""
        return self.has_below(self.plan.transitions[transition].path)

    def _has(self, transition: str, *places: str) -> bool:
        own = {path for _, path in self.places()}
        return self.has_below(transition) or any(place in own for place in places)


def _places_of(record: Record) -> Iterator[str]:
    """Yield the paths of places that a record names: people's doings have them."""
    if isinstance(record.detail, dict):
        yield from (str(record.detail[name]) for name in ("place", "source") if name in record.detail)
