"""The builder: a workflow written down as places, arrows and decorated functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar, Unpack

from placet.petri.assembly import assemble
from placet.petri.behaviour import INLINE, PERSON, Definition, Guard, Handler, Key, RetryPolicy, Source
from placet.petri.declaration import CompositeDraft, PlaceDraft, TransitionDraft, WorkflowDraft
from placet.petri.expression import Bundle, Flow, Owner, PlaceRef, Term
from placet.petri.location import Site, caller, variable_of
from placet.petri.mapping import EachOptions, declare_map
from placet.petri.net import Called, Manual, Scalar
from placet.petri.steps import step_name, step_names
from placet.petri.validation import (
    check_capacity,
    check_flow,
    check_handler,
    check_name,
    check_policies,
    check_times,
    check_version,
    checked_properties,
    checked_texts,
    chosen_executor,
    guards_of,
    keys_of,
)

F = TypeVar("F", bound=Callable[..., object])


class TransitionDecorator:
    """A declared transition that waits for its handler: decorate a function with it."""

    def __init__(self, workflow: WorkflowDraft, draft: TransitionDraft) -> None:
        self._workflow = workflow
        self._draft = draft

    def __call__(self, function: F) -> F:
        """Make `function` the handler and return it unchanged. Raises `DefinitionError` if it does not fit."""
        _attach(self._workflow, self._draft, function)
        return function


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
        return self.declared.places[_own_place(self.declared, name, _site(self.declared))].ref

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
        site = _site(self.declared, f"place `{name}`")
        check_capacity(capacity, site)
        checked = checked_properties(properties, site)
        _claim(self.declared, name, site)
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
        guard: Guard | Mapping[PlaceRef, Guard] | None = None,
        key: Key | Mapping[PlaceRef, Key] | None = None,
        run: str | None = None,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
        deadline_s: float | None = None,
        delay_s: float = 0.0,
        error: PlaceRef | None = None,
        priority: int = 0,
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> TransitionDecorator:
        """Declare a transition along `flow`; decorate its handler with what is returned, or pass `handler`.

        With a `name` and no handler it moves values through unchanged. `guard` decides, token by token, which
        may be taken; with several inputs it is a mapping from place to guard. `key` gives a token's join key:
        only tokens with equal keys are taken together; one function for all inputs, or a mapping from place to
        key. `run` names the executor: "thread", "process", "parallel", "parallel_threads", "hybrid", "async", or
        "inline" for a handler that is pure; without it an `async def` is "async", all else "thread". `timeout_s` is
        per attempt, `deadline_s` for all attempts together; a token waits `delay_s` in its place before this may
        take it. `error` is a place for what failed for good, as a `FailedFiring`; without it that is an incident.
        `priority`: higher goes first.
        """
        site = _site(self.declared, f"transition `{flow if name is None else name}`")
        _check_own(self.declared, flow, site)
        check_policies(run, retry, priority, site)
        check_times(run, timeout_s, deadline_s, delay_s, site)
        draft = TransitionDraft(
            workflow=self.name,
            name="",
            flow=flow,
            guards=guards_of(flow, guard, site),
            keys=keys_of(flow, key, site),
            run=run or "",
            retry=retry,
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            delay_s=float(delay_s),
            error="" if error is None else _own_place(self.declared, error, site),
            priority=priority,
            category=category,
            properties=checked_properties(properties, site),
            location=site.location,
        )
        if handler is not None:
            _attach(self.declared, draft, handler, name)
        elif name is not None:
            _claim(self.declared, name, site)
            draft.name = name
        self.declared.transitions.append(draft)
        self.declared.changes += 1
        return TransitionDecorator(self.declared, draft)

    def map(
        self, name: str, flow: Flow, each: Handler, *, guard: Guard | None = None, **options: Unpack[EachOptions]
    ) -> None:
        """Declare a map along `a >> b`: a list in `a` becomes a list in `b`, with `each` called on every item.

        Each item is a firing of its own, called `name`: one that is done is not done again, and one that fails is
        retried, or waits for a person, by itself. When all are there, their results are given in the order of the
        items; an empty list gives an empty list. `guard` decides which lists may be taken; `run`, `retry`,
        `timeout_s`, `deadline_s`, `priority`, `category` and `properties` are as in `transition`.
        """
        declare_map(self, name, flow, each, guard, options)

    def task(
        self,
        flow: Flow,
        name: str,
        *,
        guard: Guard | None = None,
        roles: Sequence[str] = (),
        assignees: Sequence[str] = (),
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Declare a manual transition: each token of its only input is offered to people as a task.

        A person completes it with a value for its outputs, or passes the token's own on. Where `roles` or
        `assignees` are given, only these people may.
        """
        site = _site(self.declared, f"transition `{name}`")
        _check_own(self.declared, flow, site)
        if len(flow.inputs) != 1 or flow.inputs[0].weight != 1:
            raise site.error(f"`{flow}` takes more than one token", "a task is offered for one token: write `a >> b`")
        if any(term.weight != 1 for term in flow.outputs):
            raise site.error(f"`{flow}` gives several tokens to a place", "a task gives one to each: leave weights out")
        _claim(self.declared, name, site)
        self.declared.transitions.append(
            TransitionDraft(
                workflow=self.name,
                name=name,
                flow=flow,
                guards=guards_of(flow, guard, site),
                keys=(None,),
                run=PERSON,
                retry=None,
                timeout_s=None,
                deadline_s=None,
                delay_s=0.0,
                error="",
                priority=0,
                category=category,
                properties=checked_properties(properties, site),
                location=site.location,
                manual=Manual(
                    roles=checked_texts(roles, "roles", site), assignees=checked_texts(assignees, "assignees", site)
                ),
            )
        )

    def call(
        self,
        flow: Flow,
        name: str,
        workflow: "Workflow | str",
        *,
        entries: Sequence[str] = (),
        exits: Sequence[str] = (),
        guard: Guard | Mapping[PlaceRef, Guard] | None = None,
        key: Key | Mapping[PlaceRef, Key] | None = None,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
        deadline_s: float | None = None,
        delay_s: float = 0.0,
        error: PlaceRef | None = None,
        priority: int = 0,
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Declare a called composite: each firing starts a child instance of `workflow` and waits for what it returns.

        The child has an id below its parent's, such as `order-17/fulfil.41`, and a life of its own. The values of
        the inputs go to its entry places, and what is in its exit places at the end goes to the outputs, both in
        the order of declaration unless `entries` and `exits` name others. `workflow` may be this one, or the name
        of one that is registered where the child runs. A child that fails or is cancelled fails the attempt;
        `timeout_s` cancels the child. All else is as in `transition`.
        """
        site = _site(self.declared, f"transition `{name}`")
        callee = workflow.name if isinstance(workflow, Workflow) else workflow
        check_name(callee, site)
        called = Called(
            workflow=callee,
            entries=checked_texts(entries, "entries", site),
            exits=checked_texts(exits, "exits", site),
        )
        self.transition(
            flow,
            name,
            guard=guard,
            key=key,
            retry=retry,
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            delay_s=delay_s,
            error=error,
            priority=priority,
            category=category,
            properties=properties,
        )
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
        guard: Guard | None = None,
        roles: Sequence[str] = (),
        assignees: Sequence[str] = (),
        escalate: PlaceRef | None = None,
        after_s: float = 0.0,
        category: str = "",
        properties: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Declare a manual transition that people decide with `Approve` or `Reject`, a task for each token in `place`.

        A token nobody has decided on within `after_s` goes to the place `escalate`, if there is one. `guard`,
        `roles` and `assignees` are as in `task`.
        """
        site = _site(self.declared, f"transition `{name}`")
        if (escalate is None) != (not after_s):
            raise site.error("`escalate` and `after_s` go together", "give both, or neither")
        self.task(
            place >> (approve | reject),
            name,
            guard=guard,
            roles=roles,
            assignees=assignees,
            category=category,
            properties=properties,
        )
        if escalate is not None:
            self.transition(place >> escalate, f"{name}_escalates", guard=guard, delay_s=after_s)

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
        site = _site(self.declared, f"composite `{name}`")
        if id(self.declared) in inner.declared.parts():
            raise site.error(f"workflow `{self.name}` would contain itself", "loop with arcs instead")
        pairs = tuple(
            (_own_place(inner.declared, inside, site), _own_place(self.declared, outside, site))
            for inside, outside in ports.items()
        )
        checked = checked_properties(properties, site)
        _claim(self.declared, name, site)
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
        run: str | None = None,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
    ) -> "Workflow":
        """Return a workflow that runs `steps` one after the other, from place `start` to place `done`.

        Each step takes what the one before returned; `run`, `retry` and `timeout_s` hold for every step.
        """
        workflow, names = _stepwise(name, version, steps)
        before = workflow["start"]
        for step, label in zip(steps, names, strict=True):
            after = workflow["done"] if label == names[-1] else workflow.place(f"{label}_done")
            workflow.transition(before >> after, label, handler=step, run=run, retry=retry, timeout_s=timeout_s)
            before = after
        return workflow

    @classmethod
    def parallel(
        cls,
        name: str,
        steps: Sequence[Handler],
        *,
        version: str = "",
        run: str | None = None,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
    ) -> "Workflow":
        """Return a workflow that gives the value in `start` to every step at once.

        When all are through, a tuple of their results, in the order of `steps`, is in `done`.
        """
        workflow, names = _stepwise(name, version, steps)
        todo = Bundle(tuple(Term(workflow.place(f"{label}_todo")) for label in names), "&")
        done = Bundle(tuple(Term(workflow.place(f"{label}_done")) for label in names), "&")
        workflow.transition(workflow["start"] >> todo, "fork")
        for step, label in zip(steps, names, strict=True):
            flow = workflow[f"{label}_todo"] >> workflow[f"{label}_done"]
            workflow.transition(flow, label, handler=step, run=run, retry=retry, timeout_s=timeout_s)
        workflow.transition(done >> workflow["done"], "join", handler=gather, run=INLINE)
        return workflow


