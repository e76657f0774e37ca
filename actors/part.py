"""What belongs to one place or composite of an instance, by its plan; pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from placet.actors.holds import held_transitions
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent
from placet.actors.reader import InstanceView
from placet.actors.records import Phase
from placet.actors.task_view import TaskView
from placet.persistence.history import Record
from placet.petri.plan import Plan

T = TypeVar("T")
_S = InstanceState
OF_ALL = TERMINAL | {_S.CANCELLING, _S.STUCK}  # states of an instance that are those of all its parts
RESTING = frozenset({Phase.BACKOFF, Phase.INCIDENT})  # phases in which a firing does nothing by itself


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

    def narrowed(self, view: InstanceView) -> InstanceView:
        """Return, of what an instance shows, what is in this part: of a place, what its tokens are for.

        Places of `marking` and `tokens` go by the names it has for them, all other paths are those of the instance.
        """
        names = {self.plan.transitions[index].path for index in self._transitions()}
        tokens = self.of(view.tokens)
        own = {number for numbers in tokens.values() for number in numbers}
        return replace(
            view,
            marking=self.of(view.marking),
            tokens=tokens,
            frozen=tuple(token for token in view.frozen if token in own),
            delayed=tuple(token for token in view.delayed if token in own),
            firings=tuple(firing for firing in view.firings if firing.transition in names),
            incidents=tuple(incident for incident in view.incidents if incident.transition in names),
            tasks=tuple(task for task in view.tasks if self.has_task(task)),
            state_values={},  # which belong to the instance
        )

    def state(self, view: InstanceView) -> InstanceState:
        """Return where this part stands: as an instance, while nothing but what is in the part is looked at.

        It is `waiting` where nothing in it is under way. It ends, and is stuck, with its instance.
        """
        if view.header.state in OF_ALL:
            return view.header.state
        if self.is_paused(view):
            return _S.PAUSED
        own = self.narrowed(view)
        if own.incidents or any(firing.trouble is not None for firing in own.firings):
            return _S.INCIDENT
        return _S.RUNNING if any(firing.phase not in RESTING for firing in own.firings) else _S.WAITING

    def is_paused(self, view: InstanceView) -> bool:
        """Return whether nothing in it is chosen, since it, all of it, or its instance is paused."""
        held = held_transitions(self.plan, view.header.held)
        own = self._transitions()
        return view.header.intent is Intent.PAUSE or (bool(own) and own <= held)

    def _transitions(self) -> frozenset[int]:
        """Return the transitions in it; of a place, those that take from it or read it."""
        return held_transitions(self.plan, (self.path,))

    def inside(self, name: str) -> str:
        """Return the path of what this composite calls `name`; a place calls others as the net does that it is in.

        "" is the part itself.
        """
        if not name:
            return self.path
        within = self.path.rpartition("/")[0] if self.is_place else self.path
        return f"{within}/{name}" if within else name

    def has_place(self, path: str) -> bool:
        """Return whether the place with this path, as its instance calls it, is in it, or is a port of it."""
        return any(path == own for _, own in self.places())

    def has_task_of(self, transition: str) -> bool:
        """Return whether tasks of that transition are in it, or for tokens of it."""
        index = self.plan.transition_index.get(transition)
        return index in self._transitions()

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
