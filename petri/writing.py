"""Makes the JSON form of a net out of a workflow: handlers, guards and types become import paths."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from placet.petri.behaviour import RetryPolicy
from placet.petri.declaration import CompositeDraft, PlaceDraft, TransitionDraft, WorkflowDraft
from placet.petri.document import (
    FORMAT,
    CallDocument,
    CompositeDocument,
    InputDocument,
    ManualDocument,
    NetDocument,
    OutputDocument,
    PartDocument,
    PlaceDocument,
    RetryDocument,
    TransitionDocument,
)
from placet.petri.import_path import PathOf, text_of_type
from placet.petri.location import Site
from placet.petri.mapping import AwaitedEach, Each
from placet.petri.net import MANY
from placet.petri.validation import chosen_executor
from placet.petri.workflow import Workflow

RetryOf: TypeAlias = Callable[[RetryPolicy], RetryDocument]  # raises `LookupError` for a policy with no JSON form
_Executor: TypeAlias = Literal["inline", "thread", "async", "process", "parallel", "parallel_threads", "hybrid"]


def document_of(workflow: Workflow, path_of: PathOf, retry_of: RetryOf, schema: str = "") -> NetDocument:
    """Return the document of a workflow; read again, it gives an equal net.

    Raises `DefinitionError` for a workflow with a mistake, and for what no import path leads to, such as a lambda.
    """
    definition = workflow.definition()
    draft = workflow.declared
    callees = {id(callee.declared): callee for callee in (workflow, *workflow.callees)}
    part = _Writer(path_of=path_of, retry_of=retry_of, callees=callees).part(draft)
    return NetDocument(
        schema=schema,
        format=FORMAT,
        name=definition.name,
        version=draft.version,
        places=part.places,
        transitions=part.transitions,
        composites=part.composites,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the drafts of a builder."""

    path_of: PathOf
    retry_of: RetryOf
    callees: Mapping[int, Workflow]  # by the identity of their drafts

    def part(self, draft: WorkflowDraft) -> PartDocument:
        """Return one net, with those inside it."""
        return PartDocument(
            name=draft.name,
            places=[self._place(draft, place) for place in draft.places.values()],
            transitions=[self._transition(transition) for transition in draft.transitions],
            composites=[self._composite(composite) for composite in draft.composites],
        )

    def _place(self, draft: WorkflowDraft, place: PlaceDraft) -> str | PlaceDocument:
        written = PlaceDocument(
            name=place.ref.name,
            type=self._type(draft, place),
            entry=place.entry,
            external=place.external,
            capacity=place.capacity,
            category=place.category,
            properties=dict(place.properties),
        )
        return written.name if written == PlaceDocument(name=written.name) else written

    def _type(self, draft: WorkflowDraft, place: PlaceDraft) -> str:
        if place.type is None:
            return ""
        try:
            return text_of_type(place.type, self.path_of)
        except LookupError as error:
            site = Site(workflow=draft.name, node=f"place `{place.ref.name}`", location=place.location)
            remedy = "give it a name of its own in a module, or declare a class"
            raise site.error(f"its type {place.type!r} cannot be written down: {error.args[0]}", remedy) from error

    def _transition(self, draft: TransitionDraft) -> TransitionDocument:
        handler, manual = draft.handler, draft.manual
        each = isinstance(handler, Each | AwaitedEach)
        function = handler.func if isinstance(handler, Each | AwaitedEach) else handler
        return TransitionDocument(
            name=draft.name,
            inputs=self._inputs(draft),
            outputs=[
                OutputDocument(place=term.place.name, weight=term.weight or 1, many=term.weight == MANY)
                if term.weight != 1
                else term.place.name
                for term in draft.flow.outputs
            ],
            choice=draft.flow.choice,
            handler=self._path("handler", function, draft.site),
            each=each,
            run=self._run(draft),
            requires=dict(draft.requires.wanted) if draft.requires and handler else {},
            remote=draft.remote,
            retry=self._retry(draft) if handler or draft.called else None,
            timeout_s=draft.timeout_s if handler or draft.called else None,
            deadline_s=draft.deadline_s if handler or draft.called else None,
            heartbeat_s=draft.heartbeat_s if handler else None,
            delay_s=draft.delay_s or None,
            error=draft.error,
            priority=draft.priority,
            manual=None
            if manual is None
            else ManualDocument(roles=list(manual.roles), assignees=list(manual.assignees), approval=manual.approval),
            call=self._call(draft),
            category=draft.category,
            properties=dict(draft.properties),
        )

    def _call(self, draft: TransitionDraft) -> CallDocument | None:
        called = draft.called
        if called is None:
            return None
        callee, path = self.callees.get(id(draft.callee)), None
        if callee is not None:
            with suppress(LookupError):  # then it goes by its name
                path = self.path_of(callee)
        return CallDocument(
            workflow=called.workflow,
            path=path,
            entries=list(called.entries),
            exits=list(called.exits),
            near=called.near,
        )

    def _inputs(self, draft: TransitionDraft) -> list[str | InputDocument]:
        written: list[str | InputDocument] = []
        for term, guard, key in zip(draft.flow.inputs, draft.guards, draft.keys, strict=True):
            arc = InputDocument(
                place=term.place.name,
                weight=term.weight or 1,
                many=term.weight == MANY,
                kind=cast("Literal['consume', 'read', 'inhibit', 'reset']", term.kind),
                guard=self._path("guard", guard, draft.site),
                key=self._path("key", key, draft.site),
            )
            written.append(arc.place if arc == InputDocument(place=arc.place) else arc)
        return written

    def _run(self, draft: TransitionDraft) -> _Executor | None:
        """Return the executor where it is another than the handler would get without a word."""
        if draft.handler is None or draft.run == chosen_executor(None, draft.handler, draft.site):
            return None
        return cast("_Executor", draft.run)

    def _retry(self, draft: TransitionDraft) -> RetryDocument | None:
        if draft.retry is None:
            return None
        try:
            return self.retry_of(draft.retry)
        except LookupError as error:
            problem = f"its retry policy cannot be written down: {error.args[0]}"
            raise draft.site.error(problem, "use `Retry`, with exceptions that have a name in a module") from error

    def _path(self, what: str, function: object, site: Site) -> str | None:
        if function is None:
            return None
        try:
            return self.path_of(function)
        except LookupError as error:
            name = getattr(function, "__qualname__", None) or repr(function)
            problem = f"the {what} `{name}` cannot be written down: {error.args[0]}"
            raise site.error(problem, "make it a function of a module") from error

    def _composite(self, draft: CompositeDraft) -> CompositeDocument:
        return CompositeDocument(
            name=draft.name,
            net=self.part(draft.inner),
            ports=dict(draft.ports),
            category=draft.category,
            properties=dict(draft.properties),
        )
