"""One engine by hand, for tests of single promises: the test takes every step, and time stands still."""

from collections.abc import Mapping, Sequence
from itertools import count

import msgspec

from placet.actors.answers import Answer
from placet.actors.catalog import Catalog
from placet.actors.effects import Batch, Expire, Start
from placet.actors.inputs import fingerprint
from placet.actors.kernel import BUDGET, Kernel
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import ClientMessage, Done, Failed, Spawn, Withdrawn
from placet.actors.reader import InstanceView, StateReader
from placet.actors.records import Failure
from placet.actors.usercode import run_handler
from placet.persistence.history import Record
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import decode, encode
from placet.petri.behaviour import THREAD
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow

BEGIN_S = 1_000.0
SLOTS = 8


class Hand:
    """An engine over a store in memory. What it would do to the world is kept for the test to look at."""

    def __init__(self, *workflows: Workflow, store: MemoryStore | None = None, slots: int = SLOTS) -> None:
        self.store = store or MemoryStore()
        self.slots = slots
        self.now_s = BEGIN_S
        self.workflows = workflows
        self.starts: list[Start] = []  # released and not answered yet
        self.expires: list[Expire] = []
        self.answers: dict[int, Answer] = {}
        self.states: list[tuple[str, str]] = []  # (instance, state) as told
        self.commits = 0
        self._numbers = count(1)
        self.start()

    # -- the engine's life ---------------------------------------------------------------------------------

    def start(self, *workflows: Workflow) -> None:
        """Start a fresh engine over what is committed; with other workflows, if any are given."""
        self.workflows = workflows or self.workflows
        catalog = Catalog()
        self.nets = {one.name: catalog.register(one.definition()) for one in self.workflows}
        self.kernel = Kernel(self.store, catalog)
        self.starts.clear()
        self.found = self.kernel.recover()
        self.kernel.set_capacity(THREAD, self.slots)

    def crash(self, *workflows: Workflow) -> None:
        """End the engine without a word, and start another."""
        self.start(*workflows)
        self.run()

    def stop(self) -> None:
        """End the engine cleanly."""
        self.kernel.draining = True
        self.kernel.set_capacity(THREAD, 0)
        self.run()
        self.commit(self.kernel.stop(self.now_s))

    def restart(self, *workflows: Workflow) -> None:
        """Stop cleanly and start again."""
        self.stop()
        self.start(*workflows)
        self.run()

    # -- steps ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Handle, commit and release until nothing is left to do."""
        while True:
            batch = self.step()
            if not (batch.turns or self.kernel.has_work):
                return

    def step(self, budget: int = BUDGET) -> Batch:
        """Make one batch, commit it and release its effects."""
        batch = self.kernel.run(self.now_s, budget)
        self.commit(batch)
        return batch

    def commit(self, batch: Batch) -> None:
        """Commit a batch and release its effects."""
        if batch.writes:
            self.store.commit(batch.writes)
            self.commits += 1
        self.kernel.committed()
        self.starts += [start for starts in batch.starts.values() for start in starts]
        self.expires += batch.expires
        self.answers.update({reply.reply: reply.answer for reply in batch.replies})
        self.states += [(change.instance, change.state) for change in batch.changes]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds
        self.run()

    # -- clients -------------------------------------------------------------------------------------------

    def ask(self, message: ClientMessage) -> Answer:
        """Send a message and return its answer."""
        number = next(self._numbers)
        self.kernel.deliver(msgspec.structs.replace(message, reply=number))
        self.run()
        return self.answers[number]

    def spawn(
        self, workflow: Workflow, tokens: Mapping[str, Sequence[object]], id: str = "i", incarnation: int = 7
    ) -> Answer:
        """Spawn an instance."""
        return self.ask(self.spawning(workflow, tokens, id, incarnation))

    def spawning(
        self, workflow: Workflow, tokens: Mapping[str, Sequence[object]], id: str = "i", incarnation: int = 7
    ) -> Spawn:
        """Return the message that spawns an instance."""
        definition = workflow.definition()
        places = make_plan(definition.net, definition.behaviours).place_index
        values = [(places[place], value) for place, several in tokens.items() for value in several]
        return Spawn(
            instance=id,
            workflow=definition.name,
            version=definition.version,
            net=self.nets[workflow.name],
            tokens=tuple((place, encode(value)) for place, value in values),
            inputs=fingerprint((place, value) for place, several in tokens.items() for value in several),
            incarnation=incarnation,
        )

    # -- executors -----------------------------------------------------------------------------------------

    def taken(self, transition: str = "") -> Start:
        """Return the oldest start, of one transition if that is given, and regard it as taken by the executor."""
        found = next(start for start in self.starts if transition in ("", start.transition.path))
        self.starts.remove(found)
        return found

    def finish(self, transition: str = "") -> Start:
        """Let the handler of the oldest start run, and count what comes of it."""
        start = self.taken(transition)
        self.answer(start)
        return start

    def answer(self, start: Start) -> None:
        """Answer a start with what its handler returns or raises."""
        self.kernel.deliver(outcome(start))
        self.run()

    def withdraw(self, start: Start) -> None:
        """Answer that the handler had not begun."""
        self.kernel.deliver(
            Withdrawn(root=start.root, transition=start.transition.index, number=start.number, attempt=start.attempt)
        )
        self.run()

    def finish_all(self) -> None:
        """Let handlers run until none is left."""
        while self.starts:
            self.finish()

    # -- looking -------------------------------------------------------------------------------------------

    def view(self, id: str = "i") -> InstanceView:
        """Return an instance as committed."""
        found = StateReader(self.store).instance(id)
        assert found is not None, id
        return found

    def state(self, id: str = "i") -> InstanceState:
        """Return an instance's state as committed."""
        return self.view(id).header.state

    def marking(self, id: str = "i") -> dict[str, list[object]]:
        """Return the values of the free tokens by place."""
        return {place: [decode(value) for value in values] for place, values in self.view(id).marking.items()}

    def history(self, id: str = "i") -> list[Record]:
        """Return what happened to an instance, oldest first."""
        return [record for _, record in StateReader(self.store).history(id)]

    def kinds(self, id: str = "i") -> list[str]:
        """Return the kinds of what happened to an instance, oldest first."""
        return [record.kind for record in self.history(id)]


def outcome(start: Start) -> Done | Failed:
    """Run a start's handler and return what an executor would answer."""
    result = run_handler(start.transition, start.tokens, start.instance, start.incarnation, start.number, start.attempt)
    root, transition, number, attempt = start.root, start.transition.index, start.number, start.attempt
    if isinstance(result, Failure):
        return Failed(root=root, transition=transition, number=number, attempt=attempt, failure=result)
    return Done(root=root, transition=transition, number=number, attempt=attempt, outputs=result)
