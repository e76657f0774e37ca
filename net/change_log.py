"""The last changes of a coordinator's map, in memory, and the watches that are told of them. Pure."""

from collections import deque

from placet.net.coordinator import Changed, Compacted, Entry, Listener


class LoggedWatch:
    """A place in the log, and who is told of what comes after it."""

    def __init__(self, prefix: str, position: int, listener: Listener) -> None:
        self.prefix = prefix
        self.position = position  # revision up to which it has been told
        self.listener = listener
        self.is_over = False

    def cancel(self) -> None:
        """End it; see `Watch.cancel`."""
        self.is_over = True


class ChangeLog:
    """Keeps the last `keep` revisions, and tells each watch what it has not been told.

    A listener may change the map, begin watches and end them: what comes of it is told after what is being told now.
    """

    def __init__(self, revision: int, *, keep: int) -> None:
        self.revision = revision
        self._entries: deque[dict[str, Entry | None]] = deque(maxlen=keep)  # of the last revisions, one each
        self._watches: list[LoggedWatch] = []
        self._is_telling = False

    def append(self, entries: dict[str, Entry | None]) -> None:
        """Add the next revision; `tell` tells of it."""
        self.revision += 1
        self._entries.append(entries)

    def since(self, prefix: str, revision: int) -> list[Changed] | None:
        """Return what has changed after a revision, or None where that is too long ago, or has not been reached."""
        first = self.revision - len(self._entries)  # all after it is here
        if not first <= revision <= self.revision:
            return None
        changes: list[Changed] = []
        for number in range(revision + 1, self.revision + 1):
            entries = {key: entry for key, entry in self._entries[number - first - 1].items() if key.startswith(prefix)}
            if entries:
                changes.append(Changed(revision=number, entries=entries))
        return changes

    def watch(self, prefix: str, after_revision: int, listener: Listener) -> LoggedWatch:
        """Begin a watch, and tell it what is known already."""
        watch = LoggedWatch(prefix, after_revision, listener)
        self._watches.append(watch)
        self.tell()
        return watch

    def tell(self) -> None:
        """Tell every watch what it has not been told."""
        if self._is_telling:
            return  # by a listener: whoever called it goes on to what is new
        self._is_telling = True
        try:
            while behind := [watch for watch in self._watches if not watch.is_over and watch.position != self.revision]:
                for watch in behind:
                    self._tell(watch)
        finally:
            self._is_telling = False
            self._watches = [watch for watch in self._watches if not watch.is_over]

    def end(self) -> None:
        """End all watches."""
        for watch in self._watches:
            watch.cancel()

    def _tell(self, watch: LoggedWatch) -> None:
        revision, changes = self.revision, self.since(watch.prefix, watch.position)
        if changes is None:
            watch.is_over = True
            watch.listener(Compacted(revision=revision))
            return
        for changed in changes:
            if watch.is_over:
                return
            watch.position = changed.revision  # before the call: one that raises has been told
            watch.listener(changed)
        watch.position = revision
