"""Names of types: of a class, and of what is pickled, read off its opcodes without executing any."""

import pickletools
from collections.abc import Iterator
from typing import TypeAlias

UNKNOWN = "unknown"
_SCRIPTS_CLASS = ("placet.persistence.values", "class_of_script")  # arguments: script, name, stored class
_BUILT_CLASS = ("cloudpickle.cloudpickle", "_make_skeleton_class")  # arguments: metaclass, name, bases, …

_Event: TypeAlias = str | tuple[str, str]  # a text, or (module, name) of something global


def qualified_name(kind: type) -> str:
    """Return `module.QualifiedName` of a class, built-ins without module: how failures and errors name it."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def type_name(pickled: bytes) -> str:
    """Return `module.Class` of the first type a pickle names, or "unknown" if it names none or is damaged.

    For an object that is its class; for plain data around objects, the class of the first of them.
    """
    try:
        events = _events(pickled)
        for event in events:
            if event == _SCRIPTS_CLASS:
                next(events)
                return f"__main__.{next(events)}"
            if isinstance(event, tuple):
                return _name_of_built_class(events) if event == _BUILT_CLASS else ".".join(event)
    except (ValueError, IndexError, StopIteration, OverflowError):  # the data is damaged
        return UNKNOWN
    return UNKNOWN


def _name_of_built_class(events: Iterator[_Event]) -> str:
    for event in events:
        if isinstance(event, tuple):  # the metaclass; the class's name follows
            break
    name = next(events)
    for event in events:
        if event == "__module__":
            return f"{next(events)}.{name}"
    return UNKNOWN


def _events(pickled: bytes) -> Iterator[_Event]:
    memo: list[str] = []
    last, before = "", ""  # the two texts last pushed: module and name when a global follows
    for opcode, argument, _ in pickletools.genops(pickled):
        match opcode.name:
            case "SHORT_BINUNICODE" | "BINUNICODE" | "BINUNICODE8":
                last, before = str(argument), last
                yield last
            case "BINGET" | "LONG_BINGET":
                last, before = memo[int(str(argument))], last
                yield last
            case "MEMOIZE":
                memo.append(last)
            case "STACK_GLOBAL":
                yield before, last
            case "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield module, name
            case _:
                pass
