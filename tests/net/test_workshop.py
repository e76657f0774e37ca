"""Handlers that run here for other engines: on real pools, as their senders know them."""

from collections.abc import Generator
from queue import SimpleQueue
from threading import Event

import pytest
from msgspec.structs import replace

from placet.actors.context import Context
from placet.actors.effects import ExpireReason, Start
from placet.actors.errors import AttemptOver
from placet.actors.executors.placed import Placed
from placet.actors.executors.roster import Bounds
from placet.actors.messages import Beat, Done, ExecutorMessage, Failed
from placet.net.errand_host import ErrandKey
from placet.net.errand_messages import Work
from placet.net.errand_sender import work_of
from placet.net.workshop import Handlers
from placet.persistence.values import decode, encode
from placet.petri.plan import make_plan
from placet.petri.requirement import Requires
from placet.petri.result import prepare
from placet.petri.workflow import Workflow
from tests.endtoend.processes import PATIENCE_S

GATE = Event()
OVER: list[str] = []


def add(left: int, right: int) -> int:
    """Return the sum."""
    return left + right


async def later(value: int) -> int:
    """Return what is given."""
    return value


def double(value: int) -> int:
    """Return twice the value."""
    return 2 * value


def watched(value: int, context: Context) -> int:
    """Give signs of life until nobody wants them, or the gate is open."""
    context.put("seen", value)
    try:
        while not GATE.wait(0.01):
            context.heartbeat({"attempt": context.attempt})
    except AttemptOver as error:
        OVER.append(error.reason)
        raise
    return value


def hang(value: int) -> int:
    """Wait for the gate."""
    GATE.wait()
    return value


flow = Workflow("flow")
one, two, three = flow.places("one two three")
flow.transition((one & two) >> three, "add", handler=add)
flow.transition(one >> two, "later", handler=later)
flow.transition(one >> two, "double", handler=double, run="process")
flow.transition(one >> two, "each", handler=double, run="parallel_threads")
flow.transition(one >> two, "watched", handler=watched)
flow.transition(one >> two, "hang", handler=hang, timeout_s=0.01)
DEFINITION = flow.definition()
PLAN = prepare(make_plan(DEFINITION.net, DEFINITION.behaviours))


def work(path: str, *values: object, number: int = 1) -> Work:
    """Return what is sent to have a handler run."""
    transition = PLAN.transitions[PLAN.transition_index[path]]
    placed = Placed(
        name="x",
        workflow="flow",
        version=DEFINITION.version,
        run=transition.executor,
        requires=Requires(),
        remote=True,
    )
    start = Start(
        root=b"theirs",
        instance="i",
        incarnation=7,
        transition=transition,
        number=number,
        attempt=2,
        tokens=tuple((0, token, encode(value)) for token, value in enumerate(values)),
    )
    return work_of(placed, start)


class Bench:
    """Handlers, and what came of them."""

    def __init__(self) -> None:
        self.came: SimpleQueue[tuple[ErrandKey, ExecutorMessage | Beat]] = SimpleQueue()
        bounds = Bounds(threads=4, processes=1)
        self.handlers = Handlers(bounds, lambda: {"flow": DEFINITION}, lambda key, came: self.came.put((key, came)))

    def next(self) -> tuple[ErrandKey, ExecutorMessage | Beat]:
        """Return what came next."""
        return self.came.get(timeout=PATIENCE_S)


@pytest.fixture
def bench() -> Generator[Bench]:
    GATE.clear()
    OVER.clear()
    made = Bench()
    yield made
    GATE.set()
    made.handlers.close()


@pytest.mark.parametrize(
    ("path", "values", "result"),
    [("add", (1, 2), 3), ("later", (4,), 4), ("double", (5,), 10), ("each", ([1, 2],), [2, 4])],
)
def test_a_handler_runs_on_whatever_its_transition_names(
    bench: Bench, path: str, values: tuple[object, ...], result: object
) -> None:
    key = ErrandKey("a/0.1", 1)
    bench.handlers.begin(key, work(path, *values))
    back, answer = bench.next()
    assert back == key
    assert isinstance(answer, Done)
    assert [decode(value) for _, value in answer.outputs] == [result]
    known = (answer.root, answer.transition, answer.number, answer.attempt)
    assert known == (b"theirs", PLAN.transition_index[path], 1, 2)


def test_firings_of_two_senders_with_the_same_numbers_do_not_get_in_each_others_way(bench: Bench) -> None:
    keys = {ErrandKey(sender, 1) for sender in ("a/0.1", "b/0.1")}
    for key in keys:
        bench.handlers.begin(key, work("hang", 1))
    GATE.set()
    assert {bench.next()[0] for _ in keys} == keys


def test_signs_of_life_come_through_and_a_handler_that_nobody_wants_is_told(bench: Bench) -> None:
    key = ErrandKey("a/0.1", 1)
    bench.handlers.begin(key, work("watched", 1))
    _, beat = bench.next()
    assert isinstance(beat, Beat)
    assert decode(beat.progress or b"") == {"attempt": 2}
    assert (beat.root, beat.number) == (b"theirs", 1)
    bench.handlers.end(key, ExpireReason.CANCELLED)
    answer = next(one for _, one in iter(bench.next, None) if not isinstance(one, Beat))
    assert isinstance(answer, Failed)
    assert [ExpireReason.CANCELLED.value] == OVER


def test_what_a_handler_asks_for_counts_with_its_result(bench: Bench) -> None:
    GATE.set()
    bench.handlers.begin(ErrandKey("a/0.1", 1), work("watched", 5))
    _, answer = bench.next()
    assert isinstance(answer, Done)
    assert [(put.name, decode(put.value or b"")) for put in answer.puts] == [("seen", 5)]


def test_a_handler_past_its_deadline_fails_as_it_would_at_home(bench: Bench) -> None:
    key = ErrandKey("a/0.1", 1)
    bench.handlers.begin(key, work("hang", 1))
    end = Event()
    while bench.came.empty():  # one that has time left is not answered: the engine asks again
        bench.handlers.end(key, ExpireReason.TIME)
        end.wait(0.01)
    _, answer = bench.next()
    assert isinstance(answer, Failed)
    assert answer.failure.type == "TimedOut"


def test_slow_handlers_behind_quick_ones_get_threads_of_their_own(bench: Bench) -> None:
    for number in range(200):
        bench.handlers.begin(ErrandKey("a/0.1", number), work("add", 1, 2))
    for _ in range(200):
        bench.next()
    bench.handlers.begin(ErrandKey("a/0.1", 1_000), work("hang", 1))
    bench.handlers.begin(ErrandKey("a/0.1", 1_001), work("add", 1, 2))
    assert bench.next()[0].number == 1_001


def test_only_the_very_version_is_known_and_what_it_lacks_fails(bench: Bench) -> None:
    assert bench.handlers.knows("flow", DEFINITION.version)
    assert not bench.handlers.knows("flow", "another")
    assert not bench.handlers.knows("other", DEFINITION.version)
    gone = work("add", 1, 2)
    gone = replace(gone, step=replace(gone.step, path="gone"))
    bench.handlers.begin(ErrandKey("a/0.1", 1), gone)
    _, answer = bench.next()
    assert isinstance(answer, Failed)
    assert answer.failure.type == "HandlerUnknown"