def gather(*values: object) -> tuple[object, ...]:
    """Return the values of all branches as one tuple: the handler of the join of `Workflow.parallel`."""
    return values


def _stepwise(name: str, version: str, steps: Sequence[Handler]) -> tuple[Workflow, list[str]]:
    """Return a workflow with places `start` and `done`, and a name of its own for each step."""
    workflow = Workflow(name, version)
    if not steps:
        raise _site(workflow.declared).error("no steps", "give at least one function")
    workflow.places("start done")
    return workflow, step_names(steps, {"start", "done", "fork", "join"})


def _site(workflow: WorkflowDraft, node: str = "") -> Site:
    return Site(workflow=workflow.name, node=node, location=str(caller()))


def _claim(workflow: WorkflowDraft, name: str, site: Site) -> None:
    """Take `name` for a node: places, transitions and composites share their addresses."""
    check_name(name, site)
    if name in workflow.locations:
        raise site.error(f"the name `{name}` is taken ({workflow.locations[name]})", "choose another name")
    workflow.locations[name] = site.location
    workflow.changes += 1


def _attach(workflow: WorkflowDraft, draft: TransitionDraft, handler: Handler, name: str | None = None) -> None:
    """Give a transition its handler, and a name where it has none yet."""
    if draft.handler is not None:
        raise draft.site.error("it has a handler already", "declare another transition for the second function")
    takes_context = check_handler(handler, draft.flow.arguments, draft.site)
    run = chosen_executor(draft.run or None, handler, draft.site)
    if not draft.name:
        chosen = step_name(handler, "") if name is None else name
        if not chosen:
            raise draft.site.error(f"the handler {handler!r} has no name to use", "give the transition a name")
        _claim(workflow, chosen, Site(workflow=workflow.name, node=f"transition `{chosen}`", location=draft.location))
        draft.name = chosen
    draft.handler = handler
    draft.run = run
    draft.takes_context = takes_context
    workflow.changes += 1


def _check_own(workflow: WorkflowDraft, flow: Flow, site: Site) -> None:
    check_flow(flow, site)
    for term in (*flow.inputs, *flow.outputs):
        _own_place(workflow, term.place, site)


def _own_place(workflow: WorkflowDraft, place: PlaceRef | str, site: Site) -> str:
    """Return the name of a place of `workflow`; raises for one that is unknown or another workflow's."""
    if isinstance(place, PlaceRef):
        if place.owner is not workflow.owner:
            problem = f"place `{place}` belongs to another workflow, `{place.workflow}`"
            raise site.error(problem, f"use a place of `{workflow.name}`; a composite shares places through its ports")
        return place.name
    if place not in workflow.places:
        close = get_close_matches(str(place), workflow.places, n=1)
        remedy = f"did you mean `{close[0]}`?" if close else f'declare it with `.places("{place}")`'
        raise site.error(f"workflow `{workflow.name}` has no place `{place}`", remedy)
    return place
