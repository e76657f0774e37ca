"""Where the handlers of other engines run in this process: on pools of their own, beside those of its own engine."""

import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

import msgspec

from placet.actors.durations import Durations
from placet.actors.effects import Expire, ExpireReason, Start
from placet.actors.errors import AttemptOver
from placet.actors.executors.answer import failed
from placet.actors.executors.base import Executor
from placet.actors.executors.roster import Bounds, Roster
from placet.actors.messages import Beat, ExecutorMessage
from placet.actors.records import Failure
from placet.net.errand_host import ErrandKey
from placet.net.errand_messages import Step, Work
from placet.petri.behaviour import ASYNC, PARALLEL, PARALLEL_THREADS, PROCESS, THREAD, Behaviour, Definition
from placet.petri.entrance import entrance_of
from placet.petri.plan import InputArc, TransitionPlan
from placet.petri.result import compile_arguments, compile_outputs

KINDS: Final = (THREAD, ASYNC, PROCESS, PARALLEL, PARALLEL_THREADS)
UNKNOWN: Final = "HandlerUnknown"
TEND_S: Final = 0.005
MOST_PLANNED: Final = 10_000
OF_AN_ERRAND: Final = b"errand"  # what roots of starts begin with here: those of their senders may be the same


class Handlers:
    """Runs handlers of the workflows that `definitions` returns. `answered` gets what came of them, from any thread.

    Signs of life come there too, as `Beat`. All else is for one thread.
    """

    def __init__(
        self,
        bounds: Bounds,
        definitions: Callable[[], Mapping[str, Definition]],
        answered: Callable[[ErrandKey, ExecutorMessage | Beat], None],
    ) -> None:
        self._definitions = definitions
        self._answered = answered
        self._roster = Roster(self._take, bounds, Durations())
        self._pools: dict[str, Executor] = {}
        self._numbers = count(1)
        self._begun: dict[ErrandKey, Start] = {}
        self._keys: dict[bytes, tuple[ErrandKey, Work]] = {}  # by root
        self._plans: dict[Step, tuple[Behaviour, TransitionPlan]] = {}
        self._tending = threading.Lock()
        self._is_closed = False

    def knows(self, workflow: str, version: str) -> bool:
        """Return whether a workflow is here, of the very version."""
        definition = self._definitions().get(workflow)
        return definition is not None and definition.version == version

    def rooms(self) -> Mapping[str, int]:
        """Return how many handlers run at once, by what they run on."""
        return {kind: self._pool(kind).capacity() for kind in KINDS}

    def _pool(self, kind: str) -> Executor:
        if kind not in self._pools:
            self._pools[kind] = self._roster.pool(kind)
        return self._pools[kind]

    def begin(self, key: ErrandKey, work: Work) -> None:
        """Run a handler."""
        root = OF_AN_ERRAND + next(self._numbers).to_bytes(8, "big")
        behaviour = self._behaviour(work.step)
        start = Start(
            root=root,
            instance=work.instance,
            incarnation=work.incarnation,
            transition=self._planned(work.step, behaviour or Behaviour()),
            number=work.number,
            attempt=work.attempt,
            tokens=work.tokens,
            state=work.state,
            progress=work.progress,
            full=work.full,
        )
        self._begun[key] = start
        self._keys[root] = key, work
        if behaviour is None:  # the same version has it: it was changed without one
            self._take(failed(start, Failure(type=UNKNOWN, message=f"no handler here for {work.step.path}")))
            return
        pool = self._pool(work.step.run)
        pool.submit([start])
        if pool.is_behind():
            self._tend()

    def _behaviour(self, step: Step) -> Behaviour | None:
        definition = self._definitions().get(step.workflow)
        behaviour = definition.behaviours.get(step.path) if definition is not None else None
        return behaviour if behaviour is not None and behaviour.handler is not None else None

    def _planned(self, step: Step, behaviour: Behaviour) -> TransitionPlan:
        known = self._plans.get(step)
        if known is not None and known[0] is behaviour:
            return known[1]
        plan = TransitionPlan(
            index=0,
            path=step.path,
            composite=0,
            inputs=(),
            outputs=step.outputs,
            choice=step.choice,
            priority=0,
            behaviour=behaviour,
            executor=step.run,
            arguments=tuple(InputArc(place=place, weight=weight) for place, weight in step.arguments),
            output_names=step.output_names,
            tags=step.tags,
            workflows={name: entrance_of(one) for name, one in self._definitions().items()}
            if behaviour.takes_context
            else {},
        )
        plan.to_arguments = None if plan.plain_inputs else compile_arguments(plan)
        plan.to_deposits = compile_outputs(plan)
        if len(self._plans) >= MOST_PLANNED:
            self._plans.clear()
        self._plans[step] = behaviour, plan
        return plan

    def _take(self, message: ExecutorMessage | Beat) -> None:
        """Hand on what a pool posts, as the sender knows it. Raises `AttemptOver` for a sign of life of none."""
        key, work = self._keys.get(message.root, (None, None))
        if key is None or work is None:
            if isinstance(message, Beat):
                raise AttemptOver("nobody waits for it any more")
            return
        if not isinstance(message, Beat):
            self._keys.pop(message.root, None)
            self._begun.pop(key, None)
        self._answered(key, _as_known(message, work))

    def end(self, key: ErrandKey, reason: ExpireReason) -> None:
        """Have a handler end, as an executor does."""
        start = self._begun.get(key)
        if start is not None:
            kind = start.transition.executor
            expire = Expire(executor=kind, root=start.root, number=start.number, attempt=start.attempt, reason=reason)
            self._pool(kind).expire(expire)

    def _tend(self) -> None:
        """Look after the pools until nothing is queued: slow handlers get threads of their own."""
        if self._tending.acquire(blocking=False):
            threading.Thread(target=self._tend_all, name="placet-errands", daemon=True).start()

    def _tend_all(self) -> None:
        never = threading.Event()
        try:
            while not self._is_closed and any(pool.is_behind() for pool in tuple(self._pools.values())):
                never.wait(TEND_S)
                for pool in tuple(self._pools.values()):
                    pool.tend()
        finally:
            self._tending.release()

    def close(self) -> None:
        """Stop what can be stopped."""
        self._is_closed = True
        for pool in self._pools.values():
            pool.close()


def _as_known(message: ExecutorMessage | Beat, work: Work) -> ExecutorMessage | Beat:
    return msgspec.structs.replace(message, root=work.root, transition=work.transition)
