"""What a closed runtime says: that it is closed, whatever it is asked."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import ActorHandle, EngineStopped, Instance, Runtime
from placet.actors.runtime import client_of
from tests.runtime.workflows import WAIT_S, doubling


def one(runtime: Runtime) -> Instance:
    return Instance(client_of(runtime), "one")


QUESTIONS: list[Callable[[Runtime], object]] = [
    lambda runtime: runtime.find("one"),
    lambda runtime: runtime.instance("one"),
    lambda runtime: runtime.list(),
    lambda runtime: runtime.explain("one"),
    lambda runtime: one(runtime).state,
    lambda runtime: one(runtime).view(),
    lambda runtime: one(runtime).marking(),
    lambda runtime: one(runtime).history(),
    lambda runtime: one(runtime).trim_history(1),
    lambda runtime: one(runtime).wait_until("completed", WAIT_S),
    lambda runtime: one(runtime).result(WAIT_S),
    lambda runtime: asyncio.run(one(runtime).result_async(WAIT_S)),
    lambda runtime: one(runtime).pause(by="eva"),
    lambda runtime: ActorHandle(client_of(runtime), "one", "done").values(),
    lambda runtime: ActorHandle(client_of(runtime), "one", "done").inspect(),
    lambda runtime: runtime.spawn("doubling", {"start": [1]}),
]


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_closed_runtime_says_that_it_is_closed(tmp_path: Path, ask: Callable[[Runtime], object]) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        assert runtime.spawn("doubling", {"start": [1]}, id="one").result(WAIT_S) == {"done": [3]}
    with pytest.raises(EngineStopped, match="the runtime is closed"):
        ask(runtime)
