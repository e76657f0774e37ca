"""One firing whose handler is called for each item of a list: its first argument, in pieces, on a pool.

The pieces are firings of their own to the pool, of a transition made up for them, and not to the kernel: one
thread a firing splits the list, waits for the pieces, and answers with the list of what they returned.
"""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, cast

import msgspec

from placet.actors.context import Context
from placet.actors.durations import Durations
from placet.actors.effects import Expire, Start
from placet.actors.errors import AttemptOver
from placet.actors.executors.answer import done, failed, withdrawn
from placet.actors.executors.base import Load, Post, RunningHandler
from placet.actors.executors.perform import Result, settled
from placet.actors.executors.pulse import Pulse
from placet.actors.executors.thread import ThreadExecutor
from placet.actors.messages import Beat, Done, ExecutorMessage, Failed, StatePut
from placet.actors.notes import merged
from placet.actors.records import STATE_CONFLICT, Failure
from placet.actors.usercode import decoded_arguments, encoded_outputs, failure_of
from placet.persistence.values import decode, encode
from placet.petri.behaviour import PARALLEL, Behaviour, Handler
from placet.petri.plan import InputArc, TransitionPlan
from placet.petri.result import compile_outputs

FIRINGS: Final = 16  # at once; each waits for its pieces most of the time
PIECES_A_WORKER: Final = 8  # of a long list: enough for workers to end at about the same time
LOOK_S: Final = 0.005  # silence, with pieces queued, after which the pool is looked after
OF_A_PIECE: Final = b"piece"  # how the roots of pieces begin, and no instance's does
EVERY: Final = 0.0  # as the `heartbeat_s` of pieces: all their signs of life are passed on, to that of their firing
INDEX_BYTES: Final = 4  # which piece of its firing, at the end of its root
NOT_A_LIST: Final = "takes a list as its first argument, since it runs once an item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some items of a list, and the other arguments of the handler."""

    first: int  # position of its first item in the list
    items: Sequence[object]
    others: tuple[object, ...]


