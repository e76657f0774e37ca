"""Every request takes a bound on the wait for its answer; what it asks for happens all the same."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from placet import ActorHandle, Instance, Pause, Runtime, WaitTimeout, Workflow
from placet.actors.runtime import client_of
from tests.runtime.workflows import WAIT_S, Gate

SOON_S = 0.01


@contextmanager
def held(path: Path) -> Generator[Runtime]:
    """Yield a runtime with an instance `one` whose engine answers nothing before the end of the block."""
    gate = Gate()
    workflow = Workflow("held")
    begin, done = workflow.places("start done")

    @workflow.transition(begin >> done, run="inline")
    def hold(value: object) -> object:
        gate.pass_through()
        return value

    with Runtime(path, [workflow]) as runtime:
        try:
            runtime.spawn_later(workflow, {begin: [1]}, id="one")
            gate.wait_reached()
            yield runtime
        finally:
            gate.open()


def one(runtime: Runtime) -> Instance:
    return Instance(client_of(runtime), "one")


def start(runtime: Runtime) -> ActorHandle:
    return ActorHandle(client_of(runtime), "one", "start")


REQUESTS: list[Callable[[Runtime], object]] = [
    lambda runtime: one(runtime).pause(by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).resume(by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).cancel(by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).retry(1, by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).skip(1, 2, by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).fail(1, by="eva", timeout_s=SOON_S),
    lambda runtime: one(runtime).tell(Pause(by="eva"), SOON_S),
    lambda runtime: start(runtime).inspect(SOON_S),
    lambda runtime: start(runtime).export(SOON_S),
    lambda runtime: start(runtime).restart(SOON_S),
    lambda runtime: start(runtime).sleep(SOON_S),
]


@pytest.mark.parametrize("ask", REQUESTS)
def test_a_request_waits_no_longer_than_it_is_told(tmp_path: Path, ask: Callable[[Runtime], object]) -> None:
    with held(tmp_path / "state") as runtime, pytest.raises(WaitTimeout, match=r"one: not within 0\.01 s"):
        ask(runtime)


TWINS: list[Callable[[Runtime], Awaitable[object]]] = [
    lambda runtime: one(runtime).tell_async(Pause(by="eva"), SOON_S),
    lambda runtime: runtime.spawn_async("held", {"start": [1]}, id="one", timeout_s=SOON_S),
]


@pytest.mark.parametrize("ask", TWINS)
def test_so_does_its_twin_for_asyncio(tmp_path: Path, ask: Callable[[Runtime], Awaitable[object]]) -> None:
    async def asked(runtime: Runtime) -> object:
        return await ask(runtime)

    with held(tmp_path / "state") as runtime, pytest.raises(WaitTimeout, match=r"one: not within 0\.01 s"):
        asyncio.run(asked(runtime))


def stuck() -> Workflow:
    """Return a workflow whose instances wait for ever: one token of the two they need."""
    workflow = Workflow("stuck")
    begin, done = workflow.places("start done")
    workflow.transition(begin * 2 >> done, "pair", handler=sum)
    return workflow


def test_waiting_for_a_state_ends_in_time_and_an_outer_bound_stays_its_own(tmp_path: Path) -> None:
    async def waits(found: Instance) -> None:
        with pytest.raises(WaitTimeout):
            await found.wait_until_async(["completed"], SOON_S)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(SOON_S):
                await found.wait_until_async(["completed"], WAIT_S)
        assert not isinstance(caught.value, WaitTimeout)

    with Runtime(tmp_path / "state", [stuck()]) as runtime:
        found = runtime.spawn("stuck", {"start": [1]})
        assert found.wait_until("stuck", WAIT_S) == "stuck"
        asyncio.run(waits(found))
        assert found.cancel(by="eva", timeout_s=WAIT_S).instance == found.id


def test_a_bound_that_is_not_reached_changes_nothing(tmp_path: Path) -> None:
    async def goes_through(runtime: Runtime) -> dict[str, list[object]]:
        found = await runtime.spawn_async("stuck", {"start": [1, 2]}, timeout_s=WAIT_S)
        return await found.result_async(WAIT_S)

    workflow = stuck()
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert asyncio.run(goes_through(runtime)) == {"done": [3]}
