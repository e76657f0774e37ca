"""The embedded runtime: workflows in this process, their state in one directory, no server."""

import atexit
import os
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from placet.actors.actor_handle import ActorHandle
from placet.actors.answers import Answer, Receipt, RefusalCode, Refused, Spawned
from placet.actors.arguments import check_state, check_text, chosen_id
from placet.actors.carrier import Seat
from placet.actors.catalog import is_same, registered
from placet.actors.copies.backup import BackedUp, backup
from placet.actors.copies.export import Exported
from placet.actors.copies.import_request import import_message
from placet.actors.effects import Progress
from placet.actors.embedded_engine import EmbeddedEngine
from placet.actors.engine import Health
from placet.actors.engine_client import EngineClient
from placet.actors.errors import (
    NotFound,
    RequestRefused,
    SpawnConflict,
    UnknownWorkflow,
    no_instance,
)
from placet.actors.executors.hybrid import HybridExecutor
from placet.actors.executors.roster import Bounds
from placet.actors.inputs import fingerprint
from placet.actors.instance import Instance, InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Spawn
from placet.actors.own.actor import Actor
from placet.actors.own.actor_instance import ActorInstance, find_actor
from placet.actors.own.definition import BORN
from placet.actors.spawning import Definable, Tokens, entry_values
from placet.actors.task_request import Intervention
from placet.actors.task_view import TaskView
from placet.actors.token_request import GivingRequest
from placet.persistence.lmdb_store import LIMIT_BYTES
from placet.persistence.values import encode
from placet.petri.errors import DefinitionError

if TYPE_CHECKING:
    from placet.actors.executors.base import RunningHandler
    from placet.actors.executors.hybrid import Placement

MOST_NAMED = 5  # children, in an error
M = TypeVar("M")
_random = random.Random()  # seeded by the system; incarnations need to differ, not to be secret


