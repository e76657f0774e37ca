"""What any executor answers for a start: its handler's result, or how it failed."""

from placet.actors.effects import ExpireReason, Start
from placet.actors.executors.perform import Result, await_handler, perform
from placet.actors.messages import Done, Failed, Withdrawn
from placet.actors.notes import TakeBeat, unheard
from placet.actors.records import HEARTBEAT_LOST, TIMED_OUT, Failure


def answered(start: Start, take_beat: TakeBeat = unheard) -> Done | Failed:
    """Run the handler of a start, in this thread, and return the answer."""
    result = perform(start.transition, start, take_beat)
    if isinstance(result, Failure):
        return failed(start, result)
    return done(start, result)


async def awaited(start: Start, take_beat: TakeBeat = unheard) -> Done | Failed:
    """`answered` for a handler that is an `async def`."""
    result = await await_handler(start.transition, start, take_beat)
    return failed(start, result) if isinstance(result, Failure) else done(start, result)


def done(start: Start, result: Result) -> Done:
    """Return the answer that a handler has returned."""
    return Done(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=start.attempt,
        outputs=result.outputs,
        puts=result.puts,
        sent=result.sent,
    )


def failed(start: Start, failure: Failure) -> Failed:
    """Return the answer that a start has failed."""
    return Failed(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=start.attempt,
        failure=failure,
    )


def timed_out(start: Start, took_s: float, reason: ExpireReason = ExpireReason.TIME) -> Failed:
    """Return the answer for a handler that still ran at its deadline, or gave no sign of life, `took_s` after it began.

    Whoever knows `TimeoutError` knows both.
    """
    if reason is ExpireReason.SILENCE:
        behaviour = start.transition.behaviour
        limit_s = behaviour.heartbeat_s if behaviour else None
        message = f"the handler gave no sign of life for {limit_s:g} s; it had run for {took_s:.3f} s"
        return failed(
            start, Failure(type=HEARTBEAT_LOST, message=message, types=(HEARTBEAT_LOST, TIMED_OUT, "TimeoutError"))
        )
    failure = Failure(
        type=TIMED_OUT,
        message=f"the handler did not return within its time; it had run for {took_s:.3f} s",
        types=(TIMED_OUT, "TimeoutError"),
    )
    return failed(start, failure)


def withdrawn(start: Start) -> Withdrawn:
    """Return the answer for a start that was taken back: its handler has not begun, and never will."""
    return Withdrawn(root=start.root, transition=start.transition.index, number=start.number, attempt=start.attempt)
