"""The executor of handlers that run on other nodes: what the engine's thread sees of the errands of its process."""

from collections.abc import Callable, Sequence
from typing import Final

from placet.actors.clock import monotonic_s
from placet.actors.effects import Expire, Start
from placet.actors.executors.base import Load, Post, RunningHandler, running_handler
from placet.actors.executors.placed import Placed

CLOSED: Final[Load] = Load(at_once=0, capacity=0, running=0, queued=0, abandoned=0)


class ErrandExecutor:
    """Hands firings over to the thread that sends, and knows from it how many more there is room for.

    A clean stop does not wait for what runs elsewhere: its attempts do not count as lost, and are made again.
    """

    def __init__(
        self,
        placed: Placed,
        post: Post,
        submit: Callable[["ErrandExecutor", Sequence[Start]], None],
        expire: Callable[[Expire], None],
        drain: Callable[[], None],
    ) -> None:
        """`submit`, `expire` and `drain` are safe to be called from the engine's thread."""
        self.name = placed.name
        self.placed = placed
        self.post = post
        self._submit = submit
        self._expire = expire
        self._drain = drain
        self._load: Load = CLOSED
        self._lack = ""
        self._given: Sequence[tuple[Start, float]] = ()
        self._is_closed = False

    def note(self, load: Load, lack: str) -> bool:
        """Take note of how busy others are, from the thread that sends; return whether the engine ought to look."""
        is_news = lack != self._lack or load.capacity != self._load.capacity
        self._load, self._lack = load, lack
        return is_news and not self._is_closed

    def note_given(self, given: Sequence[tuple[Start, float]]) -> None:
        """Take note of what runs elsewhere, and since when: for those who look."""
        self._given = given

    def lack(self) -> str:
        """Return why no host that is known of will do, or ""."""
        return self._lack

    def capacity(self) -> int:
        """Return how many firings are taken at once by all hosts."""
        return self._load.capacity

    def load(self) -> Load:
        """Return how busy it is; once it is to stop, nothing is waited for."""
        return CLOSED if self._is_closed else self._load

    def is_behind(self) -> bool:
        """Nothing here is looked after by the engine's thread."""
        return False

    def running(self) -> list[RunningHandler]:
        """Return what runs elsewhere, longest first."""
        now_s = monotonic_s()
        return [running_handler(start, now_s - since_s) for start, since_s in sorted(self._given, key=_since)]

    def submit(self, starts: Sequence[Start]) -> None:
        """Take firings."""
        self._submit(self, starts)

    def expire(self, expire: Expire) -> None:
        """Have a handler end, wherever it runs."""
        self._expire(expire)

    def tend(self) -> None:
        """Nothing is left behind here."""

    def drain(self) -> None:
        """Begin nothing more, and forget what has not begun."""
        self._is_closed = True
        self._drain()

    def close(self) -> int:
        """Let go; other nodes are told by whoever stops this process."""
        self._is_closed = True
        return self._load.running


def _since(given: tuple[Start, float]) -> float:
    return given[1]
