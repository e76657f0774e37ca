"""A turn: everything one message changes, gathered, and merged into the batch only if nothing raised.

Actors write to their turn alone. When a turn is dropped, its instance's actors are dropped from memory with
it and read again when needed, so no actor has code to undo anything.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from placet.actors.answers import Answer
from placet.actors.effects import Expire, Progress, Start, StateChanged
from placet.actors.records import Firing

if TYPE_CHECKING:
    from placet.actors.composite import CompositeActor


class Aside:
    """What few turns bring about."""

    __slots__ = (
        "acquitted",
        "answer",
        "changes",
        "engine_writes",
        "expires",
        "forget",
        "progress",
        "promised",
        "replays",
        "sent",
        "suspects",
    )

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.engine_writes: dict[bytes, bytes | None] = {}  # outside of the instance
        self.forget = False  # drop the instance from memory after this turn
        self.changes: list[StateChanged] = []
        self.expires: list[Expire] = []
        self.progress: list[Progress] = []
        self.suspects: list[Firing] = []  # to be run alone
        self.acquitted: list[int] = []  # firings no longer to be run alone
        self.replays: list[bytes] = []  # parked messages to be handled again
        self.sent: list[bytes] = []  # messages to other instances
        self.promised: dict[int, int] = {}  # calls among them, by shard


TimerChange: TypeAlias = tuple[int, float, float, int]  # (firing, due before or 0.0, due now or 0.0, transition)


class Turn:
    """The writes, history and effects of one message, and the time it was handled at."""

    __slots__ = (
        "aside",
        "born",
        "changed",
        "fired",
        "firings",
        "freed",
        "inline_left",
        "log",
        "now",
        "observed",
        "root",
        "shares",
        "starts",
        "timers",
    )

    def __init__(self, root: bytes = b"", now: float = 0.0, inline_left: int = 0, observed: bool = False) -> None:
        self.begin(root, now, inline_left, observed)

    def begin(self, root: bytes, now: float, inline_left: int, observed: bool) -> None:
        """Make this a new, empty turn: a kernel uses one object for all, which stays in the processor's caches."""
        self.root = root
        self.now = now
        self.inline_left = inline_left  # inline firings this turn may still run
        self.observed = observed  # somebody follows this instance: emit progress
        self.born: dict[bytes, bytes] = {}  # keys that were not in the store before
        self.changed: dict[bytes, bytes | None] = {}  # keys that were; None deletes
        self.freed: list[tuple[int, int]] = []  # (composite, slot) of firings that ended: reused, or deleted at the end
        self.log: list[tuple[bytes, bytes]] = []  # history records
        self.firings: dict[int, tuple[CompositeActor, Firing, bool]] = {}  # to be written at the end; True: born
        self.starts: list[Start] = []
        self.timers: list[TimerChange] = []  # in order
        self.shares: dict[str, int] = {}  # slots left for this turn, by executor; empty while nobody else waits
        self.fired = 0
        self.aside: Aside | None = None

    def rare(self) -> Aside:
        """Return where to put what few turns bring about."""
        aside = self.aside
        if aside is None:
            aside = self.aside = Aside()
        return aside

    def get(self, key: bytes, otherwise: Callable[[bytes], bytes | None]) -> bytes | None:
        """Return an entry as this turn leaves it so far; what the turn did not write comes from `otherwise`."""
        if key in self.born:
            return self.born[key]
        return self.changed[key] if key in self.changed else otherwise(key)

    def create(self, key: bytes, value: bytes) -> None:
        """Write an entry that is not in the store, unless this very turn removed it from there."""
        if key in self.changed:
            self.changed[key] = value
        else:
            self.born[key] = value

    def put(self, key: bytes, value: bytes) -> None:
        """Write an entry that may be in the store already."""
        if key in self.born:
            self.born[key] = value
        else:
            self.changed[key] = value

    def delete(self, key: bytes) -> None:
        """Remove an entry; one born in this turn leaves no trace."""
        if self.born.pop(key, None) is None:
            self.changed[key] = None
