"""What a builder has been told so far: drafts of places, transitions and composites."""

from dataclasses import dataclass, field

from placet.petri.behaviour import INLINE, Behaviour, Guard, Handler, RetryPolicy
from placet.petri.expression import Flow, Owner, PlaceRef, Term
from placet.petri.location import Location, Site, identity_of
from placet.petri.net import Arc, Place, Scalar, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDraft:
    """A declared place."""

    ref: PlaceRef
    entry: bool
    type: object  # a class, another annotation such as dict[str, int], or None
    category: str
    properties: tuple[tuple[str, Scalar], ...]
    location: str

    def place(self) -> Place:
        """Return the place as part of a net."""
        declared = self.type
        name = "" if declared is None else declared.__name__ if type(declared) is type else str(declared)
        return Place(
            name=self.ref.name, entry=self.entry, type=name, category=self.category, properties=self.properties
        )


@dataclass(slots=True, kw_only=True)
class TransitionDraft:
    """A declared transition; decorating a function fills in handler and, where none was given, the name."""

    workflow: str
    name: str  # "" until a function is decorated
    flow: Flow
    guards: tuple[Guard | None, ...]
    run: str
    retry: RetryPolicy | None
    timeout_s: float | None
    priority: int
    category: str
    properties: tuple[tuple[str, Scalar], ...]
    location: str
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
                Arc(place=place.name, weight=weight, guarded=guard is not None)
                for (place, weight), guard in zip(self.flow.inputs, self.guards, strict=True)
            ),
            outputs=tuple(_arc(term) for term in self.flow.outputs),
            choice=self.flow.choice,
            handler=identity_of(self.handler) if self.handler else "",
            priority=self.priority,
            category=self.category,
            properties=self.properties,
        )

    def behaviour(self) -> Behaviour:
        """Return what the transition does; one without a handler runs inside the kernel."""
        return Behaviour(
            handler=self.handler,
            takes_context=self.takes_context,
            guards=self.guards,
            run=self.run if self.handler else INLINE,
            retry=self.retry,
            timeout_s=self.timeout_s if self.handler else None,
        )


def _arc(term: Term) -> Arc:
    place, weight = term
    return Arc(place=place.name, weight=weight)


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