class Runtime:
    """Runs workflows in this process over a state directory; use it as a context manager, or call `close`.

    `workflows` are registered before recovery, so that instances of earlier runs go on with today's handlers.
    `threads`, `processes` (0: one a processor) and `concurrency` bound the handlers that run at once on threads, in
    worker processes, and as `async def`. `grace_s` is how long closing waits for those that run.
    With `check`, every page of the store is read for damage first, which takes about 20 ms a MiB.
    With `control`, commands of the same user reach it through `DIR/control.sock`.
    `capabilities` is what this host has, such as `{"gpu": 1}`, for transitions with `requires`; `ValueError` for
    anything but texts and numbers.
    Raises `StoreInUse` when another process has the state, and the other errors of `placet.persistence.errors`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        workflows: Iterable[Definable] = (),
        *,
        threads: int = 64,
        processes: int = 0,
        concurrency: int = 1_000,
        grace_s: float = 5.0,
        limit_bytes: int = LIMIT_BYTES,
        control: bool = True,
        check: bool = False,
        capabilities: Mapping[str, float | str] | None = None,
    ) -> None:
        bounds = Bounds(threads=threads, processes=processes, concurrency=concurrency)
        whole = Path(path).absolute()  # wherever the process goes from here
        self._take(
            whole,
            EmbeddedEngine(
                whole,
                workflows,
                bounds,
                grace_s=grace_s,
                limit_bytes=limit_bytes,
                control=control,
                check=check,
                capabilities=capabilities or {},
            ),
        )

    def _take(self, path: Path, embedded: EmbeddedEngine) -> None:
        self.path = path
        self._embedded = embedded
        self._client = self._embedded.client
        self.unknown = self._client.unknown
        atexit.register(self.close)  # a program that forgets to close must not look like one that crashed

    # -- life ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop cleanly: nothing is lost, and what runs on after the grace is run again at the next start."""
        self._client.engine.refuse_own_thread()
        atexit.unregister(self.close)
        self._embedded.close()

    # -- spawning ------------------------------------------------------------------------------------------

    def spawn(
        self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "", timeout_s: float | None = None
    ) -> Instance:
        """Start an instance with `tokens`, {entry place: [values]}, and return it once it is on disk.

        The same id with the same inputs is the same instance; with other inputs, `SpawnConflict`. Without an id
        it gets a random one. Raises `UnknownWorkflow`, `DefinitionError` for another workflow under a registered
        name, `BadRequest` for an id that is no text, `InvalidId`, `NotFound`
        for a place that is no entry, `Busy` and `WaitTimeout` (then it may or may not exist: spawn it again with the
        same id).
        """
        self._client.engine.refuse_own_thread()
        return self._client.wait(self.spawn_later(workflow, tokens, id=id), timeout_s, id)

    async def spawn_async(
        self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "", timeout_s: float | None = None
    ) -> Instance:
        """`spawn` for asyncio."""
        return await self._client.wait_async(self.spawn_later(workflow, tokens, id=id), timeout_s, id)

    def spawn_later(
        self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = ""
    ) -> "Future[Instance]":
        """`spawn` without waiting."""
        given = None if isinstance(workflow, str) else workflow.definition()
        name = given.name if given is not None else str(workflow)
        definition = self._embedded.definitions.get(name)
        if definition is None or name not in self._embedded.digests:
            raise UnknownWorkflow(name)
        if given is not None and not is_same(definition, given):
            raise DefinitionError(f"another workflow called {name} is registered", "pass this one to Runtime instead")
        instance = chosen_id(id, f"{name}-{secrets.token_hex(6)}")
        _, plan, digest = registered(definition)
        values = entry_values(plan, definition, instance, tokens)
        message = Spawn(
            instance=instance,
            workflow=definition.name,
            version=definition.version,
            net=digest,
            tokens=tuple((place, encode(value)) for place, value in values),
            inputs=fingerprint((plan.places[place].path, value) for place, value in values),
            incarnation=_random.getrandbits(32),
        )
        return self._client.engine.ask(
            lambda reply: msgspec.structs.replace(message, reply=reply), lambda answer: self._spawned(instance, answer)
        )

    def _spawned(self, instance: str, answer: Answer) -> Instance:
        match answer:
            case Spawned():
                return Instance(self._client, instance)
            case Refused(code=RefusalCode.CONFLICT):
                raise SpawnConflict(instance, answer.reason)
            case Refused():
                raise RequestRefused(instance, answer.reason, answer.code, answer.by, answer.at)
            case _:
                raise AssertionError(answer)

    def start(
        self,
        actor: type[Actor[M]],
        *,
        id: str = "",
        state: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
    ) -> ActorInstance[M]:
        """Start an actor of a class, or find the one of that id that began with the same `state`.

        `state` is what it keeps to begin with, by name. Raises as `spawn` does.
        """
        instance = self.spawn(actor, {BORN: [dict(state or {})]}, id=id, timeout_s=timeout_s)
        return ActorInstance(self._client, instance.id, actor)

    # -- copies --------------------------------------------------------------------------------------------

    def import_from(
        self, path: str | os.PathLike[str], *, by: str, why: str = "", id: str = "", timeout_s: float | None = None
    ) -> Instance:
        """Make a paused instance out of an exported one, under its old id or another, and return it once on disk.

        It is paused because beside its original it would do everything a second time: `resume` it once that is what
        you want. Its firings have new ids. Import only files you trust: their values are pickles, loaded when used.
        Raises `BadCopy`, `SpawnConflict` where the id exists, `InvalidId`, `BadRequest`, and `WaitTimeout` (then it may
        or may not exist).
        """
        self._client.engine.refuse_own_thread()
        message = import_message(Path(path), id, by, why)
        asked = self._client.engine.ask(
            lambda reply: msgspec.structs.replace(message, reply=reply),
            lambda answer: self._spawned(message.instance, answer),
        )
        return self._client.wait(asked, timeout_s, message.instance)

    def backup(self, path: str | os.PathLike[str], progress: "Callable[[int, int], None] | None" = None) -> BackedUp:
        """Copy the whole state, as committed at one moment, to the file `path`; instances go on meanwhile.

        The copy is checked, every page and value, before it gets its name; `placet restore` puts it in place.
        `progress` is told (bytes copied, bytes to copy, roughly). Raises `CopyExists`, `CopyFailed`, and `StoreDamaged`
        where the state itself is found damaged.
        """
        self._client.engine.refuse_own_thread()
        return backup(self._client.store, self.path, Path(path), progress)

    def export(self, instance: str, path: str | os.PathLike[str], *, actor: str = "", history: bool = True) -> Exported:
        """Write an instance, or one place or composite of it, to a file; see `Instance.export_to`."""
        return self._client.export(instance, Path(path), actor=actor, history=history)

    # -- finding -------------------------------------------------------------------------------------------

    def find(self, address: str) -> Instance | ActorHandle:
        """Return the handle of an instance (`order-17`) or of an actor in it (`order-17/fulfil/packed`).

        Raises `NotFound`, and `BadRequest` for an address that is no text.
        """
        instance, path = self._split(check_text("an address", address))
        header = self._client.reader.header(instance)
        if header is None:
            raise no_instance(instance)
        if not path:
            return Instance(self._client, instance)
        plan = self._client.reader.plan(header)
        if path not in plan.place_index and path not in plan.composite_index:
            raise NotFound(instance, f"{instance} has no place or composite {path!r}{self._called(instance, path)}")
        return ActorHandle(self._client, instance, path)

    def _called(self, instance: str, path: str) -> str:
        """Return what helps who names a transition that calls: its children have addresses, and it has none."""
        begun = [one.instance for one in self._client.reader.children(instance)]
        below = [one for one in begun if one.startswith(f"{instance}/{path}.")]
        return f"; its calls have begun {', '.join(below[-MOST_NAMED:])}" if below else ""

    def _split(self, address: str) -> tuple[str, str]:
        """Return (instance, path of the actor in it) of an address: the children of calls have ids with a `/`."""
        parts = address.split("/")
        for count in range(len(parts), 1, -1):
            instance = "/".join(parts[:count])
            if self._client.reader.root(instance) is not None:
                return instance, "/".join(parts[count:])
        return parts[0], "/".join(parts[1:])

    def instance(self, id: str) -> Instance:
        """Return the handle of an instance. Raises `NotFound`, and `BadRequest` for an id that is no text."""
        plain = check_text("an id", id)
        if self._client.reader.root(plain) is None:
            raise no_instance(plain)
        return Instance(self._client, plain)

    def actor(self, id: str, kind: type[Actor[M]]) -> ActorInstance[M]:
        """Return the handle of an actor of a class. Raises `NotFound`, and `BadRequest` for an id that is no text."""
        return find_actor(self._client, id, kind)

    def list(self, state: InstanceState | str | None = None) -> Iterator[InstanceSummary]:
        """Yield a summary of every instance, or of those in one state, as committed.

        Raises `BadRequest` where `state` is none.
        """
        wanted = None if state is None else check_state(state)
        # All at once: each open view of the store keeps a place of which there are few.
        return iter(
            [InstanceSummary.of(h) for h in self._client.reader.headers() if wanted is None or h.state is wanted]
        )

    # -- waiting and telling -------------------------------------------------------------------------------

    def tasks(
        self,
        *,
        role: str | None = None,
        assignee: str | None = None,
        transition: str | None = None,
        instance: str | None = None,
    ) -> Iterator[TaskView]:
        """Yield what is offered to people, as committed: all, or what such a person may decide.

        `role` and `assignee` leave out what is for others only; `transition` is the path of a manual transition.
        They come instance by instance, in no particular order, and values are read one by one. Raises `NotFound` for an
        `instance` there is none of.
        """
        found = self._client.reader.tasks("" if instance is None else self.instance(instance).id)
        return (task for task in found if transition in (None, task.transition) and task.is_for(role, assignee))

    def tell(self, address: str, message: Intervention | GivingRequest, timeout_s: float | None = None) -> Receipt:
        """Send an intervention to an instance; see `Instance.tell`."""
        self._client.engine.refuse_own_thread()
        return self._client.wait(self.tell_later(address, message), timeout_s, address)

    def tell_later(self, address: str, message: Intervention | GivingRequest) -> "Future[Receipt]":
        """`tell` without waiting."""
        return self._client.intervene(address, message)

    def explain(self, instance: str) -> str:
        """Return in a few words why an instance has not completed."""
        return self._client.explain(instance)

    # -- watching ------------------------------------------------------------------------------------------

    def follow(self, instance: str, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Call `listener` for every step of an instance, after its commit; return a function that ends this.

        It is called on the engine's thread: it must be quick and must not raise.
        """
        undo = self._client.engine.steps.add(instance, listener)
        self._client.engine.kernel.observed.add(instance)

        def stop() -> None:
            """Call the listener no more."""
            undo()
            if not self._client.engine.steps.has(instance):
                self._client.engine.kernel.observed.discard(instance)

        return stop

    @property
    def health(self) -> Health:
        """How the engine is."""
        return self._client.engine.health

    @property
    def problem(self) -> str:
        """Why the engine is not well: what made it halt or end; "" while it runs."""
        return self._client.engine.problem

    @property
    def control_problem(self) -> str:
        """Why commands cannot reach it through `DIR/control.sock`; "" where they can, or need not."""
        return self._embedded.control_problem

    def placements(self) -> "Sequence[Placement]":
        """Return where the handlers of transitions with run="hybrid" run now, and why; by path."""
        executors = self._client.engine.executors.values()
        return [placement for one in executors if isinstance(one, HybridExecutor) for placement in one.placements()]

    def running(self) -> "Sequence[RunningHandler]":
        """Return the handlers that run now, longest first."""
        return self._client.running()


def client_of(runtime: Runtime) -> EngineClient:
    """Return what a runtime asks its engine through: for Placet's own commands, desks and tests, not for users."""
    return runtime._client  # pyright: ignore[reportPrivateUsage]  a friend of the class: users have no business with it


def engine_of(runtime: Runtime) -> EmbeddedEngine:
    """Return the engine of a runtime, with what was sent to it: for the engines of a node, not for users."""
    return runtime._embedded  # pyright: ignore[reportPrivateUsage] - of this module


def seated(
    path: Path, workflows: Iterable[Definable], seat: Seat, *, threads: int = 64, grace_s: float = 5.0
) -> Runtime:
    """Return a runtime with a seat among other engines: for the engines of a node, not for users."""
    bounds = Bounds(threads=threads, processes=0, concurrency=1_000)
    made = Runtime.__new__(Runtime)
    embedded = EmbeddedEngine(
        path, workflows, bounds, grace_s=grace_s, limit_bytes=LIMIT_BYTES, control=True, check=False, seat=seat
    )
    made._take(path, embedded)  # pyright: ignore[reportPrivateUsage] - of this module
    return made
