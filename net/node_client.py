"""One client of a cluster: it asks engines and waits for answers. `Client` and its handles are made of it.

What waits is a coroutine here, for threads and for asyncio: see `twins.py`.
"""

from typing import TypeVar

import msgspec

from placet.actors.answers import Receipt
from placet.actors.arguments import check_text
from placet.actors.clock import monotonic_s
from placet.actors.control.request import PersonalRequests
from placet.actors.errors import WaitTimeout
from placet.actors.messages import Put
from placet.actors.task_request import Intervention
from placet.actors.token_request import GivingRequest, to_giving_message
from placet.actors.verbs import Giving
from placet.net.answer import Done, decode_net_answer
from placet.net.courier import NODE, Courier, Pending, Target
from placet.net.errors import NotYet, TooLarge
from placet.net.given import values_in, with_values
from placet.net.keyring import KeyKind
from placet.net.node_request import NodeRequest
from placet.net.plain import check_plain
from placet.net.request import NetRequest, encode_net_request
from placet.net.telling import to_request
from placet.net.twins import Due, pause
from placet.persistence.keys import shard_of
from placet.persistence.values import encode

ANSWER_S = 30.0  # how long a request without a time-out of its own waits
BEGINNING_S = 10.0  # how long a node is given to find its cluster
AGAIN_S = 0.2  # between two questions to one that has not
MOST_REQUEST_BYTES = 32 << 20
T = TypeVar("T")


class NodeClient:
    """Speaks for clients of one cluster, by way of a courier; safe to use from any thread."""

    def __init__(self, nodes: str, courier: Courier, kind: KeyKind) -> None:
        self._nodes = nodes
        self._courier = courier
        self.kind = kind  # of its key
        self.sends_code = False  # the engines have not got the modules of this program, so values bring their classes

    async def tell(
        self, address: str, message: Intervention | Giving | GivingRequest, timeout_s: float | None
    ) -> Receipt:
        """Send an intervention to an instance; see `Client.tell`."""
        if isinstance(message, GivingRequest):
            message = to_giving_message(message, lambda _, value: encode(value))  # the engine knows types
        if not message.by and not isinstance(message, Put):
            raise ValueError("an intervention needs `by`: who does it")
        done = await self.carry_out(to_request(check_text("an address", address), message), timeout_s)
        return Receipt(instance=done.id, at=done.at, already=done.already)

    async def carry_out(self, request: PersonalRequests, timeout_s: float | None) -> Done:
        """Send an intervention that is a request already, and return what came of it."""
        again = f"tell it again with request_id {request.request_id!r} to find out"
        return await self.ask(request, Done, request.instance, timeout_s, again)

    async def ask(
        self, request: NetRequest, kind: type[T], instance: str, timeout_s: float | None, otherwise: str = ""
    ) -> T:
        """Ask the engine where `instance` lives; `otherwise` says what to do when what came of it is not known.

        Raises the error that is the answer, `WaitTimeout`, `TooLarge`, `BadRequest` and `NodeUnreachable`.
        """
        pending = self.post(request, shard_of(instance))
        return await self._answer(pending, kind, instance, ANSWER_S if timeout_s is None else timeout_s, otherwise)

    async def ask_engine(self, request: NetRequest, kind: type[T], engine: str, timeout_s: float | None) -> T:
        """Ask one engine by its name. Raises as `ask` does."""
        return await self._answer(self.post(request, engine), kind, "", ANSWER_S if timeout_s is None else timeout_s)

    async def ask_node(self, request: NodeRequest, kind: type[T], timeout_s: float | None) -> T:
        """Ask any node itself; one that has only just begun is asked again for a while. Raises as `ask` does."""
        limit_s = ANSWER_S if timeout_s is None else timeout_s
        end_s = monotonic_s() + min(limit_s, BEGINNING_S)
        while True:
            pending = self._courier.ask(msgspec.json.encode(request), NODE)
            try:
                return await self._answer(pending, kind, "", limit_s)
            except NotYet:
                if monotonic_s() >= end_s:
                    raise
                await pause(AGAIN_S)

    def post(self, request: NetRequest, target: Target) -> Pending:
        """Send a request to the engine that owns a shard, or the one of a name. Raises as `ask` does."""
        if self.kind is KeyKind.CLIENT:
            check_plain(values_in(request))
        line = encode_net_request(with_values(request, are_whole=self.sends_code))
        if len(line) > MOST_REQUEST_BYTES:
            raise TooLarge(len(line), MOST_REQUEST_BYTES)
        return self._courier.ask(line, target)

    async def _answer(self, pending: Pending, kind: type[T], instance: str, limit_s: float, otherwise: str = "") -> T:
        try:
            answer = await Due(pending.answer, limit_s)
        except TimeoutError as error:
            if pending.answer.done():
                raise
            pending.answer.cancel()
            known = (
                "the node may have carried it out" if pending.may_have_arrived else "it was not sent: nothing is done"
            )
            remedy = (otherwise or "ask again") if pending.may_have_arrived else "try again"
            reason = f"no answer of the node at {self._nodes} within {limit_s:g} s; {known}; {remedy}"
            raise WaitTimeout(instance, reason) from error
        return decode_net_answer(kind, instance, answer)
