"""Handlers for which it matters where they run: here, elsewhere, or nowhere with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident

import pytest

from placet.actors.effects import Expire, Start
from placet.actors.executors.base import Executor, Load, Post, RunningHandler
from placet.actors.executors.placed import Hosting, Placed, PlacedExecutor
from placet.actors.lifecycle import InstanceState
from placet.actors.runtime import Runtime
from placet.petri.plan import TransitionPlan
from placet.petri.requirement import Remote, Requires
from placet.petri.workflow import Workflow
from tests.endtoend.processes import PATIENCE_S

GPU = Placed(
    name="thread/flow/gpu=1", workflow="flow", version="1", run="thread", requires=Requires(gpu=1), remote=False
)
ANY = Placed(name="thread/flow/anywhere", workflow="flow", version="1", run="thread", requires=Requires(), remote=True)
PLAN = TransitionPlan(
    index=0, path="t", composite=0, inputs=(), outputs=(), choice=False, priority=0, behaviour=None, executor=ANY.name
)
STARTS = [
    Start(root=b"r", instance="i", incarnation=1, transition=PLAN, number=number, attempt=1, tokens=())
    for number in range(6)
]


@dataclass(slots=True)
class Pool:
    """An executor that only counts."""

    name: str
    places: int
    reason: str = ""
    taken: list[Start] = field(default_factory=list[Start])
    seen: list[str] = field(default_factory=list[str])

    def lack(self) -> str:
        return self.reason

    def capacity(self) -> int:
        return self.places

    def load(self) -> Load:
        return Load(at_once=self.places, capacity=self.places, running=len(self.taken), queued=0, abandoned=0)

    def is_behind(self) -> bool:
        return False

    def running(self) -> list[RunningHandler]:
        return []

    def submit(self, starts: Sequence[Start]) -> None:
        self.taken += starts

    def expire(self, expire: Expire) -> None:
        self.seen.append(f"expire {expire.number}")

    def tend(self) -> None:
        self.seen.append("tend")

    def drain(self) -> None:
        self.seen.append("drain")

    def close(self) -> int:
        self.seen.append("close")
        return len(self.taken)


@dataclass(slots=True)
class Others:
    """Other hosts."""

    pool: Pool

    def executor(self, placed: Placed, post: Post) -> Pool:  # noqa: ARG002 - nothing is posted
        return self.pool


def placed(which: Placed, capabilities: dict[str, float | str], here: Pool, others: Pool | None) -> PlacedExecutor:
    """Return an executor over pools."""
    hosting = Hosting(capabilities=capabilities, elsewhere=Others(others) if others else None)
    make: Executor = here
    return hosting.executor(which, lambda: make, lambda _message: None)


def test_where_this_host_has_what_is_required_the_handler_runs_here_alone() -> None:
    here, others = Pool("here", 4), Pool("others", 4)
    executor = placed(GPU, {"gpu": 1.0}, here, others)
    executor.submit(STARTS)
    assert (len(here.taken), len(others.taken)) == (6, 0)
    assert (executor.capacity(), executor.lack()) == (4, "")


def test_where_this_host_has_not_another_one_runs_it() -> None:
    here, others = Pool("here", 4), Pool("others", 3, reason="no host has gpu=1")
    executor = placed(GPU, {}, here, others)
    executor.submit(STARTS)
    assert (len(here.taken), len(others.taken)) == (0, 6)
    assert (executor.capacity(), executor.lack()) == (3, "no host has gpu=1")


def test_without_any_it_takes_nothing_and_says_why() -> None:
    executor = placed(GPU, {"gpu": 0.0}, Pool("here", 4), None)
    assert (executor.capacity(), executor.lack()) == (0, "no host has gpu=1")
    assert executor.load() == Load(at_once=0, capacity=0, running=0, queued=0, abandoned=0)


def test_what_may_run_anywhere_goes_where_there_is_more_room() -> None:
    here, others = Pool("here", 2), Pool("others", 3)
    executor = placed(ANY, {}, here, others)
    executor.submit(STARTS)
    assert [one.number for one in others.taken] == [0, 2, 4]
    assert [one.number for one in here.taken] == [1, 3, 5]
    assert executor.capacity() == 5


def test_whoever_has_a_firing_is_told_of_what_concerns_it() -> None:
    here, others = Pool("here", 2), Pool("others", 3)
    executor = placed(ANY, {}, here, others)
    executor.expire(Expire(executor=ANY.name, root=b"r", number=3, attempt=1))
    executor.tend()
    executor.drain()
    executor.submit(STARTS)
    assert executor.close() == len(STARTS)
    assert here.seen == others.seen == ["expire 3", "tend", "drain", "close"]


# -- embedded ------------------------------------------------------------------------------------------------------


def training() -> Workflow:
    """Return a workflow with a step that needs a GPU, and one that may run anywhere."""
    flow = Workflow("training")
    data, model, served = flow.places("data model served")
    flow.transition(data >> model, "train", handler=str, requires=Requires(gpu=1))
    flow.transition(model >> served, "serve", handler=where, run=Remote())
    return flow


def where(_model: str) -> int:
    """Return the thread it runs on."""
    return get_ident()


def test_embedded_an_instance_waits_with_the_reason_and_goes_on_in_a_runtime_that_has_what_it_needs(
    tmp_path: Path,
) -> None:
    flow = training()
    with Runtime(tmp_path, [flow]) as runtime:
        waiting = runtime.spawn(flow, {"data": [1]}, id="t")
        assert waiting.wait_until(InstanceState.WAITING, timeout_s=PATIENCE_S) is InstanceState.WAITING
        assert runtime.explain("t") == "t is waiting: no host has gpu=1"
    with Runtime(tmp_path, [flow], capabilities={"gpu": 2}) as runtime:
        (thread,) = runtime.instance("t").result(PATIENCE_S)["served"]
        assert thread != get_ident()
        assert [record.attempt for _, record in runtime.instance("t").history() if record.kind == "fired"] == [1, 1]


@pytest.mark.parametrize("capabilities", [{"gpu": True}, {"gpu": float("nan")}, {"": 1}])
def test_embedded_capabilities_are_texts_and_numbers(tmp_path: Path, capabilities: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="capability"):
        Runtime(tmp_path, capabilities=capabilities)
