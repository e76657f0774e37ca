"""Where Placet calls its users' functions: guards and handlers. Whatever they raise becomes a `Failure`.

This is the only place besides the adapters with broad excepts: user code may raise anything.
"""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, cast

from placet.actors.records import Failure
from placet.persistence.errors import ValueTooLarge
from placet.persistence.store import MAX_VALUE_BYTES
from placet.persistence.type_name import qualified_name
from placet.persistence.values import decode, encode
from placet.petri.plan import TransitionPlan
from placet.petri.result import passed_through

TRACEBACK_CHARACTERS = 8_000

Outputs: TypeAlias = tuple[tuple[int, bytes], ...]  # (position among the transition's outputs, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a handler may know about its firing; it gets one if it has a parameter named `context`."""

    instance: str
    firing_id: str  # the same for every attempt of this firing, and for no other: an idempotency key
    attempt: int  # 1 for the first
    item: int | None = None  # with run="parallel": which item of the list this call is for, from 0 on


def firing_id(instance: str, incarnation: int, number: int) -> str:
    """Return the public id of a firing; an instance spawned anew under an old id never repeats one."""
    return f"{instance}#{incarnation:08x}.{number}"


def failure_of(error: BaseException, attempt: int = 0, at: float = 0.0) -> Failure:
    """Describe an exception by its names and texts; the exception itself goes no further. Never raises."""
    message = _text(lambda: str(error))
    text = _text(lambda: "".join(traceback.format_exception(error)))
    return Failure(
        type=_text(lambda: qualified_name(type(error))),
        message=message[:TRACEBACK_CHARACTERS],
        traceback=text[-TRACEBACK_CHARACTERS:],
        attempt=attempt,
        at=at,
        types=tuple(_text(partial(qualified_name, kind)) for kind in type(error).__mro__ if kind is not object),
    )


def _text(make: Callable[[], str]) -> str:
    """Return a text that can be stored, whatever a user's exception makes of being asked for one."""
    try:
        return make().encode("utf-8", "backslashreplace").decode()
    except BaseException as broken:  # a user's `__str__` may raise anything
        return f"(it could not be read: {type(broken).__name__})"


def run_handler(
    transition: TransitionPlan,
    tokens: Sequence[tuple[int, int, bytes]],
    instance: str,
    incarnation: int,
    number: int,
    attempt: int,
) -> Outputs | Failure:
    """Call a transition's handler on the tokens' values and return the encoded outputs, or why it failed."""
    try:
        return encoded_outputs(transition, _called(transition, tokens, instance, incarnation, number, attempt))
    except BaseException as error:  # user code may raise anything, `sys.exit()` included
        return failure_of(error, attempt=attempt)


async def await_handler(
    transition: TransitionPlan,
    tokens: Sequence[tuple[int, int, bytes]],
    instance: str,
    incarnation: int,
    number: int,
    attempt: int,
) -> Outputs | Failure:
    """`run_handler` for an `async def`. One that is cancelled has failed, like one that raises."""
    try:
        called = _called(transition, tokens, instance, incarnation, number, attempt)
        return encoded_outputs(transition, await cast("Awaitable[object]", called))
    except BaseException as error:  # as above; a cancellation has done its work when it has come out of the handler
        return failure_of(error, attempt=attempt)


def _called(
    transition: TransitionPlan,
    tokens: Sequence[tuple[int, int, bytes]],
    instance: str,
    incarnation: int,
    number: int,
    attempt: int,
) -> object:
    behaviour = transition.behaviour
    assert behaviour is not None, transition.path
    assert behaviour.handler is not None, transition.path
    if len(tokens) == 1 and transition.to_arguments is None:
        arguments = [decode(tokens[0][2])]
    else:
        arguments = decoded_arguments(transition, tokens)
    if not behaviour.takes_context:
        return behaviour.handler(*arguments)
    identity = firing_id(instance, incarnation, number)
    return behaviour.handler(*arguments, context=Context(instance=instance, firing_id=identity, attempt=attempt))


def encoded_outputs(transition: TransitionPlan, returned: object) -> Outputs:
    """Return the outputs that what a handler returned stands for. Raises where it fits none, or cannot be encoded."""
    deposits = transition.to_deposits
    assert deposits is not None, transition.path
    return tuple([(position, _encoded(value)) for position, value in deposits(returned)])


def _encoded(value: object) -> bytes:
    data = encode(value)
    if len(data) > MAX_VALUE_BYTES:
        raise ValueTooLarge(len(data), MAX_VALUE_BYTES)
    return data


def decoded_arguments(transition: TransitionPlan, tokens: Sequence[tuple[int, int, bytes]]) -> list[object]:
    """Return what a handler is called with. Raises whatever loading the values raises."""
    values = [decode(value) for _, _, value in tokens]
    if transition.to_arguments is None:
        return values
    grouped: list[list[object]] = []
    begin = 0
    for arc in transition.arguments:
        grouped.append(values[begin : begin + arc.weight])
        begin += arc.weight
    return transition.to_arguments(grouped)


def pass_through(transition: TransitionPlan, tokens: Sequence[tuple[int, int, bytes]]) -> Outputs | Failure:
    """Return the outputs of a transition without a handler: its input, or a tuple of its inputs, to every output."""
    if len(tokens) == 1:
        value = tokens[0][2]  # as it is: nobody looks into it
    else:
        try:
            value = encode(passed_through(decoded_arguments(transition, tokens)))
        except BaseException as error:  # decoding runs user code: classes' own hooks
            return failure_of(error)
    return tuple((position, value) for position, (_, weight) in enumerate(transition.outputs) for _ in range(weight))
