"""Handlers of whatever executor, run here and now: for tests under virtual time."""

import asyncio
import threading

from placet.actors.effects import Start
from placet.actors.executors.answer import answered, awaited, failed
from placet.actors.executors.parallel import joined, of_pieces, pieces_of
from placet.actors.messages import ExecutorMessage
from placet.actors.notes import TakeBeat, unheard
from placet.actors.usercode import failure_of
from placet.petri.behaviour import ASYNC, PARALLEL, PARALLEL_THREADS, pool_of


def answered_in_place(start: Start, take_beat: TakeBeat = unheard) -> ExecutorMessage:
    """Run the handler of a firing as its executor would, but in one go, and return the answer."""
    executor = pool_of(start.transition.executor)
    if executor == ASYNC:
        return _awaited(start, take_beat)
    if executor not in (PARALLEL, PARALLEL_THREADS):
        return answered(start, take_beat)
    try:
        pieces = pieces_of(start, of_pieces(start.transition), 1, b"")
    except BaseException as error:  # decoding and encoding run the code of users' types
        return failed(start, failure_of(error, start.attempt))
    return joined(start, [answered(piece, take_beat) for piece in pieces])


def _awaited(start: Start, take_beat: TakeBeat) -> ExecutorMessage:
    """Run an `async def` to its end on a loop of its own, on a thread of its own: this one may have a loop."""
    answers: list[ExecutorMessage] = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(awaited(start, take_beat))))
    thread.start()
    thread.join()
    return answers[0]
