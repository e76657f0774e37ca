"""One client of a cluster: it asks engines and waits for answers. `Client` and its handles are made of it."""

from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_text
from placet.actors.clock import monotonic_s
from placet.actors.control.request import PersonalRequests
from placet.actors.errors import WaitTimeout
from placet.actors.messages import Put
from placet.actors.task_request import Intervention
from placet.actors.verbs import Giving
from placet.net.answer import Done, decode_net_answer
from placet.net.courier import Courier, Pending, Target
from placet.net.errors import TooLarge
from placet.net.request import NetRequest, encode_net_request
from placet.net.telling import to_request
from placet.persistence.keys import shard_of

ANSWER_S = 30.0  # how long a request without a time-out of its own waits
MOST_REQUEST_BYTES = 32 << 20
T = TypeVar("T")


class NodeClient:
    """Speaks for clients of one cluster, by way of a courier; safe to use from any thread."""

    def __init__(self, nodes: str, courier: Courier) -> None:
        self._nodes = nodes
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
        """Ask the engine where `instance` lives; `otherwise` says what to do when what came of it is not known.

        Raises the error that is the answer, `WaitTimeout`, `TooLarge`, `BadRequest` and `NodeUnreachable`.
        """
        pending = self._send(request, shard_of(instance))
        return self._answer(pending, kind, instance, ANSWER_S if timeout_s is None else timeout_s, otherwise)

    def ask_all(self, request: NetRequest, kind: type[T], instance: str, timeout_s: float | None) -> list[T]:
        """Ask every engine, and return the answers of all. Raises as `ask` does."""
        limit_s = ANSWER_S if timeout_s is None else timeout_s
        end_s = monotonic_s() + limit_s
        asked = self._courier.engines()
        try:
            engines = asked.result(limit_s)
        except FutureTimeout as error:
            asked.cancel()
            raise WaitTimeout(instance, f"{self._nodes} did not say within {limit_s:g} s where engines are") from error
        sent = [self._send(request, engine) for engine in engines]
        return [self._answer(one, kind, instance, max(0.0, end_s - monotonic_s())) for one in sent]

    def _send(self, request: NetRequest, target: Target) -> Pending:
        line = encode_net_request(request)
        if len(line) > MOST_REQUEST_BYTES:
            raise TooLarge(len(line), MOST_REQUEST_BYTES)
        return self._courier.ask(line, target)

    def _answer(self, pending: Pending, kind: type[T], instance: str, limit_s: float, otherwise: str = "") -> T:
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
            reason = f"no answer of the node at {self._nodes} within {limit_s:g} s; {known}; {remedy}"
            raise WaitTimeout(instance, reason) from error
        return decode_net_answer(kind, instance, answer)
