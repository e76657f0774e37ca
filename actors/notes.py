"""What a handler asks for beside its result: messages to other instances, and changes of its instance's state.

All of it is noted here while the handler runs, goes with its answer, and counts if the result does.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from placet.actors.arguments import check_text, chosen_id
from placet.actors.credit import MOST_WAITING, NONE_FULL
from placet.actors.errors import DeclaredPure, HandlerReturned, SentTooMuch, ShardFull, UnknownWorkflow
from placet.actors.inputs import fingerprint
from placet.actors.messages import (
    MOST_PROGRESS_BYTES,
    Intervention,
    Message,
    Schedule,
    SpawnNamed,
    StatePut,
    TaskIntervention,
    Unschedule,
    Watch,
    encode_message,
)
from placet.actors.spawning import Definable, Tokens, entry_values
from placet.actors.token_request import TokenRequest, to_token_message
from placet.persistence.errors import ValueTooLarge
from placet.persistence.keys import shard_of
from placet.persistence.values import decode, encode
from placet.petri.behaviour import Definition
from placet.petri.errors import DefinitionError, PlacetError, WrongType
from placet.petri.expression import PlaceRef, place_name
from placet.petri.plan import make_plan
from placet.petri.typed import accepts, name_of

MOST_SENT: Final = 10_000  # messages of one call of a handler
MOST_STATE_BYTES: Final = 65_536  # of one encoded value: all of an instance's state goes with each of its starts

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})  # `Any`: whatever it would be of
NO_LOCK: Final = nullcontext()  # for one thread

TakeBeat: TypeAlias = Callable[[bytes | None], object]  # is given each sign of life, with the encoded progress if any


def unheard(_progress: bytes | None) -> None:
    """Take a sign of life that nobody waits for."""


class Notes:
    """What one call of a handler has asked for so far. Settled when the handler has returned."""

    __slots__ = (
        "_full",
        "_spawned",
        "_take_beat",
        "firing",
        "item",
        "lock",
        "progress",
        "puts",
        "refusal",
        "sent",
        "state",
        "workflows",
    )

    def __init__(
        self,
        *,
        firing: str = "",
        item: int | None = None,
        workflows: Mapping[str, Definition] = NOTHING,
        state: Mapping[str, bytes] = NOTHING,
        lock: AbstractContextManager[object] = NO_LOCK,
        refusal: type[PlacetError] | None = None,
        progress: bytes | None = None,
        take_beat: TakeBeat = unheard,
        full: frozenset[int] = NONE_FULL,
    ) -> None:
        self.firing = firing  # public id
        self.item = item  # with run="parallel": which item of the list the call is for
        self.workflows = workflows  # entrances, by name
        self.state = state  # as it was when the attempt began
        self.lock = lock  # reentrant, where threads share the notes
        self.refusal = refusal  # why nothing can be asked for
        self.progress = progress  # what an attempt before has told of itself
        self._take_beat = take_beat
        self._full = full  # shards that took no more when the attempt began
        self.puts: dict[str, StatePut] = {}  # by name
        self.sent: list[bytes] = []
        self._spawned = 0  # without an id of their own

    def of_item(self, item: int, lock: AbstractContextManager[object]) -> "Notes":
        """Return empty notes for the call of an item: what is noted for others is not seen there."""
        return Notes(
            firing=self.firing,
            item=item,
            workflows=self.workflows,
            state=self.state,
            lock=lock,
            progress=self.progress,
            take_beat=self._take_beat,
            full=self._full,
        )

    def settle(self) -> tuple[tuple[StatePut, ...], tuple[bytes, ...]]:
        """Return all that was asked for; whoever asks for more gets `HandlerReturned`."""
        with self.lock:
            self.refusal = HandlerReturned
            return tuple(self.puts.values()) if self.puts else (), tuple(self.sent)

    def check(self) -> None:
        """Raise why nothing can be asked for, if so."""
        if self.refusal is not None:
            raise self.refusal

    def beat(self, progress: object) -> None:
        """Pass a sign of life on at once: it does not wait for the result. Raises as `Context.heartbeat` does."""
        self.check()
        encoded = None if progress is None else encode(progress)
        if encoded is not None and len(encoded) > MOST_PROGRESS_BYTES:
            raise ValueTooLarge(len(encoded), MOST_PROGRESS_BYTES)
        with self.lock:
            self.check()
            self._take_beat(encoded)

    # -- state ---------------------------------------------------------------------------------------------

    def held(self, name: str) -> bytes | None:
        """Return the encoded value of a name as the handler sees it: its own changes included."""
        name = check_text("a name", name)
        with self.lock:
            self.check()
            put = self.puts.get(name)
            return put.value if put is not None else self.state.get(name)

    def names(self) -> list[str]:
        """Return the names of all values as the handler sees them."""
        with self.lock:
            self.check()
            gone = {name for name, put in self.puts.items() if put.value is None}
            return [name for name in dict.fromkeys((*self.state, *self.puts)) if name not in gone]

    def change(self, name: str, value: bytes | None) -> None:
        """Note a change; None deletes."""
        name = check_text("a name", name)
        if value is not None and len(value) > MOST_STATE_BYTES:
            raise ValueTooLarge(len(value), MOST_STATE_BYTES)
        with self.lock:
            self.check()
            before = self.puts.get(name)
            compares, expected = (before.compares, before.expected) if before is not None else (False, None)
            self.puts[name] = StatePut(name, value, compares, expected)

    def change_if(self, name: str, expected: object, value: bytes) -> bool:
        """Note a change of what equals `expected`, to be compared again when the result comes. False: it does not."""
        with self.lock:
            held = self.held(name)
            if (None if held is None else decode(held)) != expected:
                return False
            is_first = name not in self.puts
            self.change(name, value)
            if is_first:
                self.puts[name] = StatePut(name, value, True, self.state.get(name))
            return True

    # -- messages ------------------------------------------------------------------------------------------

    def spawn(self, workflow: Definable | str, tokens: Tokens, id: str) -> str:
        """Note a spawn and return the id the instance will have. Raises as `Context.spawn` does."""
        self.check()
        definition = self._entrance(workflow)
        plan = make_plan(definition.net, {})
        with self.lock:
            self.check()
            call = self._spawned + (not id)
            digest = blake2b(repr((self.firing, self.item, call, id)).encode(), digest_size=12).hexdigest()
            instance = chosen_id(id, f"{definition.name}-{digest[:16]}")
            check_room(instance, self._full)
            values = entry_values(plan, definition, instance, tokens)
            named = [(plan.places[place].path, value) for place, value in values]
            self._send(
                SpawnNamed(
                    instance=instance,
                    workflow=definition.name,
                    tokens=tuple((place, encode(value)) for place, value in named),
                    inputs=fingerprint(named),
                    incarnation=int(digest[16:], 16),
                )
            )
            self._spawned = call
        return instance

    def _entrance(self, workflow: Definable | str) -> Definition:
        given = None if isinstance(workflow, str) else workflow.definition()
        name = given.name if given is not None else str(workflow)
        definition = self.workflows.get(name)
        if definition is None:
            raise UnknownWorkflow(name)
        if given is not None and given.version != definition.version:
            raise DefinitionError(f"another workflow called {name} is registered", "pass this one to Runtime instead")
        return definition

    def tell(self, instance: str, message: object, *, answers: bool = False) -> None:
        """Note a message to an instance. Raises as `Context.tell` does; what `answers` a request always goes."""
        self.check()
        instance = check_text("an id", instance)
        if not answers:
            check_room(instance, self._full)
        if isinstance(message, TokenRequest):
            self._check_type(message)
        told = to_token_message(message, self.firing) if isinstance(message, TokenRequest) else message
        if not isinstance(told, Intervention) or isinstance(told, TaskIntervention):  # tasks are for people
            kind = type(message).__name__
            raise TypeError(f"a handler tells an instance `Put`, `Inject`, `Pause` and the like, not a {kind}")
        with self.lock:
            self.check()
            self._send(msgspec.structs.replace(told, instance=instance, reply=0, by=self.firing))

    def _check_type(self, request: TokenRequest) -> None:
        """Raise `WrongType` for a value that the place it is for was not declared for.

        A path alone does not say of which workflow it is; nor is anything known of places that only people put into.
        """
        place = request.place
        definition = self.workflows.get(place.workflow) if isinstance(place, PlaceRef) else None
        declared = definition.types.get(place_name(place)) if definition is not None else None
        if not accepts(declared, request.value):
            found = f"a value of type {type(request.value).__name__}"
            raise WrongType(place_name(place), name_of(declared), found)

    def post(self, message: Watch | Schedule | Unschedule) -> None:
        """Note a message that is for Placet itself. Raises `SentTooMuch`."""
        with self.lock:
            self.check()
            self._send(message)

    def _send(self, message: Message) -> None:
        if len(self.sent) >= MOST_SENT:
            raise SentTooMuch(len(self.sent), MOST_SENT)
        self.sent.append(encode_message(message))


def check_room(instance: str, full: frozenset[int]) -> None:
    """Raise `ShardFull` where the shard of an instance takes no more."""
    if full and (shard := shard_of(instance)) in full:
        raise ShardFull(instance, shard, MOST_WAITING)


PURE: Final = Notes(refusal=DeclaredPure)  # of inline handlers


def merged(puts: Iterable[StatePut]) -> tuple[StatePut, ...] | str:
    """Return the changes of several calls as those of one, each name once; or the name on which they conflict.

    The last change counts. What compares itself with a value that another call has changed conflicts.
    """
    by_name: dict[str, StatePut] = {}
    for put in puts:
        before = by_name.get(put.name)
        if before is None:
            by_name[put.name] = put
        elif put.compares:
            return put.name
        else:
            by_name[put.name] = StatePut(put.name, put.value, before.compares, before.expected)
    return tuple(by_name.values())
