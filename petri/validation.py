"""Checks of single declarations: names, guards, policies and handlers, each a clear error at the line that errs."""

import functools
import inspect
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast, get_type_hints

from placet.petri.behaviour import (
    ASYNC,
    HYBRID,
    INLINE,
    PARALLEL,
    PARALLEL_THREADS,
    PROCESS,
    THREAD,
    Guard,
    Handler,
    Key,
)
from placet.petri.expression import Flow, PlaceRef
from placet.petri.location import Site
from placet.petri.net import CONSUME, READ, Scalar
from placet.petri.output import Output
from placet.petri.placement import Near, Spread

EXECUTORS = (INLINE, THREAD, ASYNC, PROCESS, PARALLEL, PARALLEL_THREADS, HYBRID)
LONGEST_S: Final = 100 * 365.25 * 86_400  # a hundred years: no time in a definition is longer
_WIDEST = 64  # bits of a whole number that is stored, sign included
_LINE_BREAKING = ("Cc", "Cs", "Zl", "Zp")  # categories of characters that no name may hold


def check_name(name: object, site: Site) -> None:
    """Raise unless `name` can stand in an address: one line of text, no `/`, no leading dot or outer blanks."""
    remedy = "use a short name of letters, digits, `_` or `-`"
    if not isinstance(name, str):
        raise site.error(f"a name must be text, not {name!r}", remedy)
    if not name.strip():
        raise site.error("a name must not be blank", remedy)
    if name != name.strip():
        raise site.error(f"the name {name!r} begins or ends with a blank", remedy)
    if any(unicodedata.category(character) in _LINE_BREAKING for character in name):
        raise site.error(f"the name {name!r} holds a control character", remedy)
    if "/" in name:
        raise site.error(f"the name `{name}` holds a `/`, which separates the parts of an address", remedy)
    if name.startswith("."):
        raise site.error(f"the name `{name}` begins with a dot", remedy)


