"""The workflow made from an actor's class: a place of messages, and a token that says that the actor is idle."""

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from placet.actors.own.handlers import Begin, BeginLater, Receive, ReceiveLater
from placet.actors.own.work import IDLE, INBOX, STOPPING
from placet.petri.behaviour import Definition, Handler, Source
from placet.petri.errors import DefinitionError
from placet.petri.location import Location, written_at
from placet.petri.workflow import Workflow

if TYPE_CHECKING:
    from placet.actors.own.actor import Actor

# `Any` below: an actor of whatever messages.

BORN = "born"
STOPPED = "stopped"

_definitions: "WeakKeyDictionary[type[Actor[Any]], Definition]" = WeakKeyDictionary()


def definition_of(kind: "type[Actor[Any]]", base: "type[Actor[Any]]") -> Definition:
    """Return the workflow of a subclass of `base`, made once. Raises `DefinitionError`."""
    found = _definitions.get(kind)
    if found is None:
        found = _definitions[kind] = _made(kind, base)
    return found


def workflow_name(kind: "type[Actor[Any]]") -> str:
    """Return the name of the workflow of a class."""
    return kind.name or kind.__name__


def _made(kind: "type[Actor[Any]]", base: "type[Actor[Any]]") -> Definition:
    location = _location(kind)
    _check(kind, base, str(location))
    source = Source(file=location.file, module=kind.__module__, name=kind.__name__)
    with written_at(location):
        workflow = Workflow(workflow_name(kind), f"{kind.version}", source=source)
        born, idle, stopping, stopped = workflow.places(f"{BORN} {IDLE} {STOPPING} {STOPPED}")
        inbox = workflow.place(INBOX, external=True)
        begin: Handler = BeginLater(kind) if inspect.iscoroutinefunction(kind.started) else Begin(kind)
        receive: Handler = ReceiveLater(kind) if inspect.iscoroutinefunction(kind.receive) else Receive(kind)
        for flow, name, handler in (
            (born >> (idle | stopping), "begin", begin),
            ((idle & inbox) >> (idle | stopping), "receive", receive),
        ):
            workflow.transition(
                flow,
                name,
                handler=handler,
                run=kind.run if name == "receive" else None,
                retry=kind.retry,
                timeout_s=kind.timeout_s,
            )
        workflow.transition((stopping & inbox.reset()) >> stopped, "end")
        definition = workflow.definition()
    return replace(definition, first={BORN: [{}]})


def _location(kind: "type[Actor[Any]]") -> Location:
    code = getattr(kind.receive, "__code__", None)
    file = code.co_filename if code else inspect.getsourcefile(kind) or ""
    return Location(file=file, line=code.co_firstlineno if code else 0, module=kind.__module__)


def _check(kind: "type[Actor[Any]]", base: "type[Actor[Any]]", location: str) -> None:
    def wrong(problem: str, remedy: str) -> DefinitionError:
        """Return the error that names the class."""
        return DefinitionError(problem, remedy, f"actor `{kind.__name__}`", location)

    if kind.receive is base.receive:
        raise wrong("it has no `receive`", "write `def receive(self, message)`")
    if type(kind.version) is not int or kind.version < 1:
        raise wrong(f"version={kind.version!r}", "give a whole number from 1 on")
    if kind.version > 1 and kind.migrate is base.migrate:
        raise wrong(
            f"its version is {kind.version}, and it cannot migrate older states",
            "write `def migrate(self, version, state)`",
        )
    if type(kind.answers_kept) is not int or not 1 <= kind.answers_kept <= 1_000:
        raise wrong(f"answers_kept={kind.answers_kept!r}", "give a whole number from 1 to 1000")
    if kind.run == "inline" or str(kind.run).startswith("parallel"):
        raise wrong(
            f"run={kind.run!r} keeps no state", "use 'thread', 'process' or 'hybrid', or an `async def receive`"
        )
