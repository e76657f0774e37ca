"""The actors that tests of actors are about."""

from dataclasses import dataclass
from typing import Any, ClassVar, assert_never

from placet import Actor, Answered, Retry, Terminated


@dataclass(frozen=True)
class Add:
    count: int


@dataclass(frozen=True)
class Total:
    pass


@dataclass(frozen=True)
class End:
    pass


class Counter(Actor[Add | Total | End]):
    """Counts, and ends when it is told to."""

    def receive(self, message: Add | Total | End) -> int:
        total: int = self.state.get("total", 0)
        match message:
            case Add(count=count):
                total = self.state["total"] = total + count
            case Total():
                pass
            case End():
                self.stop(total)
            case _:
                assert_never(message)
        return total


class LaterCounter(Actor[Add]):
    """A counter whose `receive` is a coroutine."""

    async def started(self) -> None:
        self.state["started"] = True

    async def receive(self, message: Add) -> int:
        self.state["total"] = self.state.get("total", 0) + message.count
        total: int = self.state["total"]
        return total


class Elsewhere(Actor[Add]):
    """A counter that counts in another process."""

    run = "process"

    def receive(self, message: Add) -> int:
        self.state["total"] = self.state.get("total", 0) + message.count
        total: int = self.state["total"]
        return total


class Fussy(Actor[str]):
    """Notes what it is told, and raises at `bad` as long as its texts say so."""

    retry = Retry(attempts=2, first_s=1.0)
    troubles: ClassVar[list[str]] = []  # of the test, not of the actor

    def receive(self, message: str) -> str:
        self.state.setdefault("seen", []).append(message)
        self.spawn(Counter, id=f"{self.id}-{message}")
        if message in self.troubles:
            raise OSError(f"{message} is no good")
        return message.upper()


@dataclass(frozen=True)
class Do:
    """Have a `Player` call one of its verbs."""

    verb: str
    arguments: tuple[Any, ...] = ()


class Player(Actor[Do | Terminated | Answered | str]):
    """Does what it is told, and keeps what comes to it."""

    def receive(self, message: Do | Terminated | Answered | str) -> object:
        if isinstance(message, Do):
            return getattr(self, message.verb)(*message.arguments)
        self.state.setdefault("heard", []).append(message)
        return None

    def arm(self, seconds: float, message: str, name: str) -> str:
        return self.after(seconds, message, name=name)

    def rearm(self, name: str) -> None:
        self.after(1.0, "first", name=name)
        self.after(2.0, "second", name=name)

    def sent_by(self) -> str:
        return self.sender
