"""Handlers with effects, run to their end: what they return, and what they ask for beside, counts as one."""

import threading
from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from placet.actors.context import Context
from placet.actors.messages import StatePut
from placet.actors.notes import NOTHING, Notes
from placet.actors.records import Failure
from placet.actors.usercode import Outputs, call_handler, context_of, encoded_outputs, failure_of, firing_id
from placet.petri.plan import TransitionPlan

State: TypeAlias = Sequence[tuple[str, bytes]]  # (name, value) of the instance


NO_WISHES: Final[tuple[tuple[StatePut, ...], tuple[bytes, ...]]] = ((), ())


class Result(NamedTuple):
    """What came of a handler: its outputs, and what counts with them."""

    outputs: Outputs
    puts: tuple[StatePut, ...] = ()
    sent: tuple[bytes, ...] = ()


def perform(
    transition: TransitionPlan,
    tokens: Sequence[tuple[int, int, bytes]],
    instance: str,
    incarnation: int,
    number: int,
    attempt: int,
    state: State = (),
) -> Result | Failure:
    """Call a handler on the tokens' values; return the result, or why it failed."""
    context = _context(transition, instance, incarnation, number, attempt, state)
    try:
        returned = call_handler(transition, tokens, context)
        puts, sent = settled(context) if context is not None else NO_WISHES
        return Result(encoded_outputs(transition, returned), puts, sent)
    except BaseException as error:  # user code may raise anything, `sys.exit()` included
        settled(context)
        return failure_of(error, attempt=attempt)


async def await_handler(
    transition: TransitionPlan,
    tokens: Sequence[tuple[int, int, bytes]],
    instance: str,
    incarnation: int,
    number: int,
    attempt: int,
    state: State = (),
) -> Result | Failure:
    """`perform` for an `async def`. One that is cancelled has failed, like one that raises."""
    context = _context(transition, instance, incarnation, number, attempt, state)
    try:
        returned = await cast("Awaitable[object]", call_handler(transition, tokens, context))
        puts, sent = settled(context) if context is not None else NO_WISHES
        return Result(encoded_outputs(transition, returned), puts, sent)
    except BaseException as error:  # as above; a cancellation has done its work when it has come out of the handler
        settled(context)
        return failure_of(error, attempt=attempt)


def _context(
    transition: TransitionPlan, instance: str, incarnation: int, number: int, attempt: int, state: State
) -> Context | None:
    behaviour = transition.behaviour
    if behaviour is None or not behaviour.takes_context:
        return None
    firing = firing_id(instance, incarnation, number)
    known = dict(state) if state else NOTHING
    notes = Notes(firing=firing, workflows=transition.workflows, state=known, lock=threading.RLock())
    return context_of(transition, instance, firing, attempt, notes)


def settled(context: Context | None) -> tuple[tuple[StatePut, ...], tuple[bytes, ...]]:
    """Return what was asked for through a context, which is of no use from now on."""
    return NO_WISHES if context is None else context.notes.settle()
