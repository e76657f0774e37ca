"""The base of durable actors of users' own."""

from collections.abc import MutableMapping
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from placet.actors.context import Context
from placet.actors.own.definition import definition_of
from placet.actors.own.work import Work
from placet.actors.spawning import Definable, Tokens
from placet.petri.behaviour import Definition, RetryPolicy

M = TypeVar("M")


class Actor(Generic[M]):
    """An actor of one's own: it handles one message at a time, and what it keeps in `state` outlives the process.

    A subclass says which messages it takes, `class Counter(Actor[Add | Total])`, and handles them in `receive`, an
    `async def` or not. Each actor is an instance of a workflow of the class's name (or of `name`): all that holds for
    instances holds for it. What `receive` changes, sends, starts and returns counts once, in one commit; one that
    raises leaves nothing behind, and is tried again as `retry` says, or waits for a person as an incident.

    `version` is that of the state; an older one goes through `migrate` before the next message. `timeout_s` is per
    attempt, `run` the executor, "thread" if not said. The answers to the latest `answers_kept` requests of programs are
    kept, for who asks again. An object of the class lives for one message: it takes no attributes.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    retry: ClassVar[RetryPolicy | None] = None
    timeout_s: ClassVar[float | None] = None
    run: ClassVar[str | None] = None
    answers_kept: ClassVar[int] = 100

    __slots__ = ("_work",)
    _work: Work

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"`self.{name} = …` would be lost with this message; keep it as `self.state[{name!r}]`")

    # -- what a subclass says ------------------------------------------------------------------------------

    def receive(self, message: M) -> object:
        """Handle one message; what is returned goes to who asked for it."""
        raise NotImplementedError

    def started(self) -> object:
        """Be called once, before the first message; what is returned does not count."""
        return None

    def migrate(self, version: int, state: dict[str, Any]) -> dict[str, Any]:  # `Any`: your data
        """Return the state of an older `version` as it is in the version of the class."""
        raise NotImplementedError(version, state)

    # -- what it knows -------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its id, under which others tell it something."""
        return self._work.context.instance

    @property
    def sender(self) -> str:
        """The id of the actor that sent the message; "" where a program or a handler did."""
        return self._work.letter.sender

    @property
    def state(self) -> MutableMapping[str, Any]:
        """What it keeps: named values, each of up to 64 KiB when encoded."""
        return self._work.state

    @property
    def context(self) -> Context:
        """The context of the handler that this is, with its firing's id, attempt and logger."""
        return self._work.context

    # -- what it may do: all of it counts if the result does -----------------------------------------------

    def tell(self, target: str, message: object) -> None:
        """Send an actor a message; or any instance `Put`, `Inject`, `Cancel` and the like, as `Context.tell` does."""
        self._work.tell(target, message)

    def ask(self, target: str, message: object) -> str:
        """Send an actor a message and have what it returns for it come as `Answered`; return the request's id."""
        return self._work.ask(target, message)

    def spawn(self, workflow: Definable | str, tokens: Tokens | None = None, *, id: str = "") -> str:
        """Start an actor of a class, or an instance of a workflow, and return its id; see `Context.spawn`.

        An actor begins with `tokens`, {"born": [{name: value}]}, as its state, if they are given.
        """
        return self._work.context.spawn(workflow, tokens, id=id)

    def watch(self, target: str) -> None:
        """Be told `Terminated` of an instance or actor, once: when it ends, or at once if it has, or is none."""
        self._work.context.watch(target, "inbox")

    def after(self, seconds: float, message: object, *, name: str = "") -> str:
        """Be sent a message of up to 64 KiB in so many seconds, and return the name of the timer.

        Of one name there is one timer, the latest. It outlives the process: one that is due meanwhile comes at the
        next start.
        """
        return self._work.after(seconds, message, name)

    def cancel_timer(self, name: str) -> bool:
        """Have the message of a timer not come, even where it lies in the inbox; False: there is no such timer."""
        return self._work.cancel_timer(name)

    def stop(self, result: object = None) -> None:
        """End once this message is handled, as `completed`, and leave `result` in the place `stopped`.

        Messages that wait are dropped; the history says which, and who watches is told.
        """
        self._work.stop(result)

    # -- the workflow it is --------------------------------------------------------------------------------

    @classmethod
    def definition(cls) -> Definition:
        """Return the workflow that its actors are instances of. Raises `DefinitionError`."""
        return definition_of(cls, Actor)
