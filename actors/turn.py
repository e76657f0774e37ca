"""A turn: everything one message changes, gathered, and merged into the batch only if nothing raised.

Actors write to their turn alone. When a turn is dropped, its instance's actors are dropped from memory with
it and read again when needed, so no actor has code to undo anything.
"""

from typing import TYPE_CHECKING

from placet.actors.answers import Answer
from placet.actors.effects import Expire, Progress, Start, StateChanged

if TYPE_CHECKING:
    from placet.actors.composite import CompositeActor
    from placet.actors.records import Firing


class Turn:
    """The writes, history and effects of one message, and the time it was handled at."""

    __slots__ = (
        "answer",
        "born",
        "changed",
        "changes",
        "cleared",
        "engine_writes",
        "expires",
        "fired",
        "firings",
        "forget",
        "inline_left",
        "now",
        "observed",
        "progress",
        "records",
        "replays",
        "root",
        "shares",
        "starts",
        "suspects",
        "timers",
    )

    def __init__(self, root: bytes, now: float, inline_left: int, observed: bool) -> None:
        self.root = root
        self.now = now
        self.inline_left = inline_left  # inline firings this turn may still run
        self.observed = observed  # somebody follows this instance: emit progress
        self.born: dict[bytes, bytes] = {}  # keys that were not in the store before
        self.changed: dict[bytes, bytes | None] = {}  # keys that were; None deletes
        self.engine_writes: dict[bytes, bytes | None] = {}  # outside of the instance
        self.firings: dict[int, tuple[CompositeActor, Firing, bool]] = {}  # to be written at the end; True: born
        self.forget = False  # drop the instance from memory after this turn
        self.records = 0  # history records written so far
        self.starts: list[Start] = []
        self.timers: dict[int, tuple[float, int]] = {}  # firing -> (due or 0.0 to clear, transition)
        self.shares: dict[str, int] = {}  # slots left for this turn, by executor
        self.expires: list[Expire] = []
        self.suspects: list[tuple[int, int]] = []  # (transition, firing) to be run alone
        self.changes: list[StateChanged] = []
        self.progress: list[Progress] = []
        self.answer: Answer | None = None
        self.replays: list[bytes] = []  # parked messages to be handled again
        self.cleared: list[tuple[str, str]] = []  # (instance, path) of user code no longer suspected
        self.fired = 0

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
