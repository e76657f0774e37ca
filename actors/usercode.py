"""Where Placet calls its users' functions: guards and handlers. Whatever they raise becomes a `Failure`.

User code may raise anything, `sys.exit()` included, so every call of it stands in a broad except; the executors, which
call handlers on threads, loops and processes of their own, have theirs for the same reason.
"""

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from placet.actors.context import Context
from placet.actors.errors import ShardFull
from placet.actors.notes import PURE, Notes
from placet.actors.records import Failure
from placet.persistence.errors import ValueTooLarge
from placet.persistence.store import MAX_VALUE_BYTES
from placet.persistence.type_name import qualified_name
from placet.persistence.values import decode, encode
from placet.petri.plan import TransitionPlan, shares
from placet.petri.result import passed_through

TRACEBACK_CHARACTERS = 8_000

Outputs: TypeAlias = tuple[tuple[int, bytes], ...]  # (position among the transition's outputs, value)


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
        shard=error.shard if type(error) is ShardFull else -1,
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
    """Call a handler declared pure on the tokens' values and return the encoded outputs, or why it failed."""
    behaviour = transition.behaviour
    context: Context | None = None
    if behaviour is not None and behaviour.takes_context:
        context = context_of(transition, instance, firing_id(instance, incarnation, number), attempt, PURE)
    try:
        return encoded_outputs(transition, call_handler(transition, tokens, context))
    except BaseException as error:  # user code may raise anything, `sys.exit()` included
        return failure_of(error, attempt=attempt)


def context_of(transition: TransitionPlan, instance: str, firing: str, attempt: int, notes: Notes) -> Context:
    """Return the context of one call of a handler."""
    return Context(
        instance=instance,
        firing_id=firing,
        attempt=attempt,
        transition=transition.path,
        tags=transition.tags,
        notes=notes,
    )


def call_handler(
    transition: TransitionPlan, tokens: Sequence[tuple[int, int, bytes]], context: Context | None
) -> object:
    """Return what a handler returns. Raises what it raises, and whatever loading the values raises."""
    behaviour = transition.behaviour
    assert behaviour is not None, transition.path
    assert behaviour.handler is not None, transition.path
    if len(tokens) == 1 and transition.to_arguments is None:
        arguments = [decode(tokens[0][2])]
    else:
        arguments = decoded_arguments(transition, tokens)
    if context is None:
        return behaviour.handler(*arguments)
    return behaviour.handler(*arguments, context=context)


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
    for count in shares(transition.arguments, len(values)):
        grouped.append(values[begin : begin + count])
        begin += count
    return transition.to_arguments(grouped)


def pass_through(transition: TransitionPlan, tokens: Sequence[tuple[int, int, bytes]]) -> Outputs | Failure:
    """Return the outputs of a transition without a handler: its input, or a tuple of its inputs, to every output."""
    if len(transition.arguments) == len(tokens) == 1:
        value = tokens[0][2]  # as it is: nobody looks into it
    else:
        try:
            value = encode(passed_through(decoded_arguments(transition, tokens)))
        except BaseException as error:  # decoding runs user code: classes' own hooks
            return failure_of(error)
    return tuple((position, value) for position, (_, weight) in enumerate(transition.outputs) for _ in range(weight))
