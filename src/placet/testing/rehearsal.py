"""Workflows under virtual time, for their users' own tests: the product's kernel, and nothing that takes time.

The store is in memory and the clock stands still until a test moves it. No threads, no disk, no sleeping.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from itertools import count
from math import isfinite
from typing import TypeVar

import msgspec

from placet.actors.addressee import Addressee
from placet.actors.answers import Answer, Receipt, RefusalCode, Refused
from placet.actors.arguments import chosen_id
from placet.actors.catalog import Catalog
from placet.actors.effects import Batch
from placet.actors.error_places import check_error_places
from placet.actors.errors import NotFound, RequestRefused, SpawnConflict, WaitsForItself, no_instance
from placet.actors.inputs import fingerprint
from placet.actors.kernel import Kernel
from placet.actors.messages import ClientMessage, InterventionMessage, MoveToken, Put, Spawn
from placet.actors.own.actor import Actor
from placet.actors.own.actor_instance import check_actor
from placet.actors.own.definition import BORN
from placet.actors.reader import StateReader
from placet.actors.spawning import Definable, Tokens, entry_values
from placet.actors.task_request import TaskRequest, TaskRequests, to_task_message
from placet.actors.task_view import TaskView
from placet.actors.token_request import GivingRequest, to_giving_message
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode
from placet.petri.behaviour import Definition
from placet.petri.plan import Plan, make_plan
from placet.petri.validation import EXECUTORS
from placet.testing.clock import ManualClock
from placet.testing.errors import InsideHandler, NotRehearsed, Restless, UnknownTransition
from placet.testing.rehearsed_actor import RehearsedActor
from placet.testing.rehearsed_handlers import RehearsedHandlers
from placet.testing.rehearsed_instance import RehearsedInstance

M = TypeVar("M")
START_S = 1_000.0
SLOTS = 64  # handlers at once, as in `Runtime`
MOST_STEPS = 100_000  # without rest, before a run is taken for endless: some seconds


class _Within(Enum):
    """Whose code runs now."""

    TEST = "test"
    HANDLER = "handler"
    KERNEL = "kernel"  # guards and inline handlers


class Rehearsal:
    """Runs workflows in memory and in virtual time, with the kernel that runs them in production.

    Nothing moves but by `run` and `advance`, and handlers are called in those only, one after another in the
    order they were started; each takes no time unless `takes` says otherwise. `start_s` is the engine time in
    seconds to begin at, above 0; `store` holds what is committed. Not for use from several threads.
    """

    def __init__(self, *workflows: Definable, start_s: float = START_S) -> None:
        if not (isfinite(start_s) and start_s > 0):
            raise ValueError(f"start_s must be above 0 and finite, got {start_s}")
        self.store = MemoryStore()
        self._clock = ManualClock(start_s)
        self._handlers = RehearsedHandlers()
        self._answers: dict[int, Answer] = {}
        self._numbers = count(1)
        self._incarnations = count(1)
        self._within = _Within.TEST
        self._start(tuple(workflow.definition() for workflow in workflows))

    def _start(self, definitions: tuple[Definition, ...]) -> None:
        """Put a fresh engine over what is committed."""
        for one in definitions:
            check_error_places(one)
        catalog = Catalog()
        self._definitions = {one.name: one for one in definitions}
        self._nets = {one.name: catalog.register(one) for one in definitions}
        self._plans: dict[str, Plan] = {one.name: make_plan(one.net, one.behaviours) for one in definitions}
        self._handlers.drop()
        self._kernel = Kernel(self.store, catalog)
        self._kernel.recover()
        self._give_slots(SLOTS)
        self._settle()

    def _give_slots(self, slots: int) -> None:
        for executor in EXECUTORS:
            self._kernel.set_capacity(executor, slots)

    @property
    def now_s(self) -> float:
        """Engine time in seconds: it moves by `advance` only."""
        return self._clock.now_s

    # -- moving --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until only time or a person can move anything; no time passes.

        Raises `Restless` when that never comes, and `InsideHandler` when called by a handler.
        """
        self._refuse_inside()
        now = self.now_s
        for _ in range(MOST_STEPS):
            for answer in self._handlers.due(now):
                self._kernel.deliver(answer)
            self._settle()
            with self._inside(_Within.HANDLER):
                begun = self._handlers.begin(now)
            if not begun:
                return
        raise Restless(MOST_STEPS)

    def advance(self, seconds: float) -> None:
        """Run, let time pass, and run on at each moment something is due, in order.

        Raises `ValueError` for a step back, and what `run` raises.
        """
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"time passes by 0 or more seconds, got {seconds}")
        end_s = self.now_s + seconds
        self.run()
        while (due_s := self._next_s()) is not None and due_s <= end_s:
            self._clock.advance_to(due_s)
            self.run()
        self._clock.advance_to(end_s)
        self.run()

    def _next_s(self) -> float | None:
        moments = (self._kernel.timers.next_due(self.now_s), self._handlers.next_s())
        return min((moment for moment in moments if moment is not None), default=None)

    def takes(self, transition: str, seconds: float) -> None:
        """Let the handler of a transition take `seconds` from its next call on.

        It is called when it begins, and its result counts when its time is over; with a `timeout_s` below
        that, it times out. What it gives to `context.heartbeat` is spread evenly over its time. `transition` is a
        path such as `ship` or `fulfil/pack`. Raises `UnknownTransition`.
        """
        known = {one.path for plan in self._plans.values() for one in plan.transitions}
        if transition not in known:
            raise UnknownTransition(transition, tuple(sorted(known)))
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"a handler takes 0 or more seconds, got {seconds}")
        self._handlers.takes_s[transition] = seconds

    # -- the engine's life ---------------------------------------------------------------------------------

    def crash(self) -> None:
        """End the engine as `kill -9` would, and start another over what is committed.

        Results on their way are lost; what handlers have done to the world is not. Raises `InsideHandler`.
        """
        self._refuse_inside()
        self._start(tuple(self._definitions.values()))

    def restart(self, *workflows: Definable) -> None:
        """Stop the engine cleanly and start another; with other workflows, if any are given.

        Handlers that run are not waited for: they run again, and nothing counts as lost. Raises `InsideHandler`.
        """
        self._refuse_inside()
        definitions = tuple(workflow.definition() for workflow in workflows)
        self._kernel.draining = True
        self._give_slots(0)
        self._settle()
        self._commit(self._kernel.stop(self.now_s))
        self._start(definitions or tuple(self._definitions.values()))

    def _settle(self) -> None:
        """Let the kernel handle, commit and release all it can without a handler."""
        now = self.now_s
        steps = 0
        while steps < MOST_STEPS:
            with self._inside(_Within.KERNEL):
                batch = self._kernel.run(now)
            self._commit(batch)
            steps += 1 + batch.turns + batch.fired
            if not (batch.turns or self._kernel.has_work):
                return
        raise Restless(steps)

    def _commit(self, batch: Batch) -> None:
        if batch.writes:
            self.store.commit(batch.writes)
        self._kernel.committed()
        for starts in batch.starts.values():
            for start in starts:
                self._handlers.submit(start)
        for expire in batch.expires:
            late = self._handlers.expire(expire, self.now_s)
            if late is not None:
                self._kernel.deliver(late)
        self._answers.update((reply.reply, reply.answer) for reply in batch.replies)

    @contextmanager
    def _inside(self, within: _Within) -> Generator[None, None, None]:
        before, self._within = self._within, within
        try:
            yield
        finally:
            self._within = before

    def _refuse_inside(self) -> None:
        if self._within is not _Within.TEST:
            raise InsideHandler

    # -- clients -------------------------------------------------------------------------------------------

    def spawn(self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "") -> RehearsedInstance:
        """Start an instance with `tokens`, {entry place: [values]}; no handler is called before the next `run`.

        The same id with the same inputs is the same instance; with other inputs, `SpawnConflict`. Without an id
        it gets one. Raises `NotRehearsed`, `InvalidId`, and `NotFound` for a place that is no entry.
        """
        name = workflow if isinstance(workflow, str) else workflow.definition().name
        if name not in self._definitions:
            raise NotRehearsed(name)
        number = next(self._incarnations)
        instance = chosen_id(id, f"{name}-{number}")
        plan = self._plans[name]
        values = entry_values(plan, self._definitions[name], instance, tokens)
        answer = self._ask(
            Spawn(
                instance=instance,
                workflow=name,
                version=self._definitions[name].version,
                net=self._nets[name],
                tokens=tuple((place, encode(value)) for place, value in values),
                inputs=fingerprint((plan.places[place].path, value) for place, value in values),
                incarnation=number,
            )
        )
        if isinstance(answer, Refused):
            if answer.code == RefusalCode.CONFLICT:
                raise SpawnConflict(instance, answer.reason)
            raise RequestRefused(instance, answer.reason, answer.code, answer.by, answer.at)
        return RehearsedInstance(self, instance)

    def start(
        self, actor: type[Actor[M]], *, id: str = "", state: Mapping[str, object] | None = None
    ) -> RehearsedActor[M]:
        """Start an actor of a class, or find it, as `Runtime.start` does; nothing is called before the next `run`."""
        return RehearsedActor(self, self.spawn(actor, {BORN: [dict(state or {})]}, id=id).id, actor)

    def actor(self, id: str, kind: type[Actor[M]]) -> RehearsedActor[M]:
        """Return an actor by its id, such as one that another has spawned. Raises `NotFound`."""
        check_actor(StateReader(self.store), id, kind)
        return RehearsedActor(self, id, kind)

    def next_request(self) -> int:
        """Return a number that no other request of this rehearsal has."""
        return next(self._numbers)

    def instance(self, id: str) -> RehearsedInstance:
        """Return an instance by its id, such as one that a handler has spawned. Raises `NotFound`."""
        if StateReader(self.store).root(id) is None:
            raise no_instance(id)
        return RehearsedInstance(self, id)

    def tasks(self, role: str | None = None, assignee: str | None = None) -> Iterator[TaskView]:
        """Yield what is offered to people: all, or what such a person may decide, as `Runtime.tasks` does."""
        return (task for task in StateReader(self.store).tasks() if task.is_for(role, assignee))

    def tell(self, id: str, message: InterventionMessage | TaskRequests | GivingRequest) -> Receipt:
        """Send an intervention to an instance; what follows from it happens in the next `run`.

        Raises `NotFound`, `WrongType`, and `RequestRefused` with the reason when it does not apply.
        """
        if isinstance(message, GivingRequest):
            told, reader = self.addressee(id), StateReader(self.store)
            message = to_giving_message(message, lambda target, value: told.encoded_for(target, value, reader))
        if not message.by and not isinstance(message, Put):
            raise ValueError("an intervention needs `by`: who does it")
        if isinstance(message, TaskRequest):
            message = to_task_message(message, id, self.addressee(id), StateReader(self.store))
        elif isinstance(message, MoveToken):
            self.addressee(id).check_move(message, StateReader(self.store))
        answer = self._ask(msgspec.structs.replace(message, instance=id))
        if isinstance(answer, Refused):
            if answer.code == RefusalCode.NOT_FOUND:
                raise NotFound(id, answer.reason)
            raise RequestRefused(id, answer.reason, answer.code, answer.by, answer.at)
        assert isinstance(answer, Receipt), answer
        return answer

    def addressee(self, id: str) -> Addressee:
        """Return what is known of an instance to those who send it values. Raises `NotFound`."""
        return Addressee.of(id, StateReader(self.store), self._definitions)

    def _ask(self, message: ClientMessage) -> Answer:
        if self._within is _Within.KERNEL:
            raise WaitsForItself
        number = next(self._numbers)
        self._kernel.deliver(msgspec.structs.replace(message, reply=number))
        self._settle()
        return self._answers.pop(number)
