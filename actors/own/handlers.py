"""The handlers of an actor's workflow: each calls the class for one message, plainly or as a coroutine."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from placet.actors.context import Context
from placet.actors.own.letter import Letter
from placet.actors.own.work import VERSION, Work
from placet.petri.output import Output

if TYPE_CHECKING:
    from placet.actors.own.actor import Actor

# `Any` below: an actor of whatever messages.


@dataclass(frozen=True, slots=True, eq=False)
class Begin:
    """Has an actor begin."""

    kind: "type[Actor[Any]]"

    @property
    def func(self) -> Callable[..., object]:
        """What it calls: it makes the identity of the handler."""
        return self.kind.started

    def __call__(self, born: Mapping[str, object], context: Context) -> Output:
        """Handle the token that an actor begins with."""
        work = _begun(self.kind, born, context)
        work.actor.started()
        return work.settle()


@dataclass(frozen=True, slots=True, eq=False)
class BeginLater:
    """`Begin` for an `async def started`."""

    kind: "type[Actor[Any]]"

    @property
    def func(self) -> Callable[..., object]:
        """What it calls: it makes the identity of the handler."""
        return self.kind.started

    async def __call__(self, born: Mapping[str, object], context: Context) -> Output:
        """Handle the token that an actor begins with."""
        work = _begun(self.kind, born, context)
        await cast("Awaitable[object]", work.actor.started())
        return work.settle()


@dataclass(frozen=True, slots=True, eq=False)
class Receive:
    """Has an actor handle a message."""

    kind: "type[Actor[Any]]"

    @property
    def func(self) -> Callable[..., object]:
        """What it calls: it makes the identity of the handler."""
        return self.kind.receive

    def __call__(self, idle: Mapping[str, int], message: object, context: Context) -> Output:
        """Handle one message."""
        work = _resumed(self.kind, idle, message, context)
        if work.accepts():
            work.returned(work.actor.receive(work.letter.message))
        return work.settle()


@dataclass(frozen=True, slots=True, eq=False)
class ReceiveLater:
    """`Receive` for an `async def receive`."""

    kind: "type[Actor[Any]]"

    @property
    def func(self) -> Callable[..., object]:
        """What it calls: it makes the identity of the handler."""
        return self.kind.receive

    async def __call__(self, idle: Mapping[str, int], message: object, context: Context) -> Output:
        """Handle one message."""
        work = _resumed(self.kind, idle, message, context)
        if work.accepts():
            work.returned(await cast("Awaitable[object]", work.actor.receive(work.letter.message)))
        return work.settle()


def _begun(kind: "type[Actor[Any]]", born: Mapping[str, object], context: Context) -> Work:
    work = Work(kind, context, Letter(message=None))
    work.begin(born)
    return work


def _resumed(kind: "type[Actor[Any]]", idle: Mapping[str, int], message: object, context: Context) -> Work:
    work = Work(kind, context, message if isinstance(message, Letter) else Letter(message=message))
    work.migrate(idle[VERSION])
    return work
