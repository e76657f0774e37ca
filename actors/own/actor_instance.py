"""The handle of an actor: what a program holds of one."""

import secrets
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_text
from placet.actors.clock import monotonic_s
from placet.actors.engine_client import EngineClient
from placet.actors.errors import NotFound
from placet.actors.instance import Instance
from placet.actors.lifecycle import TERMINAL, InstanceState
from placet.actors.messages import Cancel, Put
from placet.actors.own.actor import Actor
from placet.actors.own.answering import next_answer
from placet.actors.own.definition import workflow_name
from placet.actors.own.errors import NotAnswered
from placet.actors.own.letter import Letter
from placet.actors.own.taking import check_message
from placet.actors.own.work import INBOX
from placet.actors.reader import StateReader
from placet.actors.terminated import Terminated
from placet.persistence.values import decode, encode

M = TypeVar("M")


class ActorInstance(Generic[M]):
    """One actor, by its id. `instance` is the same as an instance of a workflow. Safe to use from any thread."""

    def __init__(self, client: EngineClient, id: str, kind: type[Actor[M]]) -> None:
        self._client = client
        self._kind = kind
        self.id = id

    def __repr__(self) -> str:
        return f"ActorInstance({self.id!r}, {self._kind.__name__})"

    @property
    def instance(self) -> Instance:
        """The instance that it is: to look at, to pause, to settle its incidents."""
        return Instance(self._client, self.id)

    def state_values(self) -> dict[str, object]:
        """Return what it keeps, by name, as committed."""
        return self.instance.state_values()

    # -- messages ------------------------------------------------------------------------------------------

    def tell(self, message: M, *, timeout_s: float | None = None) -> Receipt:
        """Put a message into its inbox, and return once that is on disk; it is handled after those before it.

        Raises `WrongType`, `ValueNotEncodable`, `RequestRefused` where it has ended, and `WaitTimeout`.
        """
        check_message(self._kind, message)
        return self._client.wait(self._put(message), timeout_s, self.id)

    async def tell_async(self, message: M, *, timeout_s: float | None = None) -> Receipt:
        """`tell` for asyncio."""
        check_message(self._kind, message)
        return await self._client.wait_async(self._put(message), timeout_s, self.id)

    def ask(self, message: M, *, timeout_s: float | None = None, request_id: str = "") -> Any:  # `Any`: your answers
        """Put a message into its inbox, and return what it returned for it.

        The message counts once for each `request_id`: who asks again with the same one, after a crash or a
        `WaitTimeout`, gets the same answer, as long as the actor keeps it. Without one, each time is another request.
        Raises as `tell` does, and `NotAnswered` where it has ended, or has an open incident: then it was perhaps not
        even asked.
        """
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        answer, put = self._ask(message, request_id)
        try:
            if put is not None:
                self._client.wait(put, timeout_s, self.id)
            left_s = None if until_s is None else max(0.0, until_s - monotonic_s())
            return self._answered(self._client.wait(answer, left_s, self.id))
        finally:
            answer.cancel()

    async def ask_async(
        self, message: M, *, timeout_s: float | None = None, request_id: str = ""
    ) -> Any:  # `Any`: as in `ask`
        """`ask` for asyncio."""
        until_s = None if timeout_s is None else monotonic_s() + timeout_s
        answer, put = self._ask(message, request_id)
        try:
            if put is not None:
                await self._client.wait_async(put, timeout_s, self.id)
            left_s = None if until_s is None else max(0.0, until_s - monotonic_s())
            return self._answered(await self._client.wait_async(answer, left_s, self.id))
        finally:
            answer.cancel()

    def _put(self, message: object) -> "Future[Receipt]":
        return self._client.intervene(self.id, Put(place=INBOX, value=encode(message)))

    def _ask(self, message: M, request_id: str) -> "tuple[Future[bytes | None], Future[Receipt] | None]":
        check_message(self._kind, message)
        request = check_text("a request id", request_id) or secrets.token_hex(12)
        engine = self._client.engine
        engine.refuse_own_thread()
        answer = engine.outlive(next_answer(engine, self._client.reader, self.id, request))
        return answer, None if answer.done() else self._put(Letter(message=message, request=request))

    def _answered(self, answer: bytes | None) -> Any:  # `Any`: as in `ask`
        if answer is None:
            raise NotAnswered(self.id, self._client.explain(self.id))
        return decode(answer)

    # -- its end -------------------------------------------------------------------------------------------

    def stop(self, *, by: str, why: str = "", timeout_s: float | None = None) -> Receipt:
        """End it, as `cancelled`, once the message it handles has been: those that wait stay where they are.

        Raises as `Instance.tell` does.
        """
        return self.instance.tell(Cancel(by=by, why=why), timeout_s)

    def watch(self) -> "Future[Terminated]":
        """Return a future of its end, for as long as this runtime is open; see also `Instance.wait_until`."""
        reached = self._client.reached(self.id, TERMINAL)
        told: Future[Terminated] = Future()
        reached.add_done_callback(lambda ended: _tell(told, self.id, ended))
        return told


def find_actor(client: EngineClient, id: str, kind: type[Actor[M]]) -> ActorInstance[M]:
    """Return the handle of an actor that exists. Raises `NotFound`."""
    check_actor(client.reader, id, kind)
    return ActorInstance(client, id, kind)


def check_actor(reader: StateReader, id: str, kind: type[Actor[M]]) -> None:
    """Raise `NotFound` unless there is an actor of that class and id."""
    header = reader.header(check_text("an id", id))
    if header is None or header.workflow != workflow_name(kind):
        known = f"; {id} is an instance of {header.workflow}" if header else ""
        raise NotFound(id, f"there is no {workflow_name(kind)} of the id {id}{known}")


def _tell(told: "Future[Terminated]", id: str, ended: "Future[InstanceState]") -> None:
    error = ended.exception()
    if error is not None:
        told.set_exception(error)
    else:
        state = ended.result().value
        told.set_result(Terminated(id=id, state=state, reason=f"{id} is {state}"))
