"""How far a run is: a live bar on a terminal, a plain line now and then elsewhere, nothing for programs."""

import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from placet.cli.output import is_terminal, note
from placet.petri.errors import printable

PLAIN_EVERY_S = 10.0
RATE_OVER_S = 5.0
SHOWN_TRANSITIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run stands."""

    at_s: float  # monotonic
    state: str
    fired: int  # results counted so far
    total: int  # results it takes; 0: nobody knows
    running: str  # what runs now, for people; may be empty


class Display(Protocol):
    """Shows where a run stands."""

    def show(self, standing: Standing) -> None:
        """Show it; called several times a second."""
        ...

    def close(self) -> None:
        """Leave nothing behind on the terminal."""
        ...


@dataclass(slots=True)
class Rate:
    """Firings per second over the last few seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def of(self, standing: Standing) -> float:
        """Return the rate with this standing counted in."""
        self._seen.append((standing.at_s, standing.fired))
        while len(self._seen) > 2 and standing.at_s - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        passed_s = standing.at_s - self._seen[0][0]
        return (standing.fired - self._seen[0][1]) / passed_s if passed_s > 0 else 0.0


class Runs(Protocol):
    """A handler that runs."""

    @property
    def transition(self) -> str:
        """The path of its transition."""
        ...

    @property
    def since_s(self) -> float:
        """For how long."""
        ...


def running_text(handlers: Iterable[Runs]) -> str:
    """Return what runs now in a few words, longest first: `align ×3 (12.0 s), merge (0.4 s)`."""
    longest_s: dict[str, float] = {}
    counts: dict[str, int] = {}
    for handler in handlers:
        longest_s[handler.transition] = max(handler.since_s, longest_s.get(handler.transition, 0.0))
        counts[handler.transition] = counts.get(handler.transition, 0) + 1
    order = sorted(longest_s, key=lambda transition: -longest_s[transition])
    parts = [f"{name}{_times(counts, name)} ({longest_s[name]:.1f} s)" for name in order[:SHOWN_TRANSITIONS]]
    more = len(order) - SHOWN_TRANSITIONS
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def _times(counts: Mapping[str, int], name: str) -> str:
    return f" ×{counts[name]}" if counts[name] > 1 else ""


def display(id: str, *, is_json: bool) -> Display:
    """Return what suits standard output."""
    if is_json:
        return Silent()
    return Bar(id) if is_terminal(sys.stdout) else Lines(id)


class Silent:
    """Shows nothing."""

    def show(self, standing: Standing) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """Writes a plain line to standard error every ten seconds."""

    def __init__(self, id: str) -> None:
        self._id = id
        self._rate = Rate()
        self._last_s: float | None = None

    def show(self, standing: Standing) -> None:
        """Write the line, if it is time."""
        rate = self._rate.of(standing)
        if self._last_s is None:
            self._last_s = standing.at_s
        if standing.at_s - self._last_s >= PLAIN_EVERY_S:
            self._last_s = standing.at_s
            note(f"{self._id} {standing.state}: {counted(standing)}, {per_second(rate)}{now_running(standing)}")

    def close(self) -> None:
        """Do nothing."""


def counted(standing: Standing) -> str:
    """Return how many firings are done, and of how many."""
    of = f" of {standing.total}" if standing.total else ""
    return f"{standing.fired}{of} firings"


def per_second(rate: float) -> str:
    """Return a rate for people."""
    return f"{rate:.1f}/s" if 0 < rate < 10 else f"{rate:,.0f}/s"


def now_running(standing: Standing) -> str:
    """Return what runs now as the end of a line, or nothing."""
    return f", now {standing.running}" if standing.running else ""


class Bar:
    """A live progress bar; drawn by whoever calls `show`, with no thread of its own."""

    def __init__(self, id: str) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # takes 0.1 s
        from rich.table import Column

        self._rate = Rate()
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=32)),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False, table_column=rest),
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(printable(id), total=None, text="")
        self._progress.start()

    def show(self, standing: Standing) -> None:
        """Draw the bar."""
        text = f"{counted(standing)}, {per_second(self._rate.of(standing))}, {standing.state}{now_running(standing)}"
        total = standing.total or None
        self._progress.update(self._task, completed=standing.fired, total=total, text=printable(text))
        self._progress.refresh()

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()
