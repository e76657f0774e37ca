"""Handlers with effects, run to their end: what they return, and what they ask for beside, counts as one."""

import threading
from collections.abc import Awaitable
from typing import Final, NamedTuple, TypeAlias, cast

from placet.actors.context import Context
from placet.actors.effects import Start
from placet.actors.messages import StatePut
from placet.actors.notes import NOTHING, Notes, TakeBeat, unheard
from placet.actors.records import Failure
from placet.actors.usercode import Outputs, call_handler, context_of, encoded_outputs, failure_of, firing_id
from placet.petri.plan import TransitionPlan

NO_WISHES: Final[tuple[tuple[StatePut, ...], tuple[bytes, ...]]] = ((), ())


class Errand(NamedTuple):
    """The fields of a `Start` that a handler needs, in a form that can be sent to another process."""

    tokens: tuple[tuple[int, int, bytes], ...]
    instance: str
    incarnation: int
    number: int
    attempt: int
    state: tuple[tuple[str, bytes], ...]
    progress: bytes | None
    full: frozenset[int]


def errand_of(start: Start) -> Errand:
    """Return the errand of a start."""
    return Errand(
        tokens=start.tokens,
        instance=start.instance,
        incarnation=start.incarnation,
        number=start.number,
        attempt=start.attempt,
        state=start.state,
        progress=start.progress,
        full=start.full,
    )


Work: TypeAlias = Start | Errand


class Result(NamedTuple):
    """What came of a handler: its outputs, and what counts with them."""

    outputs: Outputs
    puts: tuple[StatePut, ...] = ()
    sent: tuple[bytes, ...] = ()


def perform(transition: TransitionPlan, work: Work, take_beat: TakeBeat = unheard) -> Result | Failure:
    """Call a handler on the tokens' values; return the result, or why it failed."""
    context = _context(transition, work, take_beat)
    try:
        return _result(transition, context, call_handler(transition, work.tokens, context))
    except BaseException as error:  # user code may raise anything, `sys.exit()` included
        settled(context)
        return failure_of(error, attempt=work.attempt)


async def await_handler(transition: TransitionPlan, work: Work, take_beat: TakeBeat = unheard) -> Result | Failure:
    """`perform` for an `async def`. One that is cancelled has failed, like one that raises."""
    context = _context(transition, work, take_beat)
    try:
        returned = await cast("Awaitable[object]", call_handler(transition, work.tokens, context))
        return _result(transition, context, returned)
    except BaseException as error:  # as above; a cancellation has done its work when it has come out of the handler
        settled(context)
        return failure_of(error, attempt=work.attempt)


def _result(transition: TransitionPlan, context: Context | None, returned: object) -> Result:
    puts, sent = settled(context) if context is not None else NO_WISHES
    return Result(encoded_outputs(transition, returned), puts, sent)


def _context(transition: TransitionPlan, work: Work, take_beat: TakeBeat) -> Context | None:
    behaviour = transition.behaviour
    if behaviour is None or not behaviour.takes_context:
        return None
    firing = firing_id(work.instance, work.incarnation, work.number)
    notes = Notes(
        firing=firing,
        workflows=transition.workflows,
        state=dict(work.state) if work.state else NOTHING,
        lock=threading.RLock(),
        progress=work.progress,
        take_beat=take_beat,
        full=work.full,
    )
    return context_of(transition, work.instance, firing, work.attempt, notes)


def settled(context: Context | None) -> tuple[tuple[StatePut, ...], tuple[bytes, ...]]:
    """Return what was asked for through a context, which is of no use from now on."""
    return NO_WISHES if context is None else context.notes.settle()
