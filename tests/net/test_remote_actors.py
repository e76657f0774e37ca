"""Actors of users' own on a node: begun, asked, told, watched and stopped from another process."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from placet import Actor, NotAnswered, NotFound, WrongType
from placet.net.client import Client, connect
from placet.net.keyring import KeyKind
from tests.endtoend.processes import PATIENCE_S
from tests.net.nodes import RunningNode


@dataclass(frozen=True)
class Add:
    """Have a counter count on."""

    number: int


class Counter(Actor[Add | str]):
    """Counts, and ends when it is told to."""

    def receive(self, message: Add | str) -> object:
        """Count, or end."""
        if isinstance(message, Add):
            self.state["total"] = self.state.get("total", 0) + message.number
        elif message == "break":
            raise ValueError("no way")
        else:
            self.stop(message)
        return self.state.get("total", 0)


@pytest.fixture(scope="module")
def client(node: RunningNode) -> Generator[Client]:
    """Yield a client that may send code."""
    with connect(node.address, key_file=node.key_of(KeyKind.DEPLOY), timeout_s=PATIENCE_S) as connected:
        yield connected


def test_an_actor_answers_and_keeps_its_state(client: Client) -> None:
    counter = client.start(Counter, id="c-1", state={"total": 5})
    assert counter.ask(Add(2), timeout_s=PATIENCE_S) == 7
    counter.tell(Add(1))
    assert counter.ask(Add(0), timeout_s=PATIENCE_S) == 8
    assert counter.state_values() == {"total": 8}
    again = client.actor("c-1", Counter)
    assert again.ask(Add(0), timeout_s=PATIENCE_S, request_id="r") == 8
    counter.tell(Add(1))
    assert again.ask(Add(0), timeout_s=PATIENCE_S, request_id="r") == 8, "the same request has the same answer"
    assert client.start(Counter, id="c-1", state={"total": 5}).id == "c-1"
    assert repr(again) == "RemoteActorInstance('c-1', Counter)"
    assert again.instance.view().header.workflow == "Counter"


def test_what_an_actor_does_not_take_is_refused(client: Client) -> None:
    counter = client.start(Counter, id="c-2")
    with pytest.raises(WrongType):
        counter.tell(b"bytes")  # type: ignore[arg-type]  # what is tried  # pyright: ignore[reportArgumentType] - likewise
    with pytest.raises(NotFound):
        client.actor("nobody", Counter)
    client.spawn("echo", {"given": [1]}, id="c-echo")
    with pytest.raises(NotFound, match="c-echo is an instance of echo"):
        client.actor("c-echo", Counter)


def test_an_actor_that_fails_answers_nothing(client: Client) -> None:
    counter = client.start(Counter, id="c-3")
    with pytest.raises(NotAnswered, match="no way"):
        counter.ask("break", timeout_s=PATIENCE_S)


def test_its_end_is_told(client: Client) -> None:
    ending, stopped = client.start(Counter, id="c-4"), client.start(Counter, id="c-5")
    watched = [ending.watch(), stopped.watch()]
    ending.tell("done")
    stopped.stop(by="eva")
    assert [one.result(PATIENCE_S).state for one in watched] == ["completed", "cancelled"]


async def ask_later(client: Client) -> object:
    counter = await client.start_async(Counter, id="c-6")
    await counter.tell_async(Add(3))
    assert (await client.actor_async("c-6", Counter)).id == "c-6"
    answer: object = await counter.ask_async(Add(4), timeout_s=PATIENCE_S)
    assert await counter.state_values_async() == {"total": answer}
    await counter.stop_async(by="eva")
    return answer


def test_a_loop_asks_too(client: Client) -> None:
    assert asyncio.run(ask_later(client)) == 7
