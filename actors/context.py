"""What a handler gets if it has a parameter named `context`: who it is, and what it may do beside returning."""

import logging
from collections.abc import MutableMapping
from typing import Any

from placet.actors.arguments import check_text
from placet.actors.messages import PlainMessage, Watch
from placet.actors.notes import Notes
from placet.actors.spawning import Definable, Tokens
from placet.actors.token_request import Inject, Put
from placet.persistence.values import decode, encode
from placet.petri.expression import PlaceRef, place_name

LOGGER = "placet.handlers"


class Context:
    """The firing a handler runs for, and what the handler may do beside returning.

    What it spawns, tells and changes of the state counts if its result does, in the same commit; an attempt that
    fails, is lost or comes too late leaves nothing behind. All of it may be used from any thread until the handler has
    returned, and raises `HandlerReturned` then. Handlers with run="inline" are declared pure: they get `DeclaredPure`.
    """

    __slots__ = ("attempt", "firing_id", "instance", "item", "notes", "tags", "transition")

    def __init__(
        self,
        *,
        instance: str,
        firing_id: str,
        attempt: int,
        item: int | None = None,
        transition: str = "",
        tags: tuple[str, ...] = (),
        notes: Notes | None = None,
    ) -> None:
        self.instance = instance
        self.firing_id = firing_id  # the same for every attempt of this firing, and for no other: an idempotency key
        self.attempt = attempt  # 1 for the first
        self.item = item  # with run="parallel": which item of the list this call is for, from 0 on
        self.transition = transition  # its path, such as `fulfil/pack`
        self.tags = tags  # of the transition: its category, and the names of its properties
        self.notes = notes if notes is not None else Notes(firing=firing_id, item=item)  # for executors

    def __repr__(self) -> str:
        return f"Context({self.firing_id!r}, attempt={self.attempt})"

    @property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """The logger `placet.handlers`; each message begins with transition and firing, and has them as attributes.

        In a worker process it is that process's: what `logging` does with it is set up there, by what the handler
        imports.
        """
        return _FiringLogger(logging.getLogger(LOGGER), self._names())

    def _names(self) -> dict[str, object]:
        names: dict[str, object] = {"instance": self.instance, "transition": self.transition}
        return {**names, "firing": self.firing_id, "attempt": self.attempt}

    # -- signs of life -------------------------------------------------------------------------------------

    def heartbeat(self, progress: object = None) -> None:
        """Say that the handler is alive, and with `progress` how far it has come: any value of up to 16 KiB encoded.

        Call it as often as you like: it never waits, and passes on about one a second, the latest. A transition with
        `heartbeat_s` needs one within each such time. People see `progress`, and the next attempt is given it.
        Raises `AttemptOver` where the attempt has run out of time or its instance is being cancelled: clean up and let
        it through. Raises `ValueTooLarge` and `ValueNotEncodable`.
        """
        self.notes.beat(progress)

    @property
    def progress(self) -> Any:  # `Any`: your data
        """The last value an attempt before this one gave to `heartbeat`, as far as it was on disk; None: there is none.

        Raises `ValueNotLoadable`.
        """
        known = self.notes.progress
        return None if known is None else decode(known)

    # -- the state of the instance -------------------------------------------------------------------------

    def get(self, name: str, default: object = None) -> Any:  # `Any`: your data
        """Return a value of the instance's state, or `default` where there is none of that name.

        It is that of the moment at which the attempt began, with this handler's own changes.
        """
        held = self.notes.held(name)
        return default if held is None else decode(held)

    def put(self, name: str, value: object) -> None:
        """Give a value of the state: any Python value of up to 64 KiB when encoded. The last result that counts wins.

        Raises `ValueTooLarge` and `ValueNotEncodable`.
        """
        self.notes.change(name, encode(value))

    def delete(self, name: str) -> None:
        """Remove a value from the state; one that is not there may be removed."""
        self.notes.change(name, None)

    def compare_and_set(self, name: str, expected: object, value: object) -> bool:
        """Give a value of the state if it is `expected` now (None: or missing); return whether it is.

        Should another firing have changed it by the time the result comes, this attempt fails, as `StateConflict`,
        and `Retry` may try again, with the state as it is then. Raises as `put` does.
        """
        return self.notes.change_if(name, expected, encode(value))

    # -- other instances -----------------------------------------------------------------------------------

    def spawn(self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "") -> str:
        """Start an instance with `tokens`, {entry place: [values]}, once the result counts; return its id.

        Without an id it gets one that follows from the firing and the order of such calls: the same in each attempt. If
        there is an instance of that id by then, with other inputs, the history of this one says `undelivered`.
        Raises `UnknownWorkflow`, `DefinitionError` for another workflow under a registered name, `InvalidId`,
        `BadRequest`, `NotFound` for a place that is no entry, `TypeError` where no list of values is given,
        `WrongType`, `RequestRefused` for more tokens than a place holds, `ValueNotEncodable`, and `Busy` from the
        10,000th message on, and where the shard it will live in takes no more for now: let that one through, and the
        handler is run again once it does, without an attempt spent.
        """
        return self.notes.spawn(workflow, tokens or {}, id)

    def tell(self, instance: str, message: Put | Inject | PlainMessage) -> None:
        """Send a token or an intervention to an instance, once the result counts.

        It is recorded there as `by` this firing, whatever its `by` says. One that has no effect, since the instance
        does not exist or refuses it, is recorded in the history of this one as `undelivered`, with the reason.
        Where a token's place is given as such, and not by its path, a value it was not declared for raises `WrongType`.
        Raises `TypeError` for what is no such message, `BadRequest` for an id that is no text, `ValueNotEncodable`,
        and `Busy` as `spawn` does.
        """
        self.notes.tell(instance, message)

    def watch(self, instance: str, place: PlaceRef | str) -> None:
        """Have a `Terminated` put into a place of this instance, fed from outside, when another one has ended.

        It comes once: at once where that one has ended already, or there is none of that id. Raises `BadRequest` for an
        id that is no text, and `Busy` as `spawn` does.
        """
        self.notes.check()
        instance = check_text("an id", instance)
        self.notes.post(Watch(instance=instance, watcher=self.instance, place=place_name(place)))


class _FiringLogger(logging.LoggerAdapter[logging.Logger]):
    """Names the firing in each message, and leaves the caller's own `extra` in place."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """As `logging` has it, whose types these are (`Any`)."""
        names = dict(self.extra or {})
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **names}
        return f"{names['transition']} {names['firing']}: {msg}", kwargs
