"""A client of nodes: the verbs of `Runtime`, against engines in other processes."""

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state, check_text, chosen_id
from placet.actors.errors import NotFound
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.spawning import Definable, Tokens
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.net.address import NetAddress, parse_address
from placet.net.answer import InstanceFound, Listed, Offers
from placet.net.courier import Courier
from placet.net.errors import NodeUnreachable
from placet.net.keyring import Keyring, load_keyring
from placet.net.node_client import NodeClient
from placet.net.plain import check_plain
from placet.net.preflight import PATIENCE_S, knock
from placet.net.remote import RemoteInstance
from placet.net.request import FindRequest, ListRequest, SpawnRequest, TasksRequest
from placet.petri.expression import PlaceRef


def connect(address: str, *, key_file: str | os.PathLike[str], timeout_s: float = PATIENCE_S) -> "Client":
    """Return a client of the node at `address`, such as `127.0.0.1:1900`, once it has answered.

    Of a cluster any nodes will do, such as `10.0.0.1:1900,10.0.0.2:1900`: the first that answers tells of the others.
    `key_file` is a node's, or a copy. Raises within `timeout_s` for each address: `WrongKey`, `NodeUnreachable`,
    `KeyUnusable` and `BadAddress`.
    """
    nodes = [parse_address(one.strip()) for one in check_text("an address", address).split(",")]
    return Client(nodes, os.fspath(key_file), timeout_s)


class Client:
    """Speaks with a node, or a cluster of them; safe to use from any thread.

    Use it as a context manager, or call `close`. A request without `timeout_s` waits 30 s. When an engine dies, what
    it was asked is asked again of the next.
    """

    def __init__(self, nodes: Sequence[NetAddress], key_file: str, timeout_s: float) -> None:
        keyring = load_keyring(key_file)
        first = _first_that_answers(nodes, keyring, key_file, timeout_s)
        others = [node for node in nodes if node != first]
        self._courier = Courier(NetAddress(host=_own_host(first), port=0), [first, *others], keyring)
        self._node = NodeClient(", ".join(str(node) for node in nodes), self._courier)

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
        self._node.ask(request, InstanceFound, instance, timeout_s, f"spawn it again with id {instance!r} to find out")
        return RemoteInstance(self._node, instance)

    def find(self, address: str, timeout_s: float | None = None) -> RemoteInstance:
        """Return the handle of an instance, by its id or the address of a place or composite in it.

        Raises `NotFound`, `BadRequest` and `WaitTimeout`.
        """
        parts = check_text("an address", address).split("/")
        for count in range(len(parts), 1, -1):  # children of calls have ids with a `/`, and a place of their own
            with suppress(NotFound):
                return self._found("/".join(parts[:count]), address, timeout_s)
        return self._found(parts[0], address, timeout_s)

    def _found(self, instance: str, address: str, timeout_s: float | None) -> RemoteInstance:
        request = FindRequest(instance=instance, address=address)
        found = self._node.ask(request, InstanceFound, instance, timeout_s)
        return RemoteInstance(self._node, found.instance)

    def instance(self, id: str, timeout_s: float | None = None) -> RemoteInstance:
        """Return the handle of an instance by its id. Raises as `find` does."""
        return self.find(id, timeout_s)

    def list(
        self, state: InstanceState | str | None = None, timeout_s: float | None = None
    ) -> Iterator[InstanceSummary]:
        """Yield a summary of every instance, or of those in one state. Raises `BadRequest` and `WaitTimeout`."""
        wanted = None if state is None else check_state(state)
        found = self._node.ask_all(ListRequest(state=wanted), Listed, "", timeout_s)
        return (summary for listed in found for summary in listed.instances)

    def tasks(
        self,
        *,
        role: str | None = None,
        assignee: str | None = None,
        transition: str | None = None,
        instance: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[TaskView]:
        """Yield what is offered to people, as `Runtime.tasks` does. Raises `NotFound` and `WaitTimeout`."""
        request = TasksRequest(role=role, assignee=assignee, transition=transition, instance=instance)
        if instance is not None:
            return iter(self._node.ask(request, Offers, instance, timeout_s).tasks)
        return (task for offers in self._node.ask_all(request, Offers, "", timeout_s) for task in offers.tasks)

    def tell(self, address: str, message: Intervention, timeout_s: float | None = None) -> Receipt:
        """Send an intervention to an instance; see `Instance.tell`. It has its effect once, however often it is sent.

        Raises `NotFound`, `RequestRefused` and `WaitTimeout`.
        """
        return self._node.tell(address, message, timeout_s)


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


def _first_that_answers(nodes: Sequence[NetAddress], keyring: Keyring, key_file: str, timeout_s: float) -> NetAddress:
    """Return the first node that takes the key. Raises what the last one said."""
    for number, node in enumerate(nodes, 1):
        try:
            knock(node, keyring, key_file, timeout_s)
        except NodeUnreachable:
            if number == len(nodes):
                raise
        else:
            return node
    raise AssertionError("there is at least one node")


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


def node_of(client: Client) -> NodeClient:
    """Return what a client asks its node through: for Placet's own commands and tests, not for users."""
    return client._node  # pyright: ignore[reportPrivateUsage] - of this module
