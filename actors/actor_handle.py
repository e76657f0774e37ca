"""What a client holds of one place or composite of an instance: the verbs of an instance, for a part of it."""

import os
from collections.abc import Iterator
from pathlib import Path

from placet.actors.answers import Entries, Receipt, encode_answer
from placet.actors.copies.export import Exported
from placet.actors.engine_client import EngineClient
from placet.actors.errors import no_instance
from placet.actors.handle_verbs import HandleVerbs
from placet.actors.instance import Instance
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    FailIncident,
    Inspect,
    Restart,
    RetryIncident,
    SkipIncident,
    Sleep,
    TokenIntervention,
)
from placet.actors.part import Part
from placet.actors.part_message import Said, check_numbered, check_token, for_instance
from placet.actors.part_report import explain_part
from placet.actors.reader import InstanceView
from placet.actors.task_view import TaskView
from placet.persistence.history import Record
from placet.persistence.values import decode
from placet.petri.expression import PlaceRef, place_name


class ActorHandle(HandleVerbs):
    """One place or composite of an instance, by its address. Cheap to make; safe to use from any thread.

    A composite here is a fused one: part of its instance, which ends as a whole. To end a part by itself, call it: then
    it is an instance of its own, `Instance.children` finds it, and it has `cancel`, `result` and `wait_until`.

    What is done to tasks, tokens and incidents in it is as with `Instance`, for those in it alone: what is elsewhere in
    its instance is refused with `BadRequest`. Places and transitions go by the names it has for them.
    """

    def __init__(self, client: EngineClient, instance: str, path: str) -> None:
        self._client = client
        self.instance = instance
        self.path = path

    @property
    def address(self) -> str:
        """The actor's address, such as `order-17/fulfil/packed`."""
        return f"{self.instance}/{self.path}"

    def __repr__(self) -> str:
        return f"ActorHandle({self.address!r})"

    @property
    def is_place(self) -> bool:
        """True for a place, False for a composite."""
        return self._part().is_place

    # -- looking -------------------------------------------------------------------------------------------

    @property
    def state(self) -> InstanceState:
        """Where it stands, as committed: `running`, `waiting` while nothing in it is under way, `incident`, `paused`.

        It is `stuck`, `cancelling` or at its end where its instance is.
        """
        return self._part().state(self._instance.view())

    def view(self) -> InstanceView:
        """Return what `Instance.view` does, of what is in it: places by its names, all other paths as they are."""
        return self._part().narrowed(self._instance.view())

    def explain(self) -> str:
        """Return in a few words what goes on in it, or what it waits for."""
        return explain_part(self._part(), self._instance.view())

    def values(self) -> list[object]:
        """Return the values of a place's free tokens, oldest first; of a composite, see `marking`."""
        return [value for values in self.marking().values() for value in values] if self.is_place else []

    def marking(self) -> dict[str, list[object]]:
        """Return the values of the free tokens in it by place, as it calls its places, oldest first."""
        found = self._part().of(self._instance.view().marking)
        return {name: [decode(value) for value in values] for name, values in found.items()}

    def tokens(self) -> dict[str, list[int]]:
        """Return the numbers of the free tokens in it, as in `marking`: what people name tokens by."""
        return self._part().of(self._instance.view().tokens)

    def tasks(self) -> Iterator[TaskView]:
        """Yield what it offers to people, as committed, oldest first: of a place, what its tokens are offered for."""
        part = self._part()
        return (task for task in self._instance.tasks() if part.has_task(task))

    def wait_task(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """Wait for a task of a manual transition of this composite; see `Instance.wait_task`."""
        return self._instance.wait_task(f"{self.path}/{transition}", timeout_s)

    async def wait_task_async(self, transition: str, timeout_s: float | None = None) -> TaskView:
        """`wait_task` for asyncio."""
        return await self._instance.wait_task_async(f"{self.path}/{transition}", timeout_s)

    def children(self) -> list[Instance]:
        """Return the instances that calls in it have begun, those that have ended too, the oldest first."""
        part = self._part()
        return [
            Instance(self._client, child.instance)
            for child in self._client.reader.children(self.instance)
            if child.caller is not None and part.has_call(child.caller.transition)
        ]

    def history(self) -> list[tuple[int, Record]]:
        """Return (sequence, record) for what happened to transitions and tokens in it by name, oldest first."""
        part = self._part()
        return [one for one in self._instance.history() if part.has_record(one[1])]

    # -- interventions -------------------------------------------------------------------------------------

    def _tell(self, message: Said, timeout_s: float | None) -> Receipt:
        told = self._client.intervene(self.instance, self._for_instance(message))
        return self._client.wait(told, timeout_s, self.instance)

    async def _tell_async(self, message: Said, timeout_s: float | None) -> Receipt:
        told = self._client.intervene(self.instance, self._for_instance(message))
        return await self._client.wait_async(told, timeout_s, self.instance)

    def _for_instance(self, message: Said) -> Said:
        part = self._part()
        if isinstance(message, TokenIntervention):
            check_token(part, message.token, self._client.reader.token_place(self.instance, message.token))
        elif isinstance(message, RetryIncident | SkipIncident | FailIncident):
            check_numbered(message, part, self._instance.view())
        return for_instance(message, part)

    def _encoded(self, target: PlaceRef | str | int, value: object) -> bytes:
        named = target if isinstance(target, int) else self._part().inside(place_name(target))
        return self._client.encoded(self.instance, named, value)

    def _outputs(self, incident: int, outputs: object) -> tuple[tuple[str, bytes], ...]:
        return self._client.outputs(self.instance, incident, outputs)

    # -- the actor itself ----------------------------------------------------------------------------------

    def inspect(self, timeout_s: float | None = None) -> Entries:
        """Return the actor's durable entries: its snapshot. Raises `WaitTimeout`."""
        instance, path = self.instance, self.path
        answer = self._client.ask(lambda reply: Inspect(instance=instance, path=path, reply=reply), timeout_s)
        assert isinstance(answer, Entries)
        return answer

    def export(self, timeout_s: float | None = None) -> bytes:
        """Return the actor's snapshot as one piece of bytes (msgpack: address, and entries with kind, id and bytes)."""
        return encode_answer(self.inspect(timeout_s))

    def export_to(self, path: str | os.PathLike[str], *, history: bool = False) -> Exported:
        """Write its entries and those of all in it, as committed at one moment, to a file; see `Instance.export_to`.

        `Instance.import_place` puts its tokens into an instance again. `history` takes that of its instance along.
        """
        return self._client.export(self.instance, Path(path), actor=self.path, history=history)

    def restart(self, timeout_s: float | None = None) -> None:
        """Drop the actor from memory and bring it back from its snapshot; its tokens are as before."""
        instance, path = self.instance, self.path
        self._client.ask(lambda reply: Restart(instance=instance, path=path, reply=reply), timeout_s)

    def sleep(self, timeout_s: float | None = None) -> None:
        """Put the actor to sleep: on disk, not in memory, until something needs it."""
        instance, path = self.instance, self.path
        self._client.ask(lambda reply: Sleep(instance=instance, path=path, reply=reply), timeout_s)

    # -- what belongs to it --------------------------------------------------------------------------------

    @property
    def _instance(self) -> Instance:
        return Instance(self._client, self.instance)

    def _part(self) -> Part:
        header = self._client.reader.header(self.instance)
        if header is None:
            raise no_instance(self.instance)
        return Part(plan=self._client.reader.plan(header), path=self.path)
