"""A transition's handler as bytes, so that it can run in another process.

Functions of modules go by name, and the worker imports them; those of `__main__`, lambdas and closures go by
value, with what they refer to.
"""

import hashlib
import importlib.util
import pickle
import sys
import threading
from typing import Final, NamedTuple

import cloudpickle  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations

from placet.petri.behaviour import PARALLEL, PROCESS, Behaviour, Definition, Handler
from placet.petri.errors import DefinitionError, PlacetError
from placet.petri.plan import InputArc, TransitionPlan
from placet.petri.result import compile_arguments, compile_outputs

KEPT: Final = 10_000  # handlers whose code is remembered


class NotPortable(PlacetError):
    """A handler cannot be sent to another process; `transition` is its path, `reason` says what stands in the way."""

    code = "not_portable"

    def __init__(self, transition: str, reason: str) -> None:
        super().__init__(transition, reason)
        self.transition = transition
        self.reason = reason

    def __str__(self) -> str:
        return f"the handler of `{self.transition}` cannot be sent to another process: {self.reason}; {_REMEDY}"


_REMEDY = "let it refer to nothing but what can be pickled, or use run='thread'"


class Code(NamedTuple):
    """A handler in its sendable form."""

    digest: bytes
    data: bytes


class _Origin(NamedTuple):
    """The module of a handler, and its file, for a worker that could not import it by its name alone."""

    module: str = ""
    file: str = ""


_known: dict[int, tuple[TransitionPlan, Code]] = {}  # by id of the plan, which is kept so that the id stays its own
_lock = threading.Lock()


def packed(transition: TransitionPlan) -> Code:
    """Return the code of a transition's handler, made once. Raises `NotPortable`."""
    with _lock:
        found = _known.get(id(transition))
        if found is None:
            assert transition.behaviour is not None, transition.path
            assert transition.behaviour.handler is not None, transition.path
            data = _pickled(transition.path, transition.behaviour.handler, _bare(transition))
            if len(_known) >= KEPT:
                _known.clear()
            found = _known[id(transition)] = transition, Code(hashlib.blake2b(data, digest_size=16).digest(), data)
        return found[1]


def _bare(transition: TransitionPlan) -> TransitionPlan:
    """Return what running the handler needs of a transition: no guards and no policies, which may not be portable."""
    behaviour = transition.behaviour
    assert behaviour is not None, transition.path
    return TransitionPlan(
        index=transition.index,
        path=transition.path,
        composite=0,
        inputs=(),
        outputs=transition.outputs,
        choice=transition.choice,
        priority=0,
        behaviour=Behaviour(handler=behaviour.handler, takes_context=behaviour.takes_context, types=behaviour.types),
        arguments=tuple(InputArc(place=arc.place, weight=arc.weight) for arc in transition.arguments),
        output_names=transition.output_names,
        tags=transition.tags,
        workflows=transition.workflows,
    )


def _pickled(path: str, handler: Handler, content: object) -> bytes:
    try:
        data: bytes = cloudpickle.dumps(content, 5)  # pyright: ignore[reportUnknownMemberType] - it has no annotations
    except Exception as error:  # what a function refers to raises what it likes when it is pickled
        raise NotPortable(path, f"{type(error).__name__}: {error}") from error
    return pickle.dumps((_origin(handler), data), 5)


def _origin(handler: Handler) -> _Origin:
    target: object = getattr(handler, "func", handler)  # functools.partial
    name = getattr(target, "__module__", None) or type(target).__module__
    file = getattr(sys.modules.get(name), "__file__", None)
    return _Origin(name, file) if name != "__main__" and isinstance(file, str) else _Origin()


def _know(origin: _Origin) -> None:
    """Load a module from its file where its name alone would not find it."""
    if origin.module in sys.modules or "." in origin.module or importlib.util.find_spec(origin.module) is not None:
        return
    spec = importlib.util.spec_from_file_location(origin.module, origin.file)
    if spec is not None and spec.loader is not None:
        module = sys.modules[origin.module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def unpacked(data: bytes) -> TransitionPlan:
    """Return the transition of some code, ready to run. Raises whatever importing its module raises."""
    origin, content = pickle.loads(data)
    if origin.module:
        _know(origin)
    transition: TransitionPlan = pickle.loads(content)
    transition.to_arguments = None if transition.plain_inputs else compile_arguments(transition)
    transition.to_deposits = compile_outputs(transition)
    return transition


def check_portable(definition: Definition) -> None:
    """Raise `DefinitionError` for a handler that is to run in another process and cannot be sent there."""
    for path, behaviour in definition.behaviours.items():
        if behaviour.run in (PROCESS, PARALLEL) and behaviour.handler is not None:
            try:
                _pickled(path, behaviour.handler, behaviour.handler)
            except NotPortable as error:
                where = f"workflow `{definition.name}`, transition `{path}`"
                problem = f"its handler cannot be sent to another process, as run={behaviour.run!r} wants"
                raise DefinitionError(f"{problem}: {error.reason}", _REMEDY, where) from error