def checked_properties(properties: Mapping[str, Scalar] | None, site: Site) -> tuple[tuple[str, Scalar], ...]:
    """Return properties as a sorted tuple; raises where a key is no text or a value no scalar."""
    pairs: list[tuple[str, Scalar]] = []
    for key, value in (properties or {}).items():
        _check_property(key, value, site)
        pairs.append((key, value))
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def checked_placement(placement: object, site: Site) -> str | None:
    """Return the instance that children are to be near: "" is their caller, None is none."""
    if isinstance(placement, Near):
        if not isinstance(placement.instance, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller without types
            raise site.error("`Near` takes the id of an instance", "give a text, or nothing for the caller")
        return placement.instance
    if isinstance(placement, Spread):
        return None
    raise site.error(f"`placement` is {type(placement).__name__}", "give Spread() or Near(…)")


def checked_texts(texts: Sequence[str], what: str, site: Site) -> tuple[str, ...]:
    """Return names of people or roles as a tuple; raises unless each is text that is not blank."""
    given = cast("Sequence[object]", texts)
    if isinstance(given, str) or not all(isinstance(text, str) and text.strip() for text in given):
        raise site.error(f"{what}={texts!r}", f'give a list of names, as in {what}=["eva"]')
    return tuple(texts)


def _check_property(key: object, value: object, site: Site) -> None:
    if not isinstance(key, str) or not isinstance(value, str | int | float | bool):
        raise site.error(f"property {key!r} is {value!r}", "properties map text to text, numbers or truth values")
    if isinstance(value, int) and not is_storable(value):
        raise site.error(f"property {key!r} is {value!r}", "give a number of up to 64 bits, or write it as text")
    if isinstance(value, float) and not math.isfinite(value):
        raise site.error(f"property {key!r} is {value!r}", "give a finite number")
    for text in (key, value):
        if isinstance(text, str) and not _is_text(text):
            raise site.error(f"property {key!r} is {value!r}, which is no text", "leave out what is half a character")


def is_storable(number: int) -> bool:
    """Return whether a whole number fits into 64 bits, its sign included."""
    return -(1 << _WIDEST - 1) <= number < 1 << _WIDEST - 1


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def check_version(version: object, site: Site) -> None:
    """Raise unless an author's own version is a short text."""
    if not isinstance(version, str) or len(version) > 200 or not _is_text(version):
        raise site.error(f"version={version!r:.80}", "give a text of up to 200 characters")


def check_flow(flow: object, site: Site) -> None:
    """Raise unless `flow` is a whole flow that names no place twice on one side."""
    if not isinstance(flow, Flow):
        raise site.error(
            f"{_named(flow)} is no flow", "write `a >> b`, or `a.consumed()` for a transition without outputs"
        )
    if not any(term.kind == CONSUME for term in flow.inputs):
        raise site.error("a transition needs an input to take from", "write `a >> b`, or `(a & b.read()) >> c`")
    taken = [term for term in flow.inputs if term.kind in (CONSUME, READ)]
    for side, terms in (("inputs", taken), ("outputs", flow.outputs)):
        names = [term.place.name for term in terms]
        twice = next((name for name in names if names.count(name) > 1), None) if len(names) > 1 else None
        if twice is not None:
            raise site.error(
                f"place `{twice}` is twice among the {side} of `{flow}`", f"give it a weight: `{twice} * 2`"
            )


def _named(value: object) -> str:
    return f"`{value}`" if isinstance(value, PlaceRef) else repr(value)


def guards_of(flow: Flow, guard: Guard | Mapping[PlaceRef, Guard] | None, site: Site) -> tuple[Guard | None, ...]:
    """Return one guard, or None, for each input of `flow` in written order."""
    if guard is None:
        return (None,) * len(flow.inputs)
    by_place = _by_place(guard)
    if by_place is None:
        _check_question("guard", guard, site)
        arguments = [term for term in flow.inputs if term.kind in (CONSUME, READ)]
        if len(arguments) > 1:
            remedy = f"say which it guards, as in guard={{{arguments[0].place}: …}}; a guard sees one token"
            raise site.error(f"one guard for {len(arguments)} inputs", remedy)
        by_place = {arguments[0].place: cast("Guard", guard)}
    return _aligned("guard", flow, by_place, (CONSUME, READ), site)


def keys_of(flow: Flow, key: Key | Mapping[PlaceRef, Key] | None, site: Site) -> tuple[Key | None, ...]:
    """Return one join key, or None, for each input of `flow` in written order."""
    if key is None:
        return (None,) * len(flow.inputs)
    by_place = _by_place(key)
    if by_place is None:
        _check_question("key", key, site)
        by_place = {term.place: cast("Key", key) for term in flow.inputs if term.kind == CONSUME}
    return _aligned("key", flow, by_place, (CONSUME,), site)


def _by_place(function: object) -> Mapping[PlaceRef, Guard] | None:
    return cast("Mapping[PlaceRef, Guard]", function) if isinstance(function, Mapping) else None


def _aligned(
    what: str, flow: Flow, by_place: Mapping[PlaceRef, Guard], kinds: tuple[str, ...], site: Site
) -> tuple[Guard | None, ...]:
    """Return the functions given by place, one an input in written order."""
    inputs = {term.place: position for position, term in enumerate(flow.inputs) if term.kind in kinds}
    functions: list[Guard | None] = [None] * len(flow.inputs)
    for place, function in by_place.items():
        if place not in inputs:
            known = ", ".join(f"`{name}`" for name in inputs)
            problem = f"the {what} names {_named(place)}, which is no such input here"
            raise site.error(problem, f"the inputs that take a {what} are {known}")
        _check_question(what, function, site)
        functions[inputs[place]] = function
    return tuple(functions)


def _check_question(what: str, function: object, site: Site) -> None:
    """Raise unless `function` can be asked about one token's value, in the kernel."""
    if not callable(function) or isinstance(function, PlaceRef):
        raise site.error(f"the {what} {function!r} is not callable", "pass a function of one token's value")
    if _is_async(function):
        raise site.error(
            f"the {what} is an `async def`, whose answer would always count as true", "make it a plain `def`"
        )
    if inspect.isgeneratorfunction(function):
        raise site.error(
            f"the {what} is a generator, which would always count as true", "return the answer instead of yielding it"
        )
    if not _accepts(function, 1, takes_context=False):
        raise site.error(f"the {what} `{_label(function)}` cannot take one value", f"a {what} takes one token's value")


def check_capacity(capacity: object, site: Site) -> None:
    """Raise unless a place's capacity is a number of tokens, or None for no limit."""
    is_count = isinstance(capacity, int) and not isinstance(capacity, bool) and capacity > 0 and is_storable(capacity)
    if capacity is not None and not is_count:
        raise site.error(f"capacity={capacity!r}", "give a whole number from 1 on, or None for no limit")


def check_times(
    run: object, timeout_s: object, deadline_s: object, heartbeat_s: object, delay_s: object, site: Site
) -> None:
    """Raise unless timeout, deadline, heartbeat and delay (seconds) are usable with the executor."""
    for name, value in (("timeout_s", timeout_s), ("deadline_s", deadline_s), ("heartbeat_s", heartbeat_s)):
        if value is not None and not _is_time(value):
            remedy = "give a number of seconds above 0 and up to a hundred years, or None for no limit"
            raise site.error(f"{name}={value!r}", remedy)
        if value is not None and run == INLINE:
            what = name.removesuffix("_s")
            raise site.error(f"an inline handler has no {what}", f"leave {name} out, or use run='thread'")
    if delay_s != 0 and not _is_time(delay_s):
        raise site.error(f"delay_s={delay_s!r}", "give a number of seconds from 0 on and up to a hundred years")


def check_policies(run: object, retry: object, priority: object, site: Site) -> None:
    """Raise unless executor, retry and priority are usable."""
    if run is not None and run not in EXECUTORS:
        raise site.error(f"run={run!r} names no executor", f"use one of {', '.join(map(repr, EXECUTORS))}")
    if retry is not None and not callable(getattr(retry, "delay_s", None)):
        raise site.error(f"retry={retry!r} is no retry policy", "write retry=Retry(attempts=5)")
    if not isinstance(priority, int) or isinstance(priority, bool) or not is_storable(priority):
        raise site.error(f"priority={priority!r}", "give a whole number of up to 64 bits; higher goes first")


def check_heartbeat(heartbeat_s: object, takes_context: bool, site: Site) -> None:
    """Raise where signs of life are wanted of a handler that has nothing to give them with."""
    if heartbeat_s is not None and not takes_context:
        problem = f"heartbeat_s={heartbeat_s!r} wants signs of life, and the handler has no parameter named `context`"
        raise site.error(problem, "add it, and call `context.heartbeat()` now and then; or leave heartbeat_s out")


def _is_time(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number <= LONGEST_S


def check_handler(handler: object, inputs: int, site: Site) -> bool:
    """Raise unless `handler` can take `inputs` arguments; return whether it wants a `context` too."""
    if not callable(handler):
        raise site.error(f"the handler {handler!r} is not callable", "pass a function")
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in _functions(handler)):
        raise site.error(
            f"the handler `{_label(handler)}` is a generator", "return the values instead of yielding them"
        )
    takes_context = _has_context(handler)
    if not _accepts(handler, inputs, takes_context=takes_context):
        wanted = "1 argument" if inputs == 1 else f"{inputs} arguments, one an input in written order"
        problem = f"the handler `{_label(handler)}{_signature(handler)}` cannot be called with {wanted}"
        raise site.error(problem, "match its parameters to the inputs (and `context`, if wanted)")
    return takes_context


def chosen_executor(run: str | None, handler: Handler, site: Site) -> str:
    """Return the name of the executor for a handler; raises where `run` names one that cannot run it."""
    is_async = any(inspect.iscoroutinefunction(one) for one in _functions(handler))
    if run is None:
        return ASYNC if is_async else THREAD
    if is_async and run != ASYNC:
        problem = f"the handler `{_label(handler)}` is an `async def`, which run={run!r} cannot run"
        raise site.error(problem, "leave `run` out, or make the handler a plain `def`")
    if run == ASYNC and not is_async:
        problem = f"the handler `{_label(handler)}` is a plain `def`, which would hold up all others of run='async'"
        raise site.error(problem, "make it an `async def`, or leave `run` out")
    return run


def _is_async(function: Callable[..., object]) -> bool:
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in _functions(function))


