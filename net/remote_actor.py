"""The handle of an actor of users' own on a node: the verbs of `ActorInstance`, from another process."""

import secrets
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Generic, TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_text
from placet.actors.clock import monotonic_s
from placet.actors.errors import NotFound
from placet.actors.lifecycle import TERMINAL
from placet.actors.own.actor import Actor
from placet.actors.own.definition import workflow_name
from placet.actors.own.errors import NotAnswered
from placet.actors.own.taking import check_message
from placet.actors.own.work import INBOX
from placet.actors.terminated import Terminated
from placet.net.answer import Done, Replied, Shown, StateSeen, decode_net_answer
from placet.net.node_client import NodeClient
from placet.net.remote import ROUND_S, RemoteInstance, in_rounds
from placet.net.request import AskRequest, ReplyRequest, ShowRequest, WaitRequest
from placet.net.twins import blocking, twin
from placet.persistence.keys import shard_of
from placet.persistence.values import decode
from placet.petri.errors import PlacetError

M = TypeVar("M")


class RemoteActorInstance(Generic[M]):
    """One actor on a node, by its id. `instance` is the same as an instance of a workflow. Safe to use from any thread.

    Raises and twins are as with `RemoteInstance`.
    """

    def __init__(self, client: NodeClient, id: str, kind: type[Actor[M]]) -> None:
        self._client = client
        self._kind = kind
        self.id = id

    def __repr__(self) -> str:
        return f"RemoteActorInstance({self.id!r}, {self._kind.__name__})"

    @property
    def instance(self) -> RemoteInstance:
        """The instance that it is: to look at, to pause, to settle its incidents."""
        return RemoteInstance(self._client, self.id)

    def state_values(self, timeout_s: float | None = None) -> dict[str, object]:
        """Return what it keeps, by name, as committed."""
        return self.instance.state_values(timeout_s)

    async def state_values_async(self, timeout_s: float | None = None) -> dict[str, object]:
        """`state_values` for asyncio."""
        return await self.instance.state_values_async(timeout_s)

    # -- messages --------------------------------------------------------------------------------------------------

    def tell(self, message: M, *, timeout_s: float | None = None) -> Receipt:
        """Put a message into its inbox, and return once that is on disk; it is handled after those before it.

        Raises `WrongType`, `ValueNotEncodable`, `RequestRefused` where it has ended, and `WaitTimeout`.
        """
        check_message(self._kind, message)
        return self.instance.put(INBOX, message, timeout_s=timeout_s)

    async def tell_async(self, message: M, *, timeout_s: float | None = None) -> Receipt:
        """`tell` for asyncio."""
        check_message(self._kind, message)
        return await self.instance.put_async(INBOX, message, timeout_s=timeout_s)

    @blocking
    async def ask(
        self, message: M, *, timeout_s: float | None = None, request_id: str = ""
    ) -> Any:  # `Any`: whatever it answers
        """Put a message into its inbox, and return what it returned for it; see `ActorInstance.ask`.

        Raises as `tell` does, and `NotAnswered`.
        """
        check_message(self._kind, message)
        request = check_text("a request id", request_id) or secrets.token_hex(12)
        end_s = None if timeout_s is None else monotonic_s() + timeout_s
        known = await self._reply_round(request, 0.0, timeout_s)
        if known is None:
            asked = AskRequest(instance=self.id, message=message, request=request)
            again = f"ask it again with request_id {request!r} to find out"
            await self._client.ask(asked, Done, self.id, timeout_s, again)
            left_s = None if end_s is None else max(0.0, end_s - monotonic_s())
            known = await in_rounds(
                self.id, lambda patience_s, round_s: self._reply_round(request, patience_s, round_s), left_s
            )
        if known.value is None:
            shown = await self._client.ask(ShowRequest(instance=self.id), Shown, self.id, None)
            raise NotAnswered(self.id, shown.reason)
        return decode(known.value)

    ask_async = twin(ask)

    async def _reply_round(self, request: str, patience_s: float, timeout_s: float | None) -> Replied | None:
        """Return the answer, or that none will come; None: there is none so far."""
        asked = ReplyRequest(instance=self.id, request=request, patience_s=patience_s)
        seen = await self._client.ask(asked, Replied, self.id, timeout_s, "ask again")
        return None if seen.value is None and not seen.is_hopeless else seen

    # -- its end ---------------------------------------------------------------------------------------------------

    def stop(self, *, by: str, why: str = "", timeout_s: float | None = None) -> Receipt:
        """End it, as `cancelled`, once the message it handles has been: those that wait stay where they are."""
        return self.instance.cancel(by=by, why=why, timeout_s=timeout_s)

    async def stop_async(self, *, by: str, why: str = "", timeout_s: float | None = None) -> Receipt:
        """`stop` for asyncio."""
        return await self.instance.cancel_async(by=by, why=why, timeout_s=timeout_s)

    def watch(self) -> "Future[Terminated]":
        """Return a future of its end, for as long as this client is open; see also `RemoteInstance.wait_until`."""
        told: Future[Terminated] = Future()
        _Watch(self._client, self.id, told).next()
        return told


class _Watch:
    """Asks for the end of an instance, round by round, on the thread of the client."""

    def __init__(self, client: NodeClient, id: str, told: "Future[Terminated]") -> None:
        self._client = client
        self._id = id
        self._told = told

    def next(self) -> None:
        """Ask once more, unless nobody waits any more."""
        if self._told.done():
            return
        request = WaitRequest(instance=self._id, states=sorted(TERMINAL), patience_s=ROUND_S)
        try:
            self._client.post(request, shard_of(self._id)).answer.add_done_callback(self._heard)
        except PlacetError as error:  # the client is closed
            self._fail(error)

    def _heard(self, answer: "Future[bytes]") -> None:
        try:
            state = decode_net_answer(StateSeen, self._id, answer.result()).state
        except PlacetError as error:
            self._fail(error)
            return
        if state is None:
            self.next()
            return
        ended = Terminated(id=self._id, state=state.value, reason=f"{self._id} is {state.value}")
        with suppress(InvalidStateError):  # who watched has given up
            self._told.set_result(ended)

    def _fail(self, error: PlacetError) -> None:
        with suppress(InvalidStateError):  # as above
            self._told.set_exception(error)


async def check_remote_actor(client: NodeClient, id: str, kind: type[Actor[Any]], timeout_s: float | None) -> None:
    """Raise `NotFound` unless there is an actor of that class and id."""
    shown = await client.ask(ShowRequest(instance=check_text("an id", id)), Shown, id, timeout_s)
    workflow = shown.view.header.workflow
    if workflow != workflow_name(kind):
        raise NotFound(id, f"there is no {workflow_name(kind)} of the id {id}; {id} is an instance of {workflow}")