class Gathered(NamedTuple):
    """What came of the items of a piece, in order: what was returned, and what counts with it."""

    returned: list[object]
    puts: list[StatePut]
    sent: list[bytes]

    def add(self, other: "Gathered") -> None:
        """Take in what came of the next items."""
        self.returned.extend(other.returned)
        self.puts.extend(other.puts)
        self.sent.extend(other.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class EachItem:
    """Calls a handler for each item of a piece: the handler of a piece."""

    transition: str
    handler: Handler
    takes_context: bool

    def __call__(self, piece: Piece, context: Context) -> Gathered:
        """Return what came of the items. Raises what the handler raised first, with a note which item it was."""
        gathered = Gathered([], [], [])
        if self.takes_context:
            context.heartbeat()
        for number, item in enumerate(piece.items, piece.first):
            own = self._context(context, number) if self.takes_context else None
            keywords = {} if own is None else {"context": own}
            try:
                gathered.returned.append(self.handler(item, *piece.others, **keywords))
            except BaseException as error:  # user code may raise anything; it goes on from here
                error.add_note(f"for item {number} of the list")
                raise
            finally:
                puts, sent = settled(own)
            gathered.puts.extend(puts)
            gathered.sent.extend(sent)
        return gathered

    def _context(self, context: Context, item: int) -> Context:
        return Context(
            instance=context.instance,
            firing_id=context.firing_id,
            attempt=context.attempt,
            item=item,
            transition=self.transition,
            tags=context.tags,
            notes=context.notes.of_item(item, threading.RLock()),
        )


def split(transition: TransitionPlan, tokens: Sequence[tuple[int, int, bytes]], pieces: int) -> list[Piece]:
    """Return the list of a firing in up to so many pieces. Raises `TypeError` where its first argument is none."""
    items, *others = decoded_arguments(transition, tokens)
    if not isinstance(items, list | tuple):
        raise TypeError(f"transition `{transition.path}` {NOT_A_LIST}; it was given a {type(items).__name__}")
    listed = cast("Sequence[object]", items)
    size = max(1, math.ceil(len(listed) / pieces))
    return [
        Piece(first=first, items=listed[first : first + size], others=tuple(others))
        for first in range(0, len(listed), size)
    ]


def of_pieces(transition: TransitionPlan) -> TransitionPlan:
    """Return a transition that takes a piece, and returns the list of what the handler of another one returned."""
    behaviour = transition.behaviour
    assert behaviour is not None, transition.path
    assert behaviour.handler is not None, transition.path
    made = TransitionPlan(
        index=transition.index,
        path=f"{transition.path}[]",
        composite=transition.composite,
        inputs=(),
        arguments=(InputArc(place=0, weight=1),),
        outputs=((0, 1),),
        output_names=("",),
        choice=False,
        priority=0,
        behaviour=Behaviour(
            handler=EachItem(
                transition=transition.path, handler=behaviour.handler, takes_context=behaviour.takes_context
            ),
            takes_context=True,
            heartbeat_s=EVERY,
        ),
        tags=transition.tags,
        workflows=transition.workflows,
    )
    made.to_deposits = compile_outputs(made)
    return made


def pieces_of(start: Start, plan: TransitionPlan, pieces: int, root: bytes) -> list[Start]:
    """Return what a pool is to run for a firing, in up to so many pieces. Raises what splitting and encoding raise."""
    return [
        msgspec.structs.replace(
            start,
            root=root + index.to_bytes(INDEX_BYTES, "big"),
            transition=plan,
            tokens=((0, 0, encode(piece)),),
        )
        for index, piece in enumerate(split(start.transition, start.tokens, pieces))
    ]


def joined(start: Start, answers: Iterable[ExecutorMessage]) -> ExecutorMessage:
    """Return the answer of a firing from those of its pieces, in order: the first failure, or all that came of them."""
    all_of_them = Gathered([], [], [])
    answers = list(answers)
    for answer in answers:
        if isinstance(answer, Failed):
            return failed(start, answer.failure)
    try:
        for answer in answers:
            if not isinstance(answer, Done):
                return withdrawn(start)
            all_of_them.add(cast("Gathered", decode(answer.outputs[0][1])))
        puts = merged(all_of_them.puts)
        if isinstance(puts, str):
            return failed(start, _conflict(puts, start.attempt))
        outputs = encoded_outputs(start.transition, all_of_them.returned)
        return done(start, Result(outputs, puts, tuple(all_of_them.sent)))
    except BaseException as error:  # decoding and encoding run the code of users' types
        return failed(start, failure_of(error, start.attempt))


def _conflict(name: str, attempt: int) -> Failure:
    message = f"an item compares the state {name!r} of the instance with what another item of the list has changed"
    return Failure(type=STATE_CONFLICT, message=message, attempt=attempt, types=(STATE_CONFLICT,))


class Pieces:
    """Gives the pieces of firings to a pool, and takes its answers: the pool posts all of them here first."""

    def __init__(self, post: Post, make_pool: Callable[[Post], ThreadExecutor]) -> None:
        self._post = post
        self._numbers = count(1)
        # by what the roots of a firing's pieces begin with
        self._open: dict[bytes, tuple[SimpleQueue[ExecutorMessage], Pulse | None]] = {}
        self.pool = make_pool(self._take)

    def _take(self, message: ExecutorMessage | Beat) -> None:
        """Take an answer or a sign of life. Raises `AttemptOver` for one that is not wanted any more."""
        if not message.root.startswith(OF_A_PIECE):
            self._post(message)
            return
        waiting, pulse = self._open.get(message.root[:-INDEX_BYTES], (None, None))
        if not isinstance(message, Beat):
            if waiting is not None:
                waiting.put(message)
        elif pulse is not None:
            pulse.beat(message.progress)
        elif waiting is None:
            raise AttemptOver("another item of its list has ended it")

    def new_root(self) -> bytes:
        """Return what the roots of one firing's pieces begin with."""
        return OF_A_PIECE + next(self._numbers).to_bytes(8, "big")

    def run(
        self, starts: Sequence[Start], is_stopped: Callable[[], bool], pulse: Pulse | None
    ) -> list[ExecutorMessage]:
        """Run the pieces of a firing and return their answers in order: fewer of them when it is stopped.

        After a failure no more of them begin.
        """
        if not starts:
            return []
        answers: dict[bytes, ExecutorMessage] = {}
        root = starts[0].root[:-INDEX_BYTES]
        queue: SimpleQueue[ExecutorMessage] = SimpleQueue()
        self._open[root] = queue, pulse
        self.pool.submit(starts)
        while len(answers) < len(starts):
            try:
                answer = queue.get(timeout=LOOK_S)
            except Empty:
                if is_stopped():
                    self.stop(starts)
                    break
                if self.pool.is_behind():
                    self.pool.tend()
                continue
            answers[answer.root] = answer
            if not isinstance(answer, Done):
                for start in starts:
                    self.pool.withdraw((start.root, start.number, start.attempt))
        del self._open[root]
        return [answers[start.root] for start in starts if start.root in answers]

    def stop(self, starts: Sequence[Start]) -> None:
        """Stop those of some pieces that run, where that is possible, and take back the others."""
        for start in starts:
            expire = Expire(executor=self.pool.name, root=start.root, number=start.number, attempt=start.attempt)
            self.pool.expire(expire)


class Foreman:
    """The workplace of a thread that sees to one firing at a time: splits its list and joins what comes back."""

    def __init__(self, pieces: Pieces, width: int, plans: dict[int, tuple[TransitionPlan, TransitionPlan]]) -> None:
        self._pieces = pieces
        self._width = width
        self._plans = plans  # (transition, that of its pieces) by id of the first
        self._stopped = False

    def open(self) -> None:
        """There is nothing to get ready."""

    def answer(self, start: Start, pulse: Pulse | None) -> ExecutorMessage:
        """Run the pieces of a firing, and answer for all of them."""
        transition = start.transition
        try:
            _, plan = self._plans.setdefault(id(transition), (transition, of_pieces(transition)))
            starts = pieces_of(start, plan, self._width * PIECES_A_WORKER, self._pieces.new_root())
        except BaseException as error:  # decoding and encoding run the code of users' types
            return failed(start, failure_of(error, start.attempt))
        if pulse is not None:
            pulse.put_off()  # the items of other firings may come first
        answers = self._pieces.run(starts, lambda: self._stopped, pulse)
        return withdrawn(start) if len(answers) < len(starts) else joined(start, answers)

    def stop(self) -> None:
        """Have the pieces stopped: at the latest when nothing has come for some milliseconds."""
        self._stopped = True

    def close(self) -> None:
        """There is nothing to let go of."""


class ParallelExecutor:
    """Runs firings item by item on the pool of `pieces`, up to `width` items at once."""

    def __init__(
        self, post: Post, pieces: Pieces, *, width: int, durations: Durations | None = None, name: str = PARALLEL
    ) -> None:
        self.name = name
        self._pool = pieces.pool
        self._firings = ThreadExecutor(
            post, threads=FIRINGS, durations=durations, name=name, workplace=partial(Foreman, pieces, width, {})
        )

    def capacity(self) -> int:
        """Return how many firings it takes at once."""
        return self._firings.capacity()

    def load(self) -> Load:
        """Return how many firings it is busy with, whatever their number of items."""
        return self._firings.load()

    def is_behind(self) -> bool:
        """Return whether firings are queued that no thread has taken, or items."""
        return self._firings.is_behind() or self._pool.is_behind()

    def running(self) -> list[RunningHandler]:
        """Return the firings that run now, longest first."""
        return self._firings.running()

    def submit(self, starts: Sequence[Start]) -> None:
        """Queue firings."""
        self._firings.submit(starts)

    def expire(self, expire: Expire) -> None:
        """Answer for a firing past its deadline, and stop its items."""
        self._firings.expire(expire)

    def tend(self) -> None:
        """Look after both pools."""
        self._firings.tend()
        self._pool.tend()

    def drain(self) -> None:
        """Begin no other firing, and forget those that have not begun; the items of those that run are still run."""
        self._firings.drain()

    def close(self) -> int:
        """Stop what runs, without waiting; return how many firings still run at first."""
        running = self._firings.close()
        self._pool.close()
        return running
