"""Functions and types by import path: `package.module:name`, built-ins by their name alone."""

import builtins
import operator
import re
import sys
from collections.abc import Callable, Iterator
from types import MethodType, NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin

from placet.petri.location import module_name, variable_of

Resolve: TypeAlias = Callable[[str], object]  # what an import path names; raises `LookupError`, which says why not
PathOf: TypeAlias = Callable[[object], str]  # the way back

MOST_NESTED: Final = 50  # brackets in the text of a type
_TOKEN = re.compile(r"\s*([\w.]+(?::[\w.]+)?|[\[\],|])")


def path_of(value: object, modules: tuple[str, ...] = ()) -> str:
    """Return the import path that gives back this very function or class.

    Looked for are its own name in its own module, and any variable of that module or of `modules`. Raises
    `LookupError` for one without: a lambda, or what was defined inside a function.
    """
    target: object = getattr(value, "func", value)  # functools.partial
    own = str(getattr(target, "__module__", None) or type(target).__module__)
    qualname = getattr(value, "__qualname__", "")
    if isinstance(qualname, str) and qualname and _is_same(_attribute(sys.modules.get(own), qualname), value):
        return f"{module_name(own)}:{qualname}"
    for module in (own, *modules):
        name = variable_of(module, value)
        if name:
            return f"{module_name(module)}:{name}"
    raise LookupError("no name in a module leads to it")


def attribute_of(module: object, path: str) -> object:
    """Return what `a.b.c` names in a module. Raises `LookupError`."""
    found = _attribute(module, path)
    if found is _NOTHING:
        raise LookupError(f"module `{getattr(module, '__name__', '')}` has no `{path}`")
    return found


_NOTHING: Final = object()


def _attribute(value: object, path: str) -> object:
    for name in path.split("."):
        value = getattr(value, name, _NOTHING)
    return value


def _is_same(found: object, value: object) -> bool:
    return found is value or (isinstance(value, MethodType) and found == value)  # made anew each time


# -- types ---------------------------------------------------------------------------------------------------------


def text_of_type(declared: object, path_of: PathOf) -> str:
    """Return the text of a type: a class, a generic, a union, None, or what a module has under a name.

    Raises `LookupError` for one that cannot be written so.
    """
    if declared is None or declared is NoneType:  # not the same: `list[None]` is another text than `list[NoneType]`
        return "None" if declared is None else "types:NoneType"
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is None:
        name = declared.__name__ if isinstance(declared, type) else ""
        return name if getattr(builtins, name, None) is declared else path_of(declared)
    if not all(one is None or isinstance(one, type) or get_origin(one) for one in arguments):
        return path_of(declared)  # parameters of callables, values of literals
    if origin is UnionType:
        return " | ".join(text_of_type(None if one is NoneType else one, path_of) for one in arguments)
    texts = [text_of_type(one, path_of) for one in arguments]
    if origin is Union:  # kept apart: people see the difference, so does a net's version
        return f"typing:Union[{', '.join(texts)}]"
    if str(declared).startswith("typing."):
        return path_of(declared)  # `typing.List[int]` is another text than `list[int]`
    return f"{text_of_type(origin, path_of)}[{', '.join(texts)}]"


def type_of_text(text: str, resolve: Resolve) -> object:
    """Return the type that a text stands for. Raises `LookupError`, which says what is wrong with it."""
    tokens = list(_tokens(text))
    found = _union(tokens, resolve, 0)
    if tokens:
        raise LookupError(f"`{tokens[0]}` is too much")
    return found


def _tokens(text: str) -> Iterator[str]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise LookupError(f"`{text[position:].strip()[:1]}` has no place in a type")
        yield match[1]
        position = match.end()


def _union(tokens: list[str], resolve: Resolve, depth: int) -> object:
    found = _item(tokens, resolve, depth)
    while tokens[:1] == ["|"]:
        del tokens[0]
        found = _combined(lambda left, right: left | right, found, _item(tokens, resolve, depth))
    return found


def _item(tokens: list[str], resolve: Resolve, depth: int) -> object:
    if not tokens or tokens[0] in ("[", "]", ",", "|"):
        raise LookupError(f"a name is missing {f'before `{tokens[0]}`' if tokens else 'at its end'}")
    found = _named(tokens.pop(0), resolve)
    if tokens[:1] != ["["]:
        return found
    if depth >= MOST_NESTED:
        raise LookupError(f"brackets nest more than {MOST_NESTED} deep")
    arguments: list[object] = []
    while tokens[:1] == ["["] or (arguments and tokens[:1] == [","]):
        if tokens.pop(0) == "[" and arguments:
            raise LookupError("`[` follows a whole type")
        arguments.append(_union(tokens, resolve, depth + 1))
    if tokens[:1] != ["]"]:
        raise LookupError("a `]` is missing")
    del tokens[0]
    return _combined(operator.getitem, found, arguments[0] if len(arguments) == 1 else tuple(arguments))


def _named(name: str, resolve: Resolve) -> object:
    if name == "None":
        return None
    if ":" in name:
        return resolve(name)
    found: object = getattr(builtins, name, None)
    if not isinstance(found, type):
        raise LookupError(f"`{name}` is no built-in type; one of a module is written `module:{name}`")
    return found


# `Any`: what can be combined with what, only the two types know.
def _combined(how: Callable[[Any, Any], object], left: object, right: object) -> object:
    try:
        return how(left, right)
    except TypeError as error:  # such as brackets after a type that takes none
        raise LookupError(str(error)) from error
