"""The FILE of `placet run`: a Python file with a workflow in it, a net in JSON, or a recorded trace."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from placet.actors.catalog import decode_stored_net, net_key, stored_net
from placet.cli.errors import BadFile
from placet.cli.opened import opened
from placet.persistence.directory import is_initialised
from placet.petri.errors import PlacetError

if TYPE_CHECKING:
    from placet.actors.spawning import Definable
    from placet.petri.workflow import Workflow


NET_SUFFIX = ".net.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A workflow out of a file."""

    workflow: "Definable"
    tokens: Mapping[str, Sequence[object]] | None = None  # what a trace is spawned with; None: the user says
    tasks: int = 0  # firings it takes to the end; 0: nobody knows


def load(target: str, time_scale: float) -> Loaded:
    """Return the workflow of `x.py`, `x.py:name`, `x.net.json` or `x.json`; `name` may be the class of an actor.

    Raises `BadFile`, `NetError` for a net, `TraceError` for a trace, and `DefinitionError` for a workflow.
    """
    path, name = split_target(target)
    if path.suffix not in (".py", ".json"):
        raise BadFile(target, "it is neither Python, nor a net, nor a trace", "give a file x.py, x.net.json or x.json")
    if not path.is_file():
        problem = "it is a folder" if path.is_dir() else "there is no such file"
        raise BadFile(str(path), problem, "check the path")
    if path.suffix == ".py":
        return _python(path, name)
    return _net(path) if path.name.endswith(NET_SUFFIX) else _trace(path, time_scale)


def as_recorded(loaded: Loaded, target: str, state: Path) -> Loaded:
    """Return a trace at the time scale it was last run at in a state; all else as it is.

    Raises what `opened` raises for a state that cannot be read.
    """
    if loaded.tokens is None or not is_initialised(state):
        return loaded
    digest, _ = stored_net(loaded.workflow.definition())
    with opened(state) as store:
        data = store.get(net_key(digest))
    options = decode_stored_net(data).options if data else ""
    return load(target, float(options)) if options else loaded


def split_target(target: str) -> tuple[Path, str]:
    """Return (file, name) of `x.py:name`; the name may be empty."""
    file, colon, name = target.rpartition(":")
    return (Path(file), name) if colon and file.endswith(".py") else (Path(target), "")


def _net(path: Path) -> Loaded:
    from placet.nets.reader import read_net  # only nets in JSON need it

    return Loaded(workflow=read_net(path))


def _trace(path: Path, time_scale: float) -> Loaded:
    from placet.traces.conversion import entry_tokens, trace_workflow  # only traces need it
    from placet.traces.reader import load_trace

    trace = load_trace(path)
    workflow = trace_workflow(trace, time_scale=time_scale)
    tokens = {place.name: values for place, values in entry_tokens(workflow).items()}
    return Loaded(workflow=workflow, tokens=tokens, tasks=len(trace.tasks))


def _python(path: Path, name: str) -> Loaded:
    module = _run_file(path)
    workflow = _actor(module, name) or _chosen(_workflows(module), path, name)
    workflow.definition()  # a mistake in it is the file's, and shown before anything starts
    return Loaded(workflow=workflow)


def _run_file(path: Path) -> ModuleType:
    from placet.actors.loading import load_file  # importing it takes a while

    try:
        return load_file(path)
    except PlacetError:
        raise  # a mistake in a definition says where it is
    except SyntaxError as error:
        raise BadFile(error.filename or str(path), error.msg, "mend it", error.lineno or 0) from error
    except (Exception, SystemExit) as error:  # it is a user's module: it may raise anything
        problem = f"loading it raised {type(error).__name__}: {error}"
        raise BadFile(str(path), problem, "mend it; --debug shows the traceback", _line(error, path)) from error


def _line(error: BaseException, path: Path) -> int:
    """Return the innermost line of the file that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(path.absolute())), 0)


def _workflows(module: ModuleType) -> dict[str, "Workflow"]:
    """Return the workflows of a module by name, each once, without those that are parts of another."""
    from placet.petri.workflow import Workflow  # the module has loaded it

    found: dict[int, tuple[str, Workflow]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Workflow):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def _actor(module: ModuleType, name: str) -> "Definable | None":
    """Return the class of an actor that is named."""
    from placet.actors.own.actor import Actor  # as below

    found = vars(module).get(name)
    return cast("type[Actor[object]]", found) if isinstance(found, type) and issubclass(found, Actor) else None


def _chosen(found: dict[str, "Workflow"], path: Path, name: str) -> "Workflow":
    if name:
        if name not in found:
            raise BadFile(str(path), f"it has no workflow called {name}", _remedy(found, path))
        return found[name]
    inner = {part for one in found.values() for part in one.declared.parts() if part != id(one.declared)}
    outer = {key: workflow for key, workflow in found.items() if id(workflow.declared) not in inner}
    if len(outer) != 1:
        problem = "it defines no workflow" if not outer else f"it defines {len(outer)} workflows"
        raise BadFile(str(path), problem, _remedy(outer, path))
    return next(iter(outer.values()))


def _remedy(found: Mapping[str, object], path: Path) -> str:
    if not found:
        return "assign a placet.Workflow to a variable of the module"
    return "say which: " + " or ".join(f"{path}:{name}" for name in found)


def know_files() -> None:
    """Let an engine load the workflows of traces, and of nets in JSON, for instances it finds in its state."""
    from placet.actors.loading import register_loader  # importing it takes a while
    from placet.petri.behaviour import Definition, Source

    def load_definition(source: Source) -> Definition:
        """Return the workflow of a file: a net in JSON, or a trace."""
        if source.file.endswith(NET_SUFFIX):
            from placet.nets.reader import load_definition  # only nets in JSON need it

            return load_definition(source)
        from placet.traces.loader import load_workflow  # only traces need it

        return load_workflow(source).definition()

    register_loader(".json", load_definition)
