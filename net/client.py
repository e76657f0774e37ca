"""A client of a node: the verbs of `Runtime`, against an engine in another process."""

import os
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Self, TypeVar

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state, check_text, chosen_id
from placet.actors.errors import WaitTimeout
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import InterventionMessage
from placet.actors.runtime import Definable
from placet.actors.spawning import Tokens
from placet.actors.task_request import TaskRequests
from placet.net.address import NetAddress, parse_address
from placet.net.answer import Done, InstanceFound, Listed, decode_net_answer
from placet.net.courier import Courier
from placet.net.errors import NodeUnreachable, TooLarge
from placet.net.keyring import load_keyring
from placet.net.plain import check_plain
from placet.net.preflight import PATIENCE_S, knock
from placet.net.remote import RemoteInstance
from placet.net.request import FindRequest, ListRequest, NetRequest, SpawnRequest, encode_net_request
from placet.net.telling import to_request
from placet.petri.expression import PlaceRef

ANSWER_S = 30.0  # how long a request without a time-out of its own waits
MOST_REQUEST_BYTES = 32 << 20
T = TypeVar("T")


def connect(address: str, *, key_file: str | os.PathLike[str], timeout_s: float = PATIENCE_S) -> "Client":
    """Return a client of the node at `address`, such as `127.0.0.1:1900`, once it has answered.

    `key_file` is the node's, or a copy. Raises within `timeout_s`: `WrongKey`, `NodeUnreachable`, `KeyUnusable` and
    `BadAddress`.
    """
    return Client(parse_address(address), os.fspath(key_file), timeout_s)


class Client:
    """Speaks with one node; safe to use from any thread. Use it as a context manager, or call `close`.

    A request without `timeout_s` waits 30 s. When the node's engine dies, what was asked is asked again of the next.
    """

    def __init__(self, node: NetAddress, key_file: str, timeout_s: float) -> None:
        self.node = node
        keyring = load_keyring(key_file)
        knock(node, keyring, key_file, timeout_s)
        self._courier = Courier(NetAddress(host=_own_host(node), port=0), node, keyring)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; requests that wait in other threads get `NodeUnreachable`."""
        self._courier.close()

    # -- spawning and finding --------------------------------------------------------------------------------------

    def spawn(
        self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "", timeout_s: float | None = None
    ) -> RemoteInstance:
        """Start an instance of a workflow that the node knows by name, and return it once it is on disk.

        Values must be plain, as JSON has them. Raises what `Runtime.spawn` raises, and `ValueNotEncodable`; after a
        `WaitTimeout` that does not know, spawn it again with the same id.
        """
        name = workflow if isinstance(workflow, str) else workflow.definition().name
        instance = chosen_id(id, f"{check_text('a workflow', name)}-{secrets.token_hex(6)}")
        request = SpawnRequest(instance=instance, workflow=name, tokens=_plain_tokens(tokens or {}))
        self.ask(request, InstanceFound, instance, timeout_s, f"spawn it again with id {instance!r} to find out")
        return RemoteInstance(self, instance)

    def find(self, address: str, timeout_s: float | None = None) -> RemoteInstance:
        """Return the handle of an instance, by its id or the address of anything in it.

        Raises `NotFound`, `BadRequest` and `WaitTimeout`.
        """
        request = FindRequest(address=check_text("an address", address))
        found = self.ask(request, InstanceFound, address.partition("/")[0], timeout_s)
        return RemoteInstance(self, found.instance)

    def instance(self, id: str, timeout_s: float | None = None) -> RemoteInstance:
        """Return the handle of an instance by its id. Raises as `find` does."""
        return self.find(id, timeout_s)

    def list(
        self, state: InstanceState | str | None = None, timeout_s: float | None = None
    ) -> Iterator[InstanceSummary]:
        """Yield a summary of every instance, or of those in one state. Raises `BadRequest` and `WaitTimeout`."""
        wanted = None if state is None else check_state(state)
        return iter(self.ask(ListRequest(state=wanted), Listed, "", timeout_s).instances)

    def tell(
        self, address: str, message: InterventionMessage | TaskRequests, timeout_s: float | None = None
    ) -> Receipt:
        """Send an intervention to an instance; see `Instance.tell`. It has its effect once, however often it is sent.

        Raises `NotFound`, `RequestRefused` and `WaitTimeout`.
        """
        if not message.by:
            raise ValueError("an intervention needs `by`: who does it")
        request = to_request(check_text("an address", address), message)
        again = f"tell it again with request_id {request.request_id!r} to find out"
        done = self.ask(request, Done, address, timeout_s, again)
        return Receipt(instance=done.id, at=done.at, already=done.already)

    # -- asking ----------------------------------------------------------------------------------------------------

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
            reason = f"no answer of the node at {self.node} within {limit_s:g} s; {known}; {remedy}"
            raise WaitTimeout(instance, reason) from error
        return decode_net_answer(kind, instance, answer)


def _plain_tokens(tokens: Tokens) -> dict[str, list[object]]:
    """Return the values by the name of their place. Raises `TypeError` and `ValueNotEncodable`."""
    plain: dict[str, list[object]] = {}
    for place, values in tokens.items():
        name = place.name if isinstance(place, PlaceRef) else place
        check_text("a place", name)
        if not isinstance(values, list | tuple):  # a text is a sequence too, and never what is meant
            raise TypeError(f"tokens for {name!r} must be a list of values, got {type(values).__name__}")
        for value in values:
            check_plain(value)
        plain[name] = list(values)
    return plain


def _own_host(node: NetAddress) -> str:
    """Return the address of this host that a node can answer to. Raises `NodeUnreachable`."""
    if node.is_loopback:
        return node.host
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((node.host, node.port))  # sends nothing: it asks the system for a route
            return str(probe.getsockname()[0])
    except OSError as error:
        raise NodeUnreachable(str(node), error.strerror or str(error)) from error
