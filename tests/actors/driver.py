"""One engine by hand, over a store in memory: a test takes every step, and time stands still until it moves it."""

from itertools import count

import msgspec

from placet.actors.answers import Answer, Receipt, Refused, Spawned
from placet.actors.catalog import Catalog
from placet.actors.effects import Batch, Expire, Start, StateChanged
from placet.actors.inputs import fingerprint
from placet.actors.kernel import BUDGET
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import ClientMessage, Done, ExecutorMessage, Failed, Spawn, Withdrawn
from placet.actors.reader import InstanceView, StateReader
from placet.actors.records import Failure, Firing, Phase
from placet.actors.spawning import Tokens
from placet.actors.usercode import run_handler
from placet.persistence.history import Record
from placet.persistence.keys import address_key
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import Write
from placet.persistence.values import decode, encode
from placet.petri.behaviour import THREAD
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow
from placet.testing.clock import ManualClock
from placet.testing.image import Image, read_image
from placet.testing.probes import ProbedKernel


class Driver:
    """One engine at a time over one store; `crash` and `stop` end it and start another.

    What it would do to the world is kept for the test to look at. The instance meant is `one`, unless another is named.
    """

    def __init__(self, *workflows: Workflow, store: MemoryStore | None = None, slots: int = 100) -> None:
        self.workflows = workflows
        self.store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.slots = slots
        self.commits: list[list[Write]] = []
        self.batches: list[Batch] = []
        self.started: list[Start] = []  # released, and not answered yet
        self.expired: list[Expire] = []
        self.changes: list[StateChanged] = []
        self.answers: dict[int, Answer] = {}
        self._numbers = count(1)
        self.start()

    # -- the engine's life ---------------------------------------------------------------------------------

    def start(self, *workflows: Workflow) -> None:
        """Start a fresh engine over what is committed; with other workflows, if any are given."""
        self.workflows = workflows or self.workflows
        catalog = Catalog()
        self.nets = {workflow.name: catalog.register(workflow.definition()) for workflow in self.workflows}
        self.kernel = ProbedKernel(self.store, catalog)
        self.kernel.begin_batch()
        self.started.clear()
        self.found = self.kernel.recover()
        self.kernel.set_capacity(THREAD, self.slots)

    def crash(self, *workflows: Workflow) -> None:
        """End the engine without a word, and start another one over what is on disk."""
        self.start(*workflows)

    def stop(self, *workflows: Workflow) -> None:
        """Stop the engine cleanly, and start another one."""
        self.kernel.draining = True
        self.settle(self.kernel.stop(self.clock.now()))
        self.start(*workflows)

    # -- steps ---------------------------------------------------------------------------------------------

    def run(self, budget: int = BUDGET) -> Batch:
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

    def pass_time(self, seconds: float) -> None:
        """Handle what has come, let time pass, and handle what that brings."""
        self.rest()
        self.clock.advance(seconds)
        self.rest()

    # -- executors -----------------------------------------------------------------------------------------

    def only(self) -> Start:
        """Return the one start there is."""
        assert len(self.started) == 1, self.started
        return self.started[0]

    def taken(self, transition: str = "") -> Start:
        """Return the oldest start, of one transition if that is given, and regard it as taken by the executor."""
        found = next(start for start in self.started if transition in ("", start.transition.path))
        self.started.remove(found)
        return found

    def deliver(self, start: Start, message: ExecutorMessage) -> None:
        """Deliver the answer to one start."""
        if start in self.started:
            self.started.remove(start)
        self.kernel.deliver(message)

    def answer(self, start: Start) -> None:
        """Run the handler of one start and deliver what came of it."""
        self.deliver(start, outcome(start))

    def answer_all(self) -> None:
        """Run the handlers of all starts."""
        for start in list(self.started):
            self.answer(start)

    def fail(self, start: Start, kind: str = "builtins.ValueError") -> None:
        """Answer that a handler raised."""
        failure = Failure(type=kind, message="no luck", types=(kind, "Exception", "BaseException"))
        self.deliver(start, failed(start, failure))

    def withdraw(self, start: Start) -> None:
        """Answer that a handler had not begun."""
        self.deliver(start, withdrawn(start))

    def finish(self, transition: str = "") -> Start:
        """Let the handler of the oldest start run, and count what comes of it."""
        start = self.taken(transition)
        self.answer(start)
        self.rest()
        return start

    def finish_all(self) -> None:
        """Run every handler that is started, until none is."""
        self.rest()
        while self.started:
            self.answer_all()
            self.rest()

    # -- clients -------------------------------------------------------------------------------------------

    def send(self, message: ClientMessage) -> int:
        """Deliver a message, and return the number under which its answer will stand in `answers`."""
        number = next(self._numbers)
        self.kernel.deliver(msgspec.structs.replace(message, reply=number))
        return number

    def ask(self, message: ClientMessage) -> Answer:
        """Deliver a message, run, and return its answer."""
        number = self.send(message)
        self.rest()
        return self.answers[number]

    def receipt(self, message: ClientMessage) -> Receipt:
        """Return the receipt of a message that must be accepted."""
        answer = self.ask(message)
        assert isinstance(answer, Receipt), answer
        return answer

    def refusal(self, message: ClientMessage) -> Refused:
        """Return the refusal of a message that must be refused."""
        answer = self.ask(message)
        assert isinstance(answer, Refused), answer
        return answer

    def spawn_message(self, workflow: Workflow, given: Tokens, instance: str = "one", incarnation: int = 7) -> Spawn:
        """Return the message that spawns an instance."""
        definition = workflow.definition()
        index = make_plan(definition.net, {}).place_index
        values = [(str(place), value) for place, several in given.items() for value in several]
        return Spawn(
            instance=instance,
            workflow=definition.name,
            version=definition.version,
            net=self.nets[definition.name],
            tokens=tuple((index[place], encode(value)) for place, value in values),
            inputs=fingerprint(values),
            incarnation=incarnation,
        )

    def spawn(self, workflow: Workflow, given: Tokens, instance: str = "one", incarnation: int = 7) -> bytes:
        """Spawn an instance and return its root."""
        answer = self.ask(self.spawn_message(workflow, given, instance, incarnation))
        assert isinstance(answer, Spawned), answer
        return answer.root

    # -- what is on disk -----------------------------------------------------------------------------------

    def image(self, instance: str = "one") -> Image:
        """Return what the store holds of an instance."""
        root = self.store.get(address_key(instance))
        image = read_image(self.store, root) if root else None
        assert image is not None, instance
        return image

    def view(self, instance: str = "one") -> InstanceView:
        """Return an instance as clients see it."""
        found = StateReader(self.store).instance(instance)
        assert found is not None, instance
        return found

    def state(self, instance: str = "one") -> InstanceState:
        """Return the committed state of an instance."""
        return self.view(instance).header.state

    def marking(self, instance: str = "one") -> dict[str, list[object]]:
        """Return the values of all free tokens, oldest first, by path of the place."""
        return {place: [decode(value) for value in values] for place, values in self.view(instance).marking.items()}

    def firing(self, instance: str = "one") -> Firing:
        """Return the only firing of an instance."""
        (firing,) = self.image(instance).firings.values()
        return firing

    def phase(self, instance: str = "one") -> Phase:
        """Return the phase of the only firing of an instance."""
        return self.firing(instance).phase

    def history(self, instance: str = "one") -> list[Record]:
        """Return the history of an instance, oldest first."""
        return [record for _, record in StateReader(self.store).history(instance)]

    def kinds(self, instance: str = "one") -> list[str]:
        """Return the kinds of an instance's history records, oldest first."""
        return [record.kind for record in self.history(instance)]


def outcome(start: Start) -> Done | Failed:
    """Run the handler of a start and return what an executor would answer."""
    result = run_handler(start.transition, start.tokens, start.instance, start.incarnation, start.number, start.attempt)
    if isinstance(result, Failure):
        return failed(start, result)
    return done(start, *((position, decode(value)) for position, value in result))


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
