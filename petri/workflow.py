"""The builder: a workflow written down as places, arrows and decorated functions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Unpack

from placet.petri.assembly import assemble
from placet.petri.behaviour import INLINE, Definition, Guard, Handler, Source
from placet.petri.declaration import CompositeDraft, PlaceDraft, WorkflowDraft
from placet.petri.decorator import TransitionDecorator, attach
from placet.petri.drafting import as_approval, site_of, task_draft, transition_draft
from placet.petri.expression import Bundle, Flow, Owner, PlaceRef, Term
from placet.petri.location import Site, caller, variable_of
from placet.petri.mapping import declare_map
from placet.petri.net import Called, Scalar
from placet.petri.options import CallOptions, HandlerOptions, TaskOptions, TransitionOptions, check_options
from placet.petri.placement import SPREAD, Placement
from placet.petri.steps import step_names
from placet.petri.validation import (
    check_capacity,
    check_name,
    check_version,
    checked_placement,
    checked_properties,
    checked_texts,
)


class Workflow:
    """Collects the places and transitions of a workflow; `definition()` checks and freezes them.

    Every mistake raises `DefinitionError`, which says where it is and how to mend it. `declared` holds
    what has been declared so far.
    """

    def __init__(self, name: str, version: str = "", *, source: Source | None = None) -> None:
        location = caller()
        check_name(name, Site(workflow=str(name), location=str(location)))
        check_version(version, Site(workflow=name, location=str(location)))
        self.declared = WorkflowDraft(name=name, version=version, owner=Owner(name), location=location)
        self._source = source
        self._finished: tuple[int, Definition] | None = None
        self._whole: tuple[Definition, tuple[Definition, ...], Definition] | None = None
        self._parts: list[Workflow] = []  # composites, fused and called

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self.declared.name

    def __repr__(self) -> str:
        return f"Workflow({self.name!r})"

    def __getitem__(self, name: str) -> PlaceRef:
        """Return the place called `name`. Raises `DefinitionError` if there is none."""
        return self.declared.places[self.declared.own_place(name, site_of(self.declared))].ref

    def places(self, names: str) -> tuple[PlaceRef, ...]:
        """Declare places, named in one text with blanks between, and return them in that order."""
        return tuple(self.place(name) for name in names.split())

    def place(
        self,
        name: str,
        *,
        type: object = None,  # reads as the annotation it stands for
        entry: bool = False,
        external: bool = False,
        capacity: int | None = None,
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> PlaceRef:
        """Declare one place.

        `type` is the class its values must have; `entry=True` lets a spawn put tokens here although arcs lead
        here, `external=True` lets anyone put tokens here while the instance runs. While the place holds
        `capacity` tokens, or firings are under way that would fill it, what gives to it does not fire.
        """
        site = site_of(self.declared, f"place `{name}`")
        check_capacity(capacity, site)
        checked = checked_properties(properties, site)
        self.declared.claim(name, site)
        ref = PlaceRef(name, self.declared.owner)
        self.declared.places[name] = PlaceDraft(
            ref=ref,
            entry=entry,
            external=external,
            capacity=capacity or 0,
            type=type,
            category=category,
            properties=checked,
            location=site.location,
        )
        return ref

    def transition(
        self,
        flow: Flow,
        name: str | None = None,
        *,
        handler: Handler | None = None,
        **options: Unpack[TransitionOptions],
    ) -> TransitionDecorator:
        """Declare a transition along `flow`; decorate its handler with what is returned, or pass `handler`.

        With a `name` and no handler it moves values through unchanged. `guard` decides, token by token, which
        may be taken; with several inputs it is a mapping from place to guard. `key` gives a token's join key:
        only tokens with equal keys are taken together; one function for all inputs, or a mapping from place to
        key. `run` names the executor: "thread", "process", "parallel", "parallel_threads", "hybrid", "async", or
        "inline" for a handler that is pure; without it an `async def` is "async", all else "thread". With
        `requires`, such as `Requires(gpu=1)`, it runs on a host that has that: this one, or else another node of the
        cluster; `run=Remote("thread")` lets any node that has it do so. `retry` is a
        policy such as `Retry(attempts=5)`. `timeout_s` is per attempt, `deadline_s` for all attempts together, and
        `heartbeat_s` the longest time without a `context.heartbeat()`; a token waits `delay_s` in its place before
        this may take it. `error` is a place for what failed for good, as a `FailedFiring`; without it that is an
        incident. `priority`: higher goes first. `category` and `properties` are for those who look at the net.
        """
        site = site_of(self.declared, f"transition `{flow if name is None else name}`")
        draft = transition_draft(self.declared, flow, options, site)
        if handler is not None:
            attach(self.declared, draft, handler, name)
        elif name is not None:
            self.declared.claim(name, site)
            draft.name = name
        self.declared.add(draft)
        return TransitionDecorator(self.declared, draft)

    def map(
        self, name: str, flow: Flow, each: Handler, *, guard: Guard | None = None, **options: Unpack[HandlerOptions]
    ) -> None:
        """Declare a map along `a >> b`: a list in `a` becomes a list in `b`, with `each` called on every item.

        Each item is a firing of its own, called `name`: one that is done is not done again, and one that fails is
        retried, or waits for a person, by itself. When all are there, their results are given in the order of the
        items; an empty list gives an empty list. `guard` decides which lists may be taken; `run`, `requires`, `retry`,
        `timeout_s`, `deadline_s`, `heartbeat_s`, `priority`, `category` and `properties` are as in `transition`.
        """
        declare_map(self, name, flow, each, guard, options)

    def task(self, flow: Flow, name: str, **options: Unpack[TaskOptions]) -> None:
        """Declare a manual transition: each token of its only input is offered to people as a task.

        A person completes it with a value for its outputs, or passes the token's own on; along `a >> (b | c)` it says
        which of them, and only an `approval` is answered with yes or no. Where `roles` or
        `assignees` are given, only these people may. `guard` decides which tokens are offered; `category` and
        `properties` are as in `transition`.
        """
        site = site_of(self.declared, f"transition `{name}`")
        draft = task_draft(self.declared, flow, name, options, site)
        self.declared.claim(name, site)
        self.declared.add(draft)

    def call(
        self,
        flow: Flow,
        name: str,
        workflow: "Workflow | str",
        *,
        entries: Sequence[str] = (),
        exits: Sequence[str] = (),
        placement: Placement = SPREAD,
        **options: Unpack[CallOptions],
    ) -> None:
        """Declare a called composite: each firing starts a child instance of `workflow` and waits for what it returns.

        The child has an id below its parent's, such as `order-17/fulfil.41`, and a life of its own. The values of
        the inputs go to its entry places, and what is in its exit places at the end goes to the outputs, both in
        the order of declaration unless `entries` and `exits` name others. `workflow` may be this one, or the name
        of one that is registered where the child runs; `placement` says where in a cluster. A child that fails or is
        cancelled fails the attempt; `timeout_s` cancels the child. All else is as in `transition`, which has a handler
        besides.
        """
        site = site_of(self.declared, f"transition `{name}`")
        callee = workflow.name if isinstance(workflow, Workflow) else workflow
        check_name(callee, site)
        check_options(options, CallOptions.__optional_keys__, site)
        called = Called(
            workflow=callee,
            entries=checked_texts(entries, "entries", site),
            exits=checked_texts(exits, "exits", site),
            near=checked_placement(placement, site),
        )
        self.transition(flow, name, **options)
        draft = self.declared.transitions[-1]
        draft.called = called
        if isinstance(workflow, Workflow):
            draft.callee = workflow.declared
            self._parts.append(workflow)

    @property
    def callees(self) -> "tuple[Workflow, ...]":
        """The workflows that this one calls, and those that they call; each once, itself not among them."""
        found: dict[int, Workflow] = {}
        waiting: list[Workflow] = [self]
        while waiting:
            for part in waiting.pop()._parts:
                if id(part) not in found:
                    found[id(part)] = part
                    waiting.append(part)
        called = {id(one.callee) for part in (self, *found.values()) for one in part.declared.transitions if one.callee}
        return tuple(part for part in found.values() if part is not self and id(part.declared) in called)

    def approval(
        self,
        name: str,
        place: PlaceRef,
        *,
        approve: PlaceRef,
        reject: PlaceRef,
        escalate: PlaceRef | None = None,
        after_s: float = 0.0,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Declare a manual transition that people decide with `Approve` or `Reject`, a task for each token in `place`.

        A token nobody has decided on within `after_s` goes to the place `escalate`, if there is one. `guard`,
        `roles`, `assignees`, `category` and `properties` are as in `task`.
        """
        site = site_of(self.declared, f"transition `{name}`")
        if (escalate is None) != (not after_s):
            raise site.error("`escalate` and `after_s` go together", "give both, or neither")
        self.task(place >> (approve | reject), name, **options)
        as_approval(self.declared.transitions[-1], site)
        if escalate is not None:
            self.transition(place >> escalate, f"{name}_escalates", guard=options.get("guard"), delay_s=after_s)

    def composite(
        self,
        name: str,
        inner: "Workflow",
        ports: Mapping[PlaceRef, PlaceRef] | Mapping[str, str],
        *,
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Put the workflow `inner` inside this one; `ports` maps its places to the places they are here.

        Places may be given as such or by name.
        """
        site = site_of(self.declared, f"composite `{name}`")
        if id(self.declared) in inner.declared.parts():
            raise site.error(f"workflow `{self.name}` would contain itself", "loop with arcs instead")
        pairs = tuple(
            (inner.declared.own_place(inside, site), self.declared.own_place(outside, site))
            for inside, outside in ports.items()
        )
        checked = checked_properties(properties, site)
        self.declared.claim(name, site)
        self._parts.append(inner)
        self.declared.composites.append(
            CompositeDraft(
                name=name,
                inner=inner.declared,
                ports=pairs,
                category=category,
                properties=checked,
                location=site.location,
            )
        )

    def definition(self) -> Definition:
        """Return the checked, immutable workflow. Raises `DefinitionError` for the first mistake found.

        The same object is returned until the builder, or a workflow inside it or called by it, changes.
        """
        own = self._own_definition()
        callees = tuple(callee._own_definition() for callee in self.callees)
        if not callees:
            return own
        if self._whole is None or self._whole[0] is not own or self._whole[1] != callees:
            self._whole = own, callees, replace(own, callees=callees)
        return self._whole[2]

    def _own_definition(self) -> Definition:
        changes = sum(part.changes for part in self.declared.parts().values())
        if self._finished is None or self._finished[0] != changes:
            self._finished = changes, assemble(self.declared, self._source or self._found_source())
        return self._finished[1]

    def _found_source(self) -> Source:
        location = self.declared.location
        return Source(file=location.file, module=location.module, name=variable_of(location.module, self))

    @classmethod
    def sequence(
        cls,
        name: str,
        steps: Sequence[Handler],
        *,
        version: str = "",
        **options: Unpack[HandlerOptions],
    ) -> "Workflow":
        """Return a workflow that runs `steps` one after the other, from place `start` to place `done`.

        Each step takes what the one before returned; `run`, `retry`, `timeout_s` and the like hold for every step.
        """
        workflow, names = _stepwise(name, version, steps)
        before = workflow["start"]
        for step, label in zip(steps, names, strict=True):
            after = workflow["done"] if label == names[-1] else workflow.place(f"{label}_done")
            workflow.transition(before >> after, label, handler=step, **options)
            before = after
        return workflow

    @classmethod
    def parallel(
        cls,
        name: str,
        steps: Sequence[Handler],
        *,
        version: str = "",
        **options: Unpack[HandlerOptions],
    ) -> "Workflow":
        """Return a workflow that gives the value in `start` to every step at once.

        When all are through, a tuple of their results, in the order of `steps`, is in `done`. `run`, `retry`,
        `timeout_s` and the like hold for every step.
        """
        workflow, names = _stepwise(name, version, steps)
        todo = Bundle(tuple(Term(workflow.place(f"{label}_todo")) for label in names), "&")
        done = Bundle(tuple(Term(workflow.place(f"{label}_done")) for label in names), "&")
        workflow.transition(workflow["start"] >> todo, "fork")
        for step, label in zip(steps, names, strict=True):
            flow = workflow[f"{label}_todo"] >> workflow[f"{label}_done"]
            workflow.transition(flow, label, handler=step, **options)
        workflow.transition(done >> workflow["done"], "join", handler=gather, run=INLINE)
        return workflow


def gather(*values: object) -> tuple[object, ...]:
    """Return the values of all branches as one tuple: the handler of the join of `Workflow.parallel`."""
    return values


def _stepwise(name: str, version: str, steps: Sequence[Handler]) -> tuple[Workflow, list[str]]:
    """Return a workflow with places `start` and `done`, and a name of its own for each step."""
    workflow = Workflow(name, version)
    if not steps:
        raise site_of(workflow.declared).error("no steps", "give at least one function")
    workflow.places("start done")
    return workflow, step_names(steps, {"start", "done", "fork", "join"})
