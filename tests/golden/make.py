"""Makes the golden state of the current format: `python -m tests.golden.make PATH` writes a new fixture.

Run it once a format, and never over a file that is committed: that one is what an older engine has left on disk.
Everything is fixed: time, incarnations, and the failures, whose tracebacks would name this machine's folders.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from placet.actors.answers import Answer
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
from placet.petri.workflow import Workflow
from tests.actors.driver import Driver
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


class Maker(Driver):
    """An engine by driver whose commits bear a wall clock, and which takes slots away as well as gives them."""

    def run(self, budget: int = BUDGET) -> Batch:
        """Make one batch, commit it and release its effects."""
        self.kernel.begin_batch()
        batch = self.kernel.run(self.clock.now_s, budget, WALL_S + self.clock.now_s)
        self.settle(batch)
        return batch

    def stop(self, *workflows: Workflow) -> None:
        """Stop the engine cleanly, and start another one."""
        self.kernel.draining = True
        self.kernel.set_capacity(THREAD, 0)
        self.rest()
        self.settle(self.kernel.stop(self.clock.now_s, WALL_S + self.clock.now_s))
        self.start(*workflows)

    def begin(self, workflow: str, id: str, **tokens: Sequence[object]) -> bytes:
        """Spawn an instance and return its root."""
        return self.spawn(next(one for one in self.workflows if one.name == workflow), tokens, id, len(id))

    def must(self, message: ClientMessage) -> Answer:
        """Send a message a second after the last."""
        self.clock.now_s += 1
        return self.ask(message)

    def of(self, instance: str) -> Start:
        """Return the oldest start of an instance, taken."""
        found = next(start for start in self.started if start.instance == instance)
        self.started.remove(found)
        return found

    def done(self, instance: str) -> None:
        """Let the oldest start of an instance return."""
        self.answer(self.of(instance))
        self.rest()

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
        self.rest()
        return start.number


def make() -> list[Entry]:
    """Return the entries of a state that holds every kind of record, and every value of every enum in one."""
    store = MemoryStore()
    ensure_format(store, "golden")
    driver = Maker(*workflows(), store=store, slots=50)
    _meet_crashes(driver)
    _stop_without_handlers(driver)
    _end(driver)
    _hold(driver)
    _wait(driver)
    return list(store.scan(b""))


def _meet_crashes(driver: Maker) -> None:
    driver.begin("order", "suspect", received=["s"])  # lost three times: SUSPECT, paused before it could run alone
    driver.crash()
    driver.rest()
    driver.crash()
    driver.rest()
    driver.must(Pause(instance="suspect", by="eva", why="it kills"))
    driver.begin("order", "lost", received=["l"])  # lost once, and paused before it could be started again: READY
    driver.must(Pause(instance="lost", by="eva"))
    driver.crash()
    driver.rest()


def _stop_without_handlers(driver: Maker) -> None:
    driver.clock.now_s += 10
    driver.kernel.set_capacity(THREAD, 0)
    driver.begin("sort", "unknown", new=["u"])
    everything = driver.workflows
    driver.stop(*(one for one in everything if one.name != "sort"))  # WAITING for a handler; a clean stop
    driver.rest()
    driver.start(*everything)
    driver.kernel.set_capacity(THREAD, 50)


def _end(driver: Maker) -> None:
    root = driver.begin("order", "completed", received=["c", "d"])
    for _ in range(3):
        driver.clock.now_s += 1
        driver.done("completed")
    number = driver.fails("completed")
    driver.pass_time(61)
    stale = driver.of("completed")
    driver.kernel.deliver(Done(root=root, transition=stale.transition.index, number=number, attempt=1, outputs=()))
    driver.answer(stale)
    driver.rest()
    park = Park(root=root, kind="Grant", message=b"", failure=BROKEN, actor="fulfil/half")
    driver.kernel.deliver(park)  # dropped: it has ended
    driver.begin("join", "cancelled", left=[1], right=[2])
    driver.must(Cancel(instance="cancelled", by="eva", why="not needed"))
    driver.begin("check", "failed", a=["f", "g"])
    number = driver.fails("failed")
    driver.must(RetryIncident(instance="failed", incident=number, by="eva"))
    driver.fails("failed")
    driver.fails("failed")
    driver.must(FailIncident(instance="failed", incident=number, by="eva", why="hopeless", request_id="f-1"))
    driver.begin("check", "trimmed", a=["t"])
    driver.fails("trimmed")
    driver.must(SkipIncident(instance="trimmed", incident=2, outputs=(("", encode("given")),), by="eva"))
    oldest = tuple(sequence for sequence, _ in StateReader(driver.store).history("trimmed"))[:2]
    driver.must(Trim(instance="trimmed", records=oldest))


def _hold(driver: Maker) -> None:
    driver.begin("join", "stuck", left=[1])
    driver.begin("join", LONG_ID, left=[1, 2, 3])
    driver.begin("check", "incident", a=["i", "ii"])
    driver.fails("incident")
    driver.kernel.suspects.add("guard", "look")
    driver.kernel.suspects.add("guard", "look")  # twice: not asked again, a guard incident
    driver.kernel.suspects.add("innocent", "look")
    driver.begin("check", "guard", a=["g"])
    _park(driver)
    driver.kernel.set_capacity(THREAD, 0)
    paused = driver.spawn_message(driver.workflows[0], {}, "paused", 6)
    values = encode_json({"by": "json"}), encode_msgpack(["by", "msgpack"]), encode(LARGE)
    received = 0
    driver.ask(msgspec.structs.replace(paused, tokens=tuple((received, value) for value in values)))
    driver.must(Pause(instance="paused", by="eva", why="a closer look", request_id="p-1"))
    driver.must(Restart(instance="paused", path="received"))
    driver.kernel.set_capacity(THREAD, 50)


def _park(driver: Maker) -> None:
    driver.begin("check", "parked", a=["p"])
    start = driver.of("parked")
    root, transition, number, attempt = start.root, start.transition.index, start.number, start.attempt
    done = encode_message(
        Done(root=root, transition=transition, number=number, attempt=attempt, outputs=((0, encode("result")),))
    )
    park = Park(root=root, kind="Done", message=done, failure=BROKEN, actor="b")
    driver.kernel.deliver(msgspec.structs.replace(park, transition=transition, number=number, attempt=attempt))
    resume = encode_message(Resume(instance="parked", by="eva"))
    driver.kernel.deliver(Park(root=root, kind="Resume", message=resume, failure=BROKEN, actor=""))
    driver.rest()


def _wait(driver: Maker) -> None:
    driver.begin("order", "backoff", received=["b"])
    driver.done("backoff")
    driver.fails("backoff")  # BACKOFF
    driver.begin("order", "resumed", received=["r"])
    driver.must(Pause(instance="resumed", by="eva"))
    driver.must(Resume(instance="resumed", by="eva"))
    driver.done("resumed")  # RUNNING, with a deadline
    driver.begin("order", "large", received=[LARGE])  # RUNNING, with a large value
    driver.begin("check", "cancelling", a=["n", "o"])
    driver.fails("cancelling")
    driver.must(Cancel(instance="cancelling", by="eva"))
    driver.begin("check", "failing", a=["n", "o"])
    driver.must(FailIncident(instance="failing", incident=driver.fails("failing"), by="eva"))
    driver.begin("check", "ready", a=["y"])
    start = driver.of("ready")
    driver.kernel.set_capacity(THREAD, 0)
    driver.withdraw(start)  # READY
    driver.rest()


if __name__ == "__main__":
    write_fixture(Path(sys.argv[1]), make())