def _functions(function: Callable[..., object]) -> tuple[object, object]:
    """Return what may be a function of a special kind: the callable, and what its class calls."""
    return function, getattr(type(function), "__call__", None)  # noqa: B004  asks what it is, not whether there is one


def _label(function: object) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _signature(function: Callable[..., object]) -> inspect.Signature | str:
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return ""  # some built-in functions have none


def _has_context(function: Callable[..., object]) -> bool:
    signature = _signature(function)
    return isinstance(signature, inspect.Signature) and "context" in signature.parameters


def _accepts(function: Callable[..., object], count: int, *, takes_context: bool) -> bool:
    signature = _signature(function)
    if not isinstance(signature, inspect.Signature):
        return True
    try:
        signature.bind(*(None,) * count, **({"context": None} if takes_context else {}))
    except TypeError:
        return False
    return True


def check_return(handler: Handler, types: list[object], site: Site) -> None:
    """Raise when a handler's annotated return is a class that none of the declared types of its outputs takes.

    Silent where anything is left open: an output without a declared class, no annotation or one that does
    not resolve, and the general classes `object`, `tuple` and `Output`.
    """
    returned = _annotated_return(handler)
    if not isinstance(returned, type) or returned in (object, tuple, Output):
        return
    accepted = [declared for declared in types if isinstance(declared, type)]
    if not accepted or len(accepted) < len(types) or any(_takes(declared, returned) for declared in accepted):
        return
    names = " or ".join(dict.fromkeys(f"`{declared.__name__}`" for declared in accepted))
    problem = f"the handler `{_label(handler)}` is annotated to return `{returned.__name__}`, which no output takes"
    raise site.error(problem, f"return {names}, or change the `type` of the place")


def _annotated_return(handler: Handler) -> object:
    target: object = handler.func if isinstance(handler, functools.partial) else handler
    try:
        return get_type_hints(target).get("return")
    except (NameError, TypeError, AttributeError, SyntaxError, ValueError):
        return None  # names that only a type checker sees: nothing is known


def _takes(declared: type, returned: type) -> bool:
    if declared in (float, complex) and returned in (int, float):
        return True  # the numeric tower of PEP 484
    try:
        return issubclass(returned, declared)
    except TypeError:
        return True  # a protocol or typed dict that cannot be asked
