"""Makes the golden state of the current format: `python -m tests.golden.make PATH` writes a new fixture.

Run it once a format, and never over a file that is committed: that one is what an older engine has left on disk.
Everything is fixed: time, incarnations, and the failures, whose tracebacks would name this machine's folders.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from placet.actors.answers import Answer, Spawned
from placet.actors.effects import Batch, Start
from placet.actors.kernel import BUDGET
from placet.actors.messages import (
    Cancel,
    ClientMessage,
    Done,
    Failed,
    FailIncident,
    Park,
    Pause,
    Restart,
    Resume,
    RetryIncident,
    SkipIncident,
    Trim,
    encode_message,
)
from placet.actors.reader import StateReader
from placet.actors.records import Failure
from placet.persistence.format import ensure_format
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode, encode_json, encode_msgpack
from placet.petri.behaviour import THREAD
from tests.actors.promises import Hand
from tests.golden.fixture import Entry, write_fixture
from tests.golden.workflows import workflows

WALL_S = 1_700_000_000.0  # wall clock at engine time 0
LARGE = b"x" * ((1 << 20) + 7)  # two chunks
LONG_ID = "long-" + "1234567890" * 45
PROBLEM = Failure(
    type="shop.CourierLost",
    message="nobody at the door",
    traceback="Traceback (most recent call last):\nshop.CourierLost: nobody at the door\n",
    types=("shop.CourierLost", "Exception", "BaseException"),
)
BROKEN = Failure(type="ZeroDivisionError", message="division by zero", traceback="Traceback: …\n", attempt=1, at=5.0)


class Maker(Hand):
    """An engine by hand whose commits bear a wall clock, and which takes slots away as well as gives them."""

    now_s: float

    def step(self, budget: int = BUDGET) -> Batch:
        """Make one batch, commit it and release its effects."""
        batch = self.kernel.run(self.now_s, budget, WALL_S + self.now_s)
        self.commit(batch)
        return batch

    def stop(self) -> None:
        """End the engine cleanly."""
        self.kernel.draining = True
        self.kernel.set_capacity(THREAD, 0)
        self.run()
        self.commit(self.kernel.stop(self.now_s, WALL_S + self.now_s))

    def begin(self, workflow: str, id: str, **tokens: Sequence[object]) -> bytes:
        """Spawn an instance and return its root."""
        answer = self.spawn(next(one for one in self.workflows if one.name == workflow), tokens, id, len(id))
        assert isinstance(answer, Spawned), answer
        return answer.root

    def must(self, message: ClientMessage) -> Answer:
        """Send a message a second after the last."""
        self.now_s += 1
        return self.ask(message)

    def of(self, instance: str) -> Start:
        """Return the oldest start of an instance, taken."""
        found = next(start for start in self.starts if start.instance == instance)
        self.starts.remove(found)
        return found

    def done(self, instance: str) -> None:
        """Let the oldest start of an instance return."""
        self.answer(self.of(instance))

    def fails(self, instance: str) -> int:
        """Let the oldest start of an instance fail, and return its number."""
        start = self.of(instance)
        self.kernel.deliver(
            Failed(
                root=start.root,
                transition=start.transition.index,
                number=start.number,
                attempt=start.attempt,
                failure=PROBLEM,
            )
        )
        self.run()
        return start.number


def make() -> list[Entry]:
    """Return the entries of a state that holds every kind of record, and every value of every enum in one."""
    store = MemoryStore()
    ensure_format(store, "golden")
    hand = Maker(*workflows(), store=store, slots=50)
    _meet_crashes(hand)
    _stop_without_handlers(hand)
    _end(hand)
    _hold(hand)
    _wait(hand)
    return list(store.scan(b""))


def _meet_crashes(hand: Maker) -> None:
    hand.begin("order", "suspect", received=["s"])  # lost three times: SUSPECT, paused before it could run alone
    hand.crash()
    hand.crash()
    hand.must(Pause(instance="suspect", by="eva", why="it kills"))
    hand.begin("order", "lost", received=["l"])  # lost once, and paused before it could be started again: READY
    hand.must(Pause(instance="lost", by="eva"))
    hand.crash()


def _stop_without_handlers(hand: Maker) -> None:
    hand.now_s += 10
    hand.kernel.set_capacity(THREAD, 0)
    hand.begin("sort", "unknown", new=["u"])
    everything = hand.workflows
    hand.restart(*(one for one in everything if one.name != "sort"))  # WAITING for a handler; a clean stop
    hand.restart(*(one for one in everything if one.name != "sort"))
    hand.start(*everything)
    hand.kernel.set_capacity(THREAD, 50)


def _end(hand: Maker) -> None:
    root = hand.begin("order", "completed", received=["c", "d"])
    for _ in range(3):
        hand.now_s += 1
        hand.done("completed")
    number = hand.fails("completed")
    hand.wait(61)
    stale = hand.of("completed")
    hand.kernel.deliver(Done(root=root, transition=stale.transition.index, number=number, attempt=1, outputs=()))
    hand.answer(stale)
    park = Park(root=root, kind="Grant", message=b"", failure=BROKEN, actor="fulfil/half")
    hand.kernel.deliver(park)  # dropped: it has ended
    hand.begin("join", "cancelled", left=[1], right=[2])
    hand.must(Cancel(instance="cancelled", by="eva", why="not needed"))
    hand.begin("check", "failed", a=["f", "g"])
    number = hand.fails("failed")
    hand.must(RetryIncident(instance="failed", incident=number, by="eva"))
    hand.fails("failed")
    hand.fails("failed")
    hand.must(FailIncident(instance="failed", incident=number, by="eva", why="hopeless", request_id="f-1"))
    hand.begin("check", "trimmed", a=["t"])
    hand.fails("trimmed")
    hand.must(SkipIncident(instance="trimmed", incident=2, outputs=(("", encode("given")),), by="eva"))
    oldest = tuple(sequence for sequence, _ in StateReader(hand.store).history("trimmed"))[:2]
    hand.must(Trim(instance="trimmed", records=oldest))


def _hold(hand: Maker) -> None:
    hand.begin("join", "stuck", left=[1])
    hand.begin("join", LONG_ID, left=[1, 2, 3])
    hand.begin("check", "incident", a=["i", "ii"])
    hand.fails("incident")
    hand.kernel.suspects.add("guard", "look")
    hand.kernel.suspects.add("guard", "look")  # twice: not asked again, a guard incident
    hand.kernel.suspects.add("innocent", "look")
    hand.begin("check", "guard", a=["g"])
    _park(hand)
    hand.kernel.set_capacity(THREAD, 0)
    paused = hand.spawning(hand.workflows[0], {}, "paused", 6)
    values = encode_json({"by": "json"}), encode_msgpack(["by", "msgpack"]), encode(LARGE)
    received = 0
    hand.ask(msgspec.structs.replace(paused, tokens=tuple((received, value) for value in values)))
    hand.must(Pause(instance="paused", by="eva", why="a closer look", request_id="p-1"))
    hand.must(Restart(instance="paused", path="received"))
    hand.kernel.set_capacity(THREAD, 50)


def _park(hand: Maker) -> None:
    hand.begin("check", "parked", a=["p"])
    start = hand.of("parked")
    root, transition, number, attempt = start.root, start.transition.index, start.number, start.attempt
    done = encode_message(
        Done(root=root, transition=transition, number=number, attempt=attempt, outputs=((0, encode("result")),))
    )
    park = Park(root=root, kind="Done", message=done, failure=BROKEN, actor="b")
    hand.kernel.deliver(msgspec.structs.replace(park, transition=transition, number=number, attempt=attempt))
    resume = encode_message(Resume(instance="parked", by="eva"))
    hand.kernel.deliver(Park(root=root, kind="Resume", message=resume, failure=BROKEN, actor=""))
    hand.run()


def _wait(hand: Maker) -> None:
    hand.begin("order", "backoff", received=["b"])
    hand.done("backoff")
    hand.fails("backoff")  # BACKOFF
    hand.begin("order", "resumed", received=["r"])
    hand.must(Pause(instance="resumed", by="eva"))
    hand.must(Resume(instance="resumed", by="eva"))
    hand.done("resumed")  # RUNNING, with a deadline
    hand.begin("order", "large", received=[LARGE])  # RUNNING, with a large value
    hand.begin("check", "cancelling", a=["n", "o"])
    hand.fails("cancelling")
    hand.must(Cancel(instance="cancelling", by="eva"))
    hand.begin("check", "failing", a=["n", "o"])
    hand.must(FailIncident(instance="failing", incident=hand.fails("failing"), by="eva"))
    hand.begin("check", "ready", a=["y"])
    start = hand.of("ready")
    hand.kernel.set_capacity(THREAD, 0)
    hand.withdraw(start)  # READY


if __name__ == "__main__":
    write_fixture(Path(sys.argv[1]), make())
