"""`placet top`: a running engine watched live: rates, queues, what runs, what is slow."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from placet.actors.clock import monotonic_s
from placet.actors.control.client import ask_engine
from placet.actors.control.line import LineTooLong
from placet.actors.control.request import StatusRequest
from placet.actors.errors import EngineSilent, EngineStopped
from placet.actors.reader import StateReader
from placet.cli.errors import COMPLETED, SIGNALLED
from placet.cli.faces import Face
from placet.cli.opened import opened
from placet.cli.output import is_terminal, say, say_json
from placet.cli.signals import Interrupted, Signals
from placet.cli.status import PATIENCE_S
from placet.cli.top_view import Glance, face_of, lines_of
from placet.cli.where import Where
from placet.persistence.lock import owner

COUNTING_SHARE = 0.1  # at most so much of the time goes into counting instances: there may be millions


def top(where: Where, every_s: float, *, once: bool, is_json: bool) -> int:
    """Show the engine of a state, or those of a cluster, until Ctrl-C; or once, with rates over `every_s`.

    Raises `EngineStopped`.
    """
    if not where.node:
        return _watch(Watcher(where.state), every_s, once=once, is_json=is_json)
    from placet.cli.top_remote import RemoteWatcher  # takes 0.2 s

    with where.connected() as client:
        return _watch(RemoteWatcher(client, where.node), every_s, once=once, is_json=is_json)


def _watch(watcher: "Watching", every_s: float, *, once: bool, is_json: bool) -> int:
    with Signals() as signals:
        try:
            if once or is_json:
                _show_once(watcher, signals, every_s, is_json=is_json)
            else:
                _show_live(watcher, signals, every_s)
        except Interrupted as stop:
            return SIGNALLED + stop.number if once or is_json else COMPLETED
    return COMPLETED


def _show_once(watcher: "Watching", signals: Signals, every_s: float, *, is_json: bool) -> None:
    before = watcher.look()
    signals.wait(every_s)
    face = face_of(before, watcher.look())
    if is_json:
        say_json(face)
    else:
        Plain().show(face)


def _show_live(watcher: "Watching", signals: Signals, every_s: float) -> None:
    before = watcher.look()
    screen: Screen = Live() if is_terminal(sys.stdout) else Plain()
    try:
        screen.show(face_of(None, before))
        while True:
            signals.wait(every_s)
            after = watcher.look()
            screen.show(face_of(before, after))
            before = after
    finally:
        screen.close()


class Watching(Protocol):
    """Looks at what is watched."""

    def look(self) -> Glance:
        """Return how it is now."""
        ...


@dataclass(slots=True)
class Watcher:
    """Looks at the engine of a state through its control socket, and at its instances on disk."""

    state: Path
    _instances: dict[str, int] = field(default_factory=dict[str, int])
    _count_again_s: float = 0.0  # monotonic

    def look(self) -> Glance:
        """Return how the engine is now. Raises `EngineStopped` where none runs, and `EngineSilent`."""
        pid = owner(self.state)
        if pid is None:
            with opened(self.state):  # one that is no state, or cannot be read, says so instead
                raise EngineStopped(f"no engine runs over {self.state}; placet serve --state {self.state} starts one")
        try:
            told = ask_engine(self.state, StatusRequest(), PATIENCE_S)
        except TimeoutError as error:
            raise EngineSilent(str(self.state), pid, f"no answer within {PATIENCE_S:g} s") from error
        except (OSError, LineTooLong) as error:
            reason = cast("str | None", getattr(error, "strerror", None)) or str(error)
            raise EngineSilent(str(self.state), pid, reason) from error
        return Glance(at_s=monotonic_s(), state=str(self.state), told=told, instances=self._counted())

    def _counted(self) -> dict[str, int]:
        """Return the instances by state; where counting takes long, those of the last time for a while."""
        begin_s = monotonic_s()
        if begin_s >= self._count_again_s:
            with opened(self.state) as store:
                counts = Counter(header.state.value for header in StateReader(store).headers())
            self._instances = dict(sorted(counts.items()))
            end_s = monotonic_s()
            self._count_again_s = end_s + (end_s - begin_s) / COUNTING_SHARE
        return self._instances


class Screen(Protocol):
    """Where the view is shown."""

    def show(self, face: Face) -> None:
        """Show it instead of the one before."""
        ...

    def close(self) -> None:
        """Leave nothing behind on the terminal."""
        ...


class Plain:
    """Lines, one view after the other, with an empty line between."""

    def __init__(self) -> None:
        self._is_first = True

    def show(self, face: Face) -> None:
        """Write the view."""
        if not self._is_first:
            say("")
        self._is_first = False
        for line in lines_of(face):
            say(line)

    def close(self) -> None:
        """Do nothing."""


class Live:
    """The whole terminal, drawn anew each time by whoever calls `show`, as `top` does it."""

    def __init__(self) -> None:
        from rich.live import Live as RichLive  # takes 0.1 s

        self._live = RichLive(screen=True, auto_refresh=False)
        self._live.start()

    def show(self, face: Face) -> None:
        """Draw the view."""
        from placet.cli.top_table import table_of

        self._live.update(table_of(face), refresh=True)

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._live.stop()
