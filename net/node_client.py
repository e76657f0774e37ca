"""One client of a node: it asks the node's engine and waits for answers. `Client` and its handles are made of it."""

from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_text
from placet.actors.control.request import PersonalRequests
from placet.actors.errors import WaitTimeout
from placet.actors.messages import Put
from placet.actors.task_request import Intervention
from placet.actors.verbs import Giving
from placet.net.address import NetAddress
from placet.net.answer import Done, decode_net_answer
from placet.net.courier import Courier
from placet.net.errors import TooLarge
from placet.net.request import NetRequest, encode_net_request
from placet.net.telling import to_request

ANSWER_S = 30.0  # how long a request without a time-out of its own waits
MOST_REQUEST_BYTES = 32 << 20
T = TypeVar("T")


class NodeClient:
    """Speaks for clients of one node, by way of a courier; safe to use from any thread."""

    def __init__(self, node: NetAddress, courier: Courier) -> None:
        self._node = node
        self._courier = courier

    def tell(self, address: str, message: Intervention | Giving, timeout_s: float | None) -> Receipt:
        """Send an intervention to an instance; see `Client.tell`."""
        if not message.by and not isinstance(message, Put):
            raise ValueError("an intervention needs `by`: who does it")
        done = self.carry_out(to_request(check_text("an address", address), message), timeout_s)
        return Receipt(instance=done.id, at=done.at, already=done.already)

    def carry_out(self, request: PersonalRequests, timeout_s: float | None) -> Done:
        """Send an intervention that is a request already, and return what came of it."""
        again = f"tell it again with request_id {request.request_id!r} to find out"
        return self.ask(request, Done, request.instance, timeout_s, again)

    def ask(self, request: NetRequest, kind: type[T], instance: str, timeout_s: float | None, otherwise: str = "") -> T:
        """Send a request and return its answer as `kind`; `otherwise` says what to do when that is not known.

        Raises the error that is the answer, `WaitTimeout`, `TooLarge`, `BadRequest` and `NodeUnreachable`.
        """
        line = encode_net_request(request)
        if len(line) > MOST_REQUEST_BYTES:
            raise TooLarge(len(line), MOST_REQUEST_BYTES)
        limit_s = ANSWER_S if timeout_s is None else timeout_s
        pending = self._courier.ask(line)
        try:
            answer = pending.answer.result(limit_s)
        except FutureTimeout as error:
            if pending.answer.done():
                raise
            pending.answer.cancel()
            known = (
                "the node may have carried it out" if pending.may_have_arrived else "it was not sent: nothing is done"
            )
            remedy = (otherwise or "ask again") if pending.may_have_arrived else "try again"
            reason = f"no answer of the node at {self._node} within {limit_s:g} s; {known}; {remedy}"
            raise WaitTimeout(instance, reason) from error
        return decode_net_answer(kind, instance, answer)
