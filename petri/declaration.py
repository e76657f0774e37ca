"""What a builder has been told so far: drafts of places, transitions and composites."""

from dataclasses import dataclass, field
from difflib import get_close_matches

from placet.petri.behaviour import CALL, INLINE, PERSON, Behaviour, Guard, Handler, Key, RetryPolicy
from placet.petri.expression import Flow, Owner, PlaceRef
from placet.petri.location import Location, Site, identity_of
from placet.petri.net import Arc, Called, Manual, Place, Scalar, Transition
from placet.petri.requirement import Requires
from placet.petri.validation import check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDraft:
    """A declared place."""

    ref: PlaceRef
    entry: bool
    external: bool
    capacity: int
    type: object  # a class, another annotation such as dict[str, int], or None
    category: str
    properties: tuple[tuple[str, Scalar], ...]
    location: str

    def place(self) -> Place:
        """Return the place as part of a net."""
        declared = self.type
        name = "" if declared is None else declared.__name__ if type(declared) is type else str(declared)
        return Place(
            name=self.ref.name,
            entry=self.entry,
            external=self.external,
            capacity=self.capacity,
            type=name,
            category=self.category,
            properties=self.properties,
        )


@dataclass(slots=True, kw_only=True)
class TransitionDraft:
    """A declared transition; decorating a function fills in handler and, where none was given, the name."""

    workflow: str
    name: str = ""  # "" until a function is decorated
    flow: Flow
    guards: tuple[Guard | None, ...]
    keys: tuple[Key | None, ...]
    run: str  # "" until it has a handler, where none was named
    requires: Requires | None = None  # what its host must have
    remote: bool = False  # any host that has it will do
    retry: RetryPolicy | None = None
    timeout_s: float | None = None
    deadline_s: float | None = None
    heartbeat_s: float | None = None
    delay_s: float = 0.0
    error: str = ""  # name of the place for what failed for good; "" is none
    priority: int = 0
    category: str
    properties: tuple[tuple[str, Scalar], ...]
    location: str
    manual: Manual | None = None
    called: Called | None = None
    callee: "WorkflowDraft | None" = None  # what is called, where it is known by more than its name
    handler: Handler | None = None
    takes_context: bool = False

    @property
    def site(self) -> Site:
        """What an error about this transition names."""
        return Site(workflow=self.workflow, node=f"transition `{self.name or self.flow}`", location=self.location)

    def transition(self) -> Transition:
        """Return the transition as part of a net."""
        return Transition(
            name=self.name,
            inputs=tuple(
                Arc(
                    place=term.place.name,
                    weight=term.weight,
                    guarded=guard is not None,
                    keyed=key is not None,
                    kind=term.kind,
                )
                for term, guard, key in zip(self.flow.inputs, self.guards, self.keys, strict=True)
            ),
            outputs=tuple(Arc(place=term.place.name, weight=term.weight) for term in self.flow.outputs),
            choice=self.flow.choice,
            handler=identity_of(self.handler) if self.handler else "",
            priority=self.priority,
            delay_s=self.delay_s,
            error=self.error,
            manual=self.manual,
            called=self.called,
            category=self.category,
            properties=self.properties,
        )

    def behaviour(self, types: tuple[object, ...]) -> Behaviour:
        """Return what the transition does; one without a handler runs inside the kernel.

        `types` are the declared types of its outputs.
        """
        return Behaviour(
            handler=self.handler,
            takes_context=self.takes_context,
            guards=self.guards,
            keys=self.keys,
            run=PERSON if self.manual else CALL if self.called else self.run if self.handler else INLINE,
            retry=self.retry,
            timeout_s=self.timeout_s if self.handler or self.called else None,
            deadline_s=self.deadline_s if self.handler or self.called else None,
            heartbeat_s=self.heartbeat_s if self.handler else None,
            requires=self.requires if self.handler else None,
            remote=self.remote and self.handler is not None,
            types=types if any(declared is not None for declared in types) else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeDraft:
    """A declared composite."""

    name: str
    inner: "WorkflowDraft"
    ports: tuple[tuple[str, str], ...]  # (inner place, outer place)
    category: str
    properties: tuple[tuple[str, Scalar], ...]
    location: str


@dataclass(slots=True, kw_only=True)
class WorkflowDraft:
    """All that one builder has declared so far; `changes` grows with every change."""

    name: str
    version: str
    owner: Owner
    location: Location
    places: dict[str, PlaceDraft] = field(default_factory=dict[str, PlaceDraft])
    transitions: list[TransitionDraft] = field(default_factory=list[TransitionDraft])
    composites: list[CompositeDraft] = field(default_factory=list[CompositeDraft])
    locations: dict[str, str] = field(default_factory=dict[str, str])  # of every named node
    changes: int = 0

    def parts(self) -> dict[int, "WorkflowDraft"]:
        """Return this draft and all drafts inside it, each once, by identity."""
        found: dict[int, WorkflowDraft] = {}
        waiting: list[WorkflowDraft] = [self]
        while waiting:
            draft = waiting.pop()
            if id(draft) not in found:
                found[id(draft)] = draft
                waiting.extend(composite.inner for composite in draft.composites)
        return found

    def add(self, transition: TransitionDraft) -> None:
        """Take in a transition: from now on it is declared."""
        self.transitions.append(transition)
        self.changes += 1

    def claim(self, name: str, site: Site) -> None:
        """Take `name` for a node: places, transitions and composites share their addresses.

        Raises `DefinitionError` for a name that is none, or that is taken.
        """
        check_name(name, site)
        if name in self.locations:
            raise site.error(f"the name `{name}` is taken ({self.locations[name]})", "choose another name")
        self.locations[name] = site.location
        self.changes += 1

    def own_place(self, place: PlaceRef | str, site: Site) -> str:
        """Return the name of a place of this workflow. Raises `DefinitionError` if it is unknown or another's."""
        if isinstance(place, PlaceRef):
            if place.owner is not self.owner:
                problem = f"place `{place}` belongs to another workflow, `{place.workflow}`"
                raise site.error(problem, f"use a place of `{self.name}`; a composite shares places through its ports")
            return place.name
        if place not in self.places:
            close = get_close_matches(str(place), self.places, n=1)
            remedy = f"did you mean `{close[0]}`?" if close else f'declare it with `.places("{place}")`'
            raise site.error(f"workflow `{self.name}` has no place `{place}`", remedy)
        return place
