"""The handle of a place or composite of an instance on a node: the verbs of `ActorHandle`, from another process."""

from collections.abc import Iterator

from placet.actors.answers import Entries, Receipt, encode_answer
from placet.actors.control.request import InspectRequest, RestartRequest, SleepRequest
from placet.actors.errors import BadRequest
from placet.actors.part import Part
from placet.actors.task_view import TaskView
from placet.net.answer import Done, Offers, Shown, Structure, Told
from placet.net.node_client import NodeClient
from placet.net.remote import RemoteInstance, calls_of, decoded
from placet.net.request import HistoryRequest, ShowRequest, StructureRequest, TasksRequest
from placet.net.twins import awaited, blocked, blocking, twin
from placet.persistence.history import Record
from placet.petri.net import Net
from placet.petri.plan import Plan, make_plan


class RemoteActorHandle:
    """One place or composite of an instance on a node, by its address. Cheap to make; safe to use from any thread.

    Raises and twins are as with `RemoteInstance`.
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

    def pause(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Choose nothing new in it; results of what is in flight are counted. Raises as `RemoteInstance.tell` does."""
        return self._whole.pause(by=by, why=why, target=self.path, request_id=request_id, timeout_s=timeout_s)

    async def pause_async(
        self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`pause` for asyncio."""
        whole = self._whole
        return await whole.pause_async(by=by, why=why, target=self.path, request_id=request_id, timeout_s=timeout_s)

    def resume(self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None) -> Receipt:
        """Undo a pause of it. Raises as `RemoteInstance.tell` does."""
        return self._whole.resume(by=by, why=why, target=self.path, request_id=request_id, timeout_s=timeout_s)

    async def resume_async(
        self, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`resume` for asyncio."""
        whole = self._whole
        return await whole.resume_async(by=by, why=why, target=self.path, request_id=request_id, timeout_s=timeout_s)

    def put(
        self, value: object, *, by: str = "", why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Put a token into this place, which is fed from outside. Raises as `RemoteInstance.put` does."""
        blocked(self._check_place(timeout_s))
        return self._whole.put(self.path, value, by=by, why=why, request_id=request_id, timeout_s=timeout_s)

    async def put_async(
        self, value: object, *, by: str = "", why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`put` for asyncio."""
        await awaited(self._check_place(timeout_s))
        whole = self._whole
        return await whole.put_async(self.path, value, by=by, why=why, request_id=request_id, timeout_s=timeout_s)

    def inject(
        self, value: object, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """Put a token into this place, whatever it is. Raises as `RemoteInstance.inject` does."""
        blocked(self._check_place(timeout_s))
        return self._whole.inject(self.path, value, by=by, why=why, request_id=request_id, timeout_s=timeout_s)

    async def inject_async(
        self, value: object, *, by: str, why: str = "", request_id: str = "", timeout_s: float | None = None
    ) -> Receipt:
        """`inject` for asyncio."""
        await awaited(self._check_place(timeout_s))
        whole = self._whole
        return await whole.inject_async(self.path, value, by=by, why=why, request_id=request_id, timeout_s=timeout_s)

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

    async def _check_place(self, timeout_s: float | None) -> None:
        if not (await self._part(timeout_s)).is_place:
            raise BadRequest(f"{self.address} is a composite", "find the place in it that the token is for")


async def net_of(client: NodeClient, instance: str, timeout_s: float | None) -> Net:
    """Return the net an instance runs on."""
    return (await client.ask(StructureRequest(instance=instance), Structure, instance, timeout_s)).net.net


async def plan_of(client: NodeClient, instance: str, timeout_s: float | None) -> Plan:
    """Return the plan of an instance's net, without handlers."""
    return make_plan(await net_of(client, instance, timeout_s), {})
