"""How a transition gets its handler: passed where it is declared, or decorated with what that returns."""

from collections.abc import Callable
from typing import TypeVar

from placet.petri.behaviour import Handler
from placet.petri.declaration import TransitionDraft, WorkflowDraft
from placet.petri.location import Site
from placet.petri.steps import step_name
from placet.petri.validation import check_handler, check_heartbeat, chosen_executor

F = TypeVar("F", bound=Callable[..., object])


class TransitionDecorator:
    """A declared transition that waits for its handler: decorate a function with it."""

    def __init__(self, workflow: WorkflowDraft, draft: TransitionDraft) -> None:
        self._workflow = workflow
        self._draft = draft

    def __call__(self, function: F) -> F:
        """Make `function` the handler and return it unchanged. Raises `DefinitionError` if it does not fit."""
        attach(self._workflow, self._draft, function)
        return function


def attach(workflow: WorkflowDraft, draft: TransitionDraft, handler: Handler, name: str | None = None) -> None:
    """Give a transition its handler, and a name where it has none yet. Raises `DefinitionError`."""
    if draft.handler is not None:
        raise draft.site.error("it has a handler already", "declare another transition for the second function")
    takes_context = check_handler(handler, draft.flow.arguments, draft.site)
    check_heartbeat(draft.heartbeat_s, takes_context, draft.site)
    run = chosen_executor(draft.run or None, handler, draft.site)
    if not draft.name:
        chosen = step_name(handler, "") if name is None else name
        if not chosen:
            raise draft.site.error(f"the handler {handler!r} has no name to use", "give the transition a name")
        site = Site(workflow=workflow.name, node=f"transition `{chosen}`", location=draft.location)
        workflow.claim(chosen, site)
        draft.name = chosen
    draft.handler = handler
    draft.run = run
    draft.takes_context = takes_context
    workflow.changes += 1
