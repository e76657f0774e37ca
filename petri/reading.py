"""Makes a workflow of the JSON form of a net; what is wrong with it is located by the node that errs."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias, TypedDict, cast

from placet.petri.behaviour import Guard, Handler, Key, RetryPolicy, Source
from placet.petri.document import (
    CompositeDocument,
    InputDocument,
    NetDocument,
    OutputDocument,
    PartDocument,
    PlaceDocument,
    RetryDocument,
    TransitionDocument,
)
from placet.petri.drafting import as_approval
from placet.petri.expression import Flow, PlaceRef, Term
from placet.petri.import_path import Resolve, type_of_text
from placet.petri.location import Location, Site, written_at
from placet.petri.mapping import handler_of_pieces
from placet.petri.net import CONSUME, MANY, READ, Scalar
from placet.petri.placement import Near, Spread
from placet.petri.requirement import Remote, Requires
from placet.petri.workflow import Workflow

_HOSTING = ("run", "requires", "remote")
_TIMES = ("timeout_s", "deadline_s", "heartbeat_s")
_OF_HANDLERS = ("handler", "each", "call", *_HOSTING, "retry", *_TIMES, "delay_s", "error", "priority")
MakeRetry: TypeAlias = Callable[[RetryDocument], RetryPolicy]  # raises `LookupError` and `ValueError`


def workflow_of(document: NetDocument, source: Source, resolve: Resolve, make_retry: MakeRetry) -> Workflow:
    """Return the workflow that a document describes. Raises `DefinitionError`, with the place in `source.file`.

    `resolve` gives what an import path names, `make_retry` the policy of a transition.
    """
    reader = _Reader(file=source.file, resolve=resolve, make_retry=make_retry)
    with reader.at("$"):
        workflow = Workflow(document.name, document.version, source=source)
        reader.fill(workflow, document, "$")
        workflow.definition()
    return workflow


class _Options(TypedDict):
    """What may be said of a transition whether it has a handler or calls."""

    guard: Mapping[PlaceRef, Guard] | None
    key: Mapping[PlaceRef, Key] | None
    retry: RetryPolicy | None
    timeout_s: float | None
    deadline_s: float | None
    delay_s: float
    error: PlaceRef | None
    priority: int
    category: str
    properties: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Declares the parts of a document, each at its path in the file."""

    file: str
    resolve: Resolve
    make_retry: MakeRetry

    @contextmanager
    def at(self, path: str) -> Generator[None]:
        """Have what is declared meanwhile be located at a path."""
        with written_at(self._location(path)):
            yield

    def fill(self, workflow: Workflow, part: NetDocument | PartDocument, path: str) -> None:
        """Declare all that a net holds."""
        for position, place in enumerate(part.places):
            with self.at(f"{path}.places[{position}]"):
                self._place(workflow, place, f"{path}.places[{position}]")
        for position, transition in enumerate(part.transitions):
            with self.at(f"{path}.transitions[{position}]"):
                self._transition(workflow, transition, f"{path}.transitions[{position}]")
        for position, composite in enumerate(part.composites):
            with self.at(f"{path}.composites[{position}]"):
                self._composite(workflow, composite, f"{path}.composites[{position}]")

    def _place(self, workflow: Workflow, given: str | PlaceDocument, path: str) -> None:
        place = PlaceDocument(name=given) if isinstance(given, str) else given
        site = self._site(workflow, f"place `{place.name}`", f"{path}.type")
        workflow.place(
            place.name,
            type=self._type(place.type, site),
            entry=place.entry,
            external=place.external,
            capacity=place.capacity or None,
            category=place.category,
            properties=place.properties,
        )

    def _type(self, text: str, site: Site) -> object:
        if not text:
            return None
        try:
            with written_at(None):  # importing may run a module that declares workflows of its own
                return type_of_text(text, self.resolve)
        except LookupError as error:
            problem = f"`{text}` is no type: {_said(error)}"
            raise site.error(problem, "write `int`, `package.module:Class` or `dict[str, int] | None`") from error

    # -- transitions -----------------------------------------------------------------------------------------------

    def _transition(self, workflow: Workflow, transition: TransitionDocument, path: str) -> None:
        node = f"transition `{transition.name}`"
        inputs = [InputDocument(place=one) if isinstance(one, str) else one for one in transition.inputs]
        outputs = [OutputDocument(place=one) if isinstance(one, str) else one for one in transition.outputs]
        terms: list[Term] = []
        guards: dict[PlaceRef, Guard] = {}
        keys: dict[PlaceRef, Guard] = {}
        for position, arc in enumerate(inputs):
            site = self._site(workflow, node, f"{path}.inputs[{position}]")
            ref = _known(workflow, arc.place, site)
            terms.append(Term(ref, _weight(arc, site), arc.kind))
            for function, functions in ((arc.guard, guards), (arc.key, keys)):
                if function is not None:
                    functions[ref] = self._function(function, arc, site)
        given: list[Term] = []
        for position, output in enumerate(outputs):
            site = self._site(workflow, node, f"{path}.outputs[{position}]")
            given.append(Term(_known(workflow, output.place, site), _weight(output, site)))
        flow = Flow(tuple(terms), tuple(given), transition.choice)
        if transition.manual is not None:
            self._task(workflow, transition, flow, guards, self._site(workflow, node, path))
            return
        options = _Options(
            guard=guards or None,
            key=cast("Mapping[PlaceRef, Key]", keys) or None,
            retry=self._retry(transition.retry, self._site(workflow, node, f"{path}.retry")),
            timeout_s=transition.timeout_s,
            deadline_s=transition.deadline_s,
            delay_s=transition.delay_s or 0.0,
            error=_known(workflow, transition.error, self._site(workflow, node, f"{path}.error"))
            if transition.error
            else None,
            priority=transition.priority,
            category=transition.category,
            properties=transition.properties,
        )
        if transition.call is not None:
            self._call(workflow, transition, flow, options, path)
        else:
            self._automatic(workflow, transition, flow, options, path)

    def _function(self, import_path: str, arc: InputDocument, site: Site) -> Guard:
        if arc.kind not in (CONSUME, READ):
            raise site.error(f"an arc of kind `{arc.kind}` has no guard and no key", "leave it out")
        return self._callable(import_path, site)

    def _task(
        self,
        workflow: Workflow,
        transition: TransitionDocument,
        flow: Flow,
        guards: Mapping[PlaceRef, Guard],
        site: Site,
    ) -> None:
        _refuse_idle(transition, site, "people decide it", _OF_HANDLERS)
        assert transition.manual is not None, transition.name
        workflow.task(
            flow,
            transition.name,
            guard=next(iter(guards.values()), None),
            roles=transition.manual.roles,
            assignees=transition.manual.assignees,
            category=transition.category,
            properties=transition.properties,
        )
        if transition.manual.approval:
            as_approval(workflow.declared.transitions[-1], site)

    def _automatic(
        self, workflow: Workflow, transition: TransitionDocument, flow: Flow, options: "_Options", path: str
    ) -> None:
        node = f"transition `{transition.name}`"
        handler: Handler | None = None
        if transition.handler is not None:
            site = self._site(workflow, node, f"{path}.handler")
            handler = self._callable(transition.handler, site)
            if transition.each:
                handler = handler_of_pieces(handler, transition.run, site)
        else:
            site = self._site(workflow, node, path)
            _refuse_idle(transition, site, "it has no handler", ("each", *_HOSTING, "retry", *_TIMES))
        workflow.transition(
            flow,
            transition.name,
            handler=handler,
            run=Remote(transition.run) if transition.remote else transition.run,
            requires=self._requires(transition, self._site(workflow, node, f"{path}.requires")),
            heartbeat_s=transition.heartbeat_s,
            **options,
        )

    def _call(
        self, workflow: Workflow, transition: TransitionDocument, flow: Flow, options: "_Options", path: str
    ) -> None:
        call, node = transition.call, f"transition `{transition.name}`"
        assert call is not None, transition.name
        idle = ("handler", "each", *_HOSTING, "heartbeat_s")
        _refuse_idle(transition, self._site(workflow, node, path), "it calls a workflow", idle)
        callee: Workflow | str = call.workflow
        if call.path is not None:
            site = self._site(workflow, node, f"{path}.call.path")
            found = self._imported(call.path, site)
            if not isinstance(found, Workflow) or found.name != call.workflow:
                raise site.error(f"`{call.path}` is no workflow called `{call.workflow}`", "mend the path, or the name")
            callee = found
        placement = Spread() if call.near is None else Near(call.near)
        workflow.call(
            flow, transition.name, callee, entries=call.entries, exits=call.exits, placement=placement, **options
        )

    def _requires(self, transition: TransitionDocument, site: Site) -> Requires:
        try:
            return Requires(**transition.requires)
        except ValueError as error:
            raise site.error(_said(error), "mend it") from error

    def _retry(self, retry: RetryDocument | None, site: Site) -> RetryPolicy | None:
        if retry is None:
            return None
        try:
            with written_at(None):
                return self.make_retry(retry)
        except (LookupError, ValueError) as error:
            raise site.error(_said(error), "mend it") from error

    def _callable(self, import_path: str, site: Site) -> Callable[..., object]:
        found = self._imported(import_path, site)
        if not callable(found):
            raise site.error(f"`{import_path}` is not callable", "name a function")
        return found

    def _imported(self, import_path: str, site: Site) -> object:
        try:
            with written_at(None):
                return self.resolve(import_path)
        except LookupError as error:
            remedy = "write `package.module:function`, of a module beside the file or of one that is installed"
            raise site.error(f"`{import_path}` cannot be imported: {_said(error)}", remedy) from error

    # -- composites ------------------------------------------------------------------------------------------------

    def _composite(self, workflow: Workflow, composite: CompositeDocument, path: str) -> None:
        site = self._site(workflow, f"composite `{composite.name}`", f"{path}.ports")
        with self.at(f"{path}.net"):
            inner = Workflow(composite.net.name)
        self.fill(inner, composite.net, f"{path}.net")
        for inside, outside in composite.ports.items():
            _known(inner, inside, site)
            _known(workflow, outside, site)
        workflow.composite(
            composite.name, inner, composite.ports, category=composite.category, properties=composite.properties
        )

    def _site(self, workflow: Workflow, node: str, path: str) -> Site:
        return Site(workflow=workflow.name, node=node, location=str(self._location(path)))

    def _location(self, path: str) -> Location:
        return Location(file=self.file, path=path)


def _known(workflow: Workflow, name: str, site: Site) -> PlaceRef:
    place = workflow.declared.places.get(name)
    if place is None:
        close = get_close_matches(name, workflow.declared.places, n=1)
        remedy = f"did you mean `{close[0]}`?" if close else "add it to `places`"
        raise site.error(f"workflow `{workflow.name}` has no place `{name}`", remedy)
    return place.ref


def _weight(arc: InputDocument | OutputDocument, site: Site) -> int:
    if not arc.many:
        return arc.weight
    if arc.weight != 1 or (isinstance(arc, InputDocument) and arc.kind != CONSUME):
        raise site.error("an arc for many tokens has no weight, and takes or gives them", "leave `many` out, or these")
    return MANY


def _refuse_idle(transition: TransitionDocument, site: Site, reason: str, names: tuple[str, ...]) -> None:
    """Raise for what says how something is done that is not done."""
    for name in names:
        if getattr(transition, name):
            raise site.error(f"`{name}` is of no use: {reason}", "leave it out")


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
