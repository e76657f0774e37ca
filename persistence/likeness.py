"""Whether two pieces of code are the same: a digest that says so, whatever process and file they were loaded in.

What counts: the code of functions, the functions, classes and constants they refer to, defaults and what closures hold.
What does not: where it stands (file, line), comments, and what is in lists, dicts and other things that change while a
program runs. Code that is installed counts by its name.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, cast

INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_OWN: Final = "placet"
_STDLIB: Final = sys.stdlib_module_names
_PASSING: Final = frozenset(  # parts of a class that say nothing, or that Python makes for itself
    {
        "__abstractmethods__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__annotations_cache__",
        "__module__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
_CONSTANTS: Final = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))


def is_local(module: str) -> bool:
    """Return whether a module is a program's own: the script that runs, or a file that is not installed."""
    if module == "__main__":
        return True
    if module.partition(".")[0] in _STDLIB or module.partition(".")[0] == _OWN:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and not INSTALLED & set(Path(file).parts)


def likeness(*things: object) -> str:
    """Return 32 characters: equal for code that is the same, and for nothing else that is likely to be met."""
    digest = hashlib.blake2b(digest_size=16)
    reader = _Reader(digest.update)
    for thing in things:
        reader.read(thing)
    return digest.hexdigest()


class _Reader:
    """Tells what things are made of, each once; what is met again is named by the number it was met under."""

    def __init__(self, tell: Callable[[bytes], object]) -> None:
        self._tell = tell
        self._met: dict[int, tuple[int, object]] = {}  # by id; the object is kept, so that the id stays its own

    def read(self, thing: object) -> None:
        """Tell a thing."""
        if isinstance(thing, _CONSTANTS) and type(thing) in _CONSTANTS:
            self._say("constant", type(thing).__name__, repr(thing))
            return
        met = self._met.get(id(thing))
        if met is not None:
            self._say("again", str(met[0]))
            return
        self._met[id(thing)] = len(self._met), thing
        self._compound(thing)

    def _say(self, *words: str) -> None:
        for word in words:
            data = word.encode(errors="surrogatepass")
            self._tell(len(data).to_bytes(8, "big") + data)

    def _all(self, kind: str, things: "Iterator[object] | tuple[object, ...]") -> None:
        several = tuple(things)
        self._say(kind, str(len(several)))
        for thing in several:
            self.read(thing)

    def _compound(self, thing: object) -> None:
        match thing:
            case CodeType():
                self._code(thing)
            case FunctionType():
                self._function(thing)
            case type():
                self._class(thing)
            case tuple():
                self._all("tuple", cast("tuple[object, ...]", thing))
            case frozenset():
                self._say("frozenset", *sorted(likeness(one) for one in cast("frozenset[object]", thing)))
            case ModuleType():
                self._say("module", thing.__name__)
            case BuiltinFunctionType():
                self._say("builtin", str(thing.__module__), thing.__qualname__)
            case MethodType():
                self._all("method", (thing.__func__, thing.__self__))
            case staticmethod() | classmethod():
                self._all(type(cast("object", thing)).__name__, (getattr(cast("object", thing), "__func__"),))  # noqa: B009  its type is unknown to type checkers
            case property():
                self._all("property", (thing.fget, thing.fset, thing.fdel))
            case partial():
                self._all("partial", (thing.func, thing.args, *_pairs(thing.keywords)))
            case _:
                self._other(thing)

    def _code(self, code: CodeType) -> None:
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
        self._all("code", (code.co_name, code.co_code, code.co_exceptiontable, counts, names))
        self._all("constants", code.co_consts)

    def _function(self, function: FunctionType) -> None:
        if not is_local(function.__module__):
            self._say("function", function.__module__, function.__qualname__)
            return
        defaults = function.__defaults__, *_pairs(cast("Mapping[str, object]", function.__kwdefaults__ or {}))
        self._all("function", (function.__code__, *defaults))
        self._all("closure", tuple(_held(cell) for cell in function.__closure__ or ()))
        known = function.__globals__
        for name in sorted(_names(function.__code__) & known.keys()):
            self._say(name)
            self.read(known[name])

    def _class(self, kind: type) -> None:
        if not is_local(kind.__module__):
            self._say("class", kind.__module__, kind.__qualname__)
            return
        self._say("class", kind.__qualname__)
        self._all("bases", kind.__bases__)
        for name, value in sorted(vars(kind).items()):
            if name not in _PASSING:
                self._say(name)
                self.read(value)

    def _other(self, thing: object) -> None:
        """Tell of what may change while a program runs only what it is; of what calls another thing, that too."""
        self._say("object")
        self.read(type(thing))
        func: object = getattr(thing, "func", None)
        if callable(func):
            self.read(func)


def _pairs(mapping: Mapping[str, object]) -> Iterator[object]:
    for name, value in sorted(mapping.items()):
        yield from (name, value)


def _held(cell: Any) -> object:  # `Any`: Python's own cell, which has no type of that name to check
    try:
        return cell.cell_contents
    except ValueError:  # it is not filled yet
        return None


def _names(code: CodeType) -> set[str]:
    """Return the names that some code looks up, that of functions defined in it included."""
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*(_names(one) for one in inner))
