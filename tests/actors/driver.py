"""A kernel over a store in memory, driven by hand: what an engine does, one step at a time, in virtual time."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from placet.actors.answers import Answer, Receipt, Refused, Spawned
from placet.actors.catalog import Catalog
from placet.actors.effects import Batch, Expire, Start, StateChanged
from placet.actors.messages import ClientMessage, Done, ExecutorMessage, Failed, Spawn, Withdrawn
from placet.actors.records import Failure, Firing, Phase
from placet.actors.usercode import run_handler
from placet.persistence.history import Record, walk
from placet.persistence.keys import address_key
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import Write
from placet.persistence.values import decode, encode
from placet.petri.expression import PlaceRef
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow
from placet.testing.clock import ManualClock
from placet.testing.image import Image, read_image
from placet.testing.probes import ProbedKernel

M = TypeVar("M", bound=ClientMessage)
Given = Mapping[PlaceRef | str, Sequence[object]]


class Driver:
    """One engine at a time over one store; `crash` and `stop` end it, and the next step starts another."""

    def __init__(self, *workflows: Workflow, slots: int = 100) -> None:
        self.workflows = workflows
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.slots = slots
        self.commits: list[list[Write]] = []
        self.batches: list[Batch] = []
        self.started: list[Start] = []  # and not answered yet
        self.expired: list[Expire] = []
        self.changes: list[StateChanged] = []
        self.answers: dict[int, Answer] = {}
        self._replies = 0
        self.kernel = self._start()

    def _start(self) -> ProbedKernel:
        catalog = Catalog()
        self.nets = {workflow.name: catalog.register(workflow.definition()) for workflow in self.workflows}
        kernel = ProbedKernel(self.store, catalog)
        kernel.begin_batch()
        kernel.recover()
        kernel.set_capacity("thread", self.slots)
        return kernel

    # -- steps ---------------------------------------------------------------------------------------------

    def run(self, budget: int = 1_000) -> Batch:
        """Run one batch, commit it and release its effects."""
        self.kernel.begin_batch()
        batch = self.kernel.run(self.clock.now(), budget)
        self.settle(batch)
        return batch

    def settle(self, batch: Batch) -> None:
        """Commit a batch and release its effects."""
        if batch.writes:
            self.store.commit(batch.writes)
            self.commits.append(batch.writes)
        self.kernel.committed()
        self.batches.append(batch)
        for starts in batch.starts.values():
            self.started += starts
        self.expired += batch.expires
        self.changes += batch.changes
        self.answers.update((reply.reply, reply.answer) for reply in batch.replies)

    def rest(self) -> None:
        """Run until nothing is left to do."""
        self.run()
        while self.kernel.has_work:
            self.run()

    def finish(self) -> None:
        """Run every handler that is started, until none is."""
        self.rest()
        while self.started:
            self.answer_all()
            self.rest()

    def pass_time(self, seconds: float) -> None:
        """Handle what has come, let time pass, and handle what that brings."""
        self.rest()
        self.clock.advance(seconds)
        self.rest()

    def crash(self) -> None:
        """End the engine without a word, and start another one over what is on disk."""
        self.started.clear()
        self.kernel = self._start()

    def stop(self) -> None:
        """Stop the engine cleanly, and start another one."""
        self.kernel.draining = True
        self.settle(self.kernel.stop(self.clock.now()))
        self.crash()

    # -- executors -----------------------------------------------------------------------------------------

    def answer_all(self) -> None:
        """Run the handlers of all starts."""
        for start in list(self.started):
            self.answer(start)

    def answer(self, start: Start) -> None:
        """Run the handler of one start and deliver what came of it."""
        result = run_handler(
            start.transition, start.tokens, start.instance, start.incarnation, start.number, start.attempt
        )
        if isinstance(result, Failure):
            self.deliver(start, failed(start, result))
        else:
            self.deliver(start, done(start, *((position, decode(value)) for position, value in result)))

    def fail(self, start: Start, kind: str = "builtins.ValueError") -> None:
        """Answer that a handler raised."""
        failure = Failure(type=kind, message="no luck", types=(kind, "Exception", "BaseException"))
        self.deliver(start, failed(start, failure))

    def deliver(self, start: Start, message: ExecutorMessage) -> None:
        """Deliver the answer to one start."""
        if start in self.started:
            self.started.remove(start)
        self.kernel.deliver(message)

    def only(self) -> Start:
        """Return the one start there is."""
        assert len(self.started) == 1, self.started
        return self.started[0]

    # -- clients -------------------------------------------------------------------------------------------

    def send(self, make: Callable[[int], ClientMessage]) -> int:
        """Deliver the message `make` builds around a reply number, and return that."""
        self._replies += 1
        self.kernel.deliver(make(self._replies))
        return self._replies

    def ask(self, make: Callable[[int], ClientMessage]) -> Answer:
        """Deliver a message, run, and return its answer."""
        number = self.send(make)
        self.rest()
        return self.answers[number]

    def receipt(self, make: Callable[[int], ClientMessage]) -> Receipt:
        """Return the receipt of a message that must be accepted."""
        answer = self.ask(make)
        assert isinstance(answer, Receipt), answer
        return answer

    def refusal(self, make: Callable[[int], ClientMessage]) -> Refused:
        """Return the refusal of a message that must be refused."""
        answer = self.ask(make)
        assert isinstance(answer, Refused), answer
        return answer

    def spawn_message(self, workflow: Workflow, given: Given, instance: str, reply: int = 0) -> Spawn:
        """Return the message that spawns an instance."""
        definition = workflow.definition()
        index = make_plan(definition.net, {}).place_index
        tokens = tuple((index[str(place)], encode(value)) for place, values in given.items() for value in values)
        return Spawn(
            instance=instance,
            reply=reply,
            workflow=definition.name,
            version=definition.version,
            net=self.nets[definition.name],
            tokens=tokens,
            inputs=hashlib.sha256(repr(tokens).encode()).digest(),
            incarnation=7,
        )

    def spawn(self, workflow: Workflow, given: Given, instance: str = "one") -> bytes:
        """Spawn an instance and return its root."""
        answer = self.ask(lambda reply: self.spawn_message(workflow, given, instance, reply))
        assert isinstance(answer, Spawned), answer
        return answer.root

    # -- what is on disk -----------------------------------------------------------------------------------

    def image(self, instance: str = "one") -> Image:
        """Return what the store holds of an instance."""
        root = self.store.get(address_key(instance))
        image = read_image(self.store, root) if root else None
        assert image is not None, instance
        return image

    def state(self, instance: str = "one") -> str:
        """Return the committed state of an instance."""
        return self.image(instance).header.state.value

    def marking(self, instance: str = "one") -> dict[str, list[object]]:
        """Return the values of all free tokens, oldest first, by path of the place."""
        image = self.image(instance)
        definition = next(one for one in self.workflows if one.name == image.header.workflow).definition()
        plan = make_plan(definition.net, definition.behaviours)
        return {plan.places[place].path: [decode(v) for v in held.values()] for place, held in image.places.items()}

    def firing(self, instance: str = "one") -> Firing:
        """Return the only firing of an instance."""
        (firing,) = self.image(instance).firings.values()
        return firing

    def phase(self, instance: str = "one") -> Phase:
        """Return the phase of the only firing of an instance."""
        return self.firing(instance).phase

    def history(self, instance: str = "one") -> list[Record]:
        """Return the history of an instance, oldest first."""
        records = [record for _, record in walk(self.store, self.image(instance).last_link)]
        return records[::-1]

    def kinds(self, instance: str = "one") -> list[str]:
        """Return the kinds of an instance's history records, oldest first."""
        return [record.kind for record in self.history(instance)]


def numbered(message: M) -> Callable[[int], M]:
    """Return what builds `message` around a reply number."""
    return lambda reply: msgspec.structs.replace(message, reply=reply)


def failed(start: Start, failure: Failure) -> Failed:
    """Return the answer that a handler failed."""
    return Failed(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=start.attempt,
        failure=failure,
    )


def done(start: Start, *outputs: tuple[int, object]) -> Done:
    """Return the answer that a handler gave `outputs`, each (position, value)."""
    return Done(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=start.attempt,
        outputs=tuple((position, encode(value)) for position, value in outputs),
    )


def withdrawn(start: Start) -> Withdrawn:
    """Return the answer that a handler had not begun."""
    return Withdrawn(root=start.root, transition=start.transition.index, number=start.number, attempt=start.attempt)
