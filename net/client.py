"""A client of nodes: the verbs of `Runtime`, against engines in other processes."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from placet.actors.answers import Receipt
from placet.actors.arguments import check_state, check_text, chosen_id
from placet.actors.effects import Progress
from placet.actors.errors import NotFound, UnknownWorkflow
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.own.actor import Actor
from placet.actors.own.definition import BORN
from placet.actors.spawning import Definable, Tokens
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.actors.token_request import GivingRequest
from placet.net.address import NetAddress, parse_address
from placet.net.answer import Explained, InstanceFound, Listed, Offers
from placet.net.cluster_client import ClusterClient
from placet.net.courier import Courier
from placet.net.deploying import Deployer
from placet.net.errors import BundleMissing, NodeUnreachable, NotAllowed
from placet.net.following import Following
from placet.net.gathering import Gathered, gather
from placet.net.keyring import KeyKind, Keyring, load_keyring
from placet.net.node_client import NodeClient
from placet.net.preflight import PATIENCE_S, knock
from placet.net.remote import RemoteInstance
from placet.net.remote_actor import RemoteActorInstance, check_remote_actor
from placet.net.remote_part import RemoteActorHandle
from placet.net.request import ExplainRequest, FindRequest, ListRequest, SpawnRequest, TasksRequest
from placet.net.twins import blocking, twin
from placet.persistence.keys import shard_of
from placet.petri.expression import PlaceRef

M = TypeVar("M")


def connect(address: str, *, key_file: str | os.PathLike[str], timeout_s: float = PATIENCE_S) -> "Client":
    """Return a client of the node at `address`, such as `127.0.0.1:1900`, once it has answered.

    Of a cluster any nodes will do, such as `10.0.0.1:1900,10.0.0.2:1900`: the first that answers tells of the others.
    `key_file` is one of a node's, of any kind, or a copy. Raises within `timeout_s` for each address: `WrongKey`,
    `NodeUnreachable`, `KeyUnusable` and `BadAddress`.
    """
    nodes = [parse_address(one.strip()) for one in check_text("an address", address).split(",")]
    return Client(nodes, os.fspath(key_file), timeout_s)


async def connect_async(address: str, *, key_file: str | os.PathLike[str], timeout_s: float = PATIENCE_S) -> "Client":
    """`connect` for asyncio: use what it returns in `async with`."""
    return await asyncio.to_thread(connect, address, key_file=key_file, timeout_s=timeout_s)


class Client:
    """Speaks with a node, or a cluster of them; safe to use from any thread, and from asyncio.

    Use it as a context manager, or call `close`. A request without `timeout_s` waits 30 s. When an engine dies, what
    it was asked is asked again of the next. Each verb has a twin for asyncio, such as `spawn_async`; to cancel who
    awaits one ends the wait, and takes nothing back.
    """

    def __init__(self, nodes: Sequence[NetAddress], key_file: str, timeout_s: float) -> None:
        keyring = load_keyring(key_file)
        first = _first_that_answers(nodes, keyring, key_file, timeout_s)
        others = [node for node in nodes if node != first]
        self._courier = Courier(NetAddress(host=_own_host(first), port=0), [first, *others], keyring)
        self._node = NodeClient(", ".join(str(node) for node in nodes), self._courier, keyring.kind)
        self._deployer = Deployer(self._node)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; requests that wait in other threads get `NodeUnreachable`."""
        self._courier.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close_async()

    async def close_async(self) -> None:
        """`close` for asyncio."""
        await asyncio.to_thread(self.close)

    # -- spawning and finding --------------------------------------------------------------------------------------

    @blocking
    async def spawn(
        self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "", timeout_s: float | None = None
    ) -> RemoteInstance:
        """Start an instance of a workflow, and return it once it is on disk.

        A workflow that the engines have not got is sent to them, once, with its code; that needs a deploy key. With a
        client key it goes by its name, and values must be plain, as JSON has them. Raises what `Runtime.spawn` raises,
        `ValueNotEncodable`, `NotAllowed`, `WorkflowTaken` for another one of that name and version, and
        `BundleUnusable`; after a `WaitTimeout` that does not know, spawn it again with the same id.
        """
        return RemoteInstance(self._node, await self._spawned(workflow, tokens, id, timeout_s))

    spawn_async = twin(spawn)

    async def _spawned(self, workflow: Definable | str, tokens: Tokens | None, id: str, timeout_s: float | None) -> str:
        definition = None if isinstance(workflow, str) else workflow.definition()
        name = check_text("a workflow", workflow if definition is None else definition.name)
        instance = chosen_id(id, f"{name}-{secrets.token_hex(6)}")
        request = SpawnRequest(instance=instance, workflow=name, tokens=_tokens(tokens or {}))
        again = f"spawn it again with id {instance!r} to find out"
        if definition is None or self._node.kind is KeyKind.CLIENT:
            try:
                await self._node.ask(request, InstanceFound, instance, timeout_s, again)
            except UnknownWorkflow as error:
                if definition is None:
                    raise
                remedy = "connect with a deploy key, or start the node with its file"
                raise NotAllowed(f"no node has workflow {name}, and a client key sends no code", remedy) from error
            return instance
        for attempt in (1, 2):
            digest = await self._deployer.deploy(definition, timeout_s)
            try:
                meant = msgspec.structs.replace(request, bundle=digest)
                await self._node.ask(meant, InstanceFound, instance, timeout_s, again)
                break
            except BundleMissing:  # the shard has come to an engine that was not there before
                self._deployer.forget(digest)
                if attempt == 2:
                    raise
        return instance

    @blocking
    async def start(
        self,
        actor: type[Actor[M]],
        *,
        id: str = "",
        state: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
    ) -> RemoteActorInstance[M]:
        """Start an actor of a class, or find the one of that id that began with the same `state`.

        Raises as `spawn` does.
        """
        instance = await self._spawned(actor, {BORN: [dict(state or {})]}, id, timeout_s)
        return RemoteActorInstance(self._node, instance, actor)

    start_async = twin(start)

    @blocking
    async def actor(self, id: str, kind: type[Actor[M]], timeout_s: float | None = None) -> RemoteActorInstance[M]:
        """Return the handle of an actor of a class. Raises `NotFound`, and as `spawn` does."""
        await check_remote_actor(self._node, id, kind, timeout_s)
        if self._node.kind is not KeyKind.CLIENT:
            await self._deployer.deploy(kind.definition(), timeout_s)
        return RemoteActorInstance(self._node, id, kind)

    actor_async = twin(actor)

    @blocking
    async def find(self, address: str, timeout_s: float | None = None) -> RemoteInstance | RemoteActorHandle:
        """Return the handle of an instance (`order-17`) or of an actor in it (`order-17/fulfil/packed`).

        Raises `NotFound`, `BadRequest` and `WaitTimeout`.
        """
        found = await self._found(address, timeout_s)
        if found.path:
            return RemoteActorHandle(self._node, found.instance, found.path)
        return RemoteInstance(self._node, found.instance)

    find_async = twin(find)

    @blocking
    async def instance(self, id: str, timeout_s: float | None = None) -> RemoteInstance:
        """Return the handle of an instance by its id. Raises as `find` does."""
        request = FindRequest(instance=check_text("an id", id), address="")
        await self._node.ask(request, InstanceFound, id, timeout_s)
        return RemoteInstance(self._node, id)

    instance_async = twin(instance)

    async def _found(self, address: str, timeout_s: float | None) -> InstanceFound:
        parts = check_text("an address", address).split("/")
        for count in range(len(parts), 1, -1):  # children of calls have ids with a `/`, and a place of their own
            with suppress(NotFound):
                return await self._looked_up("/".join(parts[:count]), address, timeout_s)
        return await self._looked_up(parts[0], address, timeout_s)

    async def _looked_up(self, instance: str, address: str, timeout_s: float | None) -> InstanceFound:
        request = FindRequest(instance=instance, address=address)
        return await self._node.ask(request, InstanceFound, instance, timeout_s)

    @blocking
    async def list(
        self, state: InstanceState | str | None = None, timeout_s: float | None = None
    ) -> Iterator[InstanceSummary]:
        """Yield a summary of every instance, or of those in one state. Raises `BadRequest` and `WaitTimeout`.

        Where engines are away, or lack what they should have, the rest is yielded, and then `ShardsMissing` raised.
        """
        wanted = None if state is None else check_state(state)
        return _listed(await gather(self._node, ListRequest(state=wanted), Listed, timeout_s))

    list_async = twin(list)

    @blocking
    async def tasks(
        self,
        *,
        role: str | None = None,
        assignee: str | None = None,
        transition: str | None = None,
        instance: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[TaskView]:
        """Yield what is offered to people, as `Runtime.tasks` does.

        Raises `NotFound` and `WaitTimeout`, and as `list` does, in the end, `ShardsMissing`.
        """
        request = TasksRequest(role=role, assignee=assignee, transition=transition, instance=instance)
        if instance is not None:
            return iter((await self._node.ask(request, Offers, instance, timeout_s)).tasks)
        return _offered(await gather(self._node, request, Offers, timeout_s))

    tasks_async = twin(tasks)

    @blocking
    async def tell(
        self, address: str, message: Intervention | GivingRequest, timeout_s: float | None = None
    ) -> Receipt:
        """Send an intervention to an instance; see `Instance.tell`. It has its effect once, however often it is sent.

        Raises `NotFound`, `RequestRefused` and `WaitTimeout`.
        """
        return await self._node.tell(address, message, timeout_s)

    tell_async = twin(tell)

    @blocking
    async def explain(self, instance: str, timeout_s: float | None = None) -> str:
        """Return in a few words why an instance has not completed. Raises `NotFound` and `WaitTimeout`."""
        return (await self._node.ask(ExplainRequest(instance=instance), Explained, instance, timeout_s)).reason

    explain_async = twin(explain)

    @blocking
    async def follow(
        self, instance: str, listener: Callable[[Progress], None], timeout_s: float | None = None
    ) -> Callable[[], None]:
        """Call `listener` for every step of an instance, after its commit; return a function that ends this.

        It is called on the client's own thread: it must be quick, must not raise, and must not wait for this client.
        Steps that an engine has taken just before its end may be missing; the history has them. Raises `NotFound` and
        `WaitTimeout`.
        """
        following = Following(self._node, check_text("an id", instance), listener)
        await following.begin(timeout_s)
        return following.stop

    follow_async = twin(follow)


def _listed(found: Gathered[Listed]) -> Iterator[InstanceSummary]:
    for part in found.parts:
        yield from (one for one in part.answer.instances if shard_of(one.instance) in part.shards)
    if found.missing is not None:
        raise found.missing


def _offered(found: Gathered[Offers]) -> Iterator[TaskView]:
    for part in found.parts:
        yield from (task for task in part.answer.tasks if shard_of(task.instance) in part.shards)
    if found.missing is not None:
        raise found.missing


def _tokens(tokens: Tokens) -> dict[str, list[object]]:
    """Return the values by the name of their place. Raises `TypeError`."""
    plain: dict[str, list[object]] = {}
    for place, values in tokens.items():
        name = place.name if isinstance(place, PlaceRef) else place
        check_text("a place", name)
        if not isinstance(values, list | tuple):  # a text is a sequence too, and never what is meant
            raise TypeError(f"tokens for {name!r} must be a list of values, got {type(values).__name__}")
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


def cluster_of(client: Client) -> ClusterClient:
    """Return the nodes and shards of a client's cluster, for those who run them."""
    return ClusterClient(node_of(client))
