"""A client's thread over a port of the test's own: what is lost is sent again, and answers go to who asked."""

from collections.abc import Callable, Generator
from concurrent.futures import TimeoutError as FutureTimeout
from queue import Empty, SimpleQueue

import pytest

import placet.net.courier
from placet.net.address import NetAddress
from placet.net.courier import Courier, Pending
from placet.net.errors import NodeUnreachable
from placet.net.keyring import Keyring
from placet.net.messages import Answers, Asks, EngineAt, FindEngines, Peer, Told, Whereabouts

HERE = NetAddress(host="127.0.0.1", port=0)
PATIENCE_S = 30.0
Done = Callable[[bool], None]


def whereabouts(engine: str | None, incarnation: str) -> Whereabouts:
    """Return that one engine owns all there is; None: it is starting."""
    engines = {} if engine is None else {"a/0": EngineAt(peer=Peer(engine, 1), incarnation=incarnation)}
    return Whereabouts(
        revision=1, owners=("a/0",) * 256, epochs=(1,) * 256, new=frozenset(), engines=engines, nodes=(Peer("node", 1),)
    )


class FakePort:
    """A port whose other end is the test; what `sent` holds the test has to end by calling it."""

    nodes = (Peer("node", 1),)
    last: "FakePort"

    def __init__(self, _at: NetAddress, _nodes: object, _keyring: Keyring, _wake_descriptor: int) -> None:
        self.incarnation = "one"
        self.engine: str | None = "engine"
        self.sent: SimpleQueue[tuple[Peer, tuple[int, ...], Done]] = SimpleQueue()
        self._inward: SimpleQueue[object] = SimpleQueue()
        self.is_closed = False
        FakePort.last = self

    def send(self, peer: Peer, message: object, done: Done, _within_s: float) -> None:
        if isinstance(message, FindEngines):
            self._inward.put(whereabouts(self.engine, self.incarnation))
            done(True)
        elif isinstance(message, Asks):
            numbers = tuple(ask.number for ask in message.asks)
            # Only the courier's thread may end it: the test says how, the thread does it.
            self.sent.put((peer, numbers, lambda is_through: self._inward.put(lambda: done(is_through))))

    def receive(self, timeout_s: float) -> object | None:
        try:
            came = self._inward.get(timeout=min(timeout_s, 0.01))
        except Empty:
            return None
        if callable(came):
            came()
            return None
        return came

    def answer(self, *numbers: int, line: bytes = b"answer") -> None:
        self._inward.put(Answers(told=tuple(Told(number=number, line=line) for number in numbers)))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> Generator[Courier]:
    monkeypatch.setattr(placet.net.courier, "ClientPort", FakePort)
    monkeypatch.setattr(placet.net.courier, "LOOK_AGAIN_S", 0.05)
    made = Courier(HERE, [HERE], Keyring.of(bytes(32)))
    yield made
    made.close()
    assert FakePort.last.is_closed


def sent() -> tuple[Peer, tuple[int, ...], Done]:
    return FakePort.last.sent.get(timeout=PATIENCE_S)


def answered(pending: Pending) -> bytes:
    return pending.answer.result(PATIENCE_S)


def test_an_answer_goes_to_who_asked(courier: Courier) -> None:
    pending = [courier.ask(b"a", 0), courier.ask(b"b", 0)]
    seen = 0
    while seen < 2:
        _, numbers, done = sent()
        done(True)
        for number in numbers:
            FakePort.last.answer(number, line=b"to %d" % number)
        seen += len(numbers)
    assert [answered(one) for one in pending] == [b"to %d" % one.ask.number for one in pending]


def test_what_did_not_get_through_is_sent_again_to_the_same_engine(courier: Courier) -> None:
    pending = courier.ask(b"a", 0)
    first, numbers, done = sent()
    done(False)
    again, same, done = sent()
    done(True)
    assert (first, numbers) == (again, same)
    FakePort.last.answer(*same)
    assert answered(pending) == b"answer"


def test_what_an_engine_took_along_is_asked_of_the_next_one(courier: Courier) -> None:
    pending = courier.ask(b"a", 0)
    assert sent()[0] == Peer("engine", 1)
    FakePort.last.engine, FakePort.last.incarnation = "engine 2", "two"
    peer, numbers, _ = sent()
    assert peer == Peer("engine 2", 1)
    FakePort.last.answer(*numbers)
    assert answered(pending) == b"answer"


def test_answers_that_nobody_waits_for_are_dropped(courier: Courier) -> None:
    gone = courier.ask(b"a", 0)
    sent()[2](True)
    gone.answer.cancel()
    pending = courier.ask(b"b", 0)
    sent()[2](True)
    FakePort.last.answer(gone.ask.number, 999, pending.ask.number, pending.ask.number)
    assert answered(pending) == b"answer"
    FakePort.last.answer(pending.ask.number, line=b"late")
    assert answered(courier_round(courier)) == b"round"
    assert answered(pending) == b"answer"


def courier_round(courier: Courier) -> Pending:
    """Ask for something more, answered: whatever was on its way before has been dealt with then."""
    pending = courier.ask(b"round", 0)
    sent()[2](True)
    FakePort.last.answer(pending.ask.number, line=b"round")
    return pending


def test_without_an_engine_nothing_is_sent_and_that_is_known(courier: Courier) -> None:
    FakePort.last.engine = None
    pending = courier.ask(b"a", 0)
    with pytest.raises(FutureTimeout):
        pending.answer.result(0.2)
    assert not pending.may_have_arrived
    FakePort.last.engine = "engine"
    _, numbers, _ = sent()
    assert pending.may_have_arrived
    FakePort.last.answer(*numbers)
    assert answered(pending) == b"answer"


def test_closing_lets_go_who_waits(courier: Courier) -> None:
    pending = courier.ask(b"a", 0)
    courier.close()
    with pytest.raises(NodeUnreachable, match="closed"):
        answered(pending)
    with pytest.raises(NodeUnreachable, match="closed"):
        answered(courier.ask(b"b", 0))
