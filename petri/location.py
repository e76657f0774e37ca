"""Where in the user's code a definition was written, so that errors can point at it."""

import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType

from placet.petri.errors import DefinitionError

_OWN_PREFIX = "placet.petri."
_MAIN = ("__main__", "__mp_main__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One line of a user's code, or one node of a file that is no code."""

    file: str = ""
    line: int = 0
    module: str = ""
    path: str = ""  # of a node in JSON, such as `$.places[2]`

    def __str__(self) -> str:
        if self.path:
            return f"{self.file} at `{self.path}`" if self.file else f"`{self.path}`"
        return f"{self.file}:{self.line}" if self.file else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What an error is about: a workflow, a node of it, and the line that declared it."""

    workflow: str
    node: str = ""  # such as "transition `price`"
    location: str = ""

    def error(self, problem: str, remedy: str) -> DefinitionError:
        """Return the error to raise."""
        where = f"workflow `{self.workflow}`" + (f", {self.node}" if self.node else "")
        return DefinitionError(problem, remedy, where, self.location)


_written: ContextVar[Location | None] = ContextVar("written", default=None)


@contextmanager
def written_at(location: Location | None) -> Generator[None]:
    """Have what is declared meanwhile be located there, since it is read from a file; None: by the stack again."""
    token = _written.set(location)
    try:
        yield
    finally:
        _written.reset(token)


def caller() -> Location:
    """Return the innermost line of the stack that is not this package's own, or where `written_at` says."""
    written = _written.get()
    if written is not None:
        return written
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(_OWN_PREFIX):
            return Location(file=frame.f_code.co_filename, line=frame.f_lineno, module=module)
        frame = frame.f_back
    return Location()


def variable_of(module: str, value: object) -> str:
    """Return the name `value` is bound to in the imported `module`, or "" where there is none."""
    loaded = sys.modules.get(module)
    if loaded is None:
        return ""
    return next((name for name, bound in list(vars(loaded).items()) if bound is value), "")


def identity_of(function: Callable[..., object]) -> str:
    """Return `module:qualname` of a handler.

    A script that is run has the module name it would have when imported: so `python orders.py` and a
    command that loads `orders.py` agree on the version of a workflow.
    """
    target: object = getattr(function, "func", function)  # functools.partial
    if not hasattr(target, "__qualname__"):
        target = type(target)
    module = module_name(str(getattr(target, "__module__", "")))
    return f"{module}:{getattr(target, '__qualname__', '')}"


def module_name(module: str) -> str:
    """Return the name a module is imported by: of a script that is run, the name of its file."""
    if module not in _MAIN:
        return module
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str):
        return "__main__"
    return inspect.getmodulename(file) or "__main__"
