"""The handle of a place or composite of an instance on a node: the verbs of `ActorHandle`, from another process."""

from collections.abc import Iterator

from placet.actors.answers import Entries, Receipt, encode_answer
from placet.actors.control.request import InspectRequest, RestartRequest, SleepRequest
from placet.actors.handle_verbs import HandleVerbs
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import FailIncident, RetryIncident, SkipIncident, TokenIntervention
from placet.actors.part import Part
from placet.actors.part_message import Said, check_numbered, for_instance
from placet.actors.part_report import explain_part
from placet.actors.reader import InstanceView
from placet.actors.task_view import TaskView
from placet.net.answer import Done, Offers, Shown, Structure, Told
from placet.net.node_client import NodeClient
from placet.net.remote import RemoteInstance, calls_of, decoded
from placet.net.request import HistoryRequest, ShowRequest, StructureRequest, TasksRequest
from placet.net.twins import awaited, blocked, blocking, twin
from placet.persistence.history import Record
from placet.persistence.values import encode
from placet.petri.expression import PlaceRef
from placet.petri.net import Net
from placet.petri.plan import Plan, make_plan


class RemoteActorHandle(HandleVerbs):
    """One place or composite of an instance on a node, by its address. Cheap to make; safe to use from any thread.

    Raises and twins are as with `RemoteInstance`; what is done in it, and what is refused, as with `ActorHandle`.
    """

    def __init__(self, client: NodeClient, instance: str, path: str) -> None:
        self._client = client
        self.instance = instance
        self.path = path
        self._plan: Plan | None = None

    @property
    def address(self) -> str:
        """The actor's address, such as `order-17/fulfil/packed`."""
        return f"{self.instance}/{self.path}"

    def __repr__(self) -> str:
        return f"RemoteActorHandle({self.address!r})"

    @property
    def is_place(self) -> bool:
        """True for a place, False for a composite."""
        return blocked(self._part(None)).is_place

    async def is_place_async(self) -> bool:
        """`is_place` for asyncio."""
        return (await awaited(self._part(None))).is_place

    # -- looking -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> InstanceState:
        """Where it stands, as committed; see `ActorHandle.state`."""
        return blocked(self._state())

    async def state_async(self) -> InstanceState:
        """`state` for asyncio."""
        return await awaited(self._state())

    async def _state(self) -> InstanceState:
        return (await self._part(None)).state((await self._shown(None)).view)

    @blocking
    async def view(self, timeout_s: float | None = None) -> InstanceView:
        """Return what `RemoteInstance.view` does, of what is in it; places go by the names it has for them."""
        return (await self._part(timeout_s)).narrowed((await self._shown(timeout_s)).view)

    view_async = twin(view)

    @blocking
    async def explain(self, timeout_s: float | None = None) -> str:
        """Return in a few words what goes on in it, or what it waits for."""
        return explain_part(await self._part(timeout_s), (await self._shown(timeout_s)).view)

    explain_async = twin(explain)

    @blocking
    async def values(self, timeout_s: float | None = None) -> list[object]:
        """Return the values of a place's free tokens, oldest first; of a composite, see `marking`."""
        part = await self._part(timeout_s)
        found = decoded(part.of((await self._shown(timeout_s)).view.marking)) if part.is_place else {}
        return [value for values in found.values() for value in values]

    values_async = twin(values)

    @blocking
    async def marking(self, timeout_s: float | None = None) -> dict[str, list[object]]:
        """Return the values of the free tokens in it by place, as it calls its places, oldest first."""
        return decoded((await self._part(timeout_s)).of((await self._shown(timeout_s)).view.marking))

    marking_async = twin(marking)

    @blocking
    async def tokens(self, timeout_s: float | None = None) -> dict[str, list[int]]:
        """Return the numbers of the free tokens in it, as in `marking`: what people name tokens by."""
        return (await self._part(timeout_s)).of((await self._shown(timeout_s)).view.tokens)

    tokens_async = twin(tokens)

    @blocking
    async def tasks(self, timeout_s: float | None = None) -> Iterator[TaskView]:
        """Yield what it offers to people, as committed, oldest first: of a place, what its tokens are offered for."""
        part = await self._part(timeout_s)
        offered = await self._client.ask(TasksRequest(instance=self.instance), Offers, self.instance, timeout_s)
        return iter([task for task in offered.tasks if part.has_task(task)])

    tasks_async = twin(tasks)

    def wait_task(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """Wait for a task of a manual transition of this composite; see `RemoteInstance.wait_task`."""
        return self._whole.wait_task(f"{self.path}/{transition}", timeout_s)

    async def wait_task_async(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """`wait_task` for asyncio."""
        return await self._whole.wait_task_async(f"{self.path}/{transition}", timeout_s)

    @blocking
    async def children(self, timeout_s: float | None = None) -> list[RemoteInstance]:
        """Return the instances that calls in it have begun, those that have ended too, the oldest first."""
        part = await self._part(timeout_s)
        begun = await calls_of(self._client, self.instance, timeout_s)
        return [
            RemoteInstance(self._client, one.instance)
            for one in begun
            if part.has_below(one.instance.removeprefix(f"{self.instance}/"))
        ]

    children_async = twin(children)

    @blocking
    async def history(self, timeout_s: float | None = None) -> list[tuple[int, Record]]:
        """Return (sequence, record) for what happened to transitions and tokens in it by name, oldest first."""
        part = await self._part(timeout_s)
        told = await self._client.ask(HistoryRequest(instance=self.instance), Told, self.instance, timeout_s)
        return [one for one in told.records if part.has_record(one[1])]

    history_async = twin(history)

    # -- interventions -----------------------------------------------------------------------------------------

    def _tell(self, message: Said, timeout_s: float | None) -> Receipt:
        return blocked(self._told(message, timeout_s))

    async def _tell_async(self, message: Said, timeout_s: float | None) -> Receipt:
        return await awaited(self._told(message, timeout_s))

    async def _told(self, message: Said, timeout_s: float | None) -> Receipt:
        part = await self._part(timeout_s)
        if isinstance(message, TokenIntervention | RetryIncident | SkipIncident | FailIncident):
            check_numbered(message, part, (await self._shown(timeout_s)).view)
        return await self._client.tell(self.instance, for_instance(message, part), timeout_s)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:  # noqa: ARG002  the engine knows types
        return encode(value)

    # -- the actor itself --------------------------------------------------------------------------------------

    @blocking
    async def inspect(self, timeout_s: float | None = None) -> Entries:
        """Return the actor's durable entries: its snapshot."""
        return await self._entries(timeout_s)

    inspect_async = twin(inspect)

    @blocking
    async def export(self, timeout_s: float | None = None) -> bytes:
        """Return the actor's snapshot as one piece of bytes (msgpack: address, and entries with kind, id and bytes)."""
        return encode_answer(await self._entries(timeout_s))

    export_async = twin(export)

    @blocking
    async def restart(self, timeout_s: float | None = None) -> None:
        """Drop the actor from memory and bring it back from its snapshot; its tokens are as before."""
        request = RestartRequest(instance=self.instance, path=self.path)
        await self._client.ask(request, Done, self.instance, timeout_s)

    restart_async = twin(restart)

    @blocking
    async def sleep(self, timeout_s: float | None = None) -> None:
        """Put the actor to sleep: on disk, not in memory, until something needs it."""
        request = SleepRequest(instance=self.instance, path=self.path)
        await self._client.ask(request, Done, self.instance, timeout_s)

    sleep_async = twin(sleep)

    # -- what belongs to it ------------------------------------------------------------------------------------

    @property
    def _whole(self) -> RemoteInstance:
        return RemoteInstance(self._client, self.instance)

    async def _entries(self, timeout_s: float | None) -> Entries:
        request = InspectRequest(instance=self.instance, path=self.path)
        return await self._client.ask(request, Entries, self.instance, timeout_s)

    async def _shown(self, timeout_s: float | None) -> Shown:
        return await self._client.ask(ShowRequest(instance=self.instance), Shown, self.instance, timeout_s)

    async def _part(self, timeout_s: float | None) -> Part:
        """Return what belongs to it: an instance's net never changes, so it is asked for once."""
        if self._plan is None:
            self._plan = await plan_of(self._client, self.instance, timeout_s)
        return Part(plan=self._plan, path=self.path)


async def net_of(client: NodeClient, instance: str, timeout_s: float | None) -> Net:
    """Return the net an instance runs on."""
    return (await client.ask(StructureRequest(instance=instance), Structure, instance, timeout_s)).net.net


async def plan_of(client: NodeClient, instance: str, timeout_s: float | None) -> Plan:
    """Return the plan of an instance's net, without handlers."""
    return make_plan(await net_of(client, instance, timeout_s), {})
